"""`export`: one MP4 that any player opens, a GPX track and a report, out of one verified evidence file."""

from __future__ import annotations

import argparse
import datetime as dt
from pathlib import Path
from typing import TYPE_CHECKING

from evidence import cms
from evidence.cli.arguments import INVALID, OK, USAGE, Parser, Verbs, add_verb, complain
from evidence.cli.log_segments import add_log_option, corrections, in_words
from evidence.cli.terminal import Progress, plain, several, size
from evidence.cli.verify import exit_code, lines, read_through
from evidence.durable import replace
from evidence.errors import BadKey, NotEvidence
from evidence.export.decrypt import Vault
from evidence.export.window import Window, seconds_of
from evidence.keys import FileSigner
from evidence.roles import role_of
from evidence.trust import Trust
from evidence.verify import Report

if TYPE_CHECKING:  # PyAV is loaded only when something is exported
    from evidence.export.recording import Exported, RecordingExport

_TEXT = """\
Verify an evidence file, decrypt it with the vault's key, check every part against what the camera signed, and write
  NAME.mp4   video, sound if any was recorded, the GPS track, chapters at triggers, markers and the stop, and captions
             with time and position that a player can switch on; nothing is encoded again
  NAME.gpx   the GPS receiver's own points, nothing interpolated
  NAME.html  a report for people, to be read on a screen or printed, with an appendix "verify this yourself"
  NAME.json  the same for programs: verdict, camera, sources, triggers, statements, SHA-256 of the outputs
With --sign-cert and --sign-key the export desk signs the MP4 (C2PA) and the report (NAME.json.p7s).
With --from and --to only a part is exported: fragments of at most a second are kept whole, never cut.
A file that does not verify is exported only with --force, and every output then says NOT-VALID in its name.
Needs PyAV: pip install 'firsthand[export]'."""


def add(verbs: Verbs[Parser]) -> None:
    """Declare the verb and its options."""
    parser = add_verb(
        verbs,
        "export",
        run,
        summary="decrypt into one MP4, a GPX track and a report for a court",
        text=_TEXT,
        example="export BC-0042-000017.evidence --root root.pem --vault-cert vault.pem --vault-key vault.key \\\n"
        "    --out case-12/",
    )
    parser.add_argument("file", type=Path, metavar="FILE", help="evidence file")
    parser.add_argument("--root", type=Path, required=True, metavar="PEM", help="the agency's root certificate")
    parser.add_argument("--vault-cert", type=Path, required=True, metavar="PEM", help="the agency's vault certificate")
    parser.add_argument("--vault-key", type=Path, required=True, metavar="PEM", help="the vault's private key")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="where the outputs go")
    parser.add_argument("--sign-cert", type=Path, metavar="PEM", help="certificate chain of the export desk")
    parser.add_argument("--sign-key", type=Path, metavar="PEM", help="private key of the export desk")
    begins = "where the part begins, in the recording's own time: seconds (90), 1:30 or 0:01:30"
    parser.add_argument("--from", dest="from_s", type=_seconds, metavar="TIME", help=begins)
    parser.add_argument("--to", dest="to_s", type=_seconds, metavar="TIME", help="where it ends, likewise")
    add_log_option(parser)
    labels = "the docking station's custody ledger (its directory, or a file of it): labels given there are shown"
    parser.add_argument("--custody", type=Path, action="append", default=[], metavar="LEDGER", help=labels)
    parser.add_argument("--no-captions", action="store_true", help="leave the caption track out of the MP4")
    parser.add_argument("--force", action="store_true", help="replace outputs, and export what does not verify")


