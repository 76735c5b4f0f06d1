"""What an option costs: lines of quantity x unit x price, by period, with the version of each price."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

TOKEN_LINES = frozenset(
    {"input", "cached_input", "cache_write", "output", "batch_input", "batch_cached_input", "batch_output"}
)
"""Lines billed by the token."""
LINES = TOKEN_LINES | {
    "training", "hosting", "storage", "egress", "gpu", "gpu_idle", "hardware", "residual", "electricity",
    "dataset", "evaluation", "engineering", "ops", "failures", "human", "adjust",
}
"""Every line this program bills; the user's own labels stand beside them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerLine:
    """One line; `quantity` and `usd` have shape (D, T), draws by periods."""

    line: str
    quantity: Array
    unit: str
    usd: Array
    price_version: str
    one_off: bool

    @property
    def total_usd(self) -> Array:
        """Sum over the horizon, shape (D,)."""
        total: Array = self.usd.sum(axis=1)
        return total


@dataclass(frozen=True, slots=True, kw_only=True)
class CostLedger:
    """All lines of an option over the periods bounded by `edges` (T+1,), in days."""

    option: str
    edges: NDArray[np.int64]
    lines: tuple[LedgerLine, ...]
    draws: int

    def usd(self, *, one_off: bool | None = None, without: tuple[str, ...] = ()) -> Array:
        """Dollars by draw and period, shape (D, T), of all lines or only the one-offs or the rest."""
        total = np.zeros((self.draws, len(self.edges) - 1))
        for line in self.lines:
            if line.line not in without and (one_off is None or line.one_off == one_off):
                total += line.usd
        return total

    def spent_usd(self, *, one_off: bool) -> Array:
        """Dollars (D, T) that pay back or are paid back: what hardware fetches at the end is no cash until then."""
        return self.usd(one_off=one_off, without=("residual",))

    def by_line(self) -> dict[str, Array]:
        """Dollars over the horizon by line key, shape (D,) each."""
        sums: dict[str, Array] = {}
        for line in self.lines:
            sums[line.line] = sums.get(line.line, np.zeros(self.draws)) + line.total_usd
        return sums
