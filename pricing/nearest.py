"""The known word closest to a misspelt one, ready to end a sentence."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def nearest(word: str, known: Iterable[str]) -> str:
    """`; did you mean "x"?` for the closest known word, or nothing.

    >>> nearest("promt_tokens", ["prefix_tokens", "prompt_tokens"])
    '; did you mean "prompt_tokens"?'
    >>> nearest("zebra", ["prompt"])
    ''
    """
    close = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f'; did you mean "{close[0]}"?' if close else ""
