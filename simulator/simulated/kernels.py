"""The one door through which every numba kernel is compiled, so that a folder without a cache only warns.

numba raises while a module is *imported* where the cache folder cannot be written (a read-only install, a
container without a home). The kernel is then compiled without a cache, and the user is told once.
With `NUMBA_DISABLE_JIT=1` every kernel runs as plain Python, slowly and with the same numbers.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import TypeVar, cast

import numba

Kernel = TypeVar("Kernel", bound=Callable[..., object])

NO_CACHE = (
    "the compiled kernels cannot be cached in this folder, so every start compiles them anew: "
    "set NUMBA_CACHE_DIR to a folder that can be written"
)

_warned: list[bool] = []


def compiled(function: Kernel) -> Kernel:
    """Compile a function with numba: cached on disk where that is possible, else with one warning.

    Division follows NumPy (no check for zero), so that it costs one instruction in the inner loops.
    The kernel releases the interpreter lock, so two replicas' worth of work may run in two threads.
    """
    options = {"error_model": "numpy", "nogil": True, "forceinline": True}
    try:
        return cast(Kernel, numba.njit(cache=True, **options)(function))
    except RuntimeError:  # numba: "cannot cache function ...: no locator available for file ..."
        if not _warned:
            _warned.append(True)
            warnings.warn(NO_CACHE, RuntimeWarning, stacklevel=2)
        return cast(Kernel, numba.njit(**options)(function))
