"""The README's first screen is what the program prints, its commands exist, and its links lead somewhere."""

import re
import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner

from simulator.cli import app

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_first_screen_is_what_make_run_prints(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    shown = re.search(r"```console\n\$ make run\n(.*?)```", README, re.DOTALL)
    assert shown
    printed = CliRunner(env={"COLUMNS": "80"}).invoke(app, ["compare", "--out", "runs/support-triage"]).stdout
    assert [line.rstrip() for line in shown[1].splitlines()] == [line.rstrip() for line in printed.splitlines()]


def test_the_first_two_commands_do_all_the_set_up() -> None:
    commands = re.findall(r"^make (\w+)", README, re.MULTILINE)
    assert commands[:2] == ["run", "test"]
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert "tunepoint compare --out runs/support-triage" in makefile


@pytest.mark.parametrize("line", sorted(set(re.findall(r"^tunepoint ([^#\n]*)", README, re.MULTILINE))))
def test_every_command_of_the_readme_exists_with_its_flags(line: str) -> None:
    words = shlex.split(line.partition(">")[0])
    command = words[: 2 if words[0] in ("prices", "gpu") else 1]
    found = CliRunner(env={"COLUMNS": "200"}).invoke(app, [*command, "--help"])
    assert found.exit_code == 0
    for flag in (word for word in words if word.startswith("--")):
        assert flag in found.stdout


def test_every_link_of_the_readme_leads_somewhere() -> None:
    links = re.findall(r"\]\(([^)]+)\)", README)
    assert links
    assert [link for link in links if not link.startswith("https") and not (ROOT / link).exists()] == []
