"""The import rules of the house hold: two wings, one till, one door per library, and small files.

Every rule is one row of a table: the sentence, what breaks it, and a small made-up tree that does. It is tried
on this project, on the tree that breaks it, and on a tree that keeps all rules. Names are matched by pattern,
so a room may be a module (`files.py`) or grow into a package (`files/`).
"""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Set
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import lru_cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
HOUSE = ("simulator", "pricing", "dashboard", "app.py")          # whose imports are read
PYTHON = (*HOUSE, "tests", "bench", "verification")              # whose files are kept small and told
MAX_LINES = 400

FACES = ("simulator.cli*", "simulator.__main__", "app", "dashboard*")
FACE_FILES = ("simulator/cli*", "simulator/__main__.py", "app.py", "dashboard/*")
DOMAIN = ("simulator.domain", "simulator.domain.*")
PRICES = ("pricing", "pricing.*")
LOADERS = ("pricing.load*", "pricing.yaml12*", "pricing.importers*")
WINGS = ("simulator.expected", "simulator.expected.*", "simulator.simulated", "simulator.simulated.*")
FINDINGS = tuple(f"simulator.domain.{name}" for name in ("findings", "uncertain", "advice"))
STUDIES = ("simulator.studies", "simulator.studies.*")
RUN = ("simulator.run", "simulator.run.*")
BILLING = ("simulator.billing", "simulator.billing.*")
FORMATS = ("simulator.formats", "simulator.flip_words")           # how a figure is written where a person reads it
SIDE = ("simulator.files*", "simulator.intake*", "simulator.charts*", "simulator.report*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Import:
    """That the file `path` names `module`, a full dotted name, in line `line`."""

    path: str
    line: int
    module: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line} imports {self.module}"