def _seconds(text: str) -> float:
    try:
        return seconds_of(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _window(args: argparse.Namespace) -> Window:
    try:
        return Window(args.from_s, args.to_s)
    except ValueError as error:
        raise BadKey(str(error)) from error


def _signer(args: argparse.Namespace, trust: Trust) -> FileSigner | None:
    if (args.sign_cert is None) != (args.sign_key is None):
        raise BadKey("give --sign-cert and --sign-key together, or neither")
    if args.sign_cert is None:
        return None
    signer = FileSigner.load(args.sign_key, args.sign_cert)
    if role_of(signer.certificate) != "export":
        raise BadKey(f"{args.sign_cert} is not a certificate of the export role: ask the agency's technician for one")
    trust.check_chain(signer.chain)
    return signer


def _sign(path: Path, signer: FileSigner) -> Path:
    signed = path.with_name(path.name + ".p7s")
    replace(signed, cms.sign(path.read_bytes(), signer, dt.datetime.now(dt.UTC)))
    return signed


def _summary(exported: Exported, report: Report, signed: tuple[Path, ...]) -> None:
    contents = exported.contents
    print(
        f"  exported   {several(contents.frames, 'frame')}, {several(contents.sound_frames, 'sound frame')}, "
        f"{several(contents.gps_points, 'GPS point')}"
    )
    if exported.values["part"]:
        print(f"  part       {exported.values['part']}")
    for path in (*exported.paths, *signed):
        print(f"  wrote      {plain(path)} ({size(path.stat().st_size)})")
    for one in contents.discrepancies:
        complain(plain(one))
    if signed and not exported.values["c2pa"]["signed"]:
        complain(f"the MP4 carries no C2PA manifest: {plain(exported.values['c2pa']['reason'])}")
    if not report.valid:
        complain("exported although the file is not valid: every output is labelled")


def run(args: argparse.Namespace) -> int:
    """0 exported, 1 not valid (with --force: exported and labelled), 2 unreadable or not writable, 64 wrong usage."""
    try:
        from evidence.export.appended import appended_labels, segments_beside
        from evidence.export.custody_labels import custody_labels
        from evidence.export.recording import RecordingExport
    except ModuleNotFoundError as error:
        if error.name != "av":
            raise
        complain("export needs PyAV, which is not installed: pip install 'firsthand[export]'")
        return USAGE
    trust = Trust.load(args.root)
    vault = Vault.load(args.vault_cert, args.vault_key)
    signer, window = _signer(args, trust), _window(args)
    verifier, report = read_through(args.file, trust, None)
    found = corrections(args.file, report, args.log, trust, None)
    print("\n".join([*lines(args.file, report, verifier), *map(plain, in_words(found, verifier))]), flush=True)
    if report.opened is None:
        return exit_code(report)
    if not report.valid and not args.force:
        complain("not exported, since the file is not valid: --force exports and labels what can be read")
        return INVALID
    vault.check_recipient(report.opened)
    late, broken = custody_labels(report, args.custody, trust)
    if broken:
        raise NotEvidence(
            f"the custody ledger does not hold: give a whole copy, or leave --custody out: {plain(broken[0])}"
        )
    appended = appended_labels(report, args.log or segments_beside(args.file, report), trust, vault)
    export = RecordingExport(
        args.file,
        verifier,
        report,
        trust,
        vault,
        args.out,
        window=window,
        signer=signer,
        captioned=not args.no_captions,
        corrections=found,
        appended=[*appended, *late],
    )
    exported = _export(export, args, tolerate=not report.valid)
    signed = (_sign(exported.paths[-1], signer),) if signer is not None else ()
    _summary(exported, report, signed)
    return OK if report.valid and not exported.contents.discrepancies else INVALID


def _export(export: RecordingExport, args: argparse.Namespace, *, tolerate: bool) -> Exported:
    present = [path for path in export.outputs() if path.exists()]
    if present and not args.force:
        raise NotEvidence(f"{present[0]} is there already: choose another --out, or --force to replace it")
    progress = Progress("exporting", args.file, least_bytes=1)
    try:
        args.out.mkdir(parents=True, exist_ok=True)
        return export.run(tolerate=tolerate, on_bytes=progress)
    except OSError as error:
        raise NotEvidence(f"cannot export {args.file} to {args.out}: {error.strerror}") from error
    finally:
        progress.finish()
