"""`tunepoint compare A B --diff`: whether the answer is another one, by how much, and what moved it."""

from __future__ import annotations

from typing import Any

from simulator.cli.output import points, say, table


def difference_json(before: Any, after: Any, old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    """What is added to the second answer: `verdict_changed` (0 or 1) and `difference`.

    Args:
        before: the first scenario.
        after: the second.
        old: the first answer, as `compare --json` gives it.
        new: the second.
    """
    from simulator import differences, fingerprint

    choices = [answer["verdict"]["choice"] for answer in (old, new)]
    names = [*old["options"], *(name for name in new["options"] if name not in old["options"])]
    totals = {name: [answer["options"].get(name, {}).get("total_usd") for answer in (old, new)] for name in names}
    changes = differences(fingerprint(before), fingerprint(after))
    return {
        "verdict_changed": int(choices[0] != choices[1]),
        "difference": {
            "against": {"name": old["scenario"]["name"], "digest": old["scenario"]["digest"]},
            "choice": choices,
            "total_usd": totals,
            "changes": [
                {"kind": one.kind, "path": one.path, "before": one.before, "after": one.after, "words": str(one)}
                for one in changes
            ],
        },
    }


def show_difference(answer: dict[str, Any]) -> None:
    """The verdict first, then every option before and after, then what changed."""
    from simulator.formats import usd

    found = answer["difference"]
    first, second = found["choice"]
    here, there = answer["scenario"]["name"], found["against"]["name"]
    if answer["verdict_changed"]:
        say(f"The verdict changed from {there} to {here}: {first} -> {second}.")
    else:
        say(f"The verdict is the same in {there} and {here}: {second}.")
    say(answer["verdict"]["money"])
    rows = [
        (name, *("no choice" if total is None else usd(total) for total in pair), _moved(*pair))
        for name, pair in found["total_usd"].items()
    ]
    say(table({"option": "left", there: "right", f"{here} ": "right", "change": "right"}, rows))
    if found["changes"]:
        say("What changed:", points(one["words"] for one in found["changes"]))
    else:
        say("Nothing that can move a number changed.")


def _moved(before: float | None, after: float | None) -> str:
    if before is None or after is None:
        return ""
    return "0 %" if before == after else "" if before == 0 else f"{100 * (after / before - 1):+.1f} %"
