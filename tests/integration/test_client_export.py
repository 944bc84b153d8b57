"""A client leaves one fleet whole, is proven without any, and lives in another one."""

import shutil
import stat
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import orjson
import pytest

from deploy.cli.main import run
from services.errors import Conflict
from services.fleet.portability.arrival import ImportOrder, import_client
from services.fleet.portability.layout import Manifest, NotAnExport
from services.fleet.portability.verify import check
from services.s3_settings import S3Settings
from tests.integration import lives
from tests.integration.belongings import EMAIL, Estate, Estates, digest, furnish


@pytest.fixture(scope="module")
async def old(estates: Estates, s3_settings: S3Settings) -> AsyncIterator[Estate]:
    async with estates(s3_settings) as made:
        yield made


@pytest.fixture(scope="module")
async def exported(old: Estate, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An export of a furnished client."""
    folder = tmp_path_factory.mktemp("exports") / "acme"
    await old.export(await furnish(old), folder)
    return folder


def rows(folder: Path, name: str) -> list[dict[str, object]]:
    return [orjson.loads(line) for line in (folder / f"{name}.jsonl").read_bytes().splitlines()]


def test_it_is_whole_and_readable(exported: Path) -> None:
    checked = check(exported)
    assert checked.faults == []
    manifest = checked.manifest
    counted = {part.name: part.rows for part in manifest.tables}
    assert all(
        counted[name] for name in counted if name not in {"audit_pending", "idempotency_keys"}
    )
    assert checked.audit.rows == 40 + counted["audit_logs"]
    assert manifest.heads[-1].seq == manifest.audit_seq == checked.audit.rows
    # Two texts, the large one, the one in the bin, the archived month; not the purged one's twin.
    assert manifest.blobs == 5
    assert (exported / f"blobs/{digest(b'first')[:2]}/{digest(b'first')}").read_bytes() == b"first"
    assert rows(exported, "directory/people")[0]["email"] == EMAIL
    (key,) = rows(exported, "directory/api_keys")
    assert key["name"] == "a machine"
    assert "key_hash" not in key
    text = (exported / "tables/documents.jsonl").read_text()
    assert "0.10000000000000000000001" in text


def test_nobody_else_reads_it(exported: Path) -> None:
    modes = {path.is_dir(): stat.S_IMODE(path.stat().st_mode) for path in exported.rglob("*")}
    assert modes == {True: 0o700, False: 0o600}
    assert stat.S_IMODE(exported.stat().st_mode) == 0o700


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def forge_rows(folder: Path) -> None:
    """Change an audit row, and put the digests right again."""
    path = folder / "tables/audit_logs.jsonl"
    path.write_bytes(path.read_bytes().replace(b"document.create", b"document.update"))
    told = orjson.loads((folder / "manifest.json").read_bytes())
    part = next(one for one in told["tables"] if one["name"] == "audit_logs")
    part |= {"sha256": digest(path.read_bytes()), "bytes": path.stat().st_size}
    (folder / "manifest.json").write_bytes(orjson.dumps(told))


def forge_head(folder: Path) -> None:
    path = folder / "manifest.json"
    path.write_bytes(path.read_bytes().replace(b'"chain_hash": "', b'"chain_hash": "00'))


@pytest.mark.parametrize(
    ("tamper", "words"),
    [
        (lambda folder: flip(folder / "tables/documents.jsonl"), "documents.jsonl"),
        (lambda folder: flip(next(folder.glob("blobs/*/*"))), "is not what was exported"),
        (lambda folder: next(folder.glob("blobs/*/*")).unlink(), "missing"),
        (lambda folder: (folder / "tables/uploads.jsonl").unlink(), "cannot be read"),
        (forge_rows, "is not what was linked"),
        (
            lambda folder: (folder / "manifest.json").write_bytes(
                (folder / "manifest.json")
                .read_bytes()
                .replace(b'"signature": "', b'"signature": "00')
            ),
            "head",
        ),
    ],
    ids=["rows", "blob", "no-blob", "no-table", "forged-log", "forged-head"],
)
def test_what_was_done_to_it_is_found(
    exported: Path, tmp_path: Path, tamper: Callable[[Path], None], words: str
) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(exported, copy)
    tamper(copy)
    assert any(words in fault for fault in check(copy).faults)


async def test_another_fleet_takes_it_row_by_row_and_byte_by_byte(
    estates: Estates, versioned_s3: S3Settings, exported: Path, tmp_path: Path
) -> None:
    there = Manifest.read(exported)
    async with estates(versioned_s3) as new:
        order = ImportOrder(exported, reason="moved house")
        client = await import_client(new.reach, order)
        assert (client.id, client.status) == (there.client_id, "suspended")
        again = tmp_path / "again"
        back = (await new.export(client.id, again)).manifest
        assert check(again).faults == []
        assert {part.name: part.sha256 for part in back.tables} == {
            part.name: part.sha256 for part in there.tables
        }
        assert (back.blobs, back.blob_bytes) == (there.blobs, there.blob_bytes)
        # What is signed here is signed by this fleet.
        assert back.heads[-1].chain_hash == there.heads[-1].chain_hash
        assert back.heads[-1].public_key != there.heads[-1].public_key
        assert (await import_client(new.reach, order)).id == client.id
        with pytest.raises(Conflict, match="already"):
            await import_client(new.reach, ImportOrder(again))


def test_a_folder_that_cannot_be_made_is_told(
    old: Estate,
    exported: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name, value in lives.environment(old.workplace).items():
        monkeypatch.setenv(name, value)
    (tmp_path / "file").write_text("")
    words = ["client", "export", Manifest.read(exported).client["code"]]
    assert run([*words, "--into", str(tmp_path / "file" / "acme")]) == 1
    told = capsys.readouterr().err
    assert "acme cannot be written: Not a directory." in told
    assert "run it again: it goes on" in told


async def test_an_interrupted_export_goes_on(old: Estate, exported: Path, tmp_path: Path) -> None:
    client_id = Manifest.read(exported).client_id
    folder = tmp_path / "again"
    shutil.copytree(exported, folder)
    (folder / "manifest.json").rename(folder / ".unfinished")
    with pytest.raises(Conflict, match="not empty"):
        await old.export(client_id, folder)
    (folder / ".unfinished").write_text(f"{client_id}\n")
    with pytest.raises(NotAnExport, match="not finished"):
        check(folder)
    stray = folder / f"blobs/{digest(b'purged')[:2]}/{digest(b'purged')}"
    stray.parent.mkdir(exist_ok=True)
    stray.write_bytes(b"purged")
    kept = {path.stat().st_ino for path in folder.glob("blobs/*/*")} - {stray.stat().st_ino}
    await old.export(client_id, folder)
    assert check(folder).faults == []
    assert {path.stat().st_ino for path in folder.glob("blobs/*/*")} == kept
    with pytest.raises(Conflict, match="an export already"):
        await old.export(client_id, folder)
