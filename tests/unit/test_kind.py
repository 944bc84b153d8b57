"""What bytes look like, and which declarations are refused."""

import os

import pytest

from services.blobs.kind import contradicts, detect

PROGRAM, PAGE = b"MZ\x90\x00\x03\x00", b"\xef\xbb\xbf \n<HTML><script>"


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        (b"\x89PNG\r\n\x1a\n" + bytes(50), "image/png"),
        (b"GIF89a\x01\x00", "image/gif"),
        (b"%PDF-1.7\n%", "application/pdf"),
        (b"\x00\x00\x00 ftypisom\x00\x00", "video/mp4"),
        (b"PK\x03\x04\x14\x00\x00\x00", "application/zip"),
        (PROGRAM, "application/vnd.microsoft.portable-executable"),
        (b"\x7fELF\x02\x01\x01", "application/x-elf"),
        (b"#!/bin/sh\n", "text/x-shellscript"),
        (PAGE, "text/html"),
        (b"plain words", None),
        (b"a,b\n1,2\n", None),
        (b"x", None),
        (b"", None),
    ],
)
def test_what_it_looks_like(head: bytes, kind: str | None) -> None:
    assert detect(head) == kind


@pytest.mark.parametrize("declared", ["image/png", "VIDEO/mp4", "application/pdf", "font/woff2"])
@pytest.mark.parametrize("head", [PROGRAM, PAGE, b"#!/bin/sh\n", b"\x7fELF\x02"])
def test_programs_and_pages_do_not_pass_for_what_is_shown(declared: str, head: bytes) -> None:
    assert contradicts(declared, detect(head))


@pytest.mark.parametrize(
    ("declared", "head"),
    [
        ("application/octet-stream", PROGRAM),
        ("text/html; charset=utf-8", PAGE),
        ("text/plain", PAGE),
        ("image/png", b"GIF89a\x01\x00"),
        ("image/png", b""),
        ("application/vnd.openxmlformats-officedocument.wordprocessingml.document", b"PK\x03\x04"),
    ],
)
def test_the_rest_is_recorded_and_taken(declared: str, head: bytes) -> None:
    assert not contradicts(declared, detect(head))


def test_noise_is_no_program() -> None:
    assert not any(contradicts("image/png", detect(os.urandom(4096))) for _ in range(50))
