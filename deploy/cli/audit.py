"""`docshard audit`: the audit logs."""

from __future__ import annotations

import click

from deploy.cli.lazy import LazyGroup

_COMMANDS = {
    "archive": "deploy.cli.audit_archive:archive",
}


@click.group(cls=LazyGroup, commands_at=_COMMANDS)
def audit() -> None:
    """Look at the audit logs, prove them, and put old months away."""
