"""A published price version is never edited: the history is frozen, version by version, in price_digests.json.

A digest covers everything a version says, its source included, except what it leaves unsaid; so a new optional key of
the schema changes no digest. New versions are entered by `python -m tests.test_price_history --add`.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import sys
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

from pricing.book import canonical
from pricing.hardware import GpuTable
from pricing.load import shipped_book
from pricing.load_hardware import shipped_hardware
from pricing.table import PriceTable, PriceVersion, Rates, Source

FROZEN = Path(__file__).parent / "price_digests.json"
ADD = "python -m tests.test_price_history --add"


def said(value: Any) -> Any:
    """The value without what it leaves unsaid (nothing, or an empty list or mapping)."""
    if isinstance(value, Mapping):
        inner = {str(key): said(part) for key, part in value.items()}
        return {key: part for key, part in inner.items() if part is not None and part not in ({}, [])}
    return [said(part) for part in value] if isinstance(value, (list, tuple)) else value


def digests(tables: Mapping[str, PriceTable | GpuTable]) -> dict[str, str]:
    """Sixteen hex digits for each version, by `id@effective+recorded`."""
    found = {}
    for name, table in sorted(tables.items()):
        for version in table.versions:
            text = canonical(said(dataclasses.asdict(version)))
            found[f"{name}@{version.effective}+{version.recorded}"] = hashlib.sha256(text.encode()).hexdigest()[:16]
    return found


def shipped() -> dict[str, PriceTable | GpuTable]:
    """Every dated table: what providers sell by the token, and GPUs."""
    return {**shipped_book().prices, **shipped_hardware().gpus}


def problems(now: Mapping[str, str], frozen: Mapping[str, str]) -> list[str]:
    """What is wrong, each with what to do instead."""
    changed = [f"{name} is published and was changed; put it back and add a version with a later `recorded` day"
               for name in frozen if name in now and now[name] != frozen[name]]
    gone = [f"{name} is published and is gone; put it back: what was true on a day stays true of that day"
            for name in frozen if name not in now]
    new = [f"{name} is new; when it is right, run `{ADD}`" for name in now if name not in frozen]
    return changed + gone + new


def read_frozen() -> dict[str, str]:
    return json.loads(FROZEN.read_text(encoding="utf-8"))  # type: ignore[no-any-return]


def test_no_id_stands_in_both_books() -> None:
    assert not set(shipped_book().prices) & set(shipped_hardware().gpus)


def test_no_published_version_was_changed_or_removed_and_none_is_unfrozen() -> None:
    found = problems(digests(shipped()), read_frozen())
    assert not found, "\n".join(["", *found])


def made(rate: float, note: str | None = None) -> dict[str, PriceTable | GpuTable]:
    day = date(2026, 1, 1)
    source = Source(title="made by hand", seen_on=day, confidence="reported", note=note)
    version = PriceVersion(effective=day, recorded=day, source=source, usd_per_mtok=Rates(input=rate))
    return {"mine/small": PriceTable(id="mine/small", versions=(version,))}


def test_an_edited_rate_or_source_is_told_what_to_do_instead() -> None:
    frozen = digests(made(1))
    assert problems(digests(made(1)), frozen) == []
    for edited in (made(2), made(1, note="now seen elsewhere")):
        (sentence,) = problems(digests(edited), frozen)
        assert sentence.startswith("mine/small@2026-01-01+2026-01-01 is published and was changed")
        assert "add a version" in sentence


def test_a_removed_version_must_come_back_and_a_new_one_be_entered() -> None:
    (gone,) = problems({}, digests(made(1)))
    assert "put it back" in gone
    (new,) = problems(digests(made(1)), {})
    assert ADD in new


def add() -> int:
    """Enter the new versions; refuse while a published one is changed or gone."""
    now, frozen = digests(shipped()), read_frozen() if FROZEN.exists() else {}
    broken = problems({name: now[name] for name in now if name in frozen}, frozen)
    if broken:
        print("\n".join(broken), file=sys.stderr)
        return 1
    FROZEN.write_text(json.dumps(dict(sorted(now.items())), indent=0) + "\n", encoding="utf-8")
    print(f"{len(now) - len(frozen)} new versions entered, {len(now)} in all")
    return 0


if __name__ == "__main__":
    if sys.argv[1:] != ["--add"]:
        sys.exit(f"usage: {ADD}")
    sys.exit(add())
