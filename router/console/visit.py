"""One request of the console, as its pages see it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final
from urllib.parse import parse_qsl

from router.call import Call
from router.console.desk import Desk
from services.access.sessions import Tokens
from services.errors import InvalidRequest, UnsupportedMediaType

OPERATE: Final = "fleet:operate"
_FORM: Final = "application/x-www-form-urlencoded"
_MOST_FIELDS: Final = 20


class Visit(Call):
    """A call whose guard attaches who came (`caller`, `own`) and what that allows (`everywhere`).

    `renewed` are tokens that the browser is to hold from now on.
    """

    bearer: str
    renewed: Tokens | None = None

    @property
    def desk(self) -> Desk:
        """What all pages share."""
        desk: Desk = self.app.state.desk
        return desk

    @property
    def may_operate(self) -> bool:
        """Whether buttons that change something are for this person."""
        return self.caller.principal.may(OPERATE, None)

    def demand_storable_address(self) -> None:
        """Refuse an address that asks for what no database can hold.

        Raises:
            InvalidRequest.
        """
        _demand_storable(self.query_params.multi_items())

    async def fields(self) -> dict[str, str]:
        """The fields of the form that was sent, each once.

        Raises:
            UnsupportedMediaType, InvalidRequest, ContentTooLarge, RequestTimeout.
        """
        self.refuse_early()
        if self.headers.get("content-type", "").partition(";")[0] != _FORM:
            raise UnsupportedMediaType("Send the form as a browser does.")
        try:
            text = (await self.body()).decode()
            pairs = parse_qsl(text, keep_blank_values=True, max_num_fields=_MOST_FIELDS)
        except ValueError as error:
            raise InvalidRequest("This is no form.") from error
        _demand_storable(pairs)
        return dict(pairs)


def _demand_storable(pairs: Iterable[tuple[str, str]]) -> None:
    """As the API's bodies: PostgreSQL's text has no NUL."""
    for name, value in pairs:
        if "\0" in value:
            raise InvalidRequest.at(name, "Must not contain NUL.")
