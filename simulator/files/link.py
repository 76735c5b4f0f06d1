"""A scenario as a few letters of a web address, so that a link can carry a question nobody else has on file."""

from __future__ import annotations

import base64
import binascii
import zlib

from pricing.errors import InputError
from pricing.yaml12 import MAX_BYTES

LONGEST = 6_000
"""Letters that a link may carry: browsers take more, mail programs and chats cut at about 8,000."""


def packed(raw: bytes) -> str | None:
    """A scenario as letters of an address, or None where they are too many.

    >>> unpacked(packed(b"start: 2026-01-01") or "")
    b'start: 2026-01-01'
    """
    letters = base64.urlsafe_b64encode(zlib.compress(raw, 9)).decode("ascii").rstrip("=")
    return letters if len(letters) <= LONGEST else None


def unpacked(letters: str) -> bytes:
    """The scenario that `packed` put into a link.

    Raises:
        InputError: cut short, altered, or larger than a scenario may be.
    """
    try:
        tight = base64.b64decode(letters + "=" * (-len(letters) % 4), altchars=b"-_", validate=True)
        unpack = zlib.decompressobj()
        raw = unpack.decompress(tight, MAX_BYTES + 1)
    except (binascii.Error, ValueError, zlib.error):
        raise InputError("the link: its scenario is cut short or altered; ask for the file instead") from None
    if len(raw) > MAX_BYTES:
        raise InputError(f"the link: its scenario has more than {MAX_BYTES:,} bytes; ask for the file instead")
    if not unpack.eof:
        raise InputError("the link: its scenario is cut short or altered; ask for the file instead")
    return raw
