"""Counts tokens with a tokenizer of one's own: the `tokenizer.json` that stands beside every open model."""

from __future__ import annotations

import importlib
import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pricing.errors import InputError

LARGEST_BYTES = 256 * 2**20
"""Of a tokenizer.json: the largest in use, those of a quarter of a million tokens, have about 35 MB."""
USUAL_NAME = "tokenizer"


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnTokenizer:
    """A tokenizer read from a file: what it is called, and how it counts a text."""

    name: str
    count: Callable[[str], int]


def read_tokenizer(path: str | os.PathLike[str]) -> OwnTokenizer:
    """Read a Hugging Face `tokenizer.json`, offline.

    It counts the text alone and whole: cutting and padding that the file asks for are switched off, nothing is put
    before or after, and the name of a special token in the text counts as the words that a user typed.

    Args:
        path: the file; it is called by its folder where its own name is the usual one.

    Raises:
        InputError: the extra `hf` is not installed, or the file is missing, too large, or no tokenizer.
    """
    path = Path(path)
    text = _text_of(path)
    try:
        library: Any = importlib.import_module("tokenizers")
    except ImportError:
        raise InputError(
            f"--tokenizer {path}: reading it needs the package tokenizers; install it with pip install 'tunepoint[hf]'"
        ) from None
    try:
        tokenizer = library.Tokenizer.from_str(text)
    except Exception as error:                                  # the library raises nothing narrower
        reason = next(iter(str(error).splitlines()), "") or type(error).__name__
        raise InputError(
            f"{path}: is no tokenizer that can be read ({reason[:120]}); name the tokenizer.json of a model"
        ) from None
    tokenizer.no_truncation()
    tokenizer.no_padding()
    tokenizer.encode_special_tokens = True
    name = path.resolve().parent.name if path.stem == USUAL_NAME else path.stem
    return OwnTokenizer(
        name=name or USUAL_NAME, count=lambda words: len(tokenizer.encode(words, add_special_tokens=False).ids)
    )


def _text_of(path: Path) -> str:
    """The file as text, once it looks like a tokenizer.json."""
    try:
        if not path.is_file():
            what = "is a folder or a device" if path.exists() else "there is no such file"
            raise InputError(f"{path}: {what}; name the tokenizer.json of a model")
        with path.open("rb") as stream:
            content = stream.read(LARGEST_BYTES + 1)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror or error}); check its rights") from None
    if len(content) > LARGEST_BYTES:
        raise InputError(f"{path}: has more than {LARGEST_BYTES // 2**20} MiB, which no tokenizer has; name another")
    try:
        text = content.decode("utf-8-sig")
        page = json.loads(text)
    except (ValueError, RecursionError):
        raise InputError(f"{path}: is not JSON; name the tokenizer.json of a model") from None
    if not isinstance(page, dict) or "model" not in page:
        keys = ", ".join(list(page)[:4]) if isinstance(page, dict) else type(page).__name__
        raise InputError(
            f"{path}: holds {keys or 'nothing'} and no model, so it is no tokenizer.json (perhaps the "
            "tokenizer_config.json beside it); name that"
        )
    return text
