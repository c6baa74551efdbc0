"""`verify`: is this file whole, in order, and signed by the camera that it names?"""

from __future__ import annotations

import argparse
import datetime as dt
import json
from pathlib import Path
from typing import Any

from evidence.cli import disclose
from evidence.cli.arguments import INVALID, OK, UNREADABLE, Parser, Verbs, add_verb, complain, moment
from evidence.cli.log_segments import add_log_option, corrections, in_words
from evidence.cli.proofs import Proofs, gather
from evidence.cli.terminal import Progress, duration, plain, several, size
from evidence.disclosure_package import is_package, open_package, verify_package
from evidence.errors import BadKey, NotEvidence
from evidence.export.report import correction_values, media_span, recorded_between, verdict_values
from evidence.timestamp import TimestampTrust
from evidence.trust import Trust
from evidence.verify import Report, StreamVerifier, feed_all

_TEXT = """\
Check evidence files without any decryption key: every message is in its one form, every statement is signed by the
camera that the file names, under the agency's root certificate, nothing is missing, swapped, added or cut off, and
the file was closed. A file that was recovered after a crash or renamed is valid, with a note.
Two verdicts on time are printed: what the camera claims, and what others vouch for: the station's receipt beside the
file (FILE.receipt.p7s) and, with --tsa-root, its RFC 3161 timestamp (FILE.tsr). Where nothing vouched for the
camera's clock, a correction that the camera signed later in its device log is told beside its own claim.
A disclosure package (a directory or .zip made by `disclose`) is held against the same signatures.
Give --root the agency's root certificate, which you must have from the agency itself, not from beside the file."""


def add(verbs: Verbs[Parser]) -> None:
    """Declare the verb and its options."""
    parser = add_verb(
        verbs,
        "verify",
        run,
        summary="check that files are whole, in order and signed by their camera",
        text=_TEXT,
        example="verify BC-0042-000017.evidence --root root.pem",
    )
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help="evidence file, or disclosure package")
    parser.add_argument("--root", type=Path, required=True, help="the agency's root certificate (PEM)")
    parser.add_argument("--json", action="store_true", help="print one JSON document instead of text")
    parser.add_argument(
        "--at",
        type=moment,
        metavar="TIME",
        help="judge certificates at this time where the camera did not know its own and no proof of time covers the "
        "file (default: now)",
    )
    parser.add_argument("--tsa-root", type=Path, metavar="PEM", help="root certificate of the timestamp authority")
    parser.add_argument(
        "--timestamp", type=Path, metavar="FILE", help="RFC 3161 response (default: FILE.tsr beside it)"
    )
    add_log_option(parser)
    parser.add_argument(
        "--crl",
        type=Path,
        action="append",
        default=[],
        metavar="FILE",
        help="revocation list of an authority (PEM or DER); a signature by a revoked certificate is unproven, unless a "
        "timestamp or receipt from before the revocation covers the file",
    )


def read_through(
    path: Path, trust: Trust, now: dt.datetime | None, proofs: Proofs | None = None
) -> tuple[StreamVerifier, Report]:
    """Verify one file with progress on a terminal. Raises `NotEvidence` if it cannot be read."""
    verifier = StreamVerifier(trust, path.name, now or dt.datetime.now(dt.UTC))
    progress = Progress("verifying", path)
    try:
        with path.open("rb", buffering=0) as file:
            feed_all(verifier, file, progress)
    except OSError as error:
        raise NotEvidence(f"cannot read {path}: {error.strerror}") from error
    finally:
        progress.finish()
    if proofs is None:
        return verifier, verifier.finish()
    proofs.judge_cover(verifier.sha256)
    return verifier, verifier.finish(proofs.found)


def exit_code(report: Report) -> int:
    """0 valid, 1 not valid, 2 nothing to judge."""
    if report.valid:
        return OK
    return INVALID if report.is_evidence and not report.empty else UNREADABLE


def _headline(report: Report, trust: Trust) -> str:
    if report.valid:
        return "VALID (simulated, not evidence)" if trust.simulated else "VALID"
    if report.empty:
        return "EMPTY"
    return "NOT VALID" if report.is_evidence else "NO EVIDENCE: not an evidence file"


