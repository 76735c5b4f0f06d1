"""Where a page meets a mistake: the user reads one sentence, and a defect gets an id that the server log explains."""

from __future__ import annotations

import html
import logging
import secrets
from collections.abc import Iterator
from contextlib import contextmanager

import streamlit as st

from simulator import TunepointError

log = logging.getLogger("tunepoint.dashboard")


def sentence(words: str) -> None:
    """One sentence about a mistake, as text: what stands in it may come from a file."""
    st.html(f'<p class="tp-wrong" role="alert">{html.escape(words)}</p>')


@contextmanager
def guarded() -> Iterator[None]:
    """Say a mistake of the user in its own sentence, and any other by an id; what stands outside stays."""
    try:
        yield
    except TunepointError as error:
        sentence(str(error))
    except Exception:  # the last door before the browser: no traceback may pass it
        number = secrets.token_hex(4)
        log.exception("error %s", number)
        sentence(f"Something went wrong that is no fault of yours; the server log explains it under {number}.")
