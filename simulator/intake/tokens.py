"""Turns a prompt file into text and text into a number of tokens, offline, saying when it is not exact."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pricing.errors import InputError
from simulator.intake.vocabulary import PACKED_IN, SAME_TEXT_AS, VOCABULARIES, load_encoding

if TYPE_CHECKING:
    import tiktoken

STAND_IN = "o200k_base"  # counts the text of models whose own tokenizer is not public, or not packed here
ESTIMATE = "estimate"
# "On average, in practice, each token corresponds to about 4 bytes": README of openai/tiktoken, section
# "What is BPE anyway?" (read in version 0.14.0).
BYTES_PER_TOKEN = 4
LARGEST_PROMPT_BYTES = 20_000_000  # the upload limit of the dashboard


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenCount:
    """Tokens of a text, and how far to trust the number.

    Attributes:
        tokens: number of tokens, whole.
        exact: whether this is what the named encoding itself gives, unscaled.
        encoding: the encoding that counted, or `estimate` where none could.
        note: why the count is not exact; empty if it is.
    """

    tokens: int
    exact: bool
    encoding: str
    note: str = ""

    def __post_init__(self) -> None:
        if self.tokens < 0:
            raise ValueError(f"a text cannot have {self.tokens} tokens")
        if self.exact == bool(self.note):
            raise ValueError("a count is exact, or it says why not")


def count(text: str, encoding: str | None, factor: float = 1.0) -> TokenCount:
    """Count the tokens of a text as a model would bill it, without a network.

    Special-token strings such as `<|endoftext|>` count as the ordinary text a user typed. With a factor the
    count is `round(tokens x factor)`, at least 1 for a text that is not empty.

    Args:
        text: the text.
        encoding: `o200k_base`, `cl100k_base` or `o200k_harmony`; any other name, or None for a tokenizer that
            is not public, is counted with o200k_base and is not exact.
        factor: tokens of the model per token of the encoding, above 0.

    Raises:
        InputError: the factor is not a number above 0.

    >>> count("hello world", "o200k_base")
    TokenCount(tokens=2, exact=True, encoding='o200k_base', note='')
    >>> count("", None).tokens
    0
    """
    if not (math.isfinite(factor) and factor > 0):
        raise InputError(
            f"token factor: {factor} is not allowed; it must be a number above 0, and 1 if unknown"
        )
    counted_with = encoding if encoding in VOCABULARIES or encoding in SAME_TEXT_AS else STAND_IN
    reasons = []
    if counted_with != encoding:
        unknown = f"{encoding!r} is not packed here" if encoding else "is not public"
        reasons.append(f"the tokenizer {unknown}, so {STAND_IN} stands in for it")
    try:
        tokens, whole = _tokens_in(text, load_encoding(counted_with, PACKED_IN))
    except InputError as error:
        counted_with = ESTIMATE
        tokens = math.ceil(len(text.encode("utf-8", "surrogatepass")) / BYTES_PER_TOKEN)
        reasons.append(f"{error}; until then {BYTES_PER_TOKEN} bytes are taken for a token")
    else:
        if not whole:
            reasons.append("the text has a run too long for the tokenizer, so it was counted in parts")
    if factor != 1:
        tokens = max(round(tokens * factor), min(tokens, 1))
        reasons.append(f"scaled by {factor:g}")
    return TokenCount(tokens=tokens, exact=not reasons, encoding=counted_with, note="; ".join(reasons))


def _tokens_in(text: str, encoding: tiktoken.Encoding) -> tuple[int, bool]:
    """Return the number of tokens, and whether the text was counted whole."""
    try:
        # Not encode_ordinary: on a run that the split pattern cannot follow (a million spaces) it panics past
        # `except Exception`, where encode raises a ValueError (openai/tiktoken issue 400, pull request 587).
        return len(encoding.encode(text, disallowed_special=())), True
    except ValueError:
        middle = len(text) // 2  # a cut adds a token or two to a run of hundreds of thousands of characters
        return sum(_tokens_in(part, encoding)[0] for part in (text[:middle], text[middle:])), False


def read_prompt(path: str | os.PathLike[str], root: str | os.PathLike[str] | None = None) -> str:
    """Return the text of a prompt file: UTF-8, without byte order mark, CRLF as LF.

    Args:
        path: the file; relative to `root` if one is given.
        root: the folder the file must lie in once links are followed; None lets the file lie anywhere, as for
            a file named on the command line.

    Raises:
        InputError: no such file, outside `root`, not a regular file, above 20 MB, empty, or not text.
    """
    try:
        named = Path(path) if root is None else Path(root) / path
        found = named.resolve(strict=True)
        if root is not None and not found.is_relative_to(Path(root).resolve()):
            raise InputError(
                f"{path}: this prompt lies outside the folder {root}; a scenario may only read files of its own"
                " folder, so copy the prompt there"
            )
        if not found.is_file():
            raise InputError(f"{path}: a folder or a device cannot be a prompt; name a text file")
        with found.open("rb") as stream:
            content = stream.read(LARGEST_PROMPT_BYTES + 1)
    except FileNotFoundError:
        where = "" if root is None else f" in {root}"
        raise InputError(f"{path}: there is no such file{where}; check the name of the prompt") from None
    # A loop of links is a RuntimeError up to Python 3.12, a NUL in the name a ValueError.
    except (OSError, RuntimeError, ValueError) as error:
        reason = (error.strerror if isinstance(error, OSError) else None) or error
        raise InputError(
            f"{str(path)!r}: cannot be read ({reason}); check the file's name and rights"
        ) from None
    return decode_prompt(content, str(path))


def decode_prompt(content: bytes, name: str) -> str:
    r"""Return the text of a prompt's bytes, as `read_prompt` does.

    Args:
        content: the bytes of the file, or of standard input.
        name: what messages call it.

    Raises:
        InputError: above 20 MB, empty, or not UTF-8 text.

    >>> decode_prompt(b"\xef\xbb\xbfBe brief.\r\n", "prompt.md")
    'Be brief.\n'
    """
    if len(content) > LARGEST_PROMPT_BYTES:
        raise InputError(
            f"{name}: a prompt may have at most {LARGEST_PROMPT_BYTES // 1_000_000} MB and this is larger;"
            " give the text of one call"
        )
    try:
        text = content.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise InputError(
            f"{name}: line {line}: byte {content[error.start]:#04x} is not UTF-8 text; save the file as UTF-8"
        ) from None
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise InputError(
            f"{name}: line {line}: a NUL byte, so this is binary or UTF-16; save it as UTF-8 text"
        )
    if not text.strip():
        raise InputError(f"{name}: the prompt is empty; write its text, or give its length as prefix_tokens")
    return text