def lines(path: Path, report: Report, verifier: StreamVerifier) -> list[str]:
    """What a person reads about one file."""
    shown = [f"{plain(path)}: {_headline(report, verifier.trust)}"]
    opened = report.opened
    if opened is not None:
        what = "device log segment" if opened.stream == "log" else "recording"
        camera = f"{opened.camera.model}, firmware {opened.camera.firmware}"
        shown.append(f"  camera     {opened.serial} ({plain(camera)}), {what} {opened.number}")
        shown.append(f"  signer     {plain(report.signer)}")
        shown.append(f"  key level  {report.key_level or 'not stated'} (as the certificate states it)")
        counts = [several(report.statements, "statement"), several(report.objects, "sealed object")]
        if opened.stream == "recording":
            counts += [several(report.fragments, "fragment"), several(report.frames, "frame")]
            counts += [several(report.sound_frames, "sound frame"), several(report.gps_fixes, "GPS fix", "GPS fixes")]
        shown.append(f"  contents   {', '.join(counts)}; {size(report.bytes)}")
        span = media_span(verifier.chain)
        if span is not None:
            shown.append(f"  duration   {duration(report.duration_ns)}")
        earliest, latest = recorded_between(opened, *(span or (opened.mono_ns, opened.mono_ns)))
        shown.append(f"  when       between {earliest} and {latest} (UTC, clock source: {opened.utc.source})")
        if report.times is not None:
            shown.append(f"  claim      {plain(report.times.claim)}")
            shown.append(f"  others     {plain(report.times.independent)}")
        if opened.station_nonce is not None:
            shown.append(f"  not before the contact with station nonce {opened.station_nonce} (`audit` finds its time)")
        shown.append(f"  SHA-256    {report.sha256}")
        if not report.valid:
            shown.append("             (contents and duration: as far as the file is good)")
    shown += [f"  note       {plain(note)}" for note in report.notes]
    shown += [f"  finding    {plain(finding)}" for finding in report.findings]
    return shown


def _package(path: Path, trust: Trust, args: argparse.Namespace) -> tuple[int, dict[str, Any]]:
    """Verify one disclosure package. Raises `NotEvidence` if it is none."""
    verdict = verify_package(open_package(path), trust, now=args.at or dt.datetime.now(dt.UTC))
    if not args.json:
        print("\n".join(disclose.lines(path, verdict, trust)))
    return OK if verdict.valid else INVALID, disclose.values(path, verdict)


def run(args: argparse.Namespace) -> int:
    """Exit code: the worst of all files."""
    trust = Trust.load(args.root, args.crl)
    if args.timestamp is not None and (args.tsa_root is None or len(args.files) > 1):
        raise BadKey("--timestamp is for one FILE and needs --tsa-root, its authority's root certificate")
    authorities = TimestampTrust.load(args.tsa_root) if args.tsa_root is not None else None
    worst = OK
    documents: list[dict[str, Any]] = []
    for path in args.files:
        try:
            if is_package(path):
                code, document = _package(path, trust, args)
                worst = max(worst, code)
                documents.append(document)
                continue
            proofs = gather(path, trust, authorities, args.timestamp)
            verifier, report = read_through(path, trust, args.at, proofs)
            found = corrections(path, report, args.log, trust, args.at)
        except NotEvidence as error:
            complain(str(error))
            documents.append({"name": path.name, "path": str(path), "verdict": "unreadable", "findings": [str(error)]})
            worst = UNREADABLE
            continue
        worst = max(worst, exit_code(report), INVALID if proofs.findings else OK)
        if args.json:
            values = verdict_values(path.name, report, verifier.chain)
            told: dict[str, Any] = {"proofs": {"notes": proofs.notes, "findings": proofs.findings}}
            told["corrections"] = correction_values(found, verifier.chain)
            documents.append({"path": str(path), **values, **told})
        else:
            shown = [*lines(path, report, verifier), *map(plain, [*in_words(found, verifier), *proofs.in_words()])]
            print("\n".join(shown))
    if args.json:
        print(json.dumps({"exit_code": worst, "files": documents}, indent=2))
    return worst
