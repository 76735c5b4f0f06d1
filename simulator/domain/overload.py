"""What to say of a fleet that calls come too fast for; both engines say the same."""

from __future__ import annotations

from simulator.domain.usage import FleetUse

LONGEST_WAIT_S = 86_400.0
"""A backlog that waits longer than a day never clears within the day's own rhythm: the fleet is too small."""
TOLD_OVERLOAD = 0.001


def per_second(calls: float) -> str:
    """Calls a second to read: three significant digits, written out however many or few there are.

    >>> per_second(98.76), per_second(999.7), per_second(12_345.6), per_second(0.0000314), per_second(0)
    ('98.8', '1,000', '12,300', '0.0000314', '0')
    """
    return f"{float(f'{calls:.3g}'):,.12f}".rstrip("0").rstrip(".")


def overwhelmed(use: FleetUse) -> str | None:
    """Why a fleet is no choice because calls come faster than it serves, with the backlog; None if it keeps up."""
    if float(use.backlog_s[0]) <= LONGEST_WAIT_S:
        return None
    return (
        f"calls come faster than its replicas serve ({per_second(use.most_per_s[0])} a second at most): "
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
        f"({per_second(use.most_per_s[0])} a second) and wait up to {use.backlog_s[0] / 60:,.0f} min"
    ]
