"""What an option's machines rest on, in words: where a profile comes from, and what no source supports."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from pricing.book import STALE_DAYS
from pricing.serving import Replica
from pricing.table import ALWAYS
from simulator.domain.options import SelfHosted
from simulator.domain.overload import per_second
from simulator.domain.scenario import Scenario
from simulator.run import saturation
from simulator.studies.sizing import lengths_of

OWNED = {
    "life_years": "years of use",
    "residual_usd": "value at the end of life",
    "host_usd": "its share of a host",
    "pue": "power of the building over that of its machines",
    "idle_w": "power when idle",
    "light_w": "power when decoding",
    "saturated_w": "power when full",
}


def unsupported(figures: Iterable[str], gpu: str) -> str:
    """What no source supports of a card that is owned, with what the figures mean.

    >>> unsupported(["idle_w", "light_w"], "owned/rtx-4090")
    'no source supports some figures of owned/rtx-4090 (power when idle, power when decoding)'
    """
    return f"no source supports some figures of {gpu} ({', '.join(OWNED.get(key, key) for key in figures)})"


def served_between(scenario: Scenario, option: SelfHosted) -> tuple[float, float]:
    """Calls a second that one replica can serve at the slow and at the fast end of its profile's ranges."""
    lengths = lengths_of(scenario, option)
    slow, fast = (
        saturation(end, lengths, int(option.fleet.adapters)) for end in scenario.serving[str(option.serving)].ends
    )
    return slow, fast


def _ends(replica: Replica) -> str:
    return ", ".join(f"{name} {low:g} to {high:g}" for name, (low, high) in replica.ranges.items())


def machine_assumptions(scenario: Scenario, option: SelfHosted) -> Iterator[tuple[str, float | str, str]]:
    """Key, value and origin of everything a fleet's numbers rest on that the scenario does not set."""
    if isinstance(option.serving, str):
        replica = scenario.serving[option.serving]
        profile = replica.profile
        origin = profile.source.title
        error = f", {100 * profile.error_share:.0f} % mean error" if profile.error_share is not None else ""
        kind = "measured" if replica.measured else "estimated"
        yield "serving.profile", kind, f"{origin}{error}; {profile.source.note or ''}".rstrip("; ")
        slow, fast = served_between(scenario, option)
        yield (
            "serving.saturation_per_s",
            saturation(replica, lengths_of(scenario, option), int(option.fleet.adapters)),
            f"calls a second that one replica can serve; {per_second(slow)} to {per_second(fast)} at the ends of its "
            f"ranges ({_ends(replica)})",
        )
        yield (
            "serving.deployment_factor",
            profile.deployment_factor,
            "what the step-time model leaves out in production; 0.7 to 1 by the runs it was held against",
        )
        yield "serving.kv_tokens", float(replica.kv_tokens), replica.arithmetic
    elif option.serving.max_utilisation < 1:
        yield "serving.max_utilisation", option.serving.max_utilisation, "typed: utilisation is pinned, not simulated"
    if option.gpu is None or option.gpu_usd_per_hour is not None:
        return
    owned = scenario.gpu_on(option.gpu, option.commitment).owned
    for name in owned.unverified if owned is not None else ():
        meaning = OWNED.get(name, name)
        yield f"gpu.{name}", float(getattr(owned, name)), f"{meaning} of {option.gpu}: unverified, no source was found"


def machine_caveats(scenario: Scenario, name: str, option: SelfHosted) -> Iterator[str]:
    """What to know before trusting a fleet's numbers."""
    if isinstance(option.serving, str):
        replica = scenario.serving[option.serving]
        if not replica.measured and replica.profile.source.confidence == "estimated":
            slow, fast = served_between(scenario, option)
            yield (
                f"{name}: the speed of {option.serving} is estimated ({replica.profile.source.note}); one replica "
                f"serves {per_second(slow)} to {per_second(fast)} calls a second at the ends of its range."
            )
    if option.gpu is None or option.gpu_usd_per_hour is not None:
        return
    version = scenario.gpu_on(option.gpu, option.commitment)
    if version.owned is not None and version.owned.unverified:
        yield f"{name}: {unsupported(version.owned.unverified, option.gpu)}; replace them with yours."
    if version.source.confidence in ("estimated", "unverified"):
        yield f"{name}: the rent of {option.gpu} is {version.source.confidence} ({version.source.title})."
    age = (scenario.start - version.source.seen_on).days
    if age > STALE_DAYS and version.owned is None and version.effective > ALWAYS:
        yield f"{name}: the rent of {option.gpu} was last seen {age} days before the start."
