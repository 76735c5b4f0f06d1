"""A cluster is refused by name where a worker would give other digits, and works over TLS with one's own certificates.

TLS is tried where openssl is installed to make the certificates.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from batches import ROOT, Started, digests, written
from clusters import started
from command_line import is_one_sentence, tunepoint
from distributed import Client

from simulator.domain.findings import VERSION

OPENSSL = shutil.which("openssl")


def test_a_worker_that_runs_another_version_is_refused_by_name_before_anything_is_sent(tmp_path: Path) -> None:
    """The workers are real ones that import a copy of this program of another version."""
    copy = tmp_path / "elsewhere"
    for package in ("simulator", "pricing"):
        shutil.copytree(ROOT / package, copy / package, ignore=shutil.ignore_patterns("__pycache__", "vocab"))
    findings = copy / "simulator/domain/findings.py"
    findings.write_text(findings.read_text("utf-8").replace(f'"{VERSION}"', '"0.0.9"'), "utf-8")
    with started(tmp_path, worker_path=copy) as (address, _):
        with Client(address, timeout=30, set_as_default=False) as client:
            client.wait_for_workers(2, timeout=60)
            names = list(client.scheduler_info()["workers"])
        answer = tunepoint("batch", written(tmp_path), "--out", tmp_path / "out", "--on", f"dask:{address}")
    assert (answer.code, is_one_sentence(answer.err)) == (2, True), answer.err
    assert f"runs tunepoint 0.0.9 and this machine {VERSION}; install the same" in answer.err
    assert any(name in answer.err for name in names)
    assert not list((tmp_path / "out").glob("scenarios/*/*"))


def certificates(folder: Path) -> dict[str, str]:
    """A certificate that signs itself for 127.0.0.1, and the settings that make Dask demand it everywhere."""
    folder.mkdir()
    cert, key = folder / "cert.pem", folder / "key.pem"
    subprocess.run(
        [str(OPENSSL), "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", cert, "-days", "2",
         "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"],
        check=True, capture_output=True,
    )  # fmt: skip
    roles = "".join(f"      {role}: {{cert: {cert}, key: {key}}}\n" for role in ("client", "scheduler", "worker"))
    (folder / "distributed.yaml").write_text(
        f"distributed:\n  comm:\n    require-encryption: true\n    tls:\n      ca-file: {cert}\n{roles}", "utf-8"
    )
    return {"DASK_CONFIG": str(folder / "distributed.yaml")}


@pytest.mark.parametrize("tool", [OPENSSL] if OPENSSL else [])
def test_over_tls_a_batch_gives_the_same_bytes_and_a_stranger_gets_no_answer(tool: str, tmp_path: Path) -> None:
    batch = written(tmp_path)
    assert tunepoint("batch", batch, "--out", tmp_path / "here").code == 0
    settings = certificates(tmp_path / "tls")
    with started(tmp_path, more=settings, protocol="tls") as (address, _):
        stranger = certificates(tmp_path / "other")
        with Started("batch", batch, "--out", tmp_path / "no", "--on", f"dask:{address}", more=stranger) as run:
            assert run.ended() == 2
            assert is_one_sentence(run.told), run.told
        with Started("batch", batch, "--out", tmp_path / "over", "--on", f"dask:{address}", more=settings) as run:
            assert run.ended() == 0, run.told
    assert digests(tmp_path / "over") == digests(tmp_path / "here")


NO_CERTIFICATE = {
    "": "names no certificate",
    "distributed: {comm: {tls: {ca-file: nowhere.pem, client: {cert: nowhere.pem}}}}": "cannot be read",
}


@pytest.mark.parametrize("text", NO_CERTIFICATE)
def test_tls_without_a_certificate_is_told_before_anybody_is_asked(tmp_path: Path, text: str) -> None:
    (tmp_path / "dask.yaml").write_text(text, "utf-8")
    more = {"DASK_CONFIG": str(tmp_path / "dask.yaml")}
    place = "dask:tls://127.0.0.1:9"
    with Started("batch", written(tmp_path), "--out", tmp_path / "out", "--on", place, more=more) as run:
        assert run.ended() == 2
        assert is_one_sentence(run.told), run.told
        assert NO_CERTIFICATE[text] in run.told
