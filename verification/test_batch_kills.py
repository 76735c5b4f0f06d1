"""Twenty kills at random moments, of a worker or of the client, over a batch of 2,000 pieces: none lost, none double.

The moments come from a fixed seed; what runs on the machine moves them, so no two runs are alike. The bytes of the
folder must be those of an undisturbed run, and no finished piece may ever be written again.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from batches import BATCH, Started, children, digests, is_alive, parts_in, until, written
from command_line import tunepoint

PIECES, KILLS = 2000, 20
MANY = BATCH + "  options.dear.prefix_tokens: {from: 0, to: 4000, points: 2000}\nchunk_points: 4\n"


def test_twenty_kills_lose_nothing_and_do_nothing_twice(tmp_path: Path) -> None:
    batch = written(tmp_path, MANY)
    assert tunepoint("batch", batch, "--out", tmp_path / "wanted").code == 0
    wanted = digests(tmp_path / "wanted")
    assert parts_in(tmp_path / "wanted") == PIECES
    moments = random.Random(20)
    out, killed, first = tmp_path / "out", {"client": 0, "worker": 0}, {}
    while sum(killed.values()) < KILLS:
        with Started("batch", batch, "--out", out, "--on", "processes:2", "--resume") as client:
            while is_alive(client.pid) and sum(killed.values()) < KILLS:
                there = parts_in(out)
                goal = min(there + moments.randint(20, 120), PIECES - 5)
                until(lambda goal=goal, client=client: parts_in(out) >= goal or not is_alive(client.pid), "some pieces")
                if not is_alive(client.pid):
                    break
                time.sleep(moments.random() * 0.02)
                if moments.random() < 0.5:
                    killed["client"] += 1
                    break
                below = [pid for pid in children(client.pid) if not children(pid)]
                if below:
                    os.kill(moments.choice(below[1:] or below), signal.SIGKILL)
                    killed["worker"] += 1
        for path in out.glob("scenarios/*/*.parquet"):
            first.setdefault(path, path.stat().st_mtime_ns)
        if parts_in(out) >= PIECES:
            break
    with Started("batch", batch, "--out", out, "--on", "processes:2", "--resume") as client:
        assert client.ended(600) == 0, client.told
    again = [path for path, then in first.items() if path.stat().st_mtime_ns != then]
    print(f"\n{killed['client']} clients and {killed['worker']} workers killed; {len(again)} pieces done again")
    assert not again
    assert sum(killed.values()) >= KILLS
    assert digests(out) == wanted
