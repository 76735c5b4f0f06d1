"""The one door through which every numba kernel is compiled, so that a folder without a cache only warns.

numba raises while a module is *imported* where the cache folder cannot be written (a read-only install, a
container without a home). The kernel is then compiled without a cache, and the user is told once.
numba looks only at a kernel's own file to see whether what it has cached is still true, yet kernels call each other
across files: here a cached kernel holds only as long as no file with a kernel in it has changed.
With `NUMBA_DISABLE_JIT=1` every kernel runs as plain Python, slowly and with the same numbers.
"""

from __future__ import annotations

import contextlib
import hashlib
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, cast

import numba

Kernel = TypeVar("Kernel", bound=Callable[..., object])

NO_CACHE = (
    "the compiled kernels cannot be cached in this folder, so every start compiles them anew: "
    "set NUMBA_CACHE_DIR to a folder that can be written"
)

_warned: list[bool] = []


def digest_of_kernels(folder: Path) -> str:
    """Digest of all files of a folder that compile something; empty where they cannot be read (a zipped install)."""
    try:
        texts = [path.read_bytes() for path in sorted(folder.glob("*.py"))]
    except OSError:
        return ""
    return hashlib.sha256(b"".join(text for text in texts if b"@compiled" in text)).hexdigest()


DIGEST = digest_of_kernels(Path(__file__).parent)


def compiled(function: Kernel) -> Kernel:
    """Compile a function with numba: cached on disk where that is possible, else with one warning.

    Division follows NumPy (no check for zero), and the interpreter lock is released while a kernel runs.
    """
    return _compile(function, {"error_model": "numpy", "nogil": True})


def compiled_in_place(function: Kernel) -> Kernel:
    """Compile a function that only reads and writes arrays it was given and makes none of its own.

    It is inlined where it is called and counts no references to its arrays: in the serving kernel, whose functions
    do a few nanoseconds of work each, that counting took more than half of the time. A function that makes an array
    does not compile this way.
    """
    return _compile(function, {"error_model": "numpy", "nogil": True, "forceinline": True, "_nrt": False})


def _compile(function: Kernel, options: dict[str, Any]) -> Kernel:
    try:
        kernel = numba.njit(cache=True, **options)(function)
    except RuntimeError:  # numba: "cannot cache function ...: no locator available for file ..."
        _warn()
        return cast(Kernel, numba.njit(**options)(function))
    cache = getattr(getattr(kernel, "_cache", None), "_cache_file", None)
    if cache is not None:  # not there when compiling is disabled
        cache._source_stamp = (cache._source_stamp, DIGEST)
        cache.save = _saved_if_possible(cache)
    return cast(Kernel, kernel)


def _saved_if_possible(cache: Any) -> Callable[[Any, Any], None]:
    """Write a compiled kernel to the cache, or go on without: the disk may be full, or files may not be so large."""
    save = cache.save

    def saved(key: Any, kernel: Any) -> None:
        try:
            save(key, kernel)
        except OSError:
            with contextlib.suppress(OSError):                  # it may name an older kernel's file by now
                Path(cache._index_path).unlink(missing_ok=True)
            _warn()

    return saved


def _warn() -> None:
    if not _warned:
        _warned.append(True)
        warnings.warn(NO_CACHE, RuntimeWarning, stacklevel=4)
