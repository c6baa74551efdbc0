"""All that is tested of security at once, with its figures: ``make security`` (docs/design/threats.md).

The tests of this folder and those beside it, what a shift wrote searched for its secrets, and the locked libraries held
against the known vulnerabilities, if the package index can be asked.
"""

from __future__ import annotations

import argparse
import datetime as dt
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Final

HERE: Final = Path(__file__).resolve().parent
BASE: Final = HERE.parents[1]
sys.path[:0] = [str(BASE), str(BASE / "docs"), str(BASE / "requirements"), str(HERE)]

import audit  # noqa: E402
import listed_threats  # noqa: E402
import test_agent_rights  # noqa: E402
import test_hostile_paths  # noqa: E402
import test_no_secret_in_a_log as logs  # noqa: E402
import test_tls_only_13 as tls  # noqa: E402

from benchmarks.figures import Value, record  # noqa: E402
from fleet.locked import load_lock, lock_path  # noqa: E402

BESIDE: Final = (
    "tests/evidence/test_key_files.py",
    "tests/dock/test_open_keys.py",
    "tests/device/test_camera_open_key.py",
    "tests/dock/test_page_sessions.py",
    "tests/dock/test_station_access.py",
)
SHIFT: Final = (
    "tests/security/test_no_secret_in_a_log.py::test_a_shift_leaves_no_secret_in_logs_messages_databases_or_evidence"
)


def tests(directory: Path) -> dict[str, Value]:
    """Run them; how many passed. The shift is played by `searched`."""
    report = directory / "junit.xml"
    words = [sys.executable, "-m", "pytest", "-q", str(HERE), *BESIDE, "--deselect", SHIFT, f"--junitxml={report}"]
    done = subprocess.run(words, cwd=BASE, capture_output=True, text=True, check=False)
    print("\n".join(done.stdout.splitlines()[-12:]))
    suite = next(iter(ET.parse(report).getroot()))
    count = {name: int(suite.attrib[name]) for name in ("tests", "failures", "errors", "skipped")}
    return {
        "tests_passed": count["tests"] - count["failures"] - count["errors"] - count["skipped"],
        "tests_failed": count["failures"] + count["errors"],
        "tests_skipped": count["skipped"],
    }


def searched(directory: Path) -> dict[str, Value]:
    """Play a shift with all logging on, and look for its secrets in what it wrote."""
    seen, sought = logs.shift(directory)
    for one in seen.found:
        print(f"  {one}")
    return {
        "secrets_sought": len(sought.names),
        "spellings_sought": len(sought.spellings),
        "files_searched": seen.files,
        "bytes_searched": seen.bytes,
        "secrets_found": len(seen.found),
    }


def libraries() -> dict[str, Value]:
    """How many are locked; how many of them could be asked about, and what is known of them."""
    path = lock_path(BASE, "everything")
    figures: dict[str, Value] = {"libraries_locked": len({pin.name for pin in load_lock(path)})}
    try:
        found = audit.audited(path)
    except audit.CannotAsk as error:
        print(f"  {error}")
        return {**figures, "libraries_audited": 0, "audit": "the package index cannot be asked here"}
    left = audit.open_ones(found.found, audit.load_accepted(), dt.datetime.now(dt.UTC).date())
    for one in left:
        print(f"  {one.sentence()}")
    audited = {"libraries_audited": len({name for name, _ in found.asked}), "audit": "done"}
    return {**figures, **audited, "known_vulnerabilities": len(found.found), "open_vulnerabilities": len(left)}


def main() -> int:
    """0 if everything held."""
    parser = argparse.ArgumentParser(description="Run all security tests, and keep the figures.")
    parser.add_argument("--publish", action="store_true", help="into docs/figures, for the pages")
    options = parser.parse_args()
    began_s, threats = time.monotonic(), listed_threats.model()
    with tempfile.TemporaryDirectory(prefix="security-") as scratch:
        figures: dict[str, Value] = {**libraries(), **searched(Path(scratch)), **tests(Path(scratch))}
    figures |= {
        "tls_listeners_probed": len(tls.LISTENERS),
        "tls_clients_probed": len(tls.CLIENTS),
        "tls_contexts_in_sources": len(list(tls.made_contexts())),
        "agent_attacks": len(test_agent_rights.ATTACKS),
        "hostile_names": len(test_hostile_paths.NAMES),
        "attackers": len(threats),
        "mechanisms": sum(len(one.mechanism) for one in threats),
        "threat_tests": len({test for one in threats for each in one.mechanism for test in each.tests}),
    }
    ok = not (figures["secrets_found"] or figures["tests_failed"] or figures.get("open_vulnerabilities", 0))
    ok = ok and not listed_threats.faults(threats)
    seconds = time.monotonic() - began_s
    record("security", figures, ok=ok, seconds=seconds, publish=options.publish, command="sudo make security")
    for name, value in figures.items():
        print(f"{name:28} {value}")
    return 0 if ok else 1


if __name__ == "__main__":
    sys.exit(main())
