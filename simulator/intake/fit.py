"""Fits demand and lengths to what a log shows, and sets the fitted model's own figures beside the log's.

The model is that of a scenario: a mean, a week of hours, an autocorrelated daily level and hourly noise, on/off
bursts, lognormal lengths. Every moment is matched rather than every likelihood raised: a fitted lognormal of the
greatest likelihood gets a bill wrong by up to half, a matched mean gets it right.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares
from scipy.stats import chi2

from pricing.errors import InputError
from simulator.intake.trace import DISPERSION_WINDOWS_S

Array = NDArray[np.float64]
HOUR_S, DAY_S = 3600.0, 86_400.0
LEAST_SPAN_S = 600.0
DAYS_FOR_HOURS, DAYS_FOR_LEVEL, DAYS_FOR_WEEK, DAYS_FOR_TREND = 3.0, 5.0, 14.0, 56.0
"""Days a log must cover before it says something of the hours of a day, of days, of the days of a week, and of how the
level moves from week to week: eight weeks are seven steps."""
MOST_CALLS_PER_DAY = 1e10
"""As many as a scenario takes."""
WHOLE_PROMPTS = (
    "input tokens are those of the log; where it counts whole prompts, the part that every call repeats is in them and "
    "in options.*.prefix_tokens too, so set those to 0 or take that part out of workload.tokens.input"
)
NO_TOKENS = "those of the shipped scenario stand in workload.tokens, so write your own"
REGULAR, HARDLY = 0.5, 1e-3
"""Dispersion below which calls come by a clock or a queue rather than by chance, and the probability below which chance
does not do it: `(n - 1) dispersion` is chi-square of n - 1 for a Poisson process. A model by rates cannot follow."""
FEW_WINDOWS = 10
"""Windows under which a dispersion is hardly more than chance."""
FEW_CALLS = 100
"""Calls under which their number alone is more than a tenth uncertain."""
MISSED = 1.25
"""Times by which the model's dispersion and the log's may differ without a word, beyond what chance gives."""
FAINT, CHANCE_SDS = 0.05, 3.0
"""Dispersion above that of a Poisson process that is worth fitting: this much, and so many standard deviations of
what chance alone gives, `sqrt(2 / (n - 1))` over n windows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Windows:
    """Calls counted in windows of one length, from the first on; a missing window is NaN.

    Attributes:
        source: where it was read.
        window_s: length of a window.
        counts: calls by window, (n,).
        first_hour: hour of the day, 0 to 23, and weekday (Monday = 0, None if unknown) of the first window.
        first_weekday: see `first_hour`.
        notes: what was left out, a sentence each.
    """

    source: str
    window_s: float
    counts: Array
    first_hour: float = 0.0
    first_weekday: int | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """A fitted workload as a scenario writes it, and rows (what, of the log, of the model)."""

    workload: dict[str, Any]
    rows: tuple[tuple[str, float | None, float | None], ...]
    notes: tuple[str, ...]


