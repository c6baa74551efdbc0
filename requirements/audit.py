"""Hold the locked libraries against the known vulnerabilities of the package index: ``make audit``.

pip-audit asks; this program says for which Pythons, and what of its findings was accepted (requirements/accepted.toml:
with a reason, and until a day). Exit status: 0 none, 1 there is one, 75 the index cannot be asked.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import msgspec

from fleet.locked import Pin, for_machine, load_lock, lock_path

BASE: Final = Path(__file__).resolve().parent.parent
ACCEPTED: Final = BASE / "requirements/accepted.toml"
PYTHONS: Final = ("3.11", "3.13")
MACHINE: Final = "x86_64"
"""The lock has the same versions for aarch64 (a test says so)."""
UNREACHABLE: Final = 75
_TIMEOUT_S: Final = 600


class Accepted(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One vulnerability that may stay for a while."""

    id: str
    library: str
    reason: str
    until: dt.date


class AcceptedList(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """requirements/accepted.toml"""

    accepted: tuple[Accepted, ...] = ()


class CannotAsk(Exception):
    """The package index does not answer, or pip-audit is not installed."""


@dataclass(frozen=True, order=True)
class Vulnerability:
    """One finding of pip-audit."""

    library: str
    version: str
    id: str
    names: tuple[str, ...]
    """Its other names, CVE numbers say."""
    fixed: tuple[str, ...]

    def sentence(self) -> str:
        better = f"{self.fixed[0]} is mended" if self.fixed else "no version is mended yet"
        return f"{self.library} {self.version} has {self.id} ({', '.join(self.names) or 'no other name'}): {better}"


@dataclass(frozen=True)
class Audit:
    """What one run found."""

    asked: frozenset[tuple[str, str]]
    """Library and version."""
    found: tuple[Vulnerability, ...]


def audited(lock: Path, pythons: Sequence[str] = PYTHONS, *, osv_url: str | None = None) -> Audit:
    """Ask the package index, or an OSV service, about a whole lock. Raises `CannotAsk`, `fleet.locked.BadLock`."""
    pins, asked, found = load_lock(lock), set(), set()
    for python in pythons:
        said = _pip_audit(for_machine(pins, python, MACHINE), osv_url)
        for one in said["dependencies"]:
            if "skip_reason" in one:
                raise CannotAsk(f"known vulnerabilities cannot be asked for here: {one['skip_reason']}")
            asked.add((one["name"], one["version"]))
            for vuln in one["vulns"]:
                names, fixed = tuple(sorted(vuln["aliases"])), tuple(vuln["fix_versions"])
                found.add(Vulnerability(one["name"], one["version"], vuln["id"], names, fixed))
    return Audit(frozenset(asked), tuple(sorted(found)))


def _pip_audit(pins: Sequence[Pin], osv_url: str | None) -> Mapping[str, Any]:
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as listed:
        listed.write("".join(f"{pin.line()}\n" for pin in pins))
        listed.flush()
        command = [sys.executable, "-m", "pip_audit", "--format", "json", "--desc", "off", "--progress-spinner", "off"]
        command += ["--disable-pip", "--require-hashes", "--requirement", listed.name]
        command += ["--vulnerability-service", "osv", "--osv-url", osv_url] if osv_url is not None else []
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_TIMEOUT_S)
    if done.returncode not in (0, 1) or not done.stdout.startswith("{"):
        last = (done.stderr.strip().splitlines() or ["pip-audit says nothing"])[-1]
        raise CannotAsk(f"the package index cannot be asked for known vulnerabilities: {last[:300]}")
    answer: Mapping[str, Any] = json.loads(done.stdout)
    return answer


def open_ones(found: Sequence[Vulnerability], accepted: Sequence[Accepted], today: dt.date) -> list[Vulnerability]:
    """Those that nobody accepted, or not until today."""
    mine = {(one.library, one.id) for one in accepted if today <= one.until}
    return [one for one in found if not {(one.library, name) for name in (one.id, *one.names)} & mine]


def load_accepted(path: Path = ACCEPTED) -> tuple[Accepted, ...]:
    """Raises `msgspec.ValidationError` for an entry without a reason or a day."""
    return msgspec.toml.decode(path.read_bytes(), type=AcceptedList).accepted


def main() -> int:
    """Audit everything that is locked."""
    parser = argparse.ArgumentParser(description="Hold the locked libraries against the known vulnerabilities.")
    parser.add_argument("--lock", default="everything", help="which of requirements/*.txt (default: everything)")
    parser.add_argument(
        "--osv-url", metavar="URL", help="ask this OSV service, say a mirror, instead of the package index"
    )
    options = parser.parse_args()
    try:
        audit = audited(lock_path(BASE, options.lock), osv_url=options.osv_url)
    except CannotAsk as error:
        print(f"audit: {error}", file=sys.stderr)
        return UNREACHABLE
    left = open_ones(audit.found, load_accepted(), dt.datetime.now(dt.UTC).date())
    print(
        f"{len(audit.asked)} libraries asked about, {len(audit.found)} known vulnerabilities, {len(left)} of them open"
    )
    for one in left:
        print(f"  {one.sentence()}: raise it with `make lock UPGRADE=1`, or accept it in {ACCEPTED.name}")
    return 1 if left else 0


if __name__ == "__main__":
    sys.exit(main())
