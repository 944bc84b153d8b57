"""The command tree, and how errors leave it."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterator

import click
from pydantic import ValidationError

from deploy.cli.lazy import LazyGroup
from deploy.errors import Exit, OperatorError, Refused, UsageFault
from services.production import ProductionRefused

_COMMANDS = {
    "up": "deploy.cli.up:up",
    "down": "deploy.cli.local:down",
    "status": "deploy.cli.local:status",
    "env": "deploy.cli.local:env",
    "kill": "deploy.cli.nodes:kill",
    "start": "deploy.cli.nodes:start",
    "pause": "deploy.cli.nodes:pause",
    "resume": "deploy.cli.nodes:resume",
    "clean-data": "deploy.cli.local:clean_data",
    "worker": "deploy.cli.worker:worker",
    "init-admin": "deploy.cli.admin:init_admin",
    "doctor": "deploy.cli.doctor:doctor",
    "shard": "deploy.cli.shard:shard",
    "client": "deploy.cli.client:client",
    "ring": "deploy.cli.ring:ring",
    "rebalance": "deploy.cli.rebalancing:rebalance",
    "move": "deploy.cli.move:move",
    "bucket": "deploy.cli.bucket:bucket",
    "migrate": "deploy.cli.migrate:migrate",
    "pool": "deploy.cli.pool:pool",
    "render": "deploy.cli.render:render",
    "backup": "deploy.cli.backup:backup",
    "audit": "deploy.cli.audit:audit",
    "key": "deploy.cli.key:key",
    "docs": "deploy.cli.docs:docs",
    "load": "deploy.cli.load:load",
}


@click.group(cls=LazyGroup, commands_at=_COMMANDS)
@click.version_option(package_name="docshard")
def docshard() -> None:
    """Operate docshard: a local fleet, schemas, shards and clients.

    Exit status: 0 ok, 1 failed, 2 usage, 3 not found, 4 not allowed, 5 precondition refused,
    6 done with findings.
    """


def main() -> None:
    """Run the command and leave with its exit status."""
    # Servers run under another user when root calls, and must get through to their data; what is
    # secret is written with a mode of its own.
    os.umask(0o022)
    # A command tells its errors itself; what libraries log meanwhile is noise to its user.
    logging.basicConfig(handlers=[logging.NullHandler()])
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """Run the command; expected failures are told without a traceback. Returns the status."""
    try:
        status = docshard.main(arguments, prog_name="docshard", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        return Exit.USAGE
    except (click.Abort, KeyboardInterrupt):
        click.echo("Stopped. What was begun stays; running the command again goes on.", err=True)
        return Exit.FAILED
    except Exception as error:
        told = [expected for leaf in _leaves(error) if (expected := _expected(leaf))]
        if not told:
            raise
        return _tell(told)
    return status if isinstance(status, int) else Exit.OK


def _leaves(error: BaseException) -> Iterator[BaseException]:
    """The errors themselves, out of the groups that concurrent work raises."""
    if isinstance(error, BaseExceptionGroup):
        for inner in error.exceptions:
            yield from _leaves(inner)
    else:
        yield error


def _expected(error: BaseException) -> OperatorError | None:
    if isinstance(error, OperatorError):
        return error
    if isinstance(error, ValidationError):
        return _settings_fault(error)
    if isinstance(error, ProductionRefused):
        told = "\n".join(map(str, error.refusals))
        return Refused(error.happened, told, "Nothing was opened or changed.")
    return None


def _settings_fault(error: ValidationError) -> UsageFault:
    lines = (
        f"DOCSHARD_{'_'.join(map(str, fault['loc'])).upper()}: {fault['msg']}"
        for fault in error.errors(include_input=False)
    )
    return UsageFault(
        "A setting is missing or wrong.", "\n".join(lines), "Correct the variables and run again."
    )


def _tell(errors: list[OperatorError]) -> int:
    for error in errors:
        click.secho(f"error: {error.happened}", fg="red", err=True)
        for line in filter(None, (error.means, error.advice)):
            click.echo(f"  {line.replace(chr(10), chr(10) + '  ')}", err=True)
    return errors[0].exit_status


if __name__ == "__main__":
    main()
