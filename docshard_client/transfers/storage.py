"""Talking to the object store by presigned requests. No I/O."""

import re
from collections.abc import Callable

import httpx

from docshard_client.errors import ConnectionFailed, DocshardError, StorageRefused, error_for
from docshard_client.retry import Retry
from docshard_client.steps import Exchange, Outcome, Pause

_CODE = re.compile(r"<Code>(\w+)</Code>")


def insisting(
    retry: Retry, attempt: Callable[[], Exchange[Outcome]], came_further: Callable[[], bool]
) -> Exchange[None]:
    """Make attempts until one succeeds.

    After one that did not, `came_further` says whether it was of use all the same: then patience
    begins anew.
    """
    tried = 0
    while True:
        tried += 1
        outcome = yield from attempt()
        if isinstance(outcome, httpx.Response) and outcome.is_success:
            return
        if came_further():
            tried = 1
        pause = retry.storage_pause(outcome, tried)
        if pause is None:
            raise refusal(outcome)
        yield Pause(pause)


def refusal(outcome: Outcome) -> DocshardError:
    """Why it went wrong in the end. The address stays out of it: it is a permission."""
    if isinstance(outcome, httpx.TransportError):
        return ConnectionFailed(f"the object store: {outcome!r}")
    if "problem+json" in outcome.headers.get("Content-Type", ""):
        return error_for(outcome)  # the service itself, which stood in for it
    said = _CODE.search(outcome.text)
    why = f" {said[1]}" if said else ""
    return StorageRefused(f"the object store answered {outcome.status_code}{why}")
