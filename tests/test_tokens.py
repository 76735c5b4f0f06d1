"""Tokens are counted offline as tiktoken counts them, and what is not exact says so."""

from __future__ import annotations

import base64
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import tiktoken_ext.openai_public
from hypothesis import example, given
from hypothesis import strategies as st

from pricing.errors import InputError
from simulator.intake import tokens
from simulator.intake.tokens import TokenCount, count, decode_prompt, load_encoding, read_prompt
from simulator.intake.vocabulary import PACKED_IN, SAME_TEXT_AS, VOCABULARIES, unpack

PROMPTS = Path(__file__).parent / "data" / "system_prompts"
ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize("name", VOCABULARIES)
def test_the_packed_vocabulary_rebuilds_the_published_file_byte_for_byte(name: str) -> None:
    rebuilt = b"".join(
        b"%s %d\n" % (base64.b64encode(token), rank) for rank, token in enumerate(unpack(VOCABULARIES[name]))
    )
    assert hashlib.sha256(rebuilt).hexdigest() == VOCABULARIES[name].tiktoken_sha256
    assert rebuilt.count(b"\n") == VOCABULARIES[name].tokens


@pytest.mark.parametrize("name", [*VOCABULARIES, *SAME_TEXT_AS])
def test_sums_patterns_and_special_tokens_are_those_of_the_installed_tiktoken(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    demanded: list[str] = []

    def no_download(address: str, expected_hash: str) -> dict[bytes, int]:
        demanded.append(expected_hash)
        return {}

    monkeypatch.setattr(tiktoken_ext.openai_public, "load_tiktoken_bpe", no_download)
    theirs = tiktoken_ext.openai_public.ENCODING_CONSTRUCTORS[name]()
    ours = VOCABULARIES[SAME_TEXT_AS.get(name, name)]
    assert demanded == [ours.tiktoken_sha256]
    assert theirs["pat_str"] == ours.pattern
    if name not in SAME_TEXT_AS:
        assert theirs["special_tokens"] == ours.special_tokens


@pytest.mark.parametrize(("name", "expected"), [("o200k_base", [24912, 2375]), ("cl100k_base", [15339, 1917])])
def test_hello_world_is_the_published_pair_of_tokens(name: str, expected: list[int]) -> None:
    assert load_encoding(name).encode("hello world") == expected
    assert count("hello world", name) == TokenCount(tokens=2, exact=True, encoding=name)


@pytest.mark.parametrize(
    ("name", "expected"),
    [("research_lead_agent.md", 4474), ("research_subagent.md", 1795), ("citations_agent.md", 566)],
)
def test_published_system_prompts_have_their_known_length(name: str, expected: int) -> None:
    assert count(read_prompt(name, PROMPTS), "cl100k_base") == TokenCount(
        tokens=expected, exact=True, encoding="cl100k_base"
    )


def test_gpt_oss_counts_ordinary_text_as_o200k_does() -> None:
    text = read_prompt(PROMPTS / "citations_agent.md")
    harmony = count(text, "o200k_harmony")
    assert harmony.exact
    assert harmony.encoding == "o200k_harmony"
    assert harmony.tokens == count(text, "o200k_base").tokens


@pytest.mark.parametrize("name", VOCABULARIES)
def test_a_special_token_in_the_text_is_ordinary_text(name: str) -> None:
    for special in VOCABULARIES[name].special_tokens:
        found = count(special, name)
        assert found.exact
        assert found.tokens == len(load_encoding(name).encode_ordinary(special)) > 1


def test_counting_touches_no_network_and_leaves_no_cache(tmp_path: Path) -> None:
    program = """
import socket
def blocked(*a, **k): raise RuntimeError("the network was touched")
socket.socket.connect = socket.getaddrinfo = socket.create_connection = blocked
from simulator.intake.tokens import count
for name in ("o200k_base", "cl100k_base", None): print(count("hello world", name).tokens)
"""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TIKTOKEN_CACHE_DIR": str(tmp_path / "cache")}
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "2\n2\n2\n", "")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", [None, "", "a-private-tokenizer"])
def test_a_tokenizer_that_is_not_public_is_counted_by_a_stand_in_and_says_so(name: str | None) -> None:
    found = count("hello world", name)
    assert (found.tokens, found.exact, found.encoding) == (2, False, "o200k_base")
    assert "o200k_base stands in" in found.note
    assert name is None or name in found.note


