"""`docshard doctor --deep`: what must always hold, proven from the data; read only."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass
from typing import Any, Final, TypeVar

import click

from deploy.cli.output import Format, show_json, show_rows
from deploy.cli.service import open_databases, run_told, service_settings
from deploy.errors import NotFound
from services.blobs.store import BlobStore
from services.failures import global_failures
from services.fleet.clients import living_or_deleted
from services.fleet.invariants.proof import Finding, Report, Sources, prove
from services.fleet.invariants.scope import Sample, Scope
from services.fleet.units import size
from services.keys.providers import open_keyring
from services.resources import Data, open_data
from services.settings import DatabaseRole, Settings

_LINE_SECONDS: Final = 2.0
_COUNT, _SHARE = re.compile(r"[1-9][0-9]*"), re.compile(r"([0-9]+(?:\.[0-9]+)?)%")
_COLUMNS: Final = ("rule", "client", "document", "subject", "what", "means", "do")

Command = TypeVar("Command", bound=Callable[..., Any])


class _SampleType(click.ParamType[Sample]):
    """A number of tenants, or a share of them."""

    name = "N|P%"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> Sample:
        text = str(value)
        if _COUNT.fullmatch(text):
            return Sample(count=int(text))
        share = _SHARE.fullmatch(text)
        if share is None or not 0 < float(share[1]) <= 100:
            self.fail(f"{text} is neither a number of tenants nor a share such as 5%", param, ctx)
        return Sample(share=float(share[1]) / 100)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What an operator asks to be proven; `client` by its id or code."""

    deep: bool = False
    client: str | None = None
    shard: str | None = None
    sample: Sample | None = None
    read_blobs: bool = False

    @property
    def narrowed(self) -> bool:
        """Whether it is a part of the fleet alone."""
        return (self.client, self.shard, self.sample) != (None, None, None)


def deep_options(command: Command) -> Command:
    """Add `--deep` and what it takes, as the arguments of `Wanted`."""
    for option in (
        click.option("--read-blobs", is_flag=True, help="With --deep: read each blob's SHA-256."),
        click.option("--sample", type=_SampleType(), help="With --deep: so many clients alone."),
        click.option("--shard", metavar="SHARD", help="With --deep: one shard's clients alone."),
        click.option("--client", metavar="CLIENT", help="With --deep: one client alone."),
        click.option("--deep", is_flag=True, help="Prove from all data what must hold (I5 to I8)."),
    ):
        command = option(command)
    return command


def wanted_of(**options: Any) -> Wanted:
    """What the options ask for.

    Raises:
        UsageError: a part of what nobody asked for.
    """
    wanted = Wanted(**options)
    if not wanted.deep and (wanted.narrowed or wanted.read_blobs):
        raise click.UsageError("--client, --shard, --sample and --read-blobs belong to --deep.")
    return wanted


def proven(wanted: Wanted) -> Report:
    """Prove it, telling how far that is.

    Raises:
        OperatorError.
    """
    return run_told(_proven(service_settings(), wanted))


async def _proven(settings: Settings, wanted: Wanted) -> Report:
    async with AsyncExitStack() as stack:
        data = await stack.enter_async_context(open_databases(settings))
        scope = await _scope(data, wanted)
        mover = None
        if settings.mover_password is None:
            click.echo("note: I6 was not looked at: DOCSHARD_MOVER_PASSWORD is not set", err=True)
        else:
            mover = await stack.enter_async_context(open_data(settings, DatabaseRole.MOVER))
        keyring = await stack.enter_async_context(open_keyring(settings, data.global_db))
        blobs = BlobStore(settings.s3)
        stack.push_async_callback(blobs.close)
        return await prove(Sources(data, mover, blobs, keyring), scope, _Progress().tell)


async def _scope(data: Data, wanted: Wanted) -> Scope:
    with global_failures():
        await data.registry.refresh()
    if wanted.shard not in {None, *(shard.name for shard in data.registry.shards())}:
        raise NotFound(f"There is no shard {wanted.shard}.")
    client = None
    if wanted.client is not None:
        client = (await living_or_deleted(data, wanted.client)).id
    return Scope(client, wanted.shard, wanted.sample or Sample(), reads_blobs=wanted.read_blobs)


class _Progress:
    """A line on standard error every two seconds. How many tenants there will be is not known, so
    no end is promised."""

    def __init__(self) -> None:
        self._begun = self._told = time.monotonic()

    def tell(self, report: Report) -> None:
        """Tell it, if it is time."""
        now = time.monotonic()
        if now - self._told >= _LINE_SECONDS:
            self._told = now
            rate = report.tenants / (now - self._begun)
            click.echo(f"{_summary(report)}; {rate:.0f} tenants/s", err=True)


def show(report: Report, output: Format) -> None:
    """Write what was found."""
    if output is Format.JSON:
        show_json(as_json(report))
    else:
        show_rows("broken invariants", [_row(one) for one in report.findings], output)
        click.echo(_summary(report))


def as_json(report: Report) -> dict[str, Any]:
    """The same as a part of a document."""
    looked_at = {name: value for name, value in asdict(report).items() if name != "findings"}
    found = [_row(one) for one in report.findings]
    return {"invariants": {"findings": found, "looked_at": looked_at}}


def _row(finding: Finding) -> dict[str, Any]:
    fields = asdict(finding) | {"rule": finding.rule.value}
    return {name: fields[name] for name in _COLUMNS}


def _summary(report: Report) -> str:
    read = f", {size(report.bytes_read)} read" if report.bytes_read else ""
    return (
        f"{report.tenants} tenants, {report.documents} documents, {report.versions} versions, "
        f"{report.audit_rows} audit rows, {report.links} links, {report.blobs} blobs{read}: "
        f"{len(report.findings) + report.more} findings"
    )
