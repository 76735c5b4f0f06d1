"""Price files to objects; every message names file, key, value and remedy."""

from __future__ import annotations

import dataclasses
import functools
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from pricing.book import PriceBook
from pricing.errors import InputError
from pricing.load_checked import checked
from pricing.table import ALWAYS, STRICT, PriceTable, PriceVersion
from pricing.yaml12 import Document, Place, read_yaml

TABLES = Path(__file__).parent / "tables"

_RATE_KEYS = ("batch", "flex", "priority", "tiers", "windows")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Entry:
    """One table of a price file."""

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT
    versions: tuple[PriceVersion, ...]
    base: str | None = None


def read_prices(path: Path) -> dict[str, PriceTable]:
    """Read a price file: `provider:`, then `tables:` by name.

    Raises:
        InputError: with file, line, key, value and remedy.
    """
    document = read_yaml(path, path.name)
    value = document.value
    if not isinstance(value, dict) or not isinstance(value.get("provider"), str) or "tables" not in value:
        raise InputError(f"{document.name}: a price file holds `provider:` and `tables:`")
    unknown = sorted(set(map(str, value)) - {"provider", "tables", "shared", "note"})
    if unknown:
        raise InputError(f"{document.where((unknown[0],))}: unknown key; known here: provider, tables, shared, note")
    if not isinstance(value["tables"], dict):
        raise InputError(f"{document.where(('tables',))}: expected tables by name")
    return {
        f"{value['provider']}/{name}": _table(f"{value['provider']}/{name}", entry, document, ("tables", name))
        for name, entry in value["tables"].items()
    }


def inline_prices(value: Any, document: Document, place: Place, book: PriceBook) -> dict[str, PriceTable]:
    """Prices typed into a scenario: the price-file shape, the short form, or a copy of another by `like`.

    Args:
        value: a mapping of id to table.
        document: the scenario file.
        place: where the mapping stands in it.
        book: where `like` finds what it copies.
    """
    if not isinstance(value, dict):
        raise InputError(f"{document.where(place)}: expected prices by id, as in mine/big: {{usd_per_mtok: ...}}")
    found: dict[str, PriceTable] = {}
    for name, entry in value.items():
        here = (*place, name)
        if not isinstance(entry, dict):
            raise InputError(
                f"{document.where(here)}: expected rates, as in {{usd_per_mtok: {{input: 3, output: 15}}}}"
            )
        if "/" not in str(name):
            raise InputError(f"{document.where(here)}: a price id is provider/model, as in mine/{name}")
        if "versions" in entry:
            found[str(name)] = _table(str(name), entry, document, here)
        else:
            found[str(name)] = _short(str(name), entry, document, here, PriceBook(prices={**book.prices, **found}))
    return found


def _short(name: str, entry: dict[Any, Any], document: Document, place: Place, book: PriceBook) -> PriceTable:
    copied: dict[str, Any] = {}
    base = entry.get("base")
    if "like" in entry:
        try:
            model = book.table(str(entry["like"]))
        except InputError as error:
            raise InputError(f"{document.where((*place, 'like'))}: {error}") from None
        latest = model.versions[-1]
        copied = {f.name: getattr(latest, f.name) for f in dataclasses.fields(latest)}
        base = base or model.base
    dates = {"effective": ALWAYS.isoformat(), "recorded": ALWAYS.isoformat()}
    title = f"typed in {Path(document.name).name}" + (f", the rest like {entry['like']}" if copied else "")
    source = {"title": title, "seen_on": ALWAYS.isoformat(), "confidence": "reported"}
    own = {key: inner for key, inner in entry.items() if key not in ("like", "base")}
    typed = {**dates, "source": source, **own}
    version = checked(PriceVersion, _lifted(typed), document, place)
    kept = {key: inner for key, inner in copied.items() if key not in typed}
    if "usd_per_mtok" in kept:
        beside = {key: getattr(version.usd_per_mtok, key) for key in _RATE_KEYS if key in typed}
        kept["usd_per_mtok"] = dataclasses.replace(kept["usd_per_mtok"], **beside)
    version = dataclasses.replace(version, **kept)
    return PriceTable(id=name, versions=(version,), base=base)


def _table(name: str, entry: Any, document: Document, place: Place) -> PriceTable:
    if isinstance(entry, dict) and isinstance(entry.get("versions"), list):
        entry = {**entry, "versions": [_lifted(version) for version in entry["versions"]]}
    read = checked(_Entry, entry, document, place)
    try:
        return PriceTable(id=name, versions=read.versions, base=read.base)
    except ValueError as error:
        raise InputError(f"{document.where(place)}: {error}") from None


def _lifted(version: Any) -> Any:
    """Service levels, tiers and windows may stand beside `usd_per_mtok` as well as inside it."""
    if not isinstance(version, dict) or not any(key in version for key in _RATE_KEYS):
        return version
    rates = {key: version[key] for key in _RATE_KEYS if key in version}
    rest = {key: inner for key, inner in version.items() if key not in _RATE_KEYS}
    return {**rest, "usd_per_mtok": {**(rest.get("usd_per_mtok") or {}), **rates}}


@functools.lru_cache(maxsize=64)
def provider_prices(provider: str) -> Mapping[str, PriceTable]:
    """The shipped tables of one provider; empty where none are shipped."""
    path = TABLES / "apis" / f"{provider}.yaml"
    known = re.fullmatch(r"[a-z0-9-]+", provider) and path.is_file()
    return read_prices(path) if known else {}


def shipped_book(providers: Iterable[str] | None = None) -> PriceBook:
    """The shipped price book, of all providers or only those named (which is faster)."""
    if providers is None:
        providers = (path.stem for path in (TABLES / "apis").glob("*.yaml"))
    names = sorted(set(providers))
    return PriceBook(prices={name: table for provider in names for name, table in provider_prices(provider).items()})