def test_a_factor_scales_and_rounds_and_ends_exactness() -> None:
    text = " ".join(["word"] * 10)
    assert count(text, "o200k_base").tokens == 10
    scaled = count(text, "o200k_base", 1.26)
    assert (scaled.tokens, scaled.exact) == (13, False)
    assert "1.26" in scaled.note
    assert count(text, None, 1.26).tokens == 13
    assert count("word", "o200k_base", 0.1).tokens == 1
    assert count("", "o200k_base", 3.0).tokens == 0


@pytest.mark.parametrize("factor", [0.0, -1.0, float("nan"), float("inf")])
def test_a_factor_that_is_no_positive_number_is_refused(factor: float) -> None:
    with pytest.raises(InputError, match="factor"):
        count("hello", "o200k_base", factor)


def test_a_run_the_tokenizer_cannot_follow_is_counted_in_parts_and_says_so() -> None:
    # Half the run is counted whole; a cut may add a token on either side of it.
    half = count(" " * 500_000, "o200k_base")
    found = count(" " * 1_000_000, "o200k_base")
    assert half.exact
    assert not found.exact
    assert "in parts" in found.note
    assert abs(found.tokens - 2 * half.tokens) <= 2


@given(st.text())
@example("\ud800 a lone surrogate, as JSON may hold")
def test_a_text_has_at_most_as_many_tokens_as_bytes_and_none_only_if_empty(text: str) -> None:
    found = count(text, "o200k_base")
    assert found.exact
    assert found.tokens <= len(text.encode("utf-8", "surrogatepass"))
    assert (found.tokens == 0) == (text == "")


@given(st.text(max_size=200), st.text(max_size=200))
def test_paragraphs_that_the_split_pattern_keeps_apart_add_up(first: str, second: str) -> None:
    # Punctuation takes the line ends that follow it, so a piece always ends between a blank line and a letter.
    together = count(f"{first}a.\n\nB{second}", "cl100k_base").tokens
    assert together == count(f"{first}a.\n\n", "cl100k_base").tokens + count(f"B{second}", "cl100k_base").tokens


def _missing(path: Path) -> None:
    path.unlink()


