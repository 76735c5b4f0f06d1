"""The one door through which every numba kernel is compiled, so that a folder without a cache only warns.

numba raises while a module is *imported* where the cache folder cannot be written (a read-only install, a
container without a home). The kernel is then compiled without a cache, and the user is told once.
With `NUMBA_DISABLE_JIT=1` every kernel runs as plain Python, slowly and with the same numbers.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba

Kernel = TypeVar("Kernel", bound=Callable[..., object])

NO_CACHE = (
    "the compiled kernels cannot be cached in this folder, so every start compiles them anew: "
    "set NUMBA_CACHE_DIR to a folder that can be written"
)

_warned: list[bool] = []


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
        return cast(Kernel, numba.njit(cache=True, **options)(function))
    except RuntimeError:  # numba: "cannot cache function ...: no locator available for file ..."
        if not _warned:
            _warned.append(True)
            warnings.warn(NO_CACHE, RuntimeWarning, stacklevel=3)
        return cast(Kernel, numba.njit(**options)(function))
