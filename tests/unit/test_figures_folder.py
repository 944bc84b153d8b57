"""A router's folder of figures goes with its last process, and no living router's is touched."""

import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

from router.figures_folder import figures_folder

ROOT = Path(__file__).parents[2]
# A router that is killed while its worker, which ends with its standard input, lives on.
KILLED = """
import os, pathlib, signal, sys
from router.figures_folder import figures_folder
with figures_folder(pathlib.Path(sys.argv[1])) as folder:
    (folder / "1.json").write_text("{}")
    if os.fork() == 0:
        sys.stdin.read()
        os._exit(0)
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_killed_routers_folder_is_removed_once_its_workers_have_ended(tmp_path: Path) -> None:
    router = subprocess.Popen(
        [sys.executable, "-c", KILLED, tmp_path],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=ROOT,
    )
    assert router.wait() < 0
    (orphan,) = tmp_path.iterdir()
    with figures_folder(tmp_path):
        assert (orphan / "1.json").exists()
    # Closes its input; its output ends with the worker.
    router.communicate()
    with figures_folder(tmp_path) as folder:
        assert list(tmp_path.iterdir()) == [folder]
    assert not any(tmp_path.iterdir())


def test_living_routers_keep_theirs_and_other_files_are_not_looked_at(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (tmp_path / "docshard-figures-link").symlink_to(elsewhere)
    (tmp_path / "docshard-figures-file").touch()
    before = set(tmp_path.iterdir())
    with ExitStack() as routers:
        folders = [routers.enter_context(figures_folder(tmp_path)) for _ in range(3)]
        assert set(tmp_path.iterdir()) == before | set(folders)
        assert all(folder.stat().st_mode & 0o777 == 0o700 for folder in folders)
    assert set(tmp_path.iterdir()) == before
