"""What bytes look like, and when that is too far from what they are declared to be. Pure.

Most content cannot be told by its beginning, and a declared type may be finer than what is seen (a
.docx is a ZIP file). So what is detected is recorded, and refused only where believing the
declaration would be dangerous: a program or a web page that passes for a picture.
"""

import puremagic

# Signatures of two or three bytes are met in random data as well.
_LEAST_SIGNATURE_BYTES = 4

_PROGRAMS = {
    b"MZ\x90\x00": "application/vnd.microsoft.portable-executable",
    b"\x7fELF": "application/x-elf",
    b"\xcf\xfa\xed\xfe": "application/x-mach-binary",
    b"\xce\xfa\xed\xfe": "application/x-mach-binary",
    b"#!/": "text/x-shellscript",
}
_MARKUP = (b"<!doctype html", b"<html", b"<head", b"<body", b"<script", b"<iframe")
_WEB_PAGE = "text/html"
_ZIP = "application/zip"
# Families whose readers render what they are given.
_RENDERED = ("image/", "audio/", "video/", "font/", "application/pdf")


def detect(head: bytes) -> str | None:
    """The media type that the first bytes of some content look like; None when like nothing."""
    for signature, kind in _PROGRAMS.items():
        if head.startswith(signature):
            return kind
    if head[:512].lstrip(b"\xef\xbb\xbf \t\r\n").lower().startswith(_MARKUP):
        return _WEB_PAGE
    try:
        found = puremagic.magic_string(head)
    except (puremagic.PureError, ValueError):
        return None
    strong = [m for m in found if len(m.byte_match) >= _LEAST_SIGNATURE_BYTES and m.mime_type]
    if not strong:
        return None
    # Many formats share the ZIP container: which one it is, its first bytes do not tell.
    return _ZIP if head.startswith(b"PK\x03\x04") else str(strong[0].mime_type)


def contradicts(declared: str, detected: str | None) -> bool:
    """Whether a program or a web page is declared as something that is shown or played."""
    dangerous = detected == _WEB_PAGE or detected in _PROGRAMS.values()
    return dangerous and declared.strip().lower().startswith(_RENDERED)
