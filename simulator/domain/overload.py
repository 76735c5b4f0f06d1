"""What to say of a fleet that calls come too fast for; both engines say the same."""

from __future__ import annotations

from simulator.domain.usage import FleetUse

LONGEST_WAIT_S = 86_400.0
"""A backlog that waits longer than a day never clears within the day's own rhythm: the fleet is too small."""
TOLD_OVERLOAD = 0.001


def overwhelmed(use: FleetUse) -> str | None:
    """Why a fleet is no choice because calls come faster than it serves, with the backlog; None if it keeps up."""
    if float(use.backlog_s[0]) <= LONGEST_WAIT_S:
        return None
    return (
        f"calls come faster than its replicas serve ({use.most_per_s[0]:,.3g} a second at most): "
        f"{100 * use.overload_share[0]:.0f} % of the calls come in such hours, they wait up to "
        f"{use.backlog_s[0] / 86_400:,.1f} days, and {use.end_backlog_calls[0]:,.0f} are unserved at the end; "
        "allow more replicas or a faster one"
    )


ROOM_UNSURE = (
    "what its fleet serves at most: it is nearly full, its KV cache binds, and calls are alike or write far more than "
    "they read, where the closed form is up to 14 % off; type input_cv and output_cv, or ask the simulated engine"
)
"""What is said of a fleet that is nearly full, where how much it serves lies out of the domain of the closed form."""


def fleet_flags(use: FleetUse) -> list[str]:
    """What to say of a fleet that is short at times."""
    if float(use.overload_share[0]) <= TOLD_OVERLOAD or float(use.backlog_s[0]) > LONGEST_WAIT_S:
        return []
    return [
        f"{100 * use.overload_share[0]:.1f} % of the calls come in hours beyond what the fleet can serve "
        f"({use.most_per_s[0]:,.3g} a second) and wait up to {use.backlog_s[0] / 60:,.0f} min"
    ]
