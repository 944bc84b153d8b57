"""An exported log verifies by itself, and tells what was done to it since."""

from collections.abc import Callable
from pathlib import Path

import orjson
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from services.chain import bundle, heads
from services.chain.bundle import LINES, MANIFEST, NotABundle, check
from services.chain.export import export
from services.chain.sources import TenantChain
from services.chain.verification import Extent
from services.errors import Conflict
from tests.integration.chains import Chains
from tests.integration.tampering import edit

ROWS = 12


async def exported(chains: Chains, folder: Path, tamper: bool = False) -> Path:
    client_id = await chains.tenant(ROWS)
    await chains.link()
    await chains.sign()
    if tamper:
        await edit(chains, client_id, 5)
    known = await heads.load(chains.app, chains.keyring, client_id)
    source = TenantChain(chains.app, client_id)
    await export(source, known, chains.keyring, Extent(), folder)
    return folder


async def test_it_verifies_without_a_database(chains: Chains, tmp_path: Path) -> None:
    found = check(await exported(chains, tmp_path))
    assert (found.faults, found.rows) == ([], ROWS)
    key = bytes.fromhex(found.manifest["head"]["public_key"])
    assert check(tmp_path, key).faults == []
    assert [fault.seq for fault in check(tmp_path, bytes(32)).faults] == [ROWS]


def lines(change: Callable[[list[bytes]], list[bytes]]) -> Callable[[Path], None]:
    def tamper(folder: Path) -> None:
        path = folder / LINES
        path.write_bytes(b"".join(change(path.read_bytes().splitlines(keepends=True))))

    return tamper


@pytest.mark.parametrize(
    ("tamper", "seq"),
    [
        (lines(lambda all_: [*all_[:4], all_[4].replace(b"null", b"1.0"), *all_[5:]]), 5),
        (lines(lambda all_: [line.replace(b'"update"', b'"x"') for line in all_[:-1]]), ROWS),
        (lines(lambda all_: [*all_[:2], all_[3], all_[2], *all_[4:]]), 3),
        (lines(lambda all_: [*all_[:6], *all_[7:]]), 7),
        (lines(lambda all_: [*all_[:6], all_[6], *all_[6:]]), 8),
        (lines(lambda all_: [*all_[:6], b"{}\n", *all_[6:]]), None),
    ],
    ids=["changed", "truncated", "reordered", "removed", "doubled", "garbled"],
)
async def test_what_was_done_to_the_lines_is_found(
    chains: Chains, tmp_path: Path, tamper: Callable[[Path], None], seq: int | None
) -> None:
    await exported(chains, tmp_path)
    tamper(tmp_path)
    faults = check(tmp_path).faults
    assert faults
    assert min((fault.seq for fault in faults if fault.seq), default=None) == seq


async def test_a_head_of_somebody_elses_making_is_found(chains: Chains, tmp_path: Path) -> None:
    path = await exported(chains, tmp_path) / MANIFEST
    manifest = orjson.loads(path.read_bytes())
    manifest["head"]["signature"] = bytes(64).hex()
    path.write_bytes(orjson.dumps(manifest))
    assert [fault.fault for fault in check(tmp_path).faults] == ["forged_head"]
    ours = bytes.fromhex(manifest["head"]["public_key"])
    other = Ed25519PrivateKey.generate()
    head = bundle._head(manifest)
    message = heads._message(head.client_id, head.seq, head.chain_hash, head.signed_at)
    manifest["head"] |= {
        "signature": other.sign(message).hex(),
        "public_key": other.public_key().public_bytes_raw().hex(),
    }
    path.write_bytes(orjson.dumps(manifest))
    assert check(tmp_path).faults == [], "alone it cannot know"
    assert len(check(tmp_path, ours).faults) == 1


async def test_what_is_not_sound_is_not_exported(chains: Chains, tmp_path: Path) -> None:
    with pytest.raises(Conflict, match="seq 5"):
        await exported(chains, tmp_path, tamper=True)
    with pytest.raises(NotABundle):
        check(tmp_path)
