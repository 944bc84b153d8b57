"""`docshard doctor`: what is wrong, or will be."""

from __future__ import annotations

import os
from dataclasses import asdict
from functools import partial
from typing import Any

import click
import httpx

from deploy.cli.doctor_backups import backup_findings
from deploy.cli.doctor_deep import as_json, deep_options, proven, show, wanted_of
from deploy.cli.doctor_tenants import Mending, look_at_tenants, mend_tenants
from deploy.cli.output import Format, output_option, reason_option, show_json, show_rows
from deploy.cli.service import service_settings, with_data
from deploy.errors import Exit
from services.blobs.store import BlobStore
from services.errors import DirectoryUnavailable
from services.fleet import audit_doctor, backup_doctor, blob_check, chain_doctor
from services.fleet.backup_doctor import UNCONFIGURED
from services.fleet.doctor import Examination, examine
from services.fleet.finding import Finding
from services.resources import Data
from services.settings import Settings


@click.command()
@click.option(
    "--blobs", is_flag=True, help="Also look whether every version's blob is there, and is its own."
)
@click.option(
    "--all-blobs",
    is_flag=True,
    help="The same of all versions, not of a sample, and look for blobs that no row names.",
)
@click.option(
    "--mend", "mends", is_flag=True, help="Ask for each finding that can be mended, and mend it."
)
@click.option("--yes", is_flag=True, help="Mend without asking.")
@deep_options
@reason_option
@output_option
@click.pass_context
def doctor(
    ctx: click.Context,
    /,
    *,
    blobs: bool,
    all_blobs: bool,
    mends: bool,
    yes: bool,
    reason: str | None,
    output: Format,
    **deep: Any,
) -> None:
    """Examine servers, schemas, audit chains, tenants and the router; change nothing.

    With --mend what dead moves have left is removed, and what nobody owns. With --deep and a part
    of the fleet nothing but that part is proven. Exit status 6 with findings.
    """
    wanted = wanted_of(**deep)
    if wanted.narrowed:
        report = proven(wanted)
        show(report, output)
        ctx.exit(Exit.OK if report.holds else Exit.FINDINGS)
    extent = blob_check.WHOLE if all_blobs else blob_check.SAMPLE if blobs else None
    examination, findings = with_data(partial(_examine, service_settings(), extent))
    misplaced = look_at_tenants(examination)
    if mends:
        misplaced = mend_tenants(misplaced, Mending(ask=not yes, reason=reason))
    findings += [*misplaced.findings(), *_router_findings(), *backup_findings(service_settings())]
    notes = [] if service_settings().backup.configured else [UNCONFIGURED]
    proof = proven(wanted) if wanted.deep else None
    if output is Format.JSON:
        servers = [row | {"facts": facts} for row, facts in _servers(examination)]
        told = {
            "findings": [asdict(one) for one in findings],
            "notes": notes,
            "servers": servers,
        }
        show_json(told | ({} if proof is None else as_json(proof)))
    else:
        show_rows("servers", [row for row, _ in _servers(examination)], output)
        click.echo()
        show_rows("findings", [asdict(finding) for finding in findings], output)
        for note in notes:
            click.echo(f"note: {note}")
        if proof is not None:
            click.echo()
            show(proof, output)
    clean = not findings and (proof is None or proof.holds)
    ctx.exit(Exit.OK if clean else Exit.FINDINGS)


async def _examine(
    settings: Settings, extent: blob_check.Extent | None, data: Data
) -> tuple[Examination, list[Finding]]:
    """Servers and schemas, and what is wrong with them and with what they hold."""
    examination = await examine(data)
    findings = [
        *examination.findings,
        *await audit_doctor.examine(data, settings.audit.keep_months),
        *await chain_doctor.examine(data),
        *await backup_doctor.examine(data, settings.backup, examination.clusters),
    ]
    if extent is not None:
        findings += await _blob_findings(data, settings, extent)
    return examination, findings


async def _blob_findings(
    data: Data, settings: Settings, extent: blob_check.Extent
) -> list[Finding]:
    """What is wrong between rows and blobs (I8)."""
    again = "see that shards and object store answer, and look again"
    blobs = BlobStore(settings.s3)
    try:
        report = await blob_check.check(data, blobs, extent)
    except DirectoryUnavailable as error:
        return [Finding("blobs", f"not looked at: {error}", again)]
    finally:
        await blobs.close()
    lost = "restore the blob from the bucket's older versions or from a backup"
    stray = "no row names it: remove it when it is older than the newest restore you may need"
    return [
        *(Finding("blobs", one, lost) for one in report.missing),
        *(Finding("blobs", f"{key} is nobody's", stray) for key in report.orphans),
        *(Finding("blobs", f"not looked at: {one}", again) for one in report.unseen),
    ]


def _servers(examination: Examination) -> list[tuple[dict[str, Any], dict[str, Any] | None]]:
    revisions = {schema.name: schema.revision for schema in examination.schemas}
    return [
        (
            {
                "name": name,
                "cluster": cluster.name,
                "role": None if facts is None else "replica" if facts.in_recovery else "primary",
                "version": facts.version if facts else None,
                "revision": revisions.get(cluster.name),
            },
            asdict(facts) if facts else None,
        )
        for cluster in examination.clusters
        for name, facts in cluster.servers.items()
    ]


def _router_findings() -> list[Finding]:
    """A router is asked where the environment says that one listens."""
    port = os.environ.get("DOCSHARD_LISTEN_PORT")
    if port is None:
        return []
    url = f"http://{os.environ.get('DOCSHARD_LISTEN_HOST', '127.0.0.1')}:{port}/readyz"
    try:
        answer = httpx.get(url, timeout=5, trust_env=False)
    except httpx.HTTPError as error:
        return [Finding("router", f"does not answer: {error}", "start it, or look at its log")]
    if answer.status_code != httpx.codes.OK:
        return [Finding("router", f"is not ready: {answer.text}", "look at its log")]
    return []
