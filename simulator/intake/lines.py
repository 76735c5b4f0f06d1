"""Reads a text file line by line as it was meant: byte order mark, CRLF and gzip seen through, monsters refused."""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterator
from pathlib import Path

from pricing.errors import InputError
from simulator.intake.trace_faults import open_plain

LONGEST = 32 * 2**20
"""Bytes of a line: above any example or log entry, far below what fills the memory."""
_UTF16 = (b"\xff\xfe", b"\xfe\xff")


def lines_of(path: str | os.PathLike[str]) -> Iterator[tuple[int, str]]:
    """Number (from 1) and text of every line, without its end.

    Raises:
        InputError: no file, UTF-16, binary, not UTF-8, damaged gzip, or a line above 32 MiB.
    """
    path = Path(path)
    if not path.is_file():
        what = "is a folder or a device" if path.exists() else "there is no such file"
        raise InputError(f"{path}: {what}; name a file of lines")
    number = 0
    try:
        with open_plain(path) as stream:
            while raw := stream.readline(LONGEST + 1):
                number += 1
                if number == 1 and raw.startswith(_UTF16):
                    raise InputError(f"{path}: the file is UTF-16 text; save it as UTF-8")
                if len(raw) > LONGEST:
                    most = f"{LONGEST // 2**20} MiB"
                    raise InputError(f"{path}: line {number} is longer than {most}; write one record a line")
                if b"\0" in raw:
                    raise InputError(f"{path}: line {number} holds a NUL byte, so the file is binary; name a text file")
                yield number, raw.decode("utf-8-sig" if number == 1 else "utf-8").rstrip("\r\n")
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: line {number}: byte {error.object[error.start]:#04x} is not UTF-8 text") from None
    except (OSError, EOFError, zlib.error) as error:
        reason = (error.strerror if isinstance(error, OSError) else None) or error
        raise InputError(f"{path}: cannot be read ({reason}); check that it is whole and yours to read") from None
