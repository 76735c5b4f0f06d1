"""What this session asks: a scenario, what was laid over it, and the link that asks the same again."""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlencode, urlsplit, urlunsplit

import streamlit as st

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
    asked = st.query_params
    choose(default_scenario_path())
    if "yaml" in asked:
        st.session_state.source = ("link.yaml", unpack_link(asked["yaml"]), None)
    elif "scenario" in asked:
        name = asked["scenario"]
        if name not in shipped():
            raise InputError(f'the link: no scenario "{short(name, 40)}" is shipped{nearest(name, shipped())}; '
                             "what is shown is another")
        choose(shipped()[name])
    texts = asked.get_all("set")
    laid = [text.partition("=") for text in texts[:MOST_LAID]]
    st.session_state.laid = {path: value for path, equals, value in laid if equals}
    st.session_state.linked = dict(st.session_state.laid)
    if "file" in asked:
        raise InputError(f"the link: {short(asked['file'], 40)} was too long for one, so open its file; what is shown "
                         "is another")
    if len(texts) > MOST_LAID:
        raise InputError(f"the link: sets {len(texts):,} values, and the first {MOST_LAID} are taken")
    if bare := [text for text in texts if "=" not in text]:
        raise InputError(f'the link: "set={short(bare[0], 40)}" is no PATH=VALUE; all else of it holds')


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
    flags = [f"{path}={value}" for path, value in (st.session_state.laid if laid is None else laid).items()]
    for key, own in (("prices", st.session_state.rates), ("gpus", st.session_state.machines)):
        if own:
            before = tuple(flag for flag in flags if re.match(rf"{key}\b", flag))
            typed = _beside(plain.raw, plain.name, before, key, json.dumps(own))
            flags = [*(flag for flag in flags if flag not in before), typed]
    return Question(name=plain.name, raw=plain.raw, folder=plain.folder, flags=tuple(flags))


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
    """What stands after the question mark of the link, or None where it would be too long."""
    found: list[tuple[str, str]] = []
    if question.folder is None:
        letters = pack_link(question.raw)
        if letters is None:
            return None
        found.append(("yaml", letters))
    elif question.name != default_scenario_path().name:
        found.append(("scenario", Path(question.name).stem))
    found += [("set", flag) for flag in question.flags]
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
    by_key: dict[str, list[str]] = {}
    found = parameters(question)
    for key, value in [("file", called(question))] if found is None else found:
        by_key.setdefault(key, []).append(value)
    told = {key: st.query_params.get_all(key) for key in st.query_params}
    if told != by_key or st.session_state.get("address", told) != by_key:
        st.session_state.address = by_key
        st.query_params.from_dict(by_key)
