"""The list of commands is what the commands say of themselves, though none is imported for it."""

import click
import pytest

from deploy.cli.audit import audit
from deploy.cli.backup import backup
from deploy.cli.docs import docs
from deploy.cli.key import key
from deploy.cli.lazy import LazyGroup, described
from deploy.cli.main import docshard

GROUPS: tuple[click.Command, ...] = (docshard, audit, backup, docs, key)


@pytest.mark.parametrize("group", GROUPS, ids=lambda group: str(group.name))
def test_help_tells_what_commands_say(group: click.Command) -> None:
    assert isinstance(group, LazyGroup)
    context = click.Context(group)
    formatter, plain = click.HelpFormatter(width=80), click.HelpFormatter(width=80)
    group.format_commands(context, formatter)
    click.Group.format_commands(group, context, plain)
    assert formatter.getvalue() == plain.getvalue()


def test_a_place_without_a_command_is_a_fault() -> None:
    with pytest.raises(LookupError, match="nowhere"):
        described("deploy.cli.docs:nowhere")
