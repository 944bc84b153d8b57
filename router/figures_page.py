"""The page of figures, and how several workers of one router come to one."""

import logging
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Final

from services import metrics
from services.exposition.family import Family
from services.exposition.places import Place
from services.metrics_settings import MetricsSettings
from services.repeating import repeating
from services.resources import Resources

Count = Callable[[], Iterator[Family]]
"""What this worker has counted of requests."""
_log = logging.getLogger(__name__)
WRITE_SECONDS: Final = 5.0


class FiguresPage:
    """The page of figures: of this worker, or of all that have a place in the same folder."""

    def __init__(self, resources: Resources, requests: Count, place: Place | None) -> None:
        self._resources = resources
        self._requests = requests
        self._place = place

    def families(self) -> list[Family]:
        """What this worker and the others have counted."""
        if self._place is None:
            return self._own()
        self._put_down(self._place)
        return self._place.all()

    async def write(self) -> None:
        """Put down what this worker has counted, for the others."""
        if self._place is not None:
            self._put_down(self._place)

    def _put_down(self, place: Place) -> None:
        try:
            place.write(self._own())
        except OSError as error:
            # A full disk, say: figures are wanted most then, and it is tried again soon (I10).
            _log.warning("the other workers do not hear of this one's figures: %s", error)

    def _own(self) -> list[Family]:
        return [*self._requests(), *metrics.figures(self._resources)]


@asynccontextmanager
async def open_page(resources: Resources, requests: Count) -> AsyncIterator[FiguresPage]:
    """The page, kept fresh for the other workers until the block ends."""
    with _place(resources.settings.metrics) as place:
        page = FiguresPage(resources, requests, place)
        async with repeating(page.write, "other workers do not know our figures", WRITE_SECONDS):
            yield page


@contextmanager
def _place(settings: MetricsSettings) -> Iterator[Place | None]:
    place = None if settings.folder is None else Place(settings.folder)
    try:
        yield place
    finally:
        if place is not None:
            place.leave()
