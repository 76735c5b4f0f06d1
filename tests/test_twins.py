"""Each room of the simulated wing agrees with its twin of the expected wing, as its class says."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
import simpy
from agreement import RARE, agrees, rarely
from hypothesis import given
from hypothesis import strategies as st

from simulator.expected import caching as expected_caching
from simulator.expected import calls as expected_calls
from simulator.expected import footprint as expected_footprint
from simulator.expected import outages as expected_outages
from simulator.expected import training as expected_training
from simulator.simulated import each_call, world
from simulator.simulated.caching import hit_share, hours_behind
from simulator.simulated.calls import draw_calls, split, thin, try_calls
from simulator.simulated.footprint import draw_sums, moments
from simulator.simulated.outages import mark_hours, outages
from simulator.simulated.streams import stream
from simulator.simulated.training import campaign, models_to_train
from simulator.simulated.windows import hours_inside

ROWS = 4000


@given(rate=st.floats(1e-6, 10), ttl_s=st.floats(1, 90_000), refresh=st.booleans())
def test_hit_share_at_a_constant_rate_is_exact(rate: float, ttl_s: float, refresh: bool) -> None:
    found = hit_share(np.full((1, hours_behind(ttl_s) + 3), rate), ttl_s, refresh)
    assert found == pytest.approx(np.full((1, 3), expected_caching.poisson_hit_share(rate, ttl_s, refresh)), rel=1e-9)


@given(
    rate=st.floats(1e-5, 1),
    ttl_s=st.floats(10, 7200),
    ratio=st.floats(1, 50),
    on_share=st.floats(0.02, 0.9),
    mean_on_s=st.floats(5, 3600),
    by_time=st.booleans(),
)
def test_hit_share_in_bursts_is_exact(
    rate: float, ttl_s: float, ratio: float, on_share: float, mean_on_s: float, by_time: bool
) -> None:
    """Two ways to the same 2 x 2 matrix exponential: scaled hyperbolic functions, and eigenvalues."""
    bursts = world.Bursts.of(ratio, on_share, mean_on_s)
    found = 1.0 - hit_share(np.full((1, hours_behind(ttl_s) + 1), rate), ttl_s, True, bursts, by_time=by_time)
    burst = (ratio, on_share, mean_on_s)
    theirs = expected_caching.burst_miss_share(np.array([rate * ttl_s]), ttl_s, burst, by_time)
    assert found[0] == pytest.approx(theirs, rel=1e-6, abs=1e-9)


def test_hit_share_of_a_week_of_office_hours_is_exact() -> None:
    """Without randomness in the rate, an hour's share given the rates is the week's, hour by hour."""
    hours = np.r_[np.full(9, 0.2), np.full(9, 2.4), np.full(6, 0.1)]
    hours = hours / hours.mean()
    for ttl_s in (300.0, 1800.0, 3600.0, 7000.0):
        week = expected_caching.CacheWeek(
            ttl_s=ttl_s, weekday=(1.0,) * 7, hours=tuple(hours), noise=expected_caching.Noise()
        )
        theirs = expected_caching.week_hit_share(np.array([0.002]), week)[0, 2]
        rates = 0.002 * np.tile(hours, 2)[None, 24 - hours_behind(ttl_s) :]
        mine = (hit_share(rates, ttl_s, True)[0] * hours).sum() / hours.sum()
        assert mine == pytest.approx(theirs, rel=1e-9)


@given(
    begin=st.integers(0, 47),
    length=st.integers(1, 47),
    days=st.sets(st.integers(0, 6), min_size=1),
    offset=st.integers(-11, 12),
)
def test_price_windows_are_exact(begin: int, length: int, days: set[int], offset: int) -> None:
    hours = (begin / 2, (begin + length) / 2 % 24)
    theirs = expected_calls.window_hours(hours, frozenset(days), float(offset))
    monday = datetime(2026, 11, 30, tzinfo=UTC) - timedelta(hours=offset)
    starts = [monday + timedelta(hours=hour) for hour in range(168)]
    assert hours_inside(starts, hours, frozenset(days)).reshape(7, 24) == pytest.approx(theirs, abs=1e-9)


@given(growth=st.floats(-0.5, 1), day=st.integers(0, 1000))
def test_growth_is_exact(growth: float, day: int) -> None:
    theirs = expected_calls.growth_by_day(growth, day + 1)[0, day]
    assert float(world.growth_on(day, growth, 730.0)) == pytest.approx(theirs, rel=1e-9)


@given(failure=st.just(0.0) | st.floats(0.06, 0.94) | st.just(1.0), retries=st.integers(0, 2), billed=st.booleans())
def test_attempts_are_unbiased(failure: float, retries: int, billed: bool) -> None:
    tries, delivered = expected_calls.attempts(failure, retries)
    found = try_calls(stream(4, "retries"), np.full(ROWS, 50.0), failure, retries, billed)
    agrees(found.delivered, 50.0 * float(delivered), "delivered")
    agrees(found.billed, 50.0 * float(tries if billed else delivered), "billed")
    share = float(expected_caching.with_retries(0.0, tries, delivered, failure, billed))
    wanted = share * float(tries if billed else delivered) * 50.0
    agrees(found.billed - found.first, wanted, "attempts that find what the first one left")


@given(
    fixed=st.floats(0, 3000),
    mean=st.floats(10, 3000),
    cv_in=st.floats(0, 2),
    cv_out=st.floats(0, 1.5),
    tied=st.floats(-0.9, 0.9),
    thresholds=st.sampled_from([(), (2000.0,), (1000.0, 4000.0)]),
)
def test_tokens_by_band_are_exact_in_the_mean_and_unbiased_when_drawn(
    fixed: float, mean: float, cv_in: float, cv_out: float, tied: float, thresholds: tuple[float, ...]
) -> None:
    shares = expected_calls.tier_shares(fixed, mean, cv_in, cv_out, tied, thresholds)
    lengths = moments(fixed, mean, 30.0, cv_in, cv_out, tied, thresholds)
    for band, (calls, inputs, outputs) in enumerate(zip(*shares, strict=True)):
        assert lengths.share[band] == pytest.approx(calls, abs=1e-9)
        assert lengths.share[band] * lengths.input[band] == pytest.approx(mean * inputs, abs=1e-6 * mean)
        assert lengths.share[band] * lengths.output[band] == pytest.approx(30.0 * outputs, abs=1e-5)
    count = np.tile(np.rint(400 * lengths.share), ROWS)
    drawn_in, drawn_out = draw_sums(stream(5, "lengths"), lengths, count, count)
    for band in range(len(count)):
        agrees(drawn_in[band], float(count[band, 0] * lengths.input[band, 0]), f"input of band {band}")
        agrees(drawn_out[band], float(count[band, 0] * lengths.output[band, 0]), f"output of band {band}")


def test_a_sum_of_lengths_has_the_variance_of_its_calls() -> None:
    lengths = moments(0.0, 100.0, 20.0, 0.8, 0.5, 0.4)
    count = np.full((1, 200_000), 30.0)
    inputs, outputs = draw_sums(stream(6, "lengths"), lengths, count, count)
    assert inputs.var() == pytest.approx(30 * 80.0**2, rel=0.03)
    assert outputs.var() == pytest.approx(30 * 10.0**2, rel=0.03)
    assert np.cov(inputs[0], outputs[0])[0, 1] == pytest.approx(float(30 * lengths.covariance[0, 0]), rel=0.05)


def test_footprints_agree_call_by_call() -> None:
    """Drawn one by one, whole tokens, in length bands: the mean tokens of an attempt by meter."""
    lengths = expected_footprint.Lengths(
        prefix=500.0, cacheable=384.0, overhead=9.0, input=300.0, output=33.3,
        input_cv=1.0, output_cv=0.7, correlation=0.5,
    )  # fmt: skip
    theirs = {
        (m.meter, m.band): float(m.tokens) for m in expected_footprint.tokens_by_meter(lengths, 0.25, False, (900.0,))
    }
    runs, calls = 60, 4000
    terms = each_call.terms_of(
        ttl_s=1.0, refresh=True, reach=1.0, pinned=0.25, cacheable=384.0, deferred=0.0, batch_too=False,
        failure_rate=0.0, max_retries=0.0, failures_billed=True, fixed=509.0, mean_input=300.0, mean_output=33.3,
    )  # fmt: skip
    law = np.array([*np.sqrt(np.log1p(np.square([1.0, 0.7]))), 0.5])
    found = np.zeros((runs, 2, each_call.QUANTITIES))
    for run in range(runs):
        inputs, outputs, counts = np.zeros(calls), np.zeros(calls), np.zeros((2, 2, each_call.QUANTITIES))
        chances = np.zeros(calls)
        each_call.draw_lengths(stream(7, "lengths", block=run), calls, law, inputs, outputs, chances)
        times, flows = np.arange(calls, dtype=float), np.zeros(1440, dtype=np.int64)
        arguments = (times, inputs, outputs, chances, flows, np.zeros(1), terms, np.array([900.0]), counts, np.zeros(1))
        each_call.serve(stream(7, "hits", block=run), calls, *arguments)
        found[run] = counts[0] / calls
    for band in (0, 1):
        billed, cached = found[:, band, each_call.BILLED], found[:, band, each_call.CACHED]
        agrees(125.0 * billed + 384.0 * (billed - cached) + found[:, band, each_call.INPUT], theirs["input", band])
        agrees(384.0 * cached, theirs["cached_input", band])
        agrees(found[:, band, each_call.OUTPUT], theirs["output", band])


@given(mean=st.floats(0.001, 1e5))
def test_calls_are_unbiased(mean: float) -> None:
    found = draw_calls(stream(8, "arrivals"), np.full(ROWS, mean))
    if mean * ROWS < RARE:
        rarely(found.sum(), mean * ROWS)
    else:
        agrees(found, mean)


def test_a_cap_on_a_lognormal_rate_is_unbiased() -> None:
    spread = world.Spread(day_sd=0.4, hour_sd=0.3)
    factors = world.World(spread, 3, 0, ROWS).factors(0)
    found = world.mean_rates(2.0 * factors, None, None, np.full((ROWS, 1), 2.5)).mean(axis=1)
    agrees(found, 2.0 * float(expected_calls.capped_share(2.0, 2.5, 0.5)))


@pytest.mark.parametrize("mean_on_s", [5.0, 60.0, 1800.0])
def test_time_in_bursts_has_its_mean_and_variance(mean_on_s: float) -> None:
    bursts = world.Bursts.of(8.0, 0.2, mean_on_s)
    found = world.World(world.Spread(bursts=bursts), 9, 0, 1500).burst_time(0)
    assert found is not None
    agrees(found.mean(axis=1), 0.2)
    x = 3600.0 * (bursts.leave_on_per_s + bursts.leave_off_per_s)
    agrees(np.square(found - 0.2).mean(axis=1), 2 * 0.2 * 0.8 * (x - 1 + np.exp(-x)) / x**2)


@pytest.mark.parametrize(("runs", "failure"), [(1.0, 0.0), (2.5, 0.3), (3.0, 0.9)])
def test_training_jobs_are_unbiased(runs: float, failure: float) -> None:
    jobs = []
    for number in range(400):
        env, generator = simpy.Environment(), stream(10, "training", 0, number)
        needed = models_to_train(generator, runs)
        done = env.process(campaign(env, generator, needed, failure, 2.0, lambda: None))
        jobs.append(env.run(until=done))
        assert env.now == 2.0 * jobs[-1]
    agrees(np.asarray(jobs, dtype=float), float(expected_training.jobs_per_release(runs, failure)))


@pytest.mark.parametrize(("runs", "failure"), [(1.0, 0.5), (2.5, 0.2), (3.0, 0.0), (0.5, 0.7)])
def test_when_a_model_is_trained_and_how_many_jobs_end_in_time_are_unbiased(runs: float, failure: float) -> None:
    """Jobs of 30 hours against the midnights of 20 days; the last of them end after the horizon in some runs."""
    days, hours, late, ended = 20, 30.0, [], []
    for number in range(600):
        env, generator, count = simpy.Environment(), stream(11, "training", 0, number), [0]

        def one_more(count: list[int] = count) -> None:
            count[0] += 1

        jobs = campaign(env, generator, models_to_train(generator, runs), failure, hours, lambda: None, one_more)
        done = env.process(jobs)
        trained = []
        for day in range(days):
            env.run(until=24.0 * day + 1e-6)
            trained.append(done.triggered)
        env.run(until=24.0 * days)
        late.append(~np.array(trained))
        ended.append(count[0])
    theirs = expected_training.late_share(np.arange(days), runs, failure, hours)[0]
    for day in (0, 1, 3, 5, 10, 19):
        found, expected = np.array([one[day] for one in late], dtype=float), float(theirs[day])
        if expected > 0.5:
            found, expected = 1.0 - found, 1.0 - expected
        if 0 < expected * len(late) < RARE:
            rarely(float(found.sum()), expected * len(late), f"late on day {day}")
        else:
            agrees(found, expected, f"late on day {day}")
    agrees(ended, float(expected_training.jobs_ended(runs, failure, hours, 24.0 * days)[0]), "jobs")


def test_time_in_outages_is_unbiased_and_so_is_their_rare_count() -> None:
    horizon, found, begun = 24 * 60, [], 0
    for number in range(300):
        env, lost = simpy.Environment(), [0.0] * horizon
        begins: list[float] = []

        def told(begin: float, end: float, lost: list[float] = lost, begins: list[float] = begins) -> None:
            mark_hours(lost, begin, end)
            begins.append(begin)

        env.process(outages(env, stream(11, "outages", 0, number), 730.0 / 0.04 - 5.0, 5.0, told))
        env.run(until=horizon)
        found.append(sum(lost) / horizon)
        begun += sum(0.0 < begin < horizon for begin in begins)
    agrees(np.asarray(found), float(expected_outages.share_of_time_out(0.04, 5.0, 730.0)))
    rarely(begun, 300 * horizon * 0.04 / 730.0)


def test_splitting_and_thinning_keep_every_call() -> None:
    calls = np.arange(50.0)
    bands = split(stream(12, "bands"), calls, np.array([[0.2], [0.5], [0.3]]))
    assert bands.sum(axis=0).tolist() == calls.tolist()
    assert thin(stream(12, "bands"), calls, 0.0).sum() == 0


def test_cache_hits_are_those_of_a_reading_by_hand() -> None:
    """A call hits when the same cache was used in the time to live before it; without refresh, when it was written."""
    gaps = stream(13, "arrivals").standard_exponential(3000) * 200.0
    times = np.cumsum(gaps) / 20.0  # all within a day
    for refresh in (True, False):
        hits, last = 0, -np.inf
        for now in times:
            alive = now - last <= 15.0
            hits += alive
            if refresh or not alive:
                last = now
        terms = each_call.terms_of(
            ttl_s=15.0, refresh=refresh, reach=1.0, pinned=None, cacheable=1.0, deferred=0.0, batch_too=False,
            failure_rate=0.0, max_retries=0.0, failures_billed=True, fixed=1.0, mean_input=1.0, mean_output=1.0,
        )  # fmt: skip
        counts, ones, flows = np.zeros((2, 1, each_call.QUANTITIES)), np.ones(3000), np.zeros(1440, dtype=np.int64)
        rest = (flows, np.array([-1e18]), terms, np.zeros(0), counts, np.zeros(1))
        each_call.serve(stream(13, "hits"), 3000, times, ones, ones, ones / 2, *rest)
        assert counts[0, 0, each_call.HITS] == hits