Broken = Callable[[Path], Iterable[str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A sentence, what breaks it in a tree, and a tree (path to text) that does."""

    sentence: str
    broken: Broken
    example: dict[str, str]


def matches(name: str, patterns: Iterable[str]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def python_files(root: Path, places: Iterable[str]) -> Iterator[Path]:
    for place in places:
        found = [root / place] if place.endswith(".py") else sorted((root / place).rglob("*.py"))
        yield from (path for path in found if path.is_file())


def walk(path: Path) -> Iterator[ast.AST]:
    return ast.walk(ast.parse(path.read_text("utf-8")))


def is_module(root: Path, dotted: str) -> bool:
    path = root.joinpath(*dotted.split("."))
    return path.with_suffix(".py").is_file() or path.is_dir()


@lru_cache
def imports(root: Path) -> tuple[Import, ...]:
    """Every import of the house, at the top of a file, inside a function, for types only, or by its name."""
    found = []
    face = root / "simulator" / "__init__.py"
    offered = {node.value for node in walk(face) if isinstance(node, ast.Constant)} if face.is_file() else set()
    for path in python_files(root, HOUSE):
        here = path.relative_to(root)
        for node in walk(path):
            for module in named(root, offered, here, node):
                found.append(Import(path=here.as_posix(), line=getattr(node, "lineno", 0), module=module))
    return tuple(found)


def named(root: Path, offered: Set[object], here: Path, node: ast.AST) -> Iterator[str]:
    """The modules an import statement, or a call such as `import_module("simulator.run")`, names.

    `from simulator import run` names the face alone where the face offers a `run`, even beside a `run.py`.
    """
    match node:
        case ast.Import(names=names):
            yield from (alias.name for alias in names)
        case ast.ImportFrom(module=module, names=names, level=level):
            package = here.parts[: len(here.parts) - level] if level else ()
            base = ".".join((*package, *([module] if module else [])))
            for alias in names:
                inner = f"{base}.{alias.name}"
                of_the_face = base == "simulator" and alias.name in offered
                yield inner if is_module(root, inner) and not of_the_face else base
        case ast.Call(
            func=ast.Name(id="import_module" | "__import__") | ast.Attribute(attr="import_module"),
            args=[ast.Constant(value=str(module)), *_],
        ):
            yield module


def never(who: Iterable[str], *banned: str, but: Iterable[str] = ()) -> Broken:
    """Files that match `who`, save those that match `but`, import nothing that matches `banned`."""
    return lambda root: [
        str(i) for i in imports(root)
        if matches(i.path, who) and not matches(i.path, but) and matches(i.module, banned)
    ]


def only(who: Iterable[str], *allowed: str, but: Iterable[str] = (), not_even: Iterable[str] = ()) -> Broken:
    """Of the house, files that match `who` import only what matches `allowed` and not `not_even`."""
    ours = ("simulator", "simulator.*", *PRICES, *FACES)
    return lambda root: [
        str(i) for i in imports(root)
        if matches(i.path, who) and not matches(i.path, but) and matches(i.module, ours)
        and (matches(i.module, not_even) or not matches(i.module, allowed))
    ]


def door(libraries: Iterable[str], *files: str) -> Broken:
    """Only files that match `files` import one of the libraries."""
    return never(("*",), *libraries, *(f"{library}.*" for library in libraries), but=files)


def domain_strangers(root: Path) -> list[str]:
    known = {*sys.stdlib_module_names, "numpy", "simulator", "pricing"}
    return [
        str(i) for i in imports(root)
        if matches(i.path, ("simulator/domain*",)) and i.module.partition(".")[0] not in known
    ] + list(only(("simulator/domain*",), *DOMAIN, *PRICES, not_even=LOADERS)(root))


def study_circles(root: Path) -> list[str]:
    """Studies from which a chain of imports leads back to where it began."""
    knows: dict[str, set[str]] = {}
    for i in imports(root):
        study = i.path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
        if study.startswith("simulator.studies."):
            knows.setdefault(study, set()).add(i.module)

    def below(study: str, seen: set[str]) -> set[str]:
        for other in knows.get(study, set()) - seen:
            seen |= {other} | below(other, seen | {other})
        return seen

    circles = sorted(study for study in knows if study in below(study, set()))
    return [f"{study.replace('.', '/')}.py leads back to itself" for study in circles]


def long_files(root: Path) -> list[str]:
    lengths = {path: len(path.read_text("utf-8").splitlines()) for path in python_files(root, PYTHON)}
    return [f"{path.relative_to(root)} has {n} lines" for path, n in lengths.items() if n > MAX_LINES]


def untold_files(root: Path) -> list[str]:
    return [
        f"{path.relative_to(root)} says nothing" for path in python_files(root, PYTHON)
        if not (ast.get_docstring(ast.parse(path.read_text("utf-8"))) or "").strip()
    ]


def star_imports(root: Path) -> list[str]:
    return [
        f"{path.relative_to(root)}:{node.lineno} imports * from {node.module}"
        for path in python_files(root, PYTHON) for node in walk(path)
        if isinstance(node, ast.ImportFrom) and any(alias.name == "*" for alias in node.names)
    ]


def addresses_in_lock(root: Path) -> list[str]:
    lock = root / "requirements.lock"
    lines = lock.read_text("utf-8").splitlines() if lock.exists() else ["(missing) ://"]
    return [f"requirements.lock:{n}: {line}" for n, line in enumerate(lines, 1) if "://" in line]


def loaded(root: Path, *args: str) -> set[str]:
    """The modules that `python ARGS`, started in `root`, imports on its way to a good end."""
    answer = subprocess.run(
        [sys.executable, "-X", "importtime", *args],
        cwd=root, stdin=subprocess.DEVNULL, capture_output=True, encoding="utf-8", timeout=300,
    )
    times = [line for line in answer.stderr.splitlines() if line.startswith("import time:")]
    assert answer.returncode == 0, "\n".join(line for line in answer.stderr.splitlines() if line not in times)
    return {line.rpartition("|")[2].strip() for line in times}


LIGHT = {
    "the expected engine": ("-c", "import simulator.expected.engine"),
    "tunepoint --help": ("-m", "simulator", "--help"),
    "tunepoint compare of hosted options": ("-m", "simulator", "compare", "scenarios/cases/small-volume.yaml"),
}

DOORS = {
    "yaml and pydantic stand only in the loaders": (
        ("yaml", "pydantic", "pydantic_core"), ("pricing/load*", "pricing/yaml12*", "simulator/files*"),
        {"simulator/domain/scenario.py": "from pydantic import TypeAdapter"}),
    "simpy stands only in simulated": (
        ("simpy",), ("simulator/simulated/*",), {"simulator/expected/engine.py": "import simpy"}),
    "numba stands only in the kernels of simulated": (
        ("numba",), ("simulator/simulated/*",), {"simulator/studies/sweep.py": "def f():\n    import numba"}),
    "dask stands only in studies/runners": (
        ("dask", "distributed"), ("simulator/studies/runners*",),
        {"simulator/cli.py": "from dask import bag"}),
    "plotly stands only in charts": (
        ("plotly",), ("simulator/charts*",),
        {"simulator/report.py": "import plotly.graph_objects as go"}),
    "streamlit stands only in app.py and dashboard": (
        ("streamlit",), ("app.py", "dashboard/*"),
        {"simulator/charts.py": "import streamlit as st"}),
    "typer and rich stand only in cli": (
        ("typer", "rich", "click"), ("simulator/cli*",),
        {"simulator/report.py": "from rich.table import Table"}),
    "tiktoken stands only in intake/tokens": (
        ("tiktoken",), ("simulator/intake/tokens*",), {"simulator/files.py": "import tiktoken"}),
    "tokenizers stands only in intake/huggingface": (
        ("tokenizers",), ("simulator/intake/huggingface*",), {"simulator/intake/tokens.py": "import tokenizers"}),
    "pandas and pyarrow stand only in files, report, cli and intake": (
        ("pandas", "pyarrow"),
        ("simulator/files*", "simulator/report*", "simulator/cli*", "simulator/intake*"),
        {"simulator/billing.py": "import pandas as pd"}),
}

RULES = (
    Rule(sentence="pricing imports nothing of simulator",
         broken=never(("pricing/*",), "simulator", "simulator.*", *FACES),
         example={"pricing/book.py": "from simulator.domain import costs"}),
    Rule(sentence="the nouns of pricing know no loader, so that a noun never costs a parser",
         broken=never(("pricing/*",), *LOADERS,
                      but=("pricing/load*", "pricing/yaml12*", "pricing/importers/*", "pricing/__init__.py")),
         example={"pricing/book.py": "from pricing.load import load_table"}),
    Rule(sentence="domain imports the standard library, NumPy and the nouns of pricing, nothing else",
         broken=domain_strangers, example={"simulator/domain/costs.py": "import pricing.load"}),
    Rule(sentence="the two wings never import each other",
         broken=lambda root: [
             *never(("simulator/expected*",), "simulator.simulated*")(root),
             *never(("simulator/simulated*",), "simulator.expected*")(root)],
         example={"simulator/simulated/caching.py": "from ..expected.caching import hit_share",
                  "simulator/expected/caching.py": ""}),
    Rule(sentence="rooms of a wing take plain numbers and arrays: only its engine imports domain or prices",
         broken=only(("simulator/expected/*", "simulator/simulated/*"), *WINGS, "pricing.errors",
                     but=("simulator/expected/engine*", "simulator/simulated/engine*")),
         example={"simulator/expected/calls.py": "from simulator.domain.options import Option"}),
    Rule(sentence="a wing counts: it knows itself, domain and the nouns of pricing, and never the till",
         broken=only(("simulator/expected/*", "simulator/simulated/*"), *WINGS, *DOMAIN, *PRICES,
                     not_even=LOADERS),
         example={"simulator/expected/engine.py": "from simulator import billing",
                  "simulator/billing.py": ""}),
    Rule(sentence="billing knows domain and the nouns of pricing, and no wing",
         broken=only(("simulator/billing*",), *BILLING, *DOMAIN, *PRICES, not_even=LOADERS),
         example={"simulator/billing.py": "from simulator.expected.engine import activity"}),
    Rule(sentence="run picks a wing and bills it; it opens no file and knows no study",
         broken=only(("simulator/run.py", "simulator/run/*"), *RUN, *WINGS, *BILLING, *DOMAIN, *PRICES,
                     not_even=LOADERS),
         example={"simulator/run.py": "from simulator.files import read_scenario"}),
    Rule(sentence="studies know run, the till, domain, the nouns of pricing and each other, nothing else",
         broken=only(("simulator/studies/*",), *STUDIES, *RUN, *BILLING, *DOMAIN, *PRICES, *FORMATS, not_even=LOADERS),
         example={"simulator/studies/compare.py": "from simulator.expected import engine"}),
    Rule(sentence="studies know each other only downwards, in no circle",
         broken=study_circles,
         example={"simulator/studies/compare.py": "from . import breakeven",
                  "simulator/studies/breakeven.py": "from simulator.studies.compare import compare"}),
    Rule(sentence="finance and runners lie below every other study",
         broken=lambda root: [
             line for name in ("finance", "runners")
             for line in only((f"simulator/studies/{name}*",), "simulator.studies.finance*",
                              "simulator.studies.runners*", "simulator.run*", *DOMAIN, "pricing*")(root)],
         example={"simulator/studies/finance.py": "from simulator.studies.compare import compare"}),
    Rule(sentence="intake knows neither files nor run, nor anything above them",
         broken=never(("simulator/intake*",), "simulator", "simulator.files*", *RUN, *STUDIES, *WINGS,
                      *FACES),
         example={"simulator/intake/trace.py": "from importlib import import_module\n"
                                               "import_module('simulator.files')"}),
    Rule(sentence="files know nouns, loaders and the rooms at the side, never an engine, run or a study",
         broken=only(("simulator/files*",), *DOMAIN, *SIDE, *PRICES),
         example={"simulator/files/results.py": "from simulator.run import run"}),
    Rule(sentence="charts and report know domain",
         broken=only(("simulator/charts*", "simulator/report*"), *DOMAIN, *FORMATS, "simulator.charts*",
                     "simulator.report*", *PRICES, not_even=LOADERS),
         example={"simulator/charts.py": "from simulator.studies import compare"}),
    Rule(sentence="cli, app.py and dashboard know the public face, charts and the nouns of pricing",
         broken=only(FACE_FILES, "simulator", "simulator.charts*", *FINDINGS, *FORMATS, *FACES, *PRICES,
                     not_even=LOADERS),
         example={"simulator/cli/compare.py": "from simulator.run import run"}),
    Rule(sentence="only a face imports a face, and nothing below imports the whole package",
         broken=never(("simulator/*", "pricing/*"), "simulator", *FACES,
                      but=(*FACE_FILES, "simulator/__init__.py")),
         example={"simulator/report.py": "import simulator"}),
    Rule(sentence=f"no Python file has more than {MAX_LINES} lines",
         broken=long_files, example={"tests/test_long.py": "\n" * (MAX_LINES + 1)}),
    Rule(sentence="every Python file opens with a sentence that says why it exists",
         broken=untold_files, example={"bench/__main__.py": "import sys"}),
    Rule(sentence="nothing is imported by star",
         broken=star_imports, example={"tests/test_stars.py": "from math import *"}),
    Rule(sentence="requirements.lock is there and holds no address",
         broken=addresses_in_lock, example={"requirements.lock": "--index-url https" + "://example.org/simple\n"}),
    Rule(sentence="there is no uv.lock, which would write addresses",
         broken=lambda root: [str(path.name) for path in root.glob("uv.lock")], example={"uv.lock": ""}),
    *(Rule(sentence=sentence, broken=door(libraries, *files), example=example)
      for sentence, (libraries, files, example) in DOORS.items()),
)

CALM = {
    "pricing/load.py": "import yaml\nfrom pricing.book import PriceBook",
    "simulator/__init__.py": "from importlib import import_module\nOFFERED = {'run': 'simulator.run'}",
    "simulator/__main__.py": "from simulator import cli",
    "simulator/domain/costs.py": "import numpy\nfrom pricing.table import PriceTable\nfrom . import dials",
    "simulator/domain/dials.py": "from dataclasses import dataclass",
    "simulator/expected/caching.py": "import numpy as np",
    "simulator/expected/engine.py": "from simulator.domain import costs\nfrom . import caching",
    "simulator/simulated/queueing.py": "import numba\nimport simpy",
    "simulator/billing.py": "from simulator.domain.costs import CostLedger",
    "simulator/run.py": "from simulator import billing\nfrom simulator.expected import engine",
    "simulator/studies/runners/cluster.py": "import dask",
    "simulator/studies/compare.py": "from simulator.run import run\nfrom .breakeven import crossings",
    "simulator/studies/breakeven.py": "from simulator.studies.finance import npv",
    "simulator/studies/finance.py": "from simulator.domain import costs",
    "simulator/intake/tokens.py": "import tiktoken",
    "simulator/intake/trace.py": "import pandas",
    "simulator/files/scenario.py": "import pydantic\nfrom simulator.intake import tokens\nimport pricing.load",
    "simulator/charts.py": "import plotly.graph_objects as go\nfrom simulator.domain import costs",
    "simulator/cli/__init__.py": "def main():\n    import typer\n    from simulator import run, charts",
    "dashboard/compare.py": "import streamlit\nimport simulator",
    "requirements.lock": "numpy==2.4.6 \\\n    --hash=sha256:00\n",
}


def build(root: Path, tree: dict[str, str], *, told: bool) -> Path:
    """Writes a made-up tree, each Python file opening with a sentence where `told`."""
    for name, text in tree.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f'"""Made up."""\n{text}' if told and path.suffix == ".py" else text, "utf-8")
    return root


def each_rule(test: Callable[..., None]) -> Callable[..., None]:
    return pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.sentence)(test)


@each_rule
def test_the_rule_holds_here(rule: Rule) -> None:
    broken = list(rule.broken(ROOT))
    assert not broken, f"{rule.sentence}; but " + "; ".join(broken)


@each_rule
def test_a_tree_that_breaks_the_rule_is_told_so_by_file(rule: Rule, tmp_path: Path) -> None:
    told = "; ".join(rule.broken(build(tmp_path, rule.example, told=False)))
    assert any(name in told for name in rule.example)


@each_rule
def test_a_tree_that_keeps_all_rules_is_left_in_peace(rule: Rule, tmp_path: Path) -> None:
    assert list(rule.broken(build(tmp_path, CALM, told=True))) == []


def test_the_rules_read_the_whole_house() -> None:
    """A rule over no files would hold for ever; each package has files, and imports are found in them."""
    read = {i.path.partition("/")[0] for i in imports(ROOT)}
    assert {"simulator", "pricing"} <= read


@pytest.mark.parametrize("args", LIGHT.values(), ids=LIGHT)
def test_starting_it_never_imports_numba(args: tuple[str, ...]) -> None:
    assert "numba" not in loaded(ROOT, *args)


@pytest.mark.parametrize("args", LIGHT.values(), ids=LIGHT)
def test_a_start_that_imports_numba_is_noticed(args: tuple[str, ...], tmp_path: Path) -> None:
    tree = {"simulator/__init__.py": "def late():\n    import numba\nlate()", "simulator/__main__.py": "",
            "simulator/expected/__init__.py": "", "simulator/expected/engine.py": "", "numba.py": ""}
    assert "numba" in loaded(build(tmp_path, tree, told=True), *args)
