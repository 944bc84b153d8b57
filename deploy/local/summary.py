"""What `up` says at its end, and the file that people and scripts source."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from pathlib import Path

from deploy.fleet.environment import render_environment
from deploy.fleet.model import Fleet
from deploy.local.home import Home, write_private
from deploy.local.secrets import DemoSecret, Secrets

_LABEL_WIDTH = 10


def write_user_env(home: Home, fleet: Fleet, secrets: Secrets, demo: DemoSecret | None) -> None:
    """Write `$DOCSHARD_HOME/env`."""
    variables = {
        "DOCSHARD_API": fleet.api,
        "DOCSHARD_ADMIN_EMAIL": secrets.admin_email,
        "DOCSHARD_ADMIN_PASSWORD": secrets.admin_password,
    }
    if demo:
        variables["DOCSHARD_DEMO_CLIENT_ID"] = demo.client_id
        variables["DOCSHARD_DEMO_KEY"] = demo.key
    write_private(home.user_env, render_environment(variables))


def summary(home: Home, fleet: Fleet, secrets: Secrets, demo: DemoSecret | None) -> str:
    """The aligned block: where to go, how to get in, what to do next."""
    facts = [
        ("API", fleet.api),
        ("Docs", f"{fleet.api}/docs"),
        ("Operator", f"{secrets.admin_email}  {secrets.admin_password}"),
    ]
    if demo:
        facts += [("Tenant", demo.client_id), ("API key", demo.key)]
    facts.append(("Settings", f". {shlex.quote(_near(home.user_env))}"))
    lines = [f"  {label:<{_LABEL_WIDTH}}{value}" for label, value in facts]
    return "\n".join([*lines, "", "Next steps, to paste:", *_steps(home, fleet, demo)])


def _steps(home: Home, fleet: Fleet, demo: DemoSecret | None) -> list[str]:
    steps = []
    if demo:
        source = f". {shlex.quote(_near(home.user_env))}"
        steps += ["  # the tenant's documents, three of them", f"  {source}; {_request()}"]
    command = _command(home)
    growing = ("shard add", "rebalance start", "rebalance watch")
    return [
        *steps,
        "  # add a shard and move tenants there while they are served, watched",
        "  " + " && ".join(f"{command} {step}" for step in growing),
        "  # read the API's documentation",
        f"  python3 -m webbrowser {fleet.api}/docs",
    ]


def _request() -> str:
    """A first request with what this machine has: curl, or else Python."""
    path = "/v1/clients/$DOCSHARD_DEMO_CLIENT_ID/documents?limit=3"
    header = "Authorization: Bearer $DOCSHARD_DEMO_KEY"
    if shutil.which("curl"):
        return f'curl -s -H "{header}" "$DOCSHARD_API{path}"; echo'
    program = (
        "import sys, urllib.request as web; url, name, value = sys.argv[1:]; "
        "print(web.urlopen(web.Request(url, headers={name: value})).read().decode())"
    )
    name, value = header.split(": ", 1)
    return f'python3 -c \'{program}\' "$DOCSHARD_API{path}" {name} "{value}"'


def _command(home: Home) -> str:
    """How to call this program for this home from the present folder."""
    program = Path(sys.argv[0])
    known = shutil.which("docshard")
    # A caller may have given the bare name, which is no file here: it meant the one that is found.
    ours = known and (not program.exists() or Path(known).samefile(program))
    name = "docshard" if ours else _near(program.absolute())
    default = home.path == Path(".docshard").absolute()
    prefix = "" if default else f"DOCSHARD_HOME={shlex.quote(str(home.path))} "
    return prefix + name


def _near(path: Path) -> str:
    """The path as seen from here when it lies below."""
    return os.path.relpath(path) if path.is_relative_to(Path.cwd()) else str(path)
