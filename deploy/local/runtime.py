"""A Python that can run Patroni as the servers' user."""

from __future__ import annotations

import importlib.util
import shutil
import stat
import sys
import sysconfig
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from deploy.errors import OperatorError
from deploy.local.engines import copied, passable, server_user, usable_by_others

# What `python -m patroni` imports when it speaks to etcd.
_PACKAGES = (
    "patroni",
    "dateutil",
    "dns",
    "etcd",
    "psutil",
    "psycopg",
    "psycopg_binary",
    "psycopg_binary.libs",
    "six.py",
    "typing_extensions.py",
    "urllib3",
    "yaml",
)
# A hundred megabytes of the standard library that no program imports.
_UNUSED = shutil.ignore_patterns(
    "test", "tests", "site-packages", "idlelib", "__pycache__", "config-*"
)


@dataclass(frozen=True)
class Runtime:
    """An interpreter, and the environment in which it finds its library and Patroni."""

    python: Path
    environment: Mapping[str, str] = field(default_factory=dict)


def find_runtime(data: Path) -> Runtime:
    """This very Python; copied beside the data when the servers' user cannot get at it.

    A virtual environment, or the Python below it, often stands in a home that is closed to others.

    Raises:
        OperatorError: Patroni is not installed.
    """
    spec = importlib.util.find_spec("patroni")
    if spec is None or spec.origin is None:
        raise OperatorError(
            "The package patroni is not installed.",
            "With --ha it runs every PostgreSQL server.",
            "Install with the extra `ha`, or run `make up`, which installs everything.",
        )
    if server_user() is None:
        return Runtime(Path(sys.executable))
    site, python = Path(spec.origin).parents[1], Path(sys.executable).resolve()
    environment = {"PYTHONPATH": str(_reachable(site, data))}
    if not usable_by_others(python):
        home = copied_python(python, data)
        python = home / "bin" / python.name
        environment |= {"PYTHONHOME": str(home), "LD_LIBRARY_PATH": str(home / "lib")}
    return Runtime(python, environment)


def _reachable(site: Path, data: Path) -> Path:
    first = site / _PACKAGES[0] / "__init__.py"
    if passable(first) and first.stat().st_mode & stat.S_IROTH:
        return site
    return copied_packages(site, data)


def copied_packages(site: Path, data: Path) -> Path:
    """A folder with Patroni and all that it imports, for everybody."""
    found = {name: site / name for name in _PACKAGES if (site / name).exists()}
    return copied(found, data)


def copied_python(python: Path, data: Path) -> Path:
    """A folder to be PYTHONHOME: interpreter and standard library, for everybody."""
    library = Path(sysconfig.get_path("stdlib"))
    parts = {f"bin/{python.name}": python, f"lib/{library.name}": library}
    shared = Path(*(sysconfig.get_config_var(name) or "" for name in ("LIBDIR", "INSTSONAME")))
    if shared.suffix != ".a" and shared.is_file():
        parts[f"lib/{shared.name}"] = shared
    return copied(parts, data, _UNUSED)
