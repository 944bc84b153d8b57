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
        _VENV: str(_installed(folder / "venv", site)),
        "/usr/bin/patroni": str(patroni),
        "/usr/bin/etcd": str(find_etcd(folder)),
        "/usr/bin/weed": str(find_weed()),
        # These may stand in folders that are closed to others here.
        **{path: path for path in (sys.base_prefix, site) if not path.startswith("/usr")},
    }


def _installed(venv: Path, site: str) -> Path:
    """A virtual environment with this project's wheel; its dependencies are the ones of `site`."""
    _python(sys.executable, "-m", "venv", "--without-pip", str(venv))
    wheels = venv / "wheels"
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet")
    _python(*pip, "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", wheels, _ROOT)
    (wheel,) = wheels.iterdir()
    _python(*pip, "--python", venv / "bin" / "python", "install", "--no-deps", wheel)
    # Behind its own: the project's package is the one of the wheel.
    own = next((venv / "lib").iterdir()) / "site-packages"
    (own / "dependencies.pth").write_text(f"{site}\n")
    command = venv / "bin" / "docshard"
    command.write_text(command.read_text().replace(str(venv), _VENV))
    return venv


def _python(*words: str | Path) -> None:
    subprocess.run([str(word) for word in words], check=True)
