"""What an export says about itself, as values for JSON: verdict, the camera's facts, contents, hashes of outputs."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from evidence.chain import Chain
from evidence.corrections import Found
from evidence.statements import Open, moment, moment_ns
from evidence.trust import Trust
from evidence.verify import Report

NOT_TOLD: Final = ("opened", "closed", "recovered", "head")
"""Fields of a verification report that are whole statements; they are told in their own place."""


def recorded_between(opened: Open, first_ns: int, end_ns: int) -> tuple[str, str]:
    """UTC interval in which the recorded time from `first_ns` to `end_ns` (CLOCK_BOOTTIME) lies, as moments.

    It follows from the UTC claim of `open` (invariant 10); pre-event media is older than `open` itself.
    """
    earliest = moment_ns(opened.utc.earliest) + first_ns - opened.mono_ns
    latest = moment_ns(opened.utc.latest) + end_ns - opened.mono_ns
    return moment(earliest), moment(latest)


def media_span(chain: Chain) -> tuple[int, int] | None:
    """First and last instant of the media (CLOCK_BOOTTIME nanoseconds), or None without media."""
    first, last = chain.first_media, chain.last_media
    return None if first is None or last is None else (first.start_ns, last.start_ns + last.duration_ns)


def verdict_values(name: str, report: Report, chain: Chain) -> dict[str, Any]:
    """A verification report as plain values; `verify --json` and exports say the same."""
    plain: dict[str, Any] = msgspec.to_builtins(report)
    values: dict[str, Any] = {"name": name, "verdict": "valid" if report.valid else "not valid"}
    values |= {key: value for key, value in plain.items() if key not in NOT_TOLD}
    values["duration_s"] = report.duration_ns / 10**9
    opened, span = report.opened, media_span(chain)
    if opened is not None:
        between = recorded_between(opened, *(span or (opened.mono_ns, opened.mono_ns)))
        values["recorded_utc"] = {"earliest": between[0], "latest": between[1], "source": opened.utc.source}
        values |= {"serial": opened.serial, "stream": opened.stream, "number": opened.number}
    return values


def correction_values(found: Found | None, chain: Chain) -> dict[str, Any]:
    """Corrections of the recording's time that count, and why others do not."""
    opened, span = chain.opened, media_span(chain)
    if found is None or opened is None:
        return {"counted": [], "notes": []}
    between = span or (opened.mono_ns, opened.mono_ns)
    return {"counted": [one.values(*between) for one in found.counted], "notes": found.notes}


def simulated(report: Report, root: x509.Certificate, root_is_simulated: bool) -> dict[str, Any]:
    """Whether this is footage of a simulator, and under which root it was judged."""
    kinds = sorted({source.kind for source in report.opened.sources}) if report.opened is not None else []
    unreal = root_is_simulated or any(kind != "real" for kind in kinds)
    digest = hashlib.sha256(root.public_bytes(serialization.Encoding.DER)).hexdigest()
    return {
        "simulated": unreal,
        "label": "SIMULATED: not evidence" if unreal else None,
        "root": {"subject": root.subject.rfc4514_string(), "sha256": digest, "simulated": root_is_simulated},
    }


def label(report: Report, trust: Trust) -> str | None:
    """What every page and every output must say about footage that is no ordinary evidence; None for the ordinary."""
    kinds = {source.kind for source in report.opened.sources} if report.opened is not None else set()
    said = [] if report.valid else ["NOT VALID EVIDENCE"]
    said += ["SIMULATED, not evidence"] if trust.simulated or kinds & {"simulated", "clip"} else []
    said += ["TRAINING, not evidence"] if "training" in kinds else []
    said += ["RECOVERED after an interruption"] if report.recovered is not None else []
    return "; ".join(said) or None


def triggers_of(metadata: Sequence[Mapping[str, Any]]) -> list[Any]:
    """All triggers that the metadata objects name, in order, each once."""
    found: list[Any] = []
    for document in metadata:
        named = document.get("triggers")
        # a trigger that came later stands alone in the details of its event
        for trigger in [*(named if isinstance(named, list) else ()), document.get("trigger")]:
            if trigger is not None and trigger not in found:
                found.append(trigger)
    return found


def output_facts(path: Path) -> dict[str, Any]:
    """Name, size and SHA-256 of a finished output. Raises OSError."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return {"name": path.name, "bytes": path.stat().st_size, "sha256": digest}
