"""`docshard audit`: the audit logs."""

from __future__ import annotations

import click

from deploy.cli.lazy import LazyGroup

_COMMANDS = {
    "list": "deploy.cli.audit_chain:list_entries",
    "verify": "deploy.cli.audit_chain:verify",
    "export": "deploy.cli.audit_chain:export",
    "archive": "deploy.cli.audit_archive:archive",
}


@click.group(cls=LazyGroup, commands_at=_COMMANDS)
def audit() -> None:
    """Look at audit logs, verify their chains, take copies, put old months away."""
