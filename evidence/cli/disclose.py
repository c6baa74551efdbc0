"""`disclose`: chosen parts of a recording in the clear, verifiable by anyone against the camera's signatures."""

from __future__ import annotations

import argparse
import datetime as dt
from pathlib import Path

from evidence.cli.arguments import INVALID, OK, USAGE, Parser, Verbs, add_verb, complain
from evidence.cli.terminal import plain, several
from evidence.cli.vault import add_vault_options, opened_vault
from evidence.disclosure import Proof, Selection, parse_items, parse_time
from evidence.disclosure_package import Verdict, open_package, verify_package, write_package
from evidence.disclosure_page import media_zero_ns, ranges
from evidence.errors import BadSelection
from evidence.trust import Trust

_TEXT = """\
Write chosen objects of an evidence file, decrypted, with all of the camera's signed statements into a package: a new
directory, or a file ending in .zip. Whoever gets it can check with `verify PACKAGE --root root.pem`, or with openssl
alone (the package's README.html says how), that picture, sound, position and labels are what the camera recorded, and
sees which parts were left out. No key that opens anything else is given away.
Items are numbered as `inspect` shows them. With --from and --to all fragments that touch that time are taken, whole;
times count from the beginning of the recording's picture. Metadata (officer, labels, the whole GPS track) is disclosed
only by its number. `init` goes along with any picture."""


def add(verbs: Verbs[Parser]) -> None:
    """Declare the verb and its options."""
    parser = add_verb(
        verbs,
        "disclose",
        run,
        summary="disclose parts of a file so that anyone can verify them",
        text=_TEXT,
        example="disclose BC-0042-000017.evidence --root root.pem --vault-cert vault.pem --vault-key vault.key \\\n"
        "    --from 00:00:10 --to 00:00:40 --objects 9 --out case-12-part/",
    )
    parser.add_argument("file", type=Path, metavar="FILE", help="evidence file")
    parser.add_argument("--root", type=Path, required=True, metavar="PEM", help="the agency's root certificate")
    add_vault_options(parser, required=True)
    parser.add_argument("--objects", type=_items, default=(), metavar="LIST", help="item numbers, such as 4,6,10-20")
    parser.add_argument("--from", type=_time, dest="begin", metavar="TIME", help="disclose the picture from this time")
    parser.add_argument("--to", type=_time, dest="end", metavar="TIME", help="disclose the picture up to this time")
    parser.add_argument("--out", type=Path, required=True, metavar="PACKAGE", help="a new directory, or NAME.zip")


def _items(text: str) -> tuple[range, ...]:
    try:
        return parse_items(text)
    except BadSelection as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _time(text: str) -> int:
    try:
        return parse_time(text)
    except BadSelection as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def lines(path: Path, verdict: Verdict, trust: Trust) -> list[str]:
    """What a person reads about a package."""
    headline = "NOT VALID" if not verdict.valid else "VALID (simulated, not evidence)" if trust.simulated else "VALID"
    shown = [f"{plain(path)}: disclosure, {headline}"]
    proof, manifest = verdict.proof, verdict.manifest
    if proof is not None and proof.chain.opened is not None:
        opened = proof.chain.opened
        shown.append(f"  camera     {opened.serial}, {opened.stream} {opened.number}, key level {opened.key_level}")
    if manifest is not None:
        zero_ns = media_zero_ns(manifest)
        media = [one.media for one in manifest.disclosed if one.media is not None]
        proven = [
            several(sum(one.frames for one in media), "frame"),
            several(sum(one.sound_frames for one in media), "sound frame"),
            several(sum(one.gps_fixes for one in media), "GPS fix", "GPS fixes"),
            several(sum(one.object == "metadata" for one in manifest.disclosed), "metadata object"),
        ]
        shown.append(f"  statements {manifest.statements}, all there, signed and chained from open to close")
        shown.append(f"  {'proven' if verdict.valid else 'claimed'}     {', '.join(proven)}")
        shown += [f"  disclosed  {one}" for one in ranges(manifest.disclosed, zero_ns)]
        shown += [f"  omitted    {one}" for one in ranges(manifest.omitted, zero_ns)]
    shown += [f"  finding    {plain(one)}" for one in verdict.findings]
    return shown


def values(path: Path, verdict: Verdict) -> dict[str, object]:
    """The same for a machine."""
    manifest, proof = verdict.manifest, verdict.proof
    level = None
    if proof is not None and proof.chain.opened is not None:
        level = proof.chain.opened.key_level
    return {
        "path": str(path),
        "name": path.name,
        "kind": "disclosure",
        "verdict": "valid" if verdict.valid else "not_valid",
        "findings": verdict.findings,
        "key_level": level,
        "file": manifest.file if manifest is not None else None,
        "disclosed": [one.item for one in manifest.disclosed] if manifest is not None else [],
        "omitted": [one.item for one in manifest.omitted] if manifest is not None else [],
    }


def run(args: argparse.Namespace) -> int:
    """0 disclosed, 1 the file is not valid, 2 unreadable or not writable, 64 wrong usage."""
    if not args.objects and args.begin is None and args.end is None:
        complain("say what to disclose: --objects LIST, or --from and --to")
        return USAGE
    trust = Trust.load(args.root)
    selection = Selection(args.objects, args.begin, args.end)
    now = dt.datetime.now(dt.UTC)
    try:
        with opened_vault(args, "disclose") as vault:
            assert vault is not None  # its options are required
            write_package(args.file, args.out, vault, selection, Proof(trust, now))
    except BadSelection as error:
        complain(str(error))
        return USAGE
    verdict = verify_package(open_package(args.out), trust, now=now)  # what is given away was checked as given away
    print("\n".join(lines(args.out, verdict, trust)))
    return OK if verdict.valid else INVALID
