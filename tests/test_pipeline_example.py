"""The pipeline in the documentation fails in the month in which the answer changes, and passes in the next."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

from batches import ROOT, written
from command_line import QUESTION, tunepoint

from pricing.yaml12 import parse_yaml

FOLDER = "runs/monthly"


def steps() -> list[dict[str, Any]]:
    """The steps of the job, as the documentation shows them."""
    found = re.search(r"```yaml\n(# \.github/workflows.*?)```", (ROOT / "docs/batches.md").read_text("utf-8"), re.S)
    assert found is not None
    page: Any = parse_yaml(found[1].encode(), "workflow").value
    wanted: list[dict[str, Any]] = page["jobs"]["answer"]["steps"]
    return wanted


def test_a_failed_job_keeps_its_run_too() -> None:
    """The run is restored before the batch and saved after it under the same key, whether or not the job failed."""
    used = {str(step.get("uses", "")).partition("@")[0]: (place, step) for place, step in enumerate(steps())}
    (asked,) = (place for place, step in enumerate(steps()) if "tunepoint batch" in step.get("run", ""))
    (before, restored), (after, saved) = used["actions/cache/restore"], used["actions/cache/save"]
    assert before < asked < after
    assert "actions/cache" not in used                          # it saves only what a job that succeeds leaves
    assert "if" not in restored
    assert saved["if"].startswith("always()")
    assert f"hashFiles('{FOLDER}/manifest.json') != ''" in saved["if"]
    assert restored["with"]["path"] == saved["with"]["path"] == FOLDER
    assert restored["with"]["key"] == saved["with"]["key"]
    assert saved["with"]["key"].startswith(restored["with"]["restore-keys"])


def test_only_the_month_of_the_change_is_red(tmp_path: Path) -> None:
    """A month as the pipeline runs it: the kept folder is restored, the batch run, what is finished kept."""
    kept, codes = tmp_path / "kept", []
    for month, set_up in enumerate((40, 39.9, 39.9)):
        here = tmp_path / str(month)
        asked = written(here, question=QUESTION.replace("set-up: 40", f"set-up: {set_up}"))
        if kept.is_dir():
            shutil.copytree(kept, here / FOLDER)
        codes.append(tunepoint("batch", asked, "--out", here / FOLDER, "--fail-if", "verdict changed").code)
        if (here / FOLDER / "manifest.json").is_file():
            shutil.rmtree(kept, ignore_errors=True)
            shutil.copytree(here / FOLDER, kept)
    assert codes == [0, 1, 0]
