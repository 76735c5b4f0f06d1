"""A login is asked for where the server names a provider, and nowhere else; a broken secrets file opens no door."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from tests.dashboards import words

APP = str(Path(__file__).parents[1] / "app.py")
SHARED = {"redirect_uri": "http://127.0.0.1:8501/oauth2callback", "cookie_secret": "not random"}
PROVIDER = {"client_id": "me", "client_secret": "ours",
            "server_metadata_url": "http://127.0.0.1:1/openid-configuration"}
AUTH = {"auth": SHARED | PROVIDER}


def opened(secrets: dict[str, object], **user: object) -> AppTest:
    page = AppTest.from_file(APP, default_timeout=60)
    page.secrets, page.user = secrets, user
    page.query_params["scenario"] = "small-volume"
    page.run()
    assert not page.exception
    return page


def kept(page: AppTest) -> list[bool]:
    """Whether the part that keeps the link over a login is told that its reader is inside; nothing where it is not."""
    parts = [part.proto for part in page.get("bidi_component") if part.proto.component_name == "tunepoint_door"]
    return [json.loads(part.json)["inside"] for part in parts]


@pytest.fixture
def library(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if the library for logins were there, or not."""
    monkeypatch.setattr("dashboard.door.find_spec", lambda name: name)


def test_who_has_not_logged_in_sees_a_button_and_nothing_else(library: None) -> None:
    page = opened(AUTH, is_logged_in=False)
    assert [button.label for button in page.button] == ["Log in"]
    assert "Choose" not in words(page)
    assert not page.select_slider
    assert kept(page) == [False]


def test_the_button_asks_the_provider(library: None, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    monkeypatch.setattr("streamlit.login", asked.append)
    opened(AUTH, is_logged_in=False).button[0].click().run()
    assert asked == [None]


@pytest.mark.parametrize(("own", "labels"), [
    ({"mine": PROVIDER}, {"Log in": "mine"}),
    ({"mine": PROVIDER, "a*b": PROVIDER}, {"Log in with mine": "mine", r"Log in with a\*b": "a*b"}),
    ({"mine": PROVIDER, **PROVIDER}, {"Log in": None, "Log in with mine": "mine"}),
    ({**PROVIDER, "client_kwargs": {"prompt": "login"}}, {"Log in": None}),
])
def test_each_provider_that_the_server_names_has_a_button(
    own: dict[str, object], labels: dict[str, str | None], library: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str | None] = []
    monkeypatch.setattr("streamlit.login", asked.append)
    page = opened({"auth": SHARED | own}, is_logged_in=False)
    assert {button.label for button in page.button} == set(labels)
    for label in labels:
        next(button for button in page.button if button.label == label).click().run()
    assert asked == list(labels.values())


@pytest.mark.parametrize("own", [{}, {"my_own": PROVIDER}, {"mine": {"client_id": "me"}}])
def test_a_login_that_is_not_set_up_is_told_in_a_sentence_and_in_the_log(
    own: dict[str, object], library: None, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("streamlit.user_info.is_authlib_installed", lambda: True)
    page = opened({"auth": SHARED | own}, is_logged_in=False)
    page.button[0].click().run()
    assert "not set up as it should be" in words(page)
    assert "Something went wrong" not in words(page)
    assert "provider" in caplog.text


def test_who_has_logged_in_sees_the_page_and_the_way_out(library: None) -> None:
    page = opened(AUTH, is_logged_in=True, email="<b>me</b>@example.com")
    assert "Choose" in words(page)
    assert "Logged in as <b>me</b>@example.com." in words(page)
    assert "Log out" in [button.label for button in page.button]
    assert kept(page) == [True]


@pytest.mark.parametrize("secrets", [{}, {"other": {"key": "x"}}])
def test_without_a_provider_nobody_is_asked(secrets: dict[str, object]) -> None:
    page = opened(secrets)
    assert "Choose" in words(page)
    assert not kept(page)
    assert not {"Log in", "Log out"} & {button.label for button in page.button}


def test_a_server_without_the_library_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dashboard.door.find_spec", lambda name: None)
    page = opened(AUTH, is_logged_in=False)
    assert 'install "tunepoint[auth]"' in words(page)
    assert not page.button


def test_a_secrets_file_that_cannot_be_read_lets_nobody_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = tmp_path / "secrets.toml"
    broken.write_text("[auth\n", "utf-8")
    monkeypatch.setattr(st, "get_option", lambda name: [str(broken)])
    page = opened({})
    assert "nobody is let in" in words(page)
    assert not page.select_slider
