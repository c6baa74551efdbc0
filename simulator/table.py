"""The table at the end of a run, and how to go on from there. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

_HEADS = (
    "recording", "triggers", "pre-event", "duration", "fragments", "GPS points", "verified", "receipt", "deleted",
)  # fmt: skip


def recordings_table(report: Mapping[str, Any]) -> list[str]:
    """One line for each recording, with a head."""
    rows = [
        (
            one["id"],
            ", ".join(one["triggers"]) or "-",
            f"{one['pre_event_s']:.1f} s",
            f"{one['duration_s']:.1f} s",
            str(one["fragments"]),
            str(one["gps_fixes"]),
            _word(one["verified"]),
            _word(one["receipt"]),
            _word(one["deleted_on_camera"]),
        )
        for one in report["recordings"]
    ]
    return _aligned([_HEADS, *rows], numbers=frozenset(range(2, 6)))


def closing_words(report: Mapping[str, Any], out: Path, tool: str = "firsthand-evidence") -> list[str]:
    """Where the videos are and how anyone can check them, or what went wrong. `tool` calls the evidence tool."""
    lines = []
    videos = [one["mp4"] for one in report["recordings"] if one["mp4"]]
    if videos:
        lines += ["Videos (SIMULATED, not evidence):", *(f"  {out / video}" for video in videos), ""]
        stem = report["recordings"][0]["id"]
        first = out / videos[0]
        stored = out / "station" / "store" / f"{stem}.evidence"
        check = out / "check"
        lines += [
            "Play one, in any player:",
            f"  ffplay {first}",
            "Read what the camera did, in plain words:",
            f"  {tool} log {out}/station/store {out}/camera/spool --root {out}/pki/root.pem \\",
            f"    --vault-cert {out}/pki/vault.pem --vault-key {out}/pki/vault.key",
            "Take one apart, and ask openssl about any of its statements (docs/verify-with-openssl.sh asks about all):",
            f"  {tool} unpack {stored} --out {check}",
            f"  openssl cms -verify -inform DER -in {check}/000000-open.p7s -CAfile {out}/pki/root.pem",
        ]
    elif report["recordings"]:
        first = report["recordings"][0]["id"]
        lines += [
            *([f"Everything that happened, to be compared: {out}/timeline.jsonl"] * ("timeline_lines" in report)),
            "Make a video of a recording (SIMULATED, not evidence):",
            f"  {tool} export {out}/station/store/{first}.evidence --root {out}/pki/root.pem \\",
            f"    --vault-cert {out}/pki/vault.pem --vault-key {out}/pki/vault.key --out {out}/export",
        ]
    problems = list(report["problems"])
    lines += ["", *(f"PROBLEM: {one}" for one in problems)] if problems else [""]
    lines.append(
        f"OK: everything is verified, receipted, deleted on the camera{', and plays' if videos else ''}."
        if report["ok"]
        else f"NOT OK: {len(problems)} problem{'s' if len(problems) != 1 else ''}. Logs: {out}/logs, all facts: "
        f"{out}/report.json"
    )
    return lines


def _word(value: bool) -> str:
    return "yes" if value else "NO"


def _aligned(rows: Sequence[Sequence[str]], numbers: frozenset[int]) -> list[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return [
        "  ".join(
            cell.rjust(width) if column in numbers else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
