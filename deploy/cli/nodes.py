"""`docshard kill|start|pause|resume NODE`: hurt one part of the local fleet, and heal it."""

from __future__ import annotations

import time
from collections.abc import Callable

import click

from deploy.cli.home import present_home
from deploy.cli.output import dry_run_option, show_steps
from deploy.local.parts import existing_parts
from deploy.local.servers import Server


def _act(node: str, done: str, step: str, act: Callable[[Server], None], dry_run: bool) -> None:
    home = present_home()
    home.require()
    with home.locked():
        server = existing_parts(home).named(node)
        if dry_run:
            show_steps([step.format(node=node)])
            return
        begun = time.monotonic()
        act(server)
    click.echo(f"{node} {done} ({time.monotonic() - begun:.1f} s)", err=True)


@click.command()
@click.argument("node")
@dry_run_option
def kill(node: str, dry_run: bool) -> None:
    """End a node at once, as a power cut does."""
    _act(node, "was killed", "send SIGKILL to {node} and its children", Server.kill, dry_run)


@click.command()
@click.argument("node")
@dry_run_option
def start(node: str, dry_run: bool) -> None:
    """Start a node and wait until it serves."""
    _act(node, "serves", "start {node} and wait until it serves", Server.start, dry_run)


@click.command()
@click.argument("node")
@dry_run_option
def pause(node: str, dry_run: bool) -> None:
    """Freeze a node: its connections stay open and nothing answers."""
    _act(node, "is paused", "send SIGSTOP to {node} and its children", Server.pause, dry_run)


@click.command()
@click.argument("node")
@dry_run_option
def resume(node: str, dry_run: bool) -> None:
    """Let a paused node go on."""
    _act(node, "goes on", "send SIGCONT to {node} and its children", Server.resume, dry_run)