def _one_bit(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def _cut_short(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


@pytest.mark.parametrize(
    ("damage", "said"), [(_missing, "cannot be read"), (_one_bit, "damaged"), (_cut_short, "damaged")]
)
def test_a_damaged_vocabulary_is_one_sentence_and_counting_falls_back_to_a_labelled_estimate(
    damage: Callable[[Path], None], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "vocab"
    shutil.copytree(PACKED_IN, folder)
    damage(folder / "o200k_base.xz")
    with pytest.raises(InputError, match=said) as refused:
        load_encoding("o200k_base", folder)
    sentence = str(refused.value)
    assert str(folder / "o200k_base.xz") in sentence
    assert "\n" not in sentence

    monkeypatch.setattr(tokens, "PACKED_IN", folder)
    found = count("nine bytes", "o200k_base")  # ten bytes, at four a token
    assert (found.tokens, found.exact, found.encoding) == (3, False, "estimate")
    assert said in found.note
    assert count("hello world", "cl100k_base").exact  # the other file is whole


def test_a_python_without_lzma_gets_an_estimate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(PACKED_IN, tmp_path / "vocab")
    monkeypatch.setattr(tokens, "PACKED_IN", tmp_path / "vocab")
    monkeypatch.setitem(sys.modules, "lzma", None)
    found = count("hello world", "o200k_base")
    assert (found.tokens, found.encoding) == (3, "estimate")
    assert "lzma" in found.note


def test_an_encoding_is_built_once() -> None:
    assert load_encoding("o200k_base") is load_encoding("o200k_base") is load_encoding("o200k_harmony")
    assert load_encoding("o200k_base", PACKED_IN) is load_encoding("o200k_base")


def test_a_count_checks_itself() -> None:
    with pytest.raises(ValueError, match="-1"):
        TokenCount(tokens=-1, exact=True, encoding="o200k_base")
    with pytest.raises(ValueError, match="why not"):
        TokenCount(tokens=1, exact=False, encoding="o200k_base")
    with pytest.raises(ValueError, match="why not"):
        TokenCount(tokens=1, exact=True, encoding="o200k_base", note="scaled")


def test_a_prompt_loses_its_byte_order_mark_and_windows_line_ends(tmp_path: Path) -> None:
    (tmp_path / "prompts").mkdir()
    (tmp_path / "prompts" / "a.md").write_bytes(b"\xef\xbb\xbfBe brief.\r\nBe k\xc3\xbchn.\rStay\n")
    expected = "Be brief.\nBe kühn.\rStay\n"
    assert read_prompt("prompts/a.md", tmp_path) == expected
    assert read_prompt(tmp_path / "prompts" / "a.md", tmp_path) == expected
    assert read_prompt("prompts/../prompts/a.md", tmp_path) == expected
    assert read_prompt(tmp_path / "prompts" / "a.md") == expected


def test_a_link_within_the_folder_may_be_followed(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text("Be brief.")
    (tmp_path / "b.md").symlink_to("a.md")
    assert read_prompt("b.md", tmp_path) == "Be brief."


@pytest.mark.parametrize("name", ["../secret.md", "inside/../../secret.md", "link.md", "linked/secret.md", "ABSOLUTE"])
def test_a_prompt_outside_the_folder_of_its_scenario_is_refused(name: str, tmp_path: Path) -> None:
    (tmp_path / "secret.md").write_text("not yours")
    root = tmp_path / "root"
    (root / "inside").mkdir(parents=True)
    (root / "link.md").symlink_to(tmp_path / "secret.md")
    (root / "linked").symlink_to(tmp_path)
    asked = tmp_path / "secret.md" if name == "ABSOLUTE" else Path(name)
    with pytest.raises(InputError, match="outside") as refused:
        read_prompt(asked, root)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "empty"),
        (b"\xef\xbb\xbf", "empty"),
        (b" \r\n\t\n", "empty"),
        (b"fine\nnot \xff fine", "line 2: byte 0xff"),
        ("Gr\u00fc\u00dfe".encode("latin-1"), "line 1: byte 0xfc"),
        ("hello".encode("utf-16"), "UTF-8"),
        ("hello\nworld".encode("utf-16-le"), "line 1: a NUL byte"),
        (b"\x89PNG\r\n\x1a\n\x00", "0x89"),
        (b"a" * 20_000_001, "20 MB"),
    ],
)
def test_content_that_is_no_prompt_is_refused_in_one_sentence(content: bytes, said: str, tmp_path: Path) -> None:
    (tmp_path / "p.md").write_bytes(content)
    with pytest.raises(InputError, match=said) as refused:
        read_prompt("p.md", tmp_path)
    assert str(refused.value).startswith("p.md: ")
    assert "\n" not in str(refused.value)


def test_a_prompt_of_exactly_twenty_megabytes_is_read() -> None:
    assert len(decode_prompt(b"a" * 20_000_000, "p.md")) == 20_000_000


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("absent.md", "no such file"),
        ("folder", "a folder"),
        ("", "a folder"),
        ("plain.md/below.md", "cannot be read"),
        ("loop.md", "cannot be read"),
        ("nul\0.md", "cannot be read"),
        ("long" * 1000, "cannot be read"),
    ],
)
@pytest.mark.parametrize("fenced", [True, False])
def test_a_path_that_is_no_file_is_refused_in_one_sentence(
    name: str, said: str, fenced: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "plain.md").write_text("text")
    (tmp_path / "loop.md").symlink_to("loop.md")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=said) as refused:
        read_prompt(name, tmp_path if fenced else None)
    assert "\n" not in str(refused.value)


def test_a_device_that_never_ends_is_refused() -> None:
    with pytest.raises(InputError, match="device"):
        read_prompt(os.devnull)
