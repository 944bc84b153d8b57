"""Audit: all logs merged, whether a tenant's chain holds, and a copy."""

from __future__ import annotations

import shlex
from collections.abc import AsyncIterator, Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Final
from urllib.parse import urlencode
from uuid import UUID

import orjson
from starlette.responses import Response, StreamingResponse

from router.console import rendering
from router.console.pages.shell import AUDIT, show_page
from router.console.visit import Visit
from services.access.admission import admit_to_administer
from services.administration import audit_export
from services.administration.audit_logs import GlobalAuditFilter, list_newest
from services.errors import InvalidRequest, ServiceError
from services.fleet.shards import as_id, client_named
from services.pages import PageRequest
from services.tenant.audit_verification import Extent, verify

_ROWS: Final = 50
FIELDS: Final = ("client", "user_id", "action", "entity_type", "entity_id", "from", "to")


async def show(visit: Visit) -> Response:
    """A page of entries."""
    given = asked(visit.query_params)
    wanted = await _filter(visit, given)
    request = PageRequest(_ROWS, visit.query_params.get("cursor"))
    page = await list_newest(visit.resources, visit.everywhere, wanted, request)
    following = urlencode({**given, "cursor": page.next_cursor or ""})
    values = {
        "given": given,
        "page": page,
        "following": following if page.next_cursor else None,
        "export": urlencode(given),
        "most": audit_export.MOST_ROWS,
        "command": command(given),
        "verified": None,
    }
    return show_page(visit, "audit", values)


async def check(visit: Visit) -> Response:
    """Compute a tenant's chain anew, for two seconds; more by and by."""
    name = visit.query_params.get("client", "").strip()
    client = await client_named(await visit.desk.data(), name)
    access = await admit_to_administer(visit.resources, visit.caller, client.id, AUDIT, reads=True)
    cursor = visit.query_params.get("cursor") or None
    found = await verify(visit.resources, access, Extent(), cursor)
    following = urlencode({"client": name, "cursor": found.next_cursor or ""})
    values = {"client": client, "found": found, "following": following if found.next_cursor else ""}
    return show_page(visit, "verified", values)


async def export(visit: Visit) -> Response:
    """All that the filter finds, a row of JSON in each line."""
    wanted = await _filter(visit, asked(visit.query_params))
    await audit_export.note_export(visit.resources, visit.everywhere, wanted)
    name = f"docshard-audit-{datetime.now(UTC):%Y%m%dT%H%M%SZ}.jsonl"
    return StreamingResponse(
        _lines(visit, wanted),
        media_type="application/x-ndjson",
        headers={**rendering.HEADERS, "Content-Disposition": f'attachment; filename="{name}"'},
    )


async def _lines(visit: Visit, wanted: GlobalAuditFilter) -> AsyncIterator[bytes]:
    """The last line tells whether that was all: an answer that breaks off has none."""
    rows, away = 0, set[str]()
    fault = None
    try:
        async for page in audit_export.pages(visit.resources, visit.everywhere, wanted):
            for row in page.items:
                yield orjson.dumps(asdict(row), default=str, option=orjson.OPT_APPEND_NEWLINE)
            rows += len(page.items)
            away |= set(page.unavailable)
    except ServiceError as error:
        fault = error.code
    whole = fault is None and not away and rows < audit_export.MOST_ROWS
    end = {"rows": rows, "complete": whole, "unavailable": sorted(away), "fault": fault}
    yield orjson.dumps({"end": end}, option=orjson.OPT_APPEND_NEWLINE)


def asked(query: Mapping[str, str]) -> dict[str, str]:
    """The filter as it was typed, less what is empty. Pure."""
    return {name: value for name in FIELDS if (value := query.get(name, "").strip()[:200])}


def command(given: Mapping[str, str]) -> str:
    """What asks the same at a terminal. Pure.

    Whatever was typed, or stood in a link, is a value there and no word of the shell.
    """
    options = {"user_id": "--user", "entity_id": "--entity", "entity_type": "--entity-type"}
    words = ["docshard audit list"] + ([] if "client" in given else ["--global"])
    for name, value in given.items():
        words.append(f"{options.get(name, f'--{name}')} {shlex.quote(value)}")
    return " ".join(words)


async def _filter(visit: Visit, given: Mapping[str, str]) -> GlobalAuditFilter:
    client_id = None
    if "client" in given:
        client_id = as_id(given["client"])
        if client_id is None:
            client_id = (await client_named(await visit.desk.data(), given["client"])).id
    return GlobalAuditFilter(
        user_id=_id(given, "user_id"),
        action=given.get("action"),
        entity_type=given.get("entity_type"),
        entity_id=_id(given, "entity_id"),
        client_id=client_id,
        since=_moment(given, "from"),
        until=_moment(given, "to"),
    )


def _id(given: Mapping[str, str], name: str) -> UUID | None:
    if name not in given:
        return None
    found = as_id(given[name])
    if found is None:
        raise InvalidRequest.at(f"?{name}", "Is no id.")
    return found


def _moment(given: Mapping[str, str], name: str) -> datetime | None:
    """As a browser's field sends it: without a zone it is UTC."""
    if name not in given:
        return None
    try:
        moment = datetime.fromisoformat(given[name])
    except ValueError as error:
        raise InvalidRequest.at(f"?{name}", "Is no time.") from error
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
