"""A cluster that is restored beside what lives for as long as a command looks at it."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from deploy.backups.history import Backup, Moment
from deploy.backups.installation import Installation
from deploy.backups.tool import Tool
from deploy.cli.backup_orders import empty_folder, make_folder
from deploy.cli.backup_progress import SHOWN
from deploy.local import restoring
from deploy.local.beside import Lying, running
from deploy.local.restoring import Order, Restored

_WORK = Path("/var/lib/docshard")
"""Where folders are made that nobody named; the system's own place when it is not there."""


@dataclass(frozen=True)
class Wanted:
    """Which backup is restored, to when, by which programs of PostgreSQL; `named`: into which
    folder, that stays then."""

    backup: Backup
    moment: Moment
    programs: Path
    named: Path | None


@contextmanager
def served_beside(tool: Tool, wanted: Wanted) -> Iterator[tuple[Lying, Restored]]:
    """The backup's cluster, restored, promoted and running for the length of the block.

    Raises:
        Refused: there is no room, or the folder will not do. OperatorError: it cannot be restored.
    """
    installation, cluster = tool.installation, wanted.backup.cluster
    with _side_folder(wanted.named, installation) as folder:
        lying = Lying(cluster, folder, wanted.programs, installation.user)
        order = Order(installation.any_of(cluster), wanted.backup, wanted.moment, lying)
        restoring.require_room([order], folder)
        restored = restoring.restore(tool, order, SHOWN)
        with running(lying, SHOWN.say):
            yield lying, restored


@contextmanager
def _side_folder(named: Path | None, installation: Installation) -> Iterator[Path]:
    """Where a server is restored for a while: the named folder, which stays; or one that goes.

    Raises:
        Refused: the named one is not empty, or the servers' user cannot get to it.
    """
    if named is not None:
        folder = empty_folder(named.absolute(), installation)
        make_folder(folder)
        yield folder
        return
    within = _WORK if _WORK.is_dir() else None
    made = Path(tempfile.mkdtemp(prefix="docshard-beside-", dir=within))
    try:
        make_folder(made)
        yield empty_folder(made, installation)
    finally:
        shutil.rmtree(made)
