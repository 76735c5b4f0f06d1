"""Builds tiktoken's public vocabularies from files of this package: tokens are counted without a network.

tiktoken fetches a vocabulary at first use. Here both stand packed beside the code (`vocab/README.md` says how
and where from). Split pattern and special tokens, which tiktoken keeps inside the functions that fetch, are
repeated from `tiktoken_ext/openai_public.py` of tiktoken 0.14.0 (MIT, OpenAI); a test compares them with the
installed copy.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from pricing.errors import InputError

if TYPE_CHECKING:
    import tiktoken

PACKED_IN = Path(__file__).with_name("vocab")


@dataclass(frozen=True, slots=True, kw_only=True)
class Vocabulary:
    """What tells one public vocabulary from another: its sums, its split pattern, its special tokens."""

    name: str
    tokens: int
    packed_sha256: str
    tiktoken_sha256: str  # of the .tiktoken file that the packed one rebuilds
    pattern: str
    special_tokens: Mapping[str, int]


# A word may carry one leading sign and a contraction: upper case then lower, or the other way round.
_SIGN = r"[^\r\n\p{L}\p{N}]?"
_UPPER = r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]"
_LOWER = r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]"
_CONTRACTION = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)?"

VOCABULARIES: Mapping[str, Vocabulary] = MappingProxyType(
    {
        "o200k_base": Vocabulary(
            name="o200k_base",
            tokens=199_998,
            packed_sha256="74c6f5af06dd76707df670b80098f8be24afcd25ffae041f3df869abdcf63f65",
            tiktoken_sha256="446a9538cb6c348e3516120d7c08b09f57c36495e2acfffe59a5bf8b0cfb1a2d",
            pattern="|".join(
                [
                    f"{_SIGN}{_UPPER}*{_LOWER}+{_CONTRACTION}",
                    f"{_SIGN}{_UPPER}+{_LOWER}*{_CONTRACTION}",
                    r"\p{N}{1,3}",
                    r" ?[^\s\p{L}\p{N}]+[\r\n/]*",
                    r"\s*[\r\n]+",
                    r"\s+(?!\S)",
                    r"\s+",
                ]
            ),
            special_tokens=MappingProxyType({"<|endoftext|>": 199_999, "<|endofprompt|>": 200_018}),
        ),
        "cl100k_base": Vocabulary(
            name="cl100k_base",
            tokens=100_256,
            packed_sha256="3208ff089538356f91190e4abe4f6b1126b65045c189e60d7c5475580d6fc3b9",
            tiktoken_sha256="223921b76ee99bde995b7ff738513eef100fb51d18c93597a113bcffe865b2a7",
            pattern="|".join(
                [
                    r"'(?i:[sdmt]|ll|ve|re)",
                    r"[^\r\n\p{L}\p{N}]?+\p{L}++",
                    r"\p{N}{1,3}+",
                    r" ?[^\s\p{L}\p{N}]++[\r\n]*+",
                    r"\s++$",
                    r"\s*[\r\n]",
                    r"\s+(?!\S)",
                    r"\s",
                ]
            ),
            special_tokens=MappingProxyType(
                {
                    "<|endoftext|>": 100_257,
                    "<|fim_prefix|>": 100_258,
                    "<|fim_middle|>": 100_259,
                    "<|fim_suffix|>": 100_260,
                    "<|endofprompt|>": 100_276,
                }
            ),
        ),
    }
)

# o200k_harmony (gpt-oss) is o200k_base with more special tokens: ordinary text is cut the same way.
SAME_TEXT_AS: Mapping[str, str] = MappingProxyType({"o200k_harmony": "o200k_base"})


def unpack(vocabulary: Vocabulary, folder: Path = PACKED_IN) -> list[bytes]:
    """Return the tokens of a vocabulary in rank order.

    The packed bytes must have the sum written here: a file cut short or changed on its way never counts wrongly.

    Raises:
        InputError: the packed file is missing, cannot be read or is not the one that was shipped.
    """
    path = folder / f"{vocabulary.name}.xz"
    try:
        import lzma  # some builds of Python come without it

        packed = path.read_bytes()
    except ImportError:
        raise InputError(
            f"{path}: this Python was built without lzma and cannot unpack the vocabulary {vocabulary.name};"
            " use one with lzma to count tokens exactly"
        ) from None
    except OSError as error:
        raise InputError(
            f"{path}: the packed vocabulary {vocabulary.name} cannot be read ({error.strerror});"
            " install this program again to count tokens exactly"
        ) from None
    found = hashlib.sha256(packed).hexdigest()
    if found != vocabulary.packed_sha256:
        raise InputError(
            f"{path}: the packed vocabulary {vocabulary.name} is damaged (sha256 begins {found[:12]}, not"
            f" {vocabulary.packed_sha256[:12]}); install this program again to count tokens exactly"
        )
    packed = lzma.decompress(packed)
    tokens = []
    at = 0
    while at < len(packed):
        start = at + 1
        at = start + packed[at]
        tokens.append(packed[start:at])
    return tokens


@lru_cache(maxsize=None)
def load_encoding(name: str, folder: Path = PACKED_IN) -> tiktoken.Encoding:
    """Return the tiktoken encoding of that name, built from the packed files and kept for the next caller.

    Args:
        name: `o200k_base`, `cl100k_base`, or a name of `SAME_TEXT_AS`.
        folder: where the packed files are.

    Raises:
        KeyError: no vocabulary of that name is packed.
        InputError: as `unpack`.

    >>> load_encoding("o200k_base").encode("hello world")
    [24912, 2375]
    """
    vocabulary = VOCABULARIES[SAME_TEXT_AS.get(name, name)]
    if name != vocabulary.name:
        return load_encoding(vocabulary.name, folder)
    import tiktoken

    return tiktoken.Encoding(
        vocabulary.name,
        pat_str=vocabulary.pattern,
        mergeable_ranks={token: rank for rank, token in enumerate(unpack(vocabulary, folder))},
        special_tokens=dict(vocabulary.special_tokens),
    )
