"""Services for commands: settings from the environment, else from the home of the local fleet."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import AbstractAsyncContextManager
from typing import Any, TypeVar

from deploy.cli.home import never_in_production, present_home
from deploy.errors import NotFound, OperatorError, Refused, UsageFault
from deploy.fleet.environment import parse_environment
from services import errors
from services.fleet.unmet import Unmet
from services.keys.provider import KeyProviderError
from services.resources import Data, open_data
from services.settings import DatabaseRole, SettingMissing, Settings

T = TypeVar("T")


def service_settings() -> Settings:
    """What the environment says; a local fleet's file stands in when it says nothing.

    Raises:
        NotFound: neither names a global database.
        Refused: production is asked for, and there is a local fleet alone.
    """
    if "DOCSHARD_GLOBAL_NODES" not in os.environ:
        never_in_production()
        home = present_home()
        if not home.service_env.exists():
            raise NotFound(
                f"Nothing names the global database, and {home.path} holds no fleet.",
                "",
                "Set DOCSHARD_GLOBAL_NODES and the passwords, or start a fleet: `docshard up`.",
            )
        os.environ.update(parse_environment(home.service_env.read_text()))
    return Settings()


def with_data(work: Callable[[Data], Awaitable[T]]) -> T:
    """Run work on the databases as the administrator.

    Raises:
        OperatorError: what the services refused, in words for an operator.
    """

    async def run() -> T:
        async with open_databases(service_settings()) as data:
            return await work(data)

    return run_told(run())


def with_mover(work: Callable[[Data, Data], Awaitable[T]]) -> T:
    """Run work as the administrator, and as the mover, who sees the rows of all tenants.

    Raises:
        OperatorError: what the services refused, in words for an operator.
    """

    async def run() -> T:
        settings = service_settings()
        async with (
            open_databases(settings) as data,
            open_data(settings, DatabaseRole.MOVER) as mover,
        ):
            return await work(data, mover)

    return run_told(run())


def open_databases(settings: Settings) -> AbstractAsyncContextManager[Data]:
    """The databases as the administrator."""
    return open_data(settings, DatabaseRole.ADMIN)


def refused(unmet: Unmet) -> Refused:
    """Unmet preconditions in words for an operator: each with what to do."""
    told = [f"{one.subject} {one.what}.\n  {one.advice}" for one in unmet.findings]
    return Refused(unmet.happened, "\n".join(told), "Nothing was changed.")


def run_told(work: Coroutine[Any, Any, T]) -> T:
    """Run to the end; services' errors become an operator's.

    Raises:
        OperatorError.
    """
    try:
        return asyncio.run(work)
    except errors.NotFound as error:
        raise NotFound(error.detail) from error
    except (errors.DirectoryUnavailable, errors.ShardUnavailable) as error:
        raise OperatorError(
            error.detail,
            "Nothing is known to have changed.",
            "`docshard status` shows a local fleet's servers; otherwise see that it runs.",
        ) from error
    except errors.KeysUnavailable as error:
        raise OperatorError(
            error.detail,
            "" if error.__cause__ is None else f"The key provider: {error.__cause__}.",
            "See that the provider answers and that DOCSHARD_KEY_PROVIDER names the right one.",
        ) from error
    except Unmet as error:
        raise refused(error) from error
    except KeyProviderError as error:
        raise OperatorError(f"The key provider cannot be used: {error}.") from error
    except errors.Busy as error:
        raise Refused(error.detail, "", "Try again in a moment.") from error
    except errors.Conflict as error:
        raise Refused(error.detail, "Nothing was changed.") from error
    except errors.InvalidRequest as error:
        faults = "; ".join(f"{one.pointer} {one.message}" for one in error.errors)
        raise UsageFault(error.detail, faults) from error
    except SettingMissing as error:
        raise UsageFault(str(error)) from error
    except errors.ServiceError as error:
        raise OperatorError(error.detail) from error