def fit_windows(windows: Windows) -> Fit:
    """Fit demand to calls counted in windows.

    Raises:
        InputError: too short, or without calls.
    """
    seen = np.isfinite(windows.counts)
    covered_s = float(seen.sum()) * windows.window_s
    if covered_s < LEAST_SPAN_S or seen.sum() < 3:
        raise InputError(
            f"{windows.source}: {seen.sum()} windows of {windows.window_s:g} s; "
            f"a fit needs three or more, and {LEAST_SPAN_S:g} s"
        )
    mean = float(np.nanmean(windows.counts))
    if mean <= 0:
        raise InputError(f"{windows.source}: no calls at all; a fit needs some")
    if not mean * DAY_S / windows.window_s <= MOST_CALLS_PER_DAY:
        raise InputError(
            f"{windows.source}: {mean * DAY_S / windows.window_s:.3g} calls a day; a scenario takes "
            f"{MOST_CALLS_PER_DAY:g} at most, so check the unit of the counts"
        )
    relative = windows.counts / mean
    at_h = windows.first_hour + np.arange(len(relative)) * windows.window_s / HOUR_S
    demand: dict[str, Any] = {}
    rows: list[tuple[str, float | None, float | None]] = [("calls a day", mean * DAY_S / windows.window_s, None)]
    rows[0] = (rows[0][0], rows[0][1], rows[0][1])
    left, shape = relative, np.ones(len(relative))
    if covered_s >= DAYS_FOR_WEEK * DAY_S and windows.first_weekday is not None:
        weekday = (windows.first_weekday + at_h // 24).astype(int) % 7
        demand["weekday"], left, shape = _profile(left, shape, weekday, 7)
    if covered_s >= DAYS_FOR_HOURS * DAY_S and windows.window_s <= HOUR_S:
        hour = at_h.astype(int) % 24
        demand["hours"], left, shape = _profile(left, shape, hour, 24)
        measured = [float(np.nanmean(relative[hour == h])) for h in range(24)]
        level = min(np.ptp(measured), np.ptp(demand["hours"])) == 0  # no correlation is defined without any change
        same = None if level else float(np.corrcoef(measured, demand["hours"])[0, 1])
        rows.append(("hour profile, correlation with the log", 1.0, same))
    spread = 1.0
    for name, length_h, enough in (("day", 24.0, DAYS_FOR_LEVEL), ("hour", 1.0, DAYS_FOR_HOURS)):
        if covered_s >= enough * DAY_S and windows.window_s <= length_h * HOUR_S:
            sd, lag1, left = _level(left, windows.counts, (at_h // length_h).astype(int))
            demand |= {f"{name}_sd": round(sd, 4), f"{name}_lag1": round(lag1, 4)}
            spread *= np.exp(sd**2)
            rows.append((f"{name} level, log sd", sd, demand[f"{name}_sd"]))
            rows.append((f"{name} level, lag 1", lag1, demand[f"{name}_lag1"]))
    lengths = window_lengths(windows)
    rate, fast = mean / windows.window_s, {}
    for length in lengths:
        index = dispersion_of(left * mean, windows.window_s, length)
        chance = CHANCE_SDS * np.sqrt(2.0 / max(1.0, covered_s // length - 1.0))
        if index is not None and index > 1.0 + max(FAINT, chance):
            fast[length] = index
    burst, modelled = _bursts(fast, rate)
    if burst is not None:
        demand["burst"] = burst
    variance, regular, few, missed = float(np.nanmean(shape**2) * spread), False, [], []
    for length in lengths:
        index = dispersion_of(windows.counts, windows.window_s, length)
        if index is not None:
            own = 1.0 + rate * length * (variance * (1.0 + modelled(length)) - 1.0)
            rows.append((f"dispersion of counts in {length:g} s", index, own))
            number = len(_summed(windows.counts, windows.window_s, length))
            even = index < REGULAR and chi2.cdf((number - 1) * index, number - 1) < HARDLY
            if number < FEW_WINDOWS:
                few.append(f"{number} windows of {length:g} s")
            elif even and own >= 1.0 - FAINT:
                regular = True
            elif abs(own - index) > max(CHANCE_SDS * np.sqrt(2.0 / (number - 1)), MISSED - 1.0) * min(own, index):
                missed.append(f"{own:.3g} in {length:g} s, where the log's is {index:.3g}")
    workload = {"calls_per_day": round(mean * DAY_S / windows.window_s, 6), "demand": demand}
    notes = list(windows.notes)
    if regular:
        notes.append(f"{windows.source}: calls come more evenly than chance would have it; the model's come at random")
    if missed and not regular:
        notes.append(f"{windows.source}: the fitted model misses the log; its dispersion is {', '.join(missed)}")
    if few and not regular:
        notes.append(
            f"{windows.source}: only {' and '.join(few)}: what such windows say of bursts is hardly more than chance"
        )
    calls = float(np.nansum(windows.counts))
    if calls < FEW_CALLS:
        notes.append(
            f"{windows.source}: rests on {calls:.0f} calls; by chance alone their number may be "
            f"{100 / np.sqrt(calls):.0f} % off one way or the other, and what depends on their order far more"
        )
    if covered_s < DAYS_FOR_HOURS * DAY_S:
        notes.append(
            f"{windows.source}: covers {covered_s / HOUR_S:.1f} hours, too few to tell the hours of a day apart; "
            "every hour of the year is taken to be like these"
        )
    elif covered_s < DAYS_FOR_TREND * DAY_S:
        notes.append(
            f"{windows.source}: covers {covered_s / DAY_S:.3g} days, too few to tell growth and how the level moves "
            "from week to week; growth is 0 here and intervals of totals are too narrow, so write "
            "workload.growth_per_month and a wider workload.demand.day_sd where you know them"
        )
    return Fit(workload=workload, rows=tuple(rows), notes=tuple(notes))


def dispersion_of(counts: Array, window_s: float, length_s: float) -> float | None:
    """Variance over mean of counts in windows of `length_s`; windows with a gap are left out. None under two."""
    whole = _summed(counts, window_s, length_s)
    return float(whole.var(ddof=1) / whole.mean()) if len(whole) >= 2 and whole.mean() > 0 else None


def _summed(counts: Array, window_s: float, length_s: float) -> Array:
    """Counts in windows of `length_s`, those without a gap."""
    each = round(length_s / window_s)
    whole = counts[: len(counts) // each * each].reshape(-1, each).sum(axis=1)
    return np.asarray(whole[np.isfinite(whole)])


def window_lengths(windows: Windows) -> tuple[float, ...]:
    """Lengths over which dispersion is told: those of a trace, or multiples of a longer window."""
    if windows.window_s <= DISPERSION_WINDOWS_S[0]:
        return tuple(float(length) for length in DISPERSION_WINDOWS_S)
    return tuple(windows.window_s * times for times in (1, 2, 3, 6))


def _profile(left: Array, shape: Array, place: NDArray[np.int64], size: int) -> tuple[list[float], Array, Array]:
    """Relative rate by hour or weekday, of mean one; what is left of the series; the shape so far."""
    groups = [left[(place == k) & np.isfinite(left)] for k in range(size)]
    means = np.array([group.mean() if len(group) else 1.0 for group in groups])
    means = means / means.mean()
    found = [round(float(value), 4) for value in means]
    safe = np.where(means > 0, means, 1.0)[place]
    return found, left / safe, shape * means[place]


def _level(left: Array, counts: Array, group: NDArray[np.int64]) -> tuple[float, float, Array]:
    """Log sd and lag-1 correlation of the mean of each day or hour, and what is left of the series.

    The log of N counted calls scatters by 1 / N about that of their rate: the model counts anew, so that is taken out;
    nothing is left of the level where no more than that is seen.
    """
    _, index = np.unique(group, return_inverse=True)
    seen = np.isfinite(left)
    sums = np.bincount(index, np.where(seen, left, 0.0))
    number = np.bincount(index, seen.astype(float))
    means = np.where(number > 0, sums / np.maximum(number, 1.0), np.nan)
    with np.errstate(divide="ignore", invalid="ignore"):
        logs = np.log(means)
    logs[~np.isfinite(logs)] = np.nan
    centred = logs - np.nanmean(logs)
    variance = float(np.nanmean(centred**2))
    calls = np.bincount(index, np.where(seen, counts, 0.0))
    counted = float(np.mean(1.0 / calls[np.isfinite(logs)]))
    chance = CHANCE_SDS * np.sqrt(2.0 / max(1, int(np.isfinite(logs).sum()) - 1))
    if variance <= counted * (1.0 + chance):
        return 0.0, 0.0, left
    variance -= counted
    pairs = centred[1:] * centred[:-1]
    lag1 = float(np.nanmean(pairs)) / variance if variance > 0 and np.isfinite(pairs).any() else 0.0
    safe = np.where(np.isfinite(means) & (means > 0), means, 1.0)
    return float(np.sqrt(variance)), float(np.clip(lag1, -0.95, 0.95)), left / safe[index]


def _bursts(fast: dict[float, float], rate: float) -> tuple[dict[str, float] | None, Any]:
    """On/off bursts whose dispersion follows the log's, and their relative variance over a window.

    A two-state process of relative variance `v` that forgets itself in `tau` seconds has, over a window `w`, the
    relative variance `v h(w / tau)`, `h(x) = 2 (x - 1 + exp(-x)) / x^2`, and the index `1 + rate w v h`.
    """
    if not fast:
        return None, lambda length: 0.0

    def relative(v: float, tau: float, length: float) -> float:
        x = length / tau
        return float(v * 2.0 * (x + np.expm1(-x)) / x**2) if x > 1e-4 else v

    def off(logs: Array) -> list[float]:
        v, tau = np.exp(logs)
        return [
            weight * (np.log1p(rate * length * relative(v, tau, length)) - np.log(index))
            for (length, index), weight in zip(fast.items(), weights, strict=True)
        ]

    # the minute is what limits and replicas feel; a log's shorter windows also hold the coarseness of its clock
    weights = [3.0 if length == 60.0 or len(fast) == 1 else 1.0 for length in fast]
    starts = [np.log([v, tau]) for v in (0.05, 1.0, 5.0) for tau in (5.0, 60.0, 600.0)]
    bounds = (np.log([1e-6, 0.1]), np.log([50.0, 3600.0]))
    fits = [least_squares(off, start, bounds=bounds) for start in starts]
    v, tau = np.exp(min(fits, key=lambda fit: fit.cost).x)
    on_share = round(min(0.5, 0.8 / (1.0 + float(v))), 4)  # v cannot be reached from 1 / (1 + v) on
    leap = np.sqrt(v / (on_share * (1.0 - on_share)))
    ratio = (1.0 + leap * (1.0 - on_share)) / (1.0 - leap * on_share)
    burst = {"ratio": round(float(ratio), 4), "on_share": on_share, "mean_on_s": round(float(tau / (1 - on_share)), 4)}
    return burst, lambda length: relative(float(v), float(tau), length)
