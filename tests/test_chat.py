"""A chat request is counted as the cookbook counts it: words, what a provider adds to a message, tools apart."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from command_line import is_one_sentence, tunepoint

REQUEST = {"messages": [
    {"role": "system", "content": "hello world"}, {"role": "user", "name": "hello", "content": "hello world"},
]}
"""Under o200k_base `hello world` is 2 tokens; `system`, `user` and `hello` are 1 each."""
TOOL = {"type": "function", "function": {"name": "land", "parameters": {}}}


def told(folder: Path, request: object, *flags: str) -> dict[str, object]:
    path = folder / "chat.json"
    path.write_text(json.dumps(request), "utf-8")
    answer: dict[str, object] = tunepoint("tokens", path, "--json", *flags).json
    return answer


def test_the_cookbooks_rule_is_kept_to_the_token(tmp_path: Path) -> None:
    found = told(tmp_path, REQUEST)
    # 3 for the request; 3 and a role for each message; the name and 1 more
    assert (found["text"], found["overhead"], found["tokens"]) == (4, 3 + 2 * (3 + 1) + 2, 17)
    assert (found["exact"], found["messages"], found["tools"]) == (True, 2, 0)


TOP = {"system": "hello world", "messages": REQUEST["messages"][1:]}


@pytest.mark.parametrize("request_", [REQUEST["messages"], TOP])
def test_a_list_and_a_system_at_the_top_are_the_same_request(tmp_path: Path, request_: object) -> None:
    assert told(tmp_path, request_) == told(tmp_path, REQUEST)


def test_tools_are_counted_apart_and_make_an_estimate(tmp_path: Path) -> None:
    found, plain = told(tmp_path, {**REQUEST, "tools": [TOOL]}), told(tmp_path, REQUEST)
    assert found["tokens"] - plain["tokens"] == found["tools"] > 0
    assert not found["exact"]


def test_a_provider_that_adds_nothing_counts_the_words_alone(tmp_path: Path) -> None:
    from pricing.load import shipped_book

    table = shipped_book().table("anthropic/claude-haiku-4-5")
    rule = table.versions[-1].rules.tokens
    found = told(tmp_path, REQUEST, "--model", "anthropic/claude-haiku-4-5")
    roles_and_name = (2 if rule.per_message else 0) + 2
    assert found["overhead"] == rule.per_request + 2 * rule.per_message + roles_and_name
    assert not found["exact"]


def test_json_that_is_no_chat_is_text(tmp_path: Path) -> None:
    assert "messages" not in told(tmp_path, {"a": 1})


def test_a_message_without_a_role_is_told_in_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "chat.json").write_text('{"messages": [{"content": "x"}]}', "utf-8")
    answer = tunepoint("tokens", tmp_path / "chat.json")
    assert (answer.code, is_one_sentence(answer.err)) == (2, True)
    assert "message 0 has no role" in answer.err


BAD = {
    "role is 'usr'": '{"messages": [{"role": "usr", "content": "hi"}]}',
    "NaN is no JSON": '[{"role": "user", "content": NaN}]',
    'the key "messages" stands twice': '{"messages": [], "messages": [{"role": "user", "content": "hi"}]}',
    "a number of 10,000 digits": f'[{{"role": "user", "content": {"1" * 10_000}}}]',
}


@pytest.mark.parametrize("what", BAD)
def test_a_request_that_cannot_be_meant_is_told_in_one_sentence(tmp_path: Path, what: str) -> None:
    (tmp_path / "chat.json").write_text(BAD[what], "utf-8")
    answer = tunepoint("tokens", tmp_path / "chat.json")
    assert (answer.code, is_one_sentence(answer.err)) == (2, True)
    assert what in answer.err


def test_one_is_one(tmp_path: Path) -> None:
    (tmp_path / "chat.json").write_text('[{"role": "user", "content": "hi"}]', "utf-8")
    assert "8 tokens in 1 message: " in tunepoint("tokens", tmp_path / "chat.json").words
    (tmp_path / "one.jsonl").write_text('{"prompt": "a", "completion": "b"}\n[1]\n', "utf-8")
    told = tunepoint("dataset", tmp_path / "one.jsonl", "--on", "2026-11-01").words
    assert "2 records (completion), 2 tokens" in told
    assert "1 problem: " in told
