"""Who may come in: everybody, unless the server names an OpenID Connect provider; then only who has logged in."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import streamlit as st
from streamlit.errors import StreamlitAuthError

from dashboard import pictures, question, shown
from dashboard.guard import guarded, log, sentence

LOGIN_LIBRARY = "authlib"
SETTINGS = ("client_kwargs",)
"""Tables within `[auth]` that are no provider."""
NOT_SET_UP = "The login of this server is not set up as it should be; the server log tells what is wrong with it."


def let_in() -> bool:
    """Whether this session may see the pages; where it may not, say why or offer to log in.

    A file of secrets that cannot be read lets nobody in: it may be the one that asks for a login.
    """
    if not st.secrets.load_if_toml_exists():
        if not any(Path(path).exists() for path in st.get_option("secrets.files")):
            return True
        sentence("The file of secrets cannot be read, so nobody is let in; the server log tells what is wrong with it.")
        return False
    if "auth" not in st.secrets:
        return True
    inside = bool(st.user.get("is_logged_in"))
    keeps_the_link = st.components.v2.component("tunepoint_door", js=pictures.script("door"))
    keeps_the_link(key="door", data={"inside": inside}, height=1)
    if inside:
        return True
    shown.title("tunepoint", "This server asks who you are before it shows anything.")
    if find_spec(LOGIN_LIBRARY) is None:
        sentence('This server is told to ask for a login and lacks the library for it; install "tunepoint[auth]".')
    else:
        providers = _providers(st.secrets["auth"])
        for name in providers:
            label = "Log in" if name is None or len(providers) == 1 else f"Log in with {question.plain(name)}"
            st.button(label, icon=":material/login:", type="primary", on_click=_log_in, args=(name,))
    return False


def way_out() -> None:
    """The button that ends a login; nothing where nobody has to log in."""
    if st.user.get("is_logged_in"):
        shown.say(f"Logged in as {st.user.get('email') or st.user.get('name') or st.user.get('sub') or 'somebody'}.")
        st.button("Log out", icon=":material/logout:", on_click=st.logout)


def _providers(auth: Mapping[str, Any]) -> list[str | None]:
    """The names of the providers; None is the one without, asked too where there is no other."""
    named = [name for name, value in auth.items() if isinstance(value, Mapping) and name not in SETTINGS]
    return [None, *named] if "client_id" in auth or not named else [*named]


def _log_in(provider: str | None) -> None:
    with guarded():
        try:
            st.login(provider)
        except StreamlitAuthError as error:
            log.error("login: %s", " ".join(str(error).split()))
            sentence(NOT_SET_UP)
