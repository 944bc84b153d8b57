"""The same done with one cluster after the other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import click

from deploy.errors import OperatorError


@dataclass
class Rounds:
    """What failed of several, by cluster. One that fails does not keep the others from theirs."""

    what: str
    failed: dict[str, OperatorError] = field(default_factory=dict)

    def each(self, clusters: Sequence[str], work: Callable[[str], None]) -> None:
        """Do the work with each cluster.

        Raises:
            OperatorError: of the work, when there is no other cluster.
        """
        for cluster in clusters:
            try:
                work(cluster)
            except OperatorError as error:
                if len(clusters) == 1:
                    raise
                self.failed[cluster] = error
                click.echo(f"{cluster}: {self.what} failed; the others go on", err=True)

    def tell_failed(self) -> None:
        """Tell what failed, now that what did not is shown.

        Raises:
            ExceptionGroup: of OperatorErrors, one for each.
        """
        if self.failed:
            told = [self._told(cluster, error) for cluster, error in self.failed.items()]
            raise ExceptionGroup(f"{self.what} failed", told)

    def _told(self, cluster: str, error: OperatorError) -> OperatorError:
        """As failed, whatever its own status: others were not refused, and have changed things."""
        happened = f"{cluster}: {self.what} failed: {error.happened}"
        return OperatorError(happened, error.means, error.advice)
