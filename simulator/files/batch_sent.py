"""A batch that was sent rather than named: it may ask the scenarios sent with it and the shipped ones, no others."""

from __future__ import annotations

import dataclasses
import posixpath
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path, PurePath

from pricing.errors import InputError
from pricing.load_checked import shown
from pricing.yaml12 import read_yaml
from simulator.domain.batch import Batch
from simulator.files.batch import read_batch
from simulator.files.scenario import default_scenario_path

FOLDER = "batches"
"""Where the shipped batches lie below the scenarios, and where a sent one is laid beside copies of these."""


def shipped_batches() -> list[Path]:
    """The batch files that come with the program."""
    return sorted((default_scenario_path().parent / FOLDER).glob("*.yaml"))


def parse_batch(raw: bytes, name: str, scenarios: Mapping[str, bytes] | None = None) -> Batch:
    """Read a batch from its bytes; it may name the scenarios sent with it, and shipped ones as shipped batches do.

    Args:
        raw: the bytes of the batch file.
        name: what messages call it; of a path only the last part.
        scenarios: the scenario files sent with it, by name.

    Raises:
        InputError: as `read_batch`, or a scenario is named that lies elsewhere on this machine.
    """
    called = PurePath(name).name or "batch.yaml"
    with tempfile.TemporaryDirectory(prefix="tunepoint-") as top:
        folder = Path(top) / "scenarios"
        shutil.copytree(default_scenario_path().parent, folder)
        for sent, content in {**(scenarios or {}), called: raw}.items():
            (folder / FOLDER / PurePath(sent).name).write_bytes(content)
        path = folder / FOLDER / called
        try:
            _check_inside(path)
            batch = read_batch([path])
        except InputError as error:
            raise InputError(_told(str(error), folder)) from None
        refused = {_told(at, folder): _told(why, folder) for at, why in batch.refused.items()}
        members = [dataclasses.replace(one, source=_told(one.source, folder)) for one in batch.members]
        return dataclasses.replace(batch, members=tuple(members), refused=refused)


def _check_inside(path: Path) -> None:
    """Refuse a batch that names what is neither sent nor shipped: it would read the files of its server."""
    page = read_yaml(path)
    named = page.value.get("scenarios") if isinstance(page.value, dict) else None
    for index, text in enumerate(named if isinstance(named, list) else ()):
        at = posixpath.normpath(f"{FOLDER}/{text}") if isinstance(text, str) else ""
        if isinstance(text, str) and (posixpath.isabs(text) or at.split("/")[0] == ".." or "\\" in text):
            where = page.where(("scenarios", index))
            raise InputError(
                f"{where}: {shown(text)} is neither sent nor shipped; send the scenario with the batch, or name a "
                "shipped one, as in ../support-triage.yaml"
            )


def _told(words: str, folder: Path) -> str:
    """Words without the place at which the files were laid for a moment."""
    return words.replace(f"{folder / FOLDER}/../", "").replace(f"{folder / FOLDER}/", "").replace(f"{folder}/", "")
