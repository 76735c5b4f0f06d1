"""docs/serving.md says of every shipped profile what it was fitted on and what was held out; the README leads there."""

from __future__ import annotations

from pathlib import Path

import pytest

from pricing.load_serving import bound_replica, shipped_serving
from verification import test_rtx4090_run as real_run
from verification.splits import profile_of, splits, told
from verification.throughput import read_rows

ROOT = Path(__file__).parents[1]
DOC = (ROOT / "docs" / "serving.md").read_text("utf-8")


def test_the_table_is_what_the_rows_and_the_shipped_profiles_say() -> None:
    table = [line for line in DOC.splitlines() if line.startswith("|")]
    assert table == list(told())
    assert "docs/serving.md" in (ROOT / "README.md").read_text("utf-8")


def test_every_row_is_fitted_or_held_out_or_set_aside_and_none_twice() -> None:
    fitted = [row.number for split in splits() for row in split.fitted]
    held_out = [row.number for split in splits() for row in split.held_out]
    aside = [row.number for row in read_rows() if row.why_not() is not None]
    assert sorted(fitted + held_out + aside) == [row.number for row in read_rows()]
    assert len(held_out) > len(fitted)


def test_every_shipped_profile_has_rows_held_out_and_counts_the_points_it_was_fitted_on() -> None:
    for engine, serving in shipped_serving().items():
        for name, profile in serving.profiles.items():
            mine = [split for split in splits() if any(profile_of(row) == f"{engine}/{name}" for row in split.rows)]
            assert any(split.held_out for split in mine), name
            if fitted := sum(len(split.fitted) for split in mine):
                assert profile.points == fitted, name


def test_the_parameters_of_the_real_run_are_read_without_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only files of `kernels/` are opened, and the shipped profile has the shares that these kernels reach."""
    opened: list[Path] = []
    really = Path.open

    def noted(self: Path, *how: object, **more: object) -> object:
        opened.append(self)
        return really(self, *how, **more)  # type: ignore[call-overload]

    monkeypatch.setattr(Path, "open", noted)
    monkeypatch.setattr(Path, "read_text", lambda self: pytest.fail(f"{self} was read"))
    step = real_run.step_from_kernels()
    assert opened
    assert {path.parent.name for path in opened} == {"kernels"}
    profile = bound_replica("vllm/rtx-4090/llama-3.1-8b/bf16").profile
    kernels = real_run.read_times("dense.csv", "layer", "tokens")
    products = 32 * sum(kernels[name, 1] for name in ("qkv_proj", "o_proj", "gate_up_proj", "down_proj"))
    layers = 7.505e9 - 128_256 * 4096               # weights of all layers; the lm_head is timed apart
    assert profile.mbu == pytest.approx(2 * layers / products / 1008e9, abs=0.015)
    assert profile.mfu == pytest.approx(2 * layers / step.per_token_s / 165.2e12, abs=0.03)
