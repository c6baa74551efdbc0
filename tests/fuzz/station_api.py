"""`make fuzz-api`: a real station, asked by a foreign tool as a camera, is held to docs/openapi.json.

    .venv/bin/python tests/fuzz/station_api.py [--cases 200] [--seed N] [--publish]

The tool is schemathesis. Twice: once with whatever it makes up, and once with an upload, a receipt and the protocol's
version given, so that its edits get past the first refusal. The station must answer everything, as the document says,
and with no 5xx; afterwards it must still take in a file. Exit code 0 if all holds.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

HERE: Final = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "dock"), str(HERE.parents[1])]

from dock_bench import TUS, Client, Process, poll_until, write_station  # noqa: E402

from benchmarks.figures import record  # noqa: E402
from fleet.ca import create_agency  # noqa: E402

DOCUMENT: Final = HERE.parents[1] / "docs" / "openapi.json"
FILE: Final = HERE.parent / "vectors" / "SIM-0001-log-000001.evidence"
CHECKS: Final = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "missing_required_header",
    "unsupported_method",
    "allow_header_conformance",
)
"""Not that whatever fits the schema is taken: a name must also be the camera's own, which no schema says."""
STRICT: Final = "negative_data_rejection"
"""For what is made up only: with an upload at hand, a header that nobody asked for is no reason to refuse its bytes."""
_SETTINGS: Final = """
[checks.negative_data_rejection]
expected-statuses = [400, 403, 404, 405, 409, 412, 413, 415, 416, 460]
[checks.missing_required_header]
expected-statuses = [400, 403, 404, 405, 412, 415, 416]
[parameters]
"header.Prefer" = "wait=0"
"""
_DEEPER: Final = """
"path.upload_id" = "{upload}"
"path.stored" = "{stored}"
"header.Tus-Resumable" = "1.0.0"
"header.X-HTTP-Method-Override" = "PATCH"
"""


@dataclass
class Told:
    """What the tool reports of one run."""

    name: str
    operations: int
    cases: int
    failures: int
    complete: bool
    text: str


def run_tool(name: str, port: int, pki: Path, directory: Path, settings: str, cases: int, seed: int) -> Told:
    """One run. Raises FileNotFoundError if schemathesis is not installed."""
    config, report = directory / f"{name}.toml", directory / f"{name}.json"
    config.write_text(_SETTINGS + settings, "utf-8")
    command = [sys.executable, "-m", "schemathesis.cli", "--config-file", str(config), "run", str(DOCUMENT)]
    command += ["--url", f"https://127.0.0.1:{port}", "--tls-verify", str(pki / "tls-ca.pem")]
    command += ["--request-cert", str(pki / "camera-tls.pem"), "--request-cert-key", str(pki / "camera-tls.key")]
    checks = CHECKS if settings else (*CHECKS, STRICT)
    command += ["--checks", ",".join(checks), "--phases", "coverage,fuzzing", "--max-examples", str(cases)]
    command += ["--seed", str(seed), "--no-shrink", "--continue-on-failure", "--request-timeout", "60"]
    command += ["--warnings", "off", "--report", "json", "--report-json-path", str(report)]
    # The tool keeps its examples beside where it runs.
    environment = {**os.environ, "SCHEMATHESIS_HOOKS": "station_api_hooks", "PYTHONPATH": str(HERE), "NO_COLOR": "1"}
    done = subprocess.run(command, cwd=directory, env=environment, capture_output=True, text=True, check=False)
    if not report.exists():
        return Told(name, 0, 0, 1, False, done.stdout + done.stderr)
    said = json.loads(report.read_bytes())
    wrong = said["test_cases"]["unique_failures"] + sum(one["count"] for one in said["errors"])
    return Told(
        name, said["operations"]["tested"], said["test_cases"]["generated"], wrong, said["complete"], done.stdout
    )


def send(client: Client, name: str, data: bytes) -> str:
    """Upload a file whole; where it went."""
    status, headers, body = client.create(name, len(data))
    assert status == 201, body
    status, _, body = client.patch(headers["location"], 0, data, hashlib.sha256(data).digest())
    assert status == 204, body
    return headers["location"]


def fuzz_station(directory: Path, cases: int, seed: int) -> list[Told]:
    """Both runs against one station, which is asked for a receipt before and after."""
    pki = directory / "pki"
    create_agency(pki)
    station = Process(write_station(directory, pki), "station").start()
    try:
        client = Client(station.port, pki)
        upload = send(client, FILE.name, FILE.read_bytes())
        receipt = poll_until(lambda: client("HEAD", upload, TUS)[1].get("firsthand-receipt"))
        _, headers, _ = client.create("SIM-0001-000007.evidence", 1_000_000)
        client.close()
        deeper = _DEEPER.format(upload=headers["location"].rpartition("/")[2], stored=receipt.rpartition("/")[2])
        told = [
            run_tool(name, station.port, pki, directory, settings, cases, seed)
            for name, settings in (("made up", ""), ("deeper", deeper))
        ]
        client = Client(station.port, pki)
        upload = send(client, "SIM-0001-000009.evidence", FILE.read_bytes())
        poll_until(lambda: client("HEAD", upload, TUS)[1].get("firsthand-receipt"))
        client.close()
    finally:
        station.stop()
    assert "Traceback" not in station.log(), station.log()
    return told


def main() -> int:
    """The exit code."""
    parser = argparse.ArgumentParser(description="Hold a real station against docs/openapi.json, with schemathesis.")
    parser.add_argument("--cases", type=int, default=200, help="for each operation, beside those that cover its edges")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--publish", action="store_true", help="put the figures into docs/figures, too")
    args = parser.parse_args()
    began_s = time.monotonic()
    with tempfile.TemporaryDirectory() as name:
        told = fuzz_station(Path(name), args.cases, args.seed)
    bad = [one for one in told if one.failures or not one.complete]
    for one in told:
        print(f"{one.name:<8}  {one.operations} operations, {one.cases} requests, {one.failures or 'no'} finds")
    for one in bad:
        print(one.text)
    figures = {
        "operations": max(one.operations for one in told),
        "requests": sum(one.cases for one in told),
        "finds": sum(one.failures for one in told),
        "checks": len(CHECKS) + 1,
    }
    rows = [
        {"run": one.name, "operations": one.operations, "requests": one.cases, "finds": one.failures} for one in told
    ]
    seconds = time.monotonic() - began_s
    command = f"make fuzz-api CASES={args.cases}"
    record("fuzz_api", figures, ok=not bad, rows=rows, seconds=seconds, publish=args.publish, command=command)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
