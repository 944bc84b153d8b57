"""The local key file: made privately, refused when lax, bound to its context."""

import base64
import stat
from pathlib import Path

import pytest

from services.keys.local_file import (
    KeyFileError,
    LocalFileProvider,
    create_key_file,
    read_key_file,
)
from services.keys.provider import KeyProviderError

CONTEXT = {"purpose": "field_encryption", "key_id": "1"}


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    path = tmp_path / "key"
    create_key_file(path)
    return path


def test_the_file_is_private_and_leaves_nothing_beside_it(key_file: Path) -> None:
    assert stat.S_IMODE(key_file.stat().st_mode) == 0o600
    assert list(key_file.parent.iterdir()) == [key_file]
    assert len(read_key_file(key_file)) == 32


def test_a_key_is_never_overwritten(key_file: Path) -> None:
    before = key_file.read_bytes()
    with pytest.raises(FileExistsError):
        create_key_file(key_file)
    assert key_file.read_bytes() == before
    assert list(key_file.parent.iterdir()) == [key_file]


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o620, 0o601])
def test_lax_modes_are_refused(key_file: Path, mode: int) -> None:
    key_file.chmod(mode)
    with pytest.raises(KeyFileError, match="chmod 600"):
        read_key_file(key_file)


@pytest.mark.parametrize("text", [b"", b"not base64!", base64.b64encode(b"short"), b"\xff" * 44])
def test_what_is_no_key_is_refused(key_file: Path, text: bytes) -> None:
    key_file.write_bytes(text)
    with pytest.raises(KeyFileError):
        LocalFileProvider(key_file)


def test_an_absent_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(KeyFileError, match="No such file"):
        LocalFileProvider(tmp_path / "absent")


async def test_a_wrapped_key_opens_in_its_context_only(key_file: Path) -> None:
    provider = LocalFileProvider(key_file)
    wrapped = await provider.wrap(b"k" * 32, CONTEXT)
    assert b"k" * 8 not in wrapped
    assert await provider.unwrap(wrapped, dict(reversed(list(CONTEXT.items())))) == b"k" * 32
    for context in ({}, {**CONTEXT, "purpose": "jwt_signing"}, {**CONTEXT, "more": ""}):
        with pytest.raises(KeyProviderError):
            await provider.unwrap(wrapped, context)


async def test_damage_and_foreign_keys_are_refused(key_file: Path, tmp_path: Path) -> None:
    provider = LocalFileProvider(key_file)
    wrapped = await provider.wrap(b"k" * 32, CONTEXT)
    for wrong in (b"", b"\x01", b"\x02" + wrapped[1:], wrapped[:-1], wrapped[:-1] + b"\0\0"):
        with pytest.raises(KeyProviderError):
            await provider.unwrap(wrong, CONTEXT)
    create_key_file(tmp_path / "other")
    with pytest.raises(KeyProviderError):
        await LocalFileProvider(tmp_path / "other").unwrap(wrapped, CONTEXT)
