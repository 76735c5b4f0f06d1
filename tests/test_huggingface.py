"""A model's own tokenizer.json counts the text alone and whole, and without the extra one sentence says what to get.

Every test of counting runs on a stand-in that splits at spaces, and again on the real library where it is installed.
"""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from tests.command_line import is_one_sentence, tunepoint

REAL = importlib.util.find_spec("tokenizers") is not None
WORDS = {"[UNK]": 0, "<s>": 1, "be": 2, "brief": 3, "and": 4, "kind": 5}
PAGE = {
    "version": "1.0",
    "truncation": {"max_length": 2, "strategy": "LongestFirst", "stride": 0, "direction": "Right"},
    "padding": {"strategy": {"Fixed": 50}, "direction": "Right", "pad_to_multiple_of": None, "pad_id": 0,
                "pad_type_id": 0, "pad_token": "[UNK]"},
    "added_tokens": [{"id": 1, "content": "<s>", "single_word": False, "lstrip": False, "rstrip": False,
                      "normalized": False, "special": True}],
    "normalizer": None,
    "pre_tokenizer": {"type": "WhitespaceSplit"},
    "post_processor": {
        "type": "TemplateProcessing",
        "single": [{"SpecialToken": {"id": "<s>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
        "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 0}}],
        "special_tokens": {"<s>": {"id": "<s>", "ids": [1], "tokens": ["<s>"]}},
    },
    "decoder": None,
    "model": {"type": "WordLevel", "vocab": WORDS, "unk_token": "[UNK]"},
}
"""A tokenizer of words between spaces that asks for a cut at 2 tokens, padding to 50, and `<s>` before each text."""


class StandIn:
    """As much of `tokenizers.Tokenizer` as is used, with the same faults in it until they are switched off."""

    def __init__(self, page: dict[str, Any]) -> None:
        self.cut, self.pad = page["truncation"], page["padding"]
        self.encode_special_tokens = False

    @classmethod
    def from_str(cls, text: str) -> StandIn:
        page = json.loads(text)
        if page["model"].get("type") != "WordLevel":
            raise Exception("unknown variant")                  # as bare as the library's own
        return cls(page)

    def no_truncation(self) -> None:
        self.cut = None

    def no_padding(self) -> None:
        self.pad = None

    def encode(self, text: str, add_special_tokens: bool = True) -> SimpleNamespace:
        if not self.encode_special_tokens:
            text = text.replace("<s>", " <s> ")
        ids = [WORDS.get(word, 0) for word in text.split()]
        ids = ([1] if add_special_tokens else []) + ids
        ids = ids[: self.cut["max_length"]] if self.cut else ids
        return SimpleNamespace(ids=ids + [0] * (50 - len(ids)) if self.pad else ids)


@pytest.fixture(params=["stand-in", *(["real"] if REAL else [])])
def tokenizer(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    if request.param == "stand-in":
        library = ModuleType("tokenizers")
        library.Tokenizer = StandIn  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, "tokenizers", library)
    (tmp_path / "small-words").mkdir()
    path = tmp_path / "small-words" / "tokenizer.json"
    path.write_text(json.dumps(PAGE), "utf-8")
    return path


def written(folder: Path, text: str) -> Path:
    path = folder / "prompt.md"
    path.write_text(text, "utf-8")
    return path


def test_a_text_is_counted_whole_and_exactly_and_the_tokenizer_is_named_by_its_folder(tokenizer: Path) -> None:
    prompt = written(tokenizer.parent, "be brief and kind and loud\n")
    found = tunepoint("tokens", prompt, "--tokenizer", tokenizer, "--json").json
    assert found == {"tokens": 6, "exact": True, "encoding": "small-words", "model": None, "note": ""}


def test_the_name_of_a_special_token_in_a_text_is_words_that_a_user_typed(tokenizer: Path) -> None:
    prompt = written(tokenizer.parent, "be<s>brief and kind")
    assert tunepoint("tokens", prompt, "--tokenizer", tokenizer, "--json").json["tokens"] == 3


def test_it_counts_instead_of_the_stand_in_of_a_model_and_without_its_factor(tokenizer: Path) -> None:
    prompt = written(tokenizer.parent, "be brief and kind")
    found = tunepoint("tokens", prompt, "--tokenizer", tokenizer, "--model", "tinker/qwen3-8b-ft", "--json").json
    assert (found["tokens"], found["exact"], found["model"]) == (4, True, "tinker/qwen3-8b-ft")


def test_a_chat_is_an_estimate_as_the_chat_template_is_not_in_the_file(tokenizer: Path) -> None:
    chat = written(tokenizer.parent, json.dumps([{"role": "user", "content": "be brief"}]))
    found = tunepoint("tokens", chat, "--tokenizer", tokenizer, "--json").json
    assert (found["text"], found["exact"], found["encoding"]) == (2, False, "small-words")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "there is no such file"),
        ("{", "is not JSON"),
        ("[1, 2]", "holds list and no model"),
        ('{"chat_template": "x"}', "tokenizer_config.json"),
        ('{"model": {"type": "Nothing"}}', "is no tokenizer that can be read"),
    ],
)
def test_what_is_no_tokenizer_is_told_in_one_sentence(tokenizer: Path, content: str | None, said: str) -> None:
    prompt = written(tokenizer.parent, "be brief")
    other = tokenizer.parent / "other.json"
    if content is not None:
        other.write_text(content, "utf-8")
    answer = tunepoint("tokens", prompt, "--tokenizer", other)
    assert answer.code == 2
    assert said in answer.err
    assert is_one_sentence(answer.err)


def test_without_the_extra_one_sentence_says_what_to_install(
    tokenizer: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "tokenizers", None)        # an import of it fails, as where it is not installed
    answer = tunepoint("tokens", written(tokenizer.parent, "be brief"), "--tokenizer", tokenizer)
    assert answer.code == 2
    assert "pip install 'tunepoint[hf]'" in answer.err
    assert is_one_sentence(answer.err)
