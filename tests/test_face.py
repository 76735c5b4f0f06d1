"""Every name of the public face leads to something, so that no move of a module leaves a name behind."""

from __future__ import annotations

import pytest

import simulator


@pytest.mark.parametrize("name", dir(simulator))
def test_the_name_leads_somewhere(name: str) -> None:
    assert getattr(simulator, name) is not None
