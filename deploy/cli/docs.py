"""`docshard docs`: a tenant's shell. It speaks to the API alone, as any client would."""

from __future__ import annotations

import click

from deploy.cli.lazy import LazyGroup

_COMMANDS = {
    "put": "deploy.cli.docs_files:put",
    "get": "deploy.cli.docs_files:get",
    "ls": "deploy.cli.docs_lists:ls",
    "search": "deploy.cli.docs_lists:search",
    "history": "deploy.cli.docs_lists:history",
}


@click.group(cls=LazyGroup, commands_at=_COMMANDS)
def docs() -> None:
    """Keep documents, as a tenant: files in and out, lists, search, history.

    \b
    The environment says where and who:
      DOCSHARD_API           the service's address
      DOCSHARD_API_KEY       an API key, or
      DOCSHARD_API_KEY_FILE  a file that holds one
      DOCSHARD_CLIENT_ID     the tenant; left out, the one that the key belongs to
    A key is never an argument: those show in the list of processes and in the shell's history.
    With none of them set it is the demo tenant of the local fleet in DOCSHARD_HOME.
    """
