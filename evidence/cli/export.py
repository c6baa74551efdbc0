"""`export`: one MP4 that any player opens, a GPX track and a report, out of one verified evidence file."""

from __future__ import annotations

import argparse
import datetime as dt
from pathlib import Path
from typing import TYPE_CHECKING

from evidence import cms
from evidence.cli.arguments import INVALID, OK, USAGE, Parser, Verbs, add_verb, complain
from evidence.cli.terminal import Progress, plain, several, size
from evidence.cli.vault import add_vault_options, opened_vault
from evidence.cli.verify import exit_code, lines, read_through
from evidence.durable import replace
from evidence.errors import BadKey, NotEvidence
from evidence.export.decrypt import Vault
from evidence.keys import FileSigner
from evidence.roles import role_of
from evidence.trust import Trust
from evidence.verify import Report

if TYPE_CHECKING:  # PyAV is loaded only when something is exported
    from evidence.export.recording import Exported, RecordingExport

_TEXT = """\
Verify an evidence file, decrypt it with the vault's key, check every part against what the camera signed, and write
  NAME.mp4   video, sound if any was recorded, and the GPS track; nothing is encoded again
  NAME.gpx   the GPS receiver's own points, nothing interpolated
  NAME.json  a report: verdict, camera, sources, triggers, statements, SHA-256 of the outputs
  NAME.json.p7s  the report signed by the export desk, with --sign-cert and --sign-key
A file that does not verify is exported only with --force, and every output then says NOT-VALID in its name.
Needs PyAV: pip install 'firsthand[export]'."""


def add(verbs: Verbs[Parser]) -> None:
    """Declare the verb and its options."""
    parser = add_verb(
        verbs,
        "export",
        run,
        summary="decrypt into one MP4, a GPX track and a report",
        text=_TEXT,
        example="export BC-0042-000017.evidence --root root.pem --vault-cert vault.pem --vault-key vault.key \\\n"
        "    --out case-12/",
    )
    parser.add_argument("file", type=Path, metavar="FILE", help="evidence file")
    parser.add_argument("--root", type=Path, required=True, metavar="PEM", help="the agency's root certificate")
    add_vault_options(parser, required=True)
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="where the outputs go")
    parser.add_argument("--sign-cert", type=Path, metavar="PEM", help="certificate chain of the export desk")
    parser.add_argument("--sign-key", type=Path, metavar="PEM", help="private key of the export desk")
    parser.add_argument("--force", action="store_true", help="replace outputs, and export what does not verify")


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
    for path in (*exported.paths, *signed):
        print(f"  wrote      {plain(path)} ({size(path.stat().st_size)})")
    for one in contents.discrepancies:
        complain(plain(one))
    if not report.valid:
        complain("exported although the file is not valid: every output is labelled")


def run(args: argparse.Namespace) -> int:
    """0 exported, 1 not valid (with --force: exported and labelled), 2 unreadable or not writable, 64 wrong usage."""
    try:
        from evidence.export.recording import RecordingExport
    except ModuleNotFoundError as error:
        if error.name != "av":
            raise
        complain("export needs PyAV, which is not installed: pip install 'firsthand[export]'")
        return USAGE
    trust = Trust.load(args.root)
    signer = _signer(args, trust)
    with opened_vault(args, "export") as vault:
        assert vault is not None  # its options are required
        return _run(args, trust, vault, signer, RecordingExport)


def _run(
    args: argparse.Namespace, trust: Trust, vault: Vault, signer: FileSigner | None, kind: type[RecordingExport]
) -> int:
    verifier, report = read_through(args.file, trust, None)
    print("\n".join(lines(args.file, report, verifier)), flush=True)
    if report.opened is None:
        return exit_code(report)
    if not report.valid and not args.force:
        complain("not exported, since the file is not valid: --force exports and labels what can be read")
        return INVALID
    vault.check_recipient(report.opened)
    export = kind(args.file, verifier, report, trust, vault, args.out)
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
