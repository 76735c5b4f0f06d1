"""Reads a scenario file into one checked object with its prices bound; every mistake is one sentence."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence
from pathlib import Path, PurePath
from typing import Any, get_type_hints

from pricing.errors import InputError
from pricing.load_checked import checked, placed, shown
from pricing.nearest import nearest
from pricing.table import STRICT
from pricing.yaml12 import Document, Place, parse_yaml, read_yaml
from simulator.domain.dials import walk_dials
from simulator.domain.fleet import Capacity
from simulator.domain.options import KINDS, ServingOption
from simulator.domain.scenario import Scenario
from simulator.files.bound import bound_prices, check_customer, counted_prompt
from simulator.files.foreseen import with_outlook
from simulator.files.hardware import bound_hardware
from simulator.files.layers import FOUND, OPTION_KEYS, Layered, dotted, leaves, under_flags, with_copies
from simulator.files.logged import with_logged
from simulator.files.ranges import with_ranges, without_ranges

PACKAGE = Path(__file__).parents[1]
DEFAULT = "support-triage.yaml"

NOT_WRITTEN = ("name", "set_paths", "bare", "ranges", "recorded", "specs")
"""Fields of a Scenario that come from elsewhere than its file."""

_BY_THEIR_OWN_DOOR = ("options", "prices", "gpus", "models", "serving")
_ASIDE = ("prices", "gpus", "models", "serving", "assumes")
"""Keys whose own keys are ids and paths, not inputs."""

_OPTION_NAME = re.compile(r"[a-z0-9][a-z0-9_-]*")


def written_fields() -> list[tuple[str, Any, Any]]:
    """Name, type and default of every key of a scenario file, as the fields of `Scenario` say."""
    hints = get_type_hints(Scenario, include_extras=True)
    found = []
    for field in dataclasses.fields(Scenario):
        if field.name not in NOT_WRITTEN:
            kind = Any if field.name in _BY_THEIR_OWN_DOOR else hints[field.name]
            default = dataclasses.field(default=field.default, default_factory=field.default_factory)
            found.append((field.name, kind, default))
    return found


ScenarioFile: type[Any] = dataclasses.make_dataclass(
    "ScenarioFile", written_fields(), kw_only=True, frozen=True, slots=True, namespace={"__pydantic_config__": STRICT}
)
"""The top of a scenario file: the fields of `Scenario` without its checks; options and prices are read apart."""

KEYS = tuple(field.name for field in dataclasses.fields(ScenarioFile))


def read_scenario(path: Path | str, overrides: Sequence[str] = (), bare: bool = False) -> Scenario:
    """Read a scenario file with its prices and prompts.

    Args:
        path: the YAML file; its stem names the scenario.
        overrides: `PATH=VALUE`, laid over the file before anything is checked.
        bare: whether default costs are zero.

    Raises:
        InputError: file, line, key, value and remedy in one sentence.
        NotInForce: a price has no version in force on `start`.
    """
    path = Path(path)
    return _scenario(_mapping(_read(path)), path.stem, path.parent, overrides, bare)


def copied(path: Path | str, overrides: Sequence[str] = ()) -> dict[str, tuple[str, ...]]:
    """Which options of a file are copies of which by `like`: what is laid over the one moves them too."""
    options = under_flags(_mapping(_read(Path(path))), overrides, KEYS).value.get("options") or {}
    found: dict[str, tuple[str, ...]] = {}
    for name, option in options.items():
        if isinstance(option, dict) and "like" in option:
            found[str(option["like"])] = (*found.get(str(option["like"]), ()), str(name))
    return found


def parse_scenario(
    raw: bytes | str, name: str, overrides: Sequence[str] = (), bare: bool = False, folder: Path | None = None
) -> Scenario:
    """Read a scenario that is already in memory, as one sent to a page is; see `read_scenario`.

    Args:
        raw: the YAML text.
        name: how messages call it; its stem names the scenario.
        overrides: `PATH=VALUE`, laid over the text before anything is checked.
        bare: whether default costs are zero.
        folder: where the prompt files it names may lie; None refuses them, as a page must not read its server's.

    Raises:
        InputError: name, line, key, value and remedy in one sentence.
        NotInForce: a price has no version in force on `start`.
    """
    return _scenario(_mapping(parse_yaml(raw, name)), PurePath(name).stem or "scenario", folder, overrides, bare)


def _scenario(
    document: Document, name: str, folder: Path | None, overrides: Sequence[str], bare: bool
) -> Scenario:
    page = with_copies(under_flags(document, overrides, KEYS))
    foreseen = with_outlook(page)
    logged = with_logged(foreseen.page, folder)
    ranged = without_ranges(logged.page)
    page = ranged.page
    file = checked(ScenarioFile, page.value, page)
    given: dict[str, Any] = {key: getattr(file, key) for key in KEYS}
    written = _canonical(page)
    options = {str(key): _option(key, value, page) for key, value in _options(written, page).items()}
    prices = bound_prices(options, given["prices"], page, given["start"], given["announced_prices"])
    check_customer(given["existing_customer"], prices, page)
    counted = {
        key: counted_prompt(option, ("options", key), prices, page, given["start"], folder)
        for key, option in options.items()
    }
    given |= bound_hardware(counted, {key: given[key] for key in ("gpus", "models", "serving")}, page, given["start"])
    given |= {"recorded": logged.recorded, "assumes": _sources(given["assumes"], foreseen.sources | logged.sources)}
    given |= {"name": name, "options": counted, "prices": prices, "bare": bare, "set_paths": _set_paths(written)}
    try:
        scenario = with_ranges(Scenario(**{**given, "correlations": ()}), ranged)
        scenario = dataclasses.replace(scenario, correlations=given["correlations"])
    except ValueError as error:
        raise InputError(placed(str(error), page, ())) from None
    _check_assumes(scenario, page)
    return scenario


def shipped_scenarios() -> list[Path]:
    """The scenario files that come with the program: single questions, then the well-known cases."""
    inside = PACKAGE / "_shipped" / "scenarios"
    folder = inside if inside.is_dir() else PACKAGE.parent / "scenarios"
    return [*sorted(folder.glob("*.yaml")), *sorted((folder / "cases").glob("*.yaml"))]


def dashboard_path() -> Path:
    """The file that the dashboard is started from.

    Raises:
        InputError: the program was installed without its dashboard.
    """
    for path in (PACKAGE / "_shipped" / "app.py", PACKAGE.parent / "app.py"):
        if path.is_file():
            return path
    raise InputError("app.py: is missing from this installation; install tunepoint again")


def default_scenario_path() -> Path:
    """The scenario that answers when none is named.

    Raises:
        InputError: the program was installed without its scenarios.
    """
    for path in shipped_scenarios():
        if path.name == DEFAULT:
            return path
    raise InputError(f"{DEFAULT}: is missing from this installation; install tunepoint again")


def _read(path: Path) -> Document:
    if not path.exists():
        near = nearest(path.name, [p.name for p in path.parent.glob("*.yaml")]) if path.parent.is_dir() else ""
        raise InputError(f"{path}: there is no such file{near or '; name a scenario file'}")
    return read_yaml(path)


def _mapping(document: Document) -> Document:
    need = "a scenario begins with keys such as start, baseline, workload and options"
    if document.value is None:
        raise InputError(f"{document.name}: is empty; {need}")
    if not isinstance(document.value, dict):
        what = "a list" if isinstance(document.value, list) else shown(document.value)
        raise InputError(f"{document.where(())}: {what} stands where keys and values are expected; {need}")
    return document


def _options(written: dict[Any, Any], page: Layered) -> dict[Any, Any]:
    options = written["options"]
    if not isinstance(options, dict):
        raise InputError(
            f"{page.where(('options',))}: {shown(options)} stands where options are expected by name, "
            "as in my-option: {kind: hosted_prompt, price: ...}"
        )
    return options


def _option(name: Any, value: Any, page: Layered) -> ServingOption:
    here: Place = ("options", name)
    if not _OPTION_NAME.fullmatch(str(name)):
        raise InputError(f"{page.where(here)}: an option's name is small letters, digits, - and _, as in long-prompt")
    kinds = ", ".join(KINDS)
    if not isinstance(value, dict):
        raise InputError(f"{page.where(here)}: {shown(value)} stands where an option is expected, as in {{kind: ...}}")
    if "kind" not in value:
        raise InputError(f"{page.where((*here, 'kind'))}: is required and missing; it is one of {kinds}")
    kind = value["kind"]
    if not isinstance(kind, str) or kind not in KINDS:
        hint = nearest(str(kind), KINDS)
        raise InputError(f"{page.where((*here, 'kind'))}: {shown(kind)} is not one of {kinds}{hint}")
    for key in value:
        others = [other for other in KINDS if key in OPTION_KEYS[other]]
        if key not in OPTION_KEYS[kind] and (others or key == FOUND):
            have = "has" if len(others) == 1 else "have"
            hint = f"{kind} has no such key, {' and '.join(others)} {have}" if others else "it is found, not written"
            raise InputError(f"{page.where((*here, key))}: unknown key; {hint}")
    if kind == "self_hosted" and isinstance(value.get("serving"), dict):
        checked(Capacity, value["serving"], page, (*here, "serving"))  # one mistake, one sentence
    return checked(KINDS[kind], value, page, here)


def _canonical(page: Layered) -> dict[Any, Any]:
    """The page's value with each option's `caching.cache_hit_rate` moved to the option itself."""
    top: dict[Any, Any] = page.value
    options = top["options"]
    if not isinstance(options, dict):
        return top
    moved = {name: _pinned(name, value, page) if isinstance(value, dict) else value for name, value in options.items()}
    return {**top, "options": moved}


def _pinned(name: Any, option: dict[Any, Any], page: Layered) -> dict[Any, Any]:
    here: Place = ("options", name)
    if "prompt" in option and "prefix_tokens" in option:
        raise InputError(
            f"{page.where((*here, 'prompt'))}: stands beside prefix_tokens; keep the file or the number"
        )
    caching = option.get("caching")
    if not isinstance(caching, dict) or "cache_hit_rate" not in caching:
        return option
    if "cache_hit_rate" in option:
        raise InputError(f"{page.where((*here, 'caching', 'cache_hit_rate'))}: stands beside cache_hit_rate; keep one")
    kept = {key: value for key, value in caching.items() if key != "cache_hit_rate"}
    rest = {key: value for key, value in option.items() if key != "caching"}
    return {**rest, **({"caching": kept} if kept else {}), "cache_hit_rate": caching["cache_hit_rate"]}


def _set_paths(written: dict[Any, Any]) -> frozenset[str]:
    """Dotted paths of everything written; a prompt file has set its number of tokens."""
    paths = {dotted(leaf) for key, value in written.items() if key not in _ASIDE for leaf in leaves(value, (key,))}
    counted = {path.removesuffix("prompt") + "prefix_tokens" for path in paths
               if re.fullmatch(r"options\.[^.]+\.prompt", path)}
    return frozenset(paths | counted)


def _sources(said: dict[str, str], found: dict[str, str]) -> dict[str, str]:
    """Where numbers come from: what the user says of them or of the block they stand in, else what was found."""
    blocks = {path: [path[:at] for at, letter in enumerate(path) if letter == "."] for path in found}
    return {**{path: why for path, why in found.items() if not {path, *blocks[path]} & set(said)}, **said}


def _check_assumes(scenario: Scenario, page: Layered) -> None:
    """What `assumes` explains must be there, or the explanation would be shown nowhere."""
    known = {*scenario.set_paths, *(at.path for at in walk_dials(scenario))}
    known |= {path[:at] for path in known for at, letter in enumerate(path) if letter == "."}
    for path in scenario.assumes:
        if path not in known:
            raise InputError(f"{page.where(('assumes', path))}: is no path of this scenario{nearest(path, known)}")
