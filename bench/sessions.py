"""What many readers feel of each other: fifty sessions at once, a simulation next door, memory, and who is asked."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench._served import Served, chromium, opened, served
from bench._session import Session
from bench.app import cpu_ms, four_options, move, summary

SESSIONS, EVERY_S, LASTS_S = 50, 5.0, 20.0
CHANGES = 100
"""Changes after which memory is read."""
MOVES, WARM = 18, 3
PAGES = ("", "break-even", "simulate", "prices", "your-data", "batch", "about")
MIB = 2.0**20


def alike(app: Served) -> dict[str, Any]:
    """Fifty readers of one scenario of four hosted options, each moving the volume every five seconds."""
    return _crowd(app, lambda number: four_options())


def apart(app: Served) -> dict[str, Any]:
    """The same with a scenario of each one's own, so that no answer serves two."""
    return _crowd(app, lambda number: four_options() | {"set": f"workload.growth_per_month={0.01 + number / 1e4:.4f}"})


def fleets(app: Served) -> dict[str, Any]:
    """Fifty readers of the shipped scenario, two of whose five options are fleets."""
    return _crowd(app, lambda number: {})


def _crowd(app: Served, asked: Callable[[int], dict[str, str]]) -> dict[str, Any]:
    """Answers to moves of the slider as they leave the server; what a browser adds is in the subject `app`."""
    took, wrong, used = asyncio.run(_moved(app, asked))
    return {"sessions": SESSIONS, "answer_ms": summary(took), "server_cpu_ms_a_move": round(used / len(took), 1),
            "errors": wrong}


async def _moved(app: Served, asked: Callable[[int], dict[str, str]]) -> tuple[list[float], int, float]:
    took: list[float] = []
    wrong, idle_ms = 0, 0.0

    async def reader(number: int) -> None:
        nonlocal wrong, idle_ms
        async with Session(app.url, **asked(number)) as session:
            await everybody.wait()
            idle_ms = cpu_ms(app.process.pid)
            await asyncio.sleep(EVERY_S * number / SESSIONS)
            end = time.perf_counter() + LASTS_S
            place = 20 + number
            while (begin := time.perf_counter()) < end:
                place += 1
                took.append(1000 * await session.move(place))
                await asyncio.sleep(max(0.0, EVERY_S - (time.perf_counter() - begin)))
            wrong += session.wrong

    everybody = asyncio.Barrier(SESSIONS)
    await asyncio.gather(*(reader(number) for number in range(SESSIONS)))
    return took, wrong, cpu_ms(app.process.pid) - idle_ms


def memory(app: Served) -> dict[str, Any]:
    """What a session leaves in the server after a hundred changes; answers, which all share, are there before."""
    async def held_mib(readers: int) -> float:
        async with contextlib.AsyncExitStack() as leaving:
            sessions = [await leaving.enter_async_context(Session(app.url)) for _ in range(readers)]
            for place in range(CHANGES):
                for session in sessions:
                    await session.move(place)
            return rss_mib(app.process.pid)

    asyncio.run(held_mib(1))
    before = rss_mib(app.process.pid)
    during = asyncio.run(held_mib(SESSIONS))
    return {"changes": CHANGES, "server_mib": round(before, 1),
            "growth_mib_a_session": round((during - before) / SESSIONS, 2)}


def rss_mib(process: int) -> float:
    """Memory a process holds (Linux)."""
    pages = int(Path(f"/proc/{process}/statm").read_text("ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / MIB


def beside(app: Served) -> dict[str, Any]:
    """The slider of one session, alone and while another session simulates; first chart, each position new."""
    found = {}
    with chromium() as browser:
        page = opened(browser, app.url, viewport={"width": 1400, "height": 1000})
        page.wait_for_timeout(1500)
        found["alone_ms"] = summary(_moves(page))
        other = browser.new_context().new_page()
        other.goto(f"{app.url}/simulate")
        box = other.get_by_label("Runs", exact=True)
        box.fill("2000")
        box.press("Enter")
        other.get_by_test_id("stMain").get_by_role("button", name="Simulate").click()
        other.get_by_role("button", name="Stop").wait_for(timeout=60_000)
        found["beside_a_simulation_ms"] = summary(_moves(page))
        found["still_running"] = other.get_by_role("button", name="Stop").count() == 1
        other.get_by_role("button", name="Stop").click(timeout=5_000)
    return found


def _moves(page: Any) -> list[float]:
    took = []
    for _ in range(MOVES):
        took.append(move(page, "ArrowLeft")[0])
        page.wait_for_timeout(150)
    return took[WARM:]


def requests(app: Served) -> dict[str, Any]:
    """Requests of every page, and those that would leave the machine."""
    asked: list[str] = []
    with chromium() as browser:
        page = browser.new_context().new_page()
        page.on("request", lambda request: asked.append(request.url))
        for path in PAGES:
            page.goto(f"{app.url}/{path}")
            page.locator(".tp-title, .tp-verdict").first.wait_for(timeout=60_000)
            page.wait_for_timeout(1000)
    away = [url for url in asked if not url.startswith((app.url, "data:", "blob:"))]
    return {"requests": len(asked), "leave_the_machine": away}


PARTS = {"alike": alike, "apart": apart, "fleets": fleets, "memory": memory, "beside": beside, "requests": requests}


def main() -> None:
    """Measure what is asked, each on a server of its own, and print it as JSON."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("parts", nargs="*", choices=[*PARTS, []])
    for name in asked.parse_args().parts or PARTS:
        with served() as app:
            print(json.dumps({name: PARTS[name](app)}, indent=1), flush=True)


if __name__ == "__main__":
    main()
