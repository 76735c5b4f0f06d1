"""Many sessions at once: those that come together to a cold server all see their page, and each sees its own."""

from __future__ import annotations

import asyncio

import pytest

from bench._served import served
from bench._session import Session
from tests.dashboards import HOSTED

TOGETHER = 16
WAIT_S = 240.0


async def asked(url: str) -> list[tuple[int, int, float]]:
    """Sessions opened at once on volumes of their own, then moved: mistakes, moves of their slider, where it stands."""
    async def reader(number: int) -> tuple[int, int, float]:
        async with Session(url, scenario=HOSTED, set=f"workload.calls_per_day={1000 * (number + 1)}") as session:
            begun = session.slider.default[0]
            value = float(session.slider.options[int(begun)].replace(",", ""))
            moves = 0
            for place in (number, number + 1):
                await session.move(place)
                moves += session.slider.default[0] == place
            return session.wrong, moves, value

    return await asyncio.wait_for(asyncio.gather(*(reader(number) for number in range(TOGETHER))), WAIT_S)


def test_sessions_that_come_together_to_a_cold_server_each_see_their_own_page() -> None:
    pytest.importorskip("websockets")
    with served() as app:
        found = asyncio.run(asked(app.url))
        log = app.log.read_text("utf-8", "replace")
    assert "Traceback" not in log, log
    assert [wrong for wrong, _, _ in found] == [0] * TOGETHER
    assert [moves for _, moves, _ in found] == [2] * TOGETHER
    assert [value for _, _, value in found] == [1000 * (number + 1) for number in range(TOGETHER)]
