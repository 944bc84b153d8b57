"""What packages bring to a host: built or found once, seen by all at the paths that units name."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
from collections.abc import Mapping
from pathlib import Path

from deploy.local.engines import find_weed
from deploy.local.etcd import find_etcd
from tests.lacking import lacking

_ROOT = Path(__file__).parents[2]
_VENV = "/opt/docshard"
# Here they may stand in somebody's home, which units do not see.
_PYTHON, _SITE = "/opt/python", "/opt/site-packages"
LIBRARIES = f"{_PYTHON}/lib"
"""Where the interpreter's own library is, if it has one: the system may have its namesake."""
_PATRONI = f"""#!{_VENV}/bin/python -P
import sys
from patroni.__main__ import main
if __name__ == "__main__":
    sys.exit(main())
"""


def binds(folder: Path) -> Mapping[str, str]:
    """Paths on a host, and where their contents are on this machine."""
    for path in ("/usr/lib/postgresql/15/bin/postgres", "/usr/sbin/pgbouncer", "/usr/sbin/haproxy"):
        if not Path(path).exists():
            lacking(f"{path} is not there")
    patroni = folder / "patroni"
    patroni.write_text(_PATRONI)
    patroni.chmod(0o755)
    site = sysconfig.get_path("purelib")
    return {
        _VENV: str(_installed(folder / "venv")),
        "/usr/bin/patroni": str(patroni),
        "/usr/bin/etcd": str(find_etcd(folder)),
        "/usr/bin/weed": str(find_weed()),
        _PYTHON: sys.base_prefix,
        _SITE: site,
    }


def _installed(venv: Path) -> Path:
    """A virtual environment with this project's wheel; its dependencies are those of `_SITE`."""
    _python(sys.executable, "-m", "venv", "--without-pip", str(venv))
    wheels = venv / "wheels"
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet")
    _python(*pip, "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", wheels, _ROOT)
    (wheel,) = wheels.iterdir()
    _python(*pip, "--python", venv / "bin" / "python", "install", "--no-deps", wheel)
    # Behind its own: the project's package is the one of the wheel.
    own = next((venv / "lib").iterdir()) / "site-packages"
    (own / "dependencies.pth").write_text(f"{_SITE}\n")
    command = venv / "bin" / "docshard"
    command.write_text(command.read_text().replace(str(venv), _VENV))
    _moved(venv)
    return venv


def _moved(venv: Path) -> None:
    """Its interpreter is where hosts have it."""
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    for link in (venv / "bin").glob("python*"):
        link.unlink()
        link.symlink_to(f"{_PYTHON}/bin/{version}")
    (venv / "pyvenv.cfg").write_text(f"home = {_PYTHON}/bin\n")


def _python(*words: str | Path) -> None:
    subprocess.run([str(word) for word in words], check=True)
