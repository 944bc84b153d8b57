"""Bytes of a blob that rot on SeaweedFS' disk."""

from __future__ import annotations

from pathlib import Path
from typing import Final

_POLYNOMIAL: Final = 0x82F63B78  # Castagnoli's, reflected


def rot(data: Path, content: bytes, *, sound: bool) -> None:
    """Change a byte of the blob with this content in the server's files.

    `sound`: the server's own checksum is that of the new bytes, so that it gives them; else it sees
    that they are wrong, and gives none.
    """
    spoiled = bytes([content[0] ^ 0xFF]) + content[1:]
    (path,) = (path for path in data.rglob("*.dat") if content in path.read_bytes())
    volume = path.read_bytes()
    begin = volume.index(content)
    end = begin + len(content)
    if sound:
        checksum = _crc32c(content).to_bytes(4)
        # Behind the bytes stand their flags, then the checksum.
        place = volume.index(checksum, end, end + 64)
        volume = volume[:place] + _crc32c(spoiled).to_bytes(4) + volume[place + 4 :]
    # In place: the server keeps the file open.
    with path.open("r+b") as file:
        file.seek(begin)
        file.write(spoiled + volume[end : end + 64])


def _crc32c(content: bytes) -> int:
    crc = 0xFFFFFFFF
    for byte in content:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (_POLYNOMIAL if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF
