"""What this session asks: a scenario, what was laid over it, and the link that asks the same again."""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Iterable, Mapping
from datetime import date
from pathlib import Path
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import streamlit as st

from dashboard.guard import guarded
from dashboard.work import KEPT, Question
from pricing.errors import InputError
from pricing.nearest import nearest
from simulator import (
    default_scenario_path,
    gpu_override,
    pack_link,
    price_override,
    scenario_yaml,
    shipped_scenarios,
    unpack_link,
)
from simulator.formats import short

LONGEST_LINK = 7_500
"""Letters of a link that mail programs and chats still pass on whole."""
MOST_LAID = 200


def shipped() -> dict[str, Path]:
    """The scenarios that come with the program, by name."""
    return {path.stem: path for path in shipped_scenarios()}


def begin() -> None:
    """Take up what the link asks, once a session; what it says wrong is told when it is answered."""
    if "source" in st.session_state:
        return
    asked = {key: st.query_params.get_all(key) for key in st.query_params}
    choose(default_scenario_path())
    try:
        st.session_state.source = _linked_source(asked, "link.yaml", st.session_state.source)
    except InputError as error:
        raise InputError(f"{error}; what is shown is another") from None
    texts = asked.get("set", [])
    st.session_state.laid = _pairs(texts[:MOST_LAID])
    st.session_state.linked = dict(st.session_state.laid)
    views = asked.get("view", [])
    st.session_state.view = _pairs(views[:MOST_LAID])
    with guarded():
        if "pinned" in asked:
            st.session_state.pinned = _pinned_by(asked["pinned"][-1])
    if "file" in asked:
        raise InputError(f"the link: {short(asked['file'][-1], 40)} was too long for one, so open its file; what is "
                         "shown is another")
    if len(texts) > MOST_LAID:
        raise InputError(f"the link: sets {len(texts):,} values, and the first {MOST_LAID} are taken")
    if bare := [f"set={text}" for text in texts if "=" not in text]:
        raise InputError(f'the link: "{short(bare[0], 44)}" is no PATH=VALUE; all else of it holds')
    if bare := [f"view={text}" for text in views if "=" not in text]:
        raise InputError(f'the link: "{short(bare[0], 45)}" is no NAME=CHOICE; all else of it holds')


def _linked_source(
    asked: Mapping[str, list[str]], sent_as: str, otherwise: tuple[str, bytes, Path | None]
) -> tuple[str, bytes, Path | None]:
    """The scenario that a link carries or names, or the other where it does neither."""
    if "yaml" in asked:
        return sent_as, unpack_link(asked["yaml"][-1]), None
    if "scenario" not in asked:
        return otherwise
    name, known = asked["scenario"][-1], shipped()
    if name not in known:
        raise InputError(f'the link: no scenario "{short(name, 40)}" is shipped{nearest(name, known)}')
    return known[name].name, known[name].read_bytes(), known[name].parent


def _by_key(pairs: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    """What an address says, as Streamlit keeps it: all values of each key."""
    found: dict[str, list[str]] = {}
    for key, value in pairs:
        found.setdefault(key, []).append(value)
    return found


def _pairs(texts: Iterable[str]) -> dict[str, str]:
    """Values by path; what is no PATH=VALUE is left out."""
    pairs = (text.partition("=") for text in texts)
    return {path: value for path, equals, value in pairs if equals}


def _pinned_by(text: str) -> Question:
    """The pinned state of a link: what a link of its own would say after the question mark.

    Where it carries and names no scenario, it is of the one that is asked.
    """
    try:
        pairs = parse_qsl(text, keep_blank_values=True, strict_parsing=bool(text), errors="strict",
                          max_num_fields=MOST_LAID + 1)
    except ValueError:
        pairs = [("", text)]
    said = _by_key(pairs)
    texts = said.get("set", [])
    if said.keys() - {"yaml", "scenario", "set"} or not all("=" in one for one in texts):
        raise InputError(f'the link: "pinned={short(text, 40)}" is no state of a scenario; all else of it holds')
    try:
        name, raw, folder = _linked_source(said, "pinned.yaml", st.session_state.source)
    except InputError as error:
        raise InputError(f"the link's pinned state{str(error).removeprefix('the link')}; nothing is pinned") from None
    return Question(name=name, raw=raw, folder=folder, flags=_flags(_pairs(texts)))


def choose(path: Path) -> None:
    """Ask a shipped scenario."""
    ask(path.name, path.read_bytes(), path.parent)


def ask(name: str, raw: bytes, folder: Path | None = None) -> None:
    """Ask another scenario; nothing laid over the one before is kept."""
    st.session_state.source = (name, raw, folder)
    forget()


def forget() -> None:
    """Ask the scenario as it is written."""
    for own in ("laid", "linked", "rates", "machines"):
        st.session_state[own] = {}
    st.session_state.round = st.session_state.get("round", "") + "'"


def lay(path: str, value: str | None) -> None:
    """Lay a value over a path, or take it off."""
    if value is None:
        st.session_state.laid.pop(path, None)
    else:
        st.session_state.laid[path] = value


def lay_from_elsewhere(values: Mapping[str, str]) -> None:
    """Lay values that no slider has set: they become positions of theirs."""
    st.session_state.laid |= values
    st.session_state.linked = dict(st.session_state.laid)
    st.session_state.round += "'"


def unlay(path: str) -> None:
    """The button that takes off what was laid over a path, by a link or as any value; nothing where nothing was."""
    if path in st.session_state.laid:
        st.button(f"Take off what was laid over {path}", on_click=lay, args=(path, None))


def written() -> Question:
    """The scenario as it is written."""
    name, raw, folder = st.session_state.source
    return Question(name=name, raw=raw, folder=folder)


def asked(laid: Mapping[str, str] | None = None) -> Question:
    """The scenario with all that was laid over it, or with other values `laid` by dials.

    A price typed in this session stands beside those laid over the book; of the same price it is what holds.
    """
    plain = written()
    flags = list(_flags(st.session_state.laid if laid is None else laid))
    for key, own in (("prices", st.session_state.rates), ("gpus", st.session_state.machines)):
        if own:
            before = tuple(flag for flag in flags if re.match(rf"{key}\b", flag))
            typed = _beside(plain.raw, plain.name, before, key, json.dumps(own, default=date.isoformat))
            flags = [*(flag for flag in flags if flag not in before), typed]
    return Question(name=plain.name, raw=plain.raw, folder=plain.folder, flags=tuple(flags))


def _flags(laid: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(f"{path}={value}" for path, value in laid.items())


@functools.lru_cache(maxsize=KEPT)
def _beside(raw: bytes, name: str, before: tuple[str, ...], key: str, own: str) -> str:
    """What is typed under a key, as JSON, beside what stands or was laid there; kept, as all of the text is read."""
    override = {"prices": price_override, "gpus": gpu_override}[key]
    found: str = override(scenario_yaml(raw, name, before) if before else raw, name, json.loads(own))
    return found


def called(question: Question) -> str:
    """A scenario's name as a person says it."""
    return short(Path(question.name).stem, 40)


def parameters(question: Question) -> list[tuple[str, str]] | None:
    """What stands after the question mark of the link, what pages show of it too, or None where it would be too long.

    A pinned state stands there too, as its own link would say it, unless both together are too long.
    """
    scenario = _scenario(question)
    if scenario is None:
        return None
    default = scenario == [("scenario", default_scenario_path().stem)]
    views = [("view", f"{name}={chosen}") for name, chosen in st.session_state.get("view", {}).items()]
    found = _short_enough([*([] if default else scenario), *_laid_over(question), *views])
    if found is None or pinned() is None:
        return found
    return _short_enough([*found, *_pinned_beside(question)]) or found


def leaves_out_pinned(question: Question) -> bool:
    """Whether a state is pinned that the link has no room for."""
    found = parameters(question) or []
    return pinned() is not None and "pinned" not in dict(found)


def pinned() -> Question | None:
    """The state that is kept to compare with, as it was asked then."""
    kept: Question | None = st.session_state.get("pinned")
    return kept


def _pinned_beside(question: Question) -> list[tuple[str, str]]:
    """The pinned state as a parameter; a scenario that both share is not said again."""
    kept = pinned()
    if kept is None:
        return []
    shared = (kept.raw, kept.folder) == (question.raw, question.folder)
    scenario = [] if shared else _scenario(kept)
    return [] if scenario is None else [("pinned", urlencode([*scenario, *_laid_over(kept)]))]


def _scenario(question: Question) -> list[tuple[str, str]] | None:
    """The parameter that carries or names the scenario, or None where its text is too long."""
    if question.folder is not None:
        return [("scenario", Path(question.name).stem)]
    letters = pack_link(question.raw)
    return None if letters is None else [("yaml", letters)]


def _laid_over(question: Question) -> list[tuple[str, str]]:
    return [("set", flag) for flag in question.flags]


def _short_enough(found: list[tuple[str, str]]) -> list[tuple[str, str]] | None:
    return found if len(urlencode(found)) <= LONGEST_LINK else None


def link(question: Question) -> str | None:
    """The address that asks the same question again in another browser, or None where it would be too long."""
    found = parameters(question)
    if found is None:
        return None
    here = urlsplit(st.context.url or "")
    return urlunsplit((here.scheme, here.netloc, here.path, urlencode(found), ""))


def plain(words: str) -> str:
    """Words for a place that reads Markdown, so that they are read as words."""
    return re.sub(r"([^\w\s.,;%/-])", r"\\\1", words)


def keep_in_address(question: Question) -> None:
    """Write the question into the address bar, where it says another; of one that is too long, what it is called.

    To turn to another page empties it; and what the browser tells of it is older than what was written last.
    """
    found = parameters(question)
    by_key = _by_key([("file", called(question))] if found is None else found)
    told = {key: st.query_params.get_all(key) for key in st.query_params}
    if told != by_key or st.session_state.get("address", told) != by_key:
        st.session_state.address = by_key
        st.query_params.from_dict(by_key)
