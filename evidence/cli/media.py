"""`media`: are the pictures in a video file those that a camera signed, whatever happened to the file around them?"""

from __future__ import annotations

import argparse
import datetime as dt
import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from evidence.cli.arguments import INVALID, OK, USAGE, Parser, Verbs, add_verb, complain, moment
from evidence.cli.terminal import Progress, plain, several
from evidence.media_verify import CertificateVerdict, GopVerdict, StreamVerdict, certificate_verdict
from evidence.statements import moment as utc_moment
from evidence.trust import Trust

_TEXT = """\
Check the signatures that the camera put into the picture itself (ONVIF Media Signing) in an exported MP4, in a copy of
it that another program remuxed without encoding (mp4, mkv, mov), or in a raw .h264 stream. No decryption key is needed.
Two verdicts, and both must hold: the pictures (each group is signed, altered, missing or unsigned), and the certificate
(whose key signed). Not judged here: sound, positions outside the signed claim, and whether the end was cut off; the
evidence file tells that (`verify`).
ffmpeg cannot copy MP4 captions into Matroska: add -c:s srt, or -sn. Needs PyAV: pip install 'firsthand[export]'."""


def add(verbs: Verbs[Parser]) -> None:
    """Declare the verb and its options."""
    parser = add_verb(
        verbs,
        "media",
        run,
        summary="check the signatures inside the pictures of any video file",
        text=_TEXT,
        example="media BC-0042-000017.mp4 --root root.pem --serial BC-0042",
    )
    parser.add_argument("file", type=Path, metavar="VIDEO", help="video file with H.264")
    parser.add_argument("--root", type=Path, required=True, metavar="PEM", help="the agency's root certificate")
    parser.add_argument(
        "--serial", metavar="SERIAL", help="the camera that must have signed (default: any of the root's)"
    )
    parser.add_argument(
        "--at", type=moment, metavar="TIME", help="judge certificates at this time (default: the time that was signed)"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON document instead of text")


def _signed_time(gops: Sequence[GopVerdict]) -> dt.datetime | None:
    """The camera's own UTC at the end of the last group whose signature holds."""
    for gop in reversed(gops):
        if gop.status == "signed" and gop.claim is not None:
            return dt.datetime(1970, 1, 1, tzinfo=dt.UTC) + dt.timedelta(microseconds=gop.claim.end_utc_ns // 1000)
    return None


def _runs(gops: Sequence[GopVerdict]) -> list[tuple[str, str, int, int, int]]:
    """Neighbouring groups with one status and reason, as (status, reason, groups, first picture, end picture)."""
    runs: list[tuple[str, str, int, int, int]] = []
    for gop in gops:
        end = gop.first_picture + gop.pictures
        if runs and runs[-1][:2] == (gop.status, gop.reason):
            status, reason, groups, first, _ = runs[-1]
            runs[-1] = (status, reason, groups + 1, first, end)
        else:
            runs.append((gop.status, gop.reason, 1, gop.first_picture, end))
    return runs


def _lines(path: Path, verdict: StreamVerdict, certificate: CertificateVerdict, broken: str | None) -> list[str]:
    pictures = "SIGNED" if verdict.all_signed and not broken else "NOT ALL SIGNED"
    if not any(gop.claim is not None for gop in verdict.gops):
        pictures = "NOT SIGNED"
    shown = [f"{plain(path)}: pictures {pictures}, certificate {'TRUSTED' if certificate.trusted else 'NOT TRUSTED'}"]
    counts = Counter(gop.status for gop in verdict.gops)
    told = ", ".join(f"{counts[one]} {one}" for one in ("signed", "altered", "missing", "unsigned") if counts[one])
    shown.append(f"  groups      {told or 'none'}")
    for status, reason, groups, first, end in _runs(verdict.gops):
        where = f"pictures {first} to {end - 1}" if end > first else f"before picture {first}"
        shown.append(f"  {status:11} {several(groups, 'group')}, {where}{': ' + plain(reason) if reason else ''}")
    if verdict.vendor is not None:
        shown.append(f"  camera      {plain(verdict.vendor.serial)}, by the words of the stream")
    claims = [gop.claim for gop in verdict.gops if gop.status == "signed" and gop.claim is not None]
    if claims:
        between = f"{utc_moment(claims[0].start_utc_ns)} to {utc_moment(claims[-1].end_utc_ns)}"
        shown.append(f"  when        {between} (the camera's clock, signed)")
        shown.append(f"  signed data {plain(claims[-1].arbitrary.decode('utf-8', 'replace')) or 'none'} (last group)")
    if not certificate.trusted:
        shown.append(f"  certificate {plain(certificate.reason)}")
    return shown + ([f"  finding     {plain(broken)}"] if broken else [])


def _group(gop: GopVerdict) -> dict[str, Any]:
    values: dict[str, Any] = {
        "status": gop.status,
        "reason": gop.reason,
        "first_picture": gop.first_picture,
        "pictures": gop.pictures,
    }
    if gop.claim is not None:
        values |= {
            "counter": gop.claim.counter,
            "start_utc": utc_moment(gop.claim.start_utc_ns),
            "end_utc": utc_moment(gop.claim.end_utc_ns),
            "signed_data": gop.claim.arbitrary.decode("utf-8", "replace"),
        }
    return values


def run(args: argparse.Namespace) -> int:
    """0 every group signed by a trusted camera, 1 anything else, 2 no video or unreadable, 64 wrong usage."""
    try:
        from evidence.export.media_file import judge_media
    except ModuleNotFoundError as error:
        if error.name != "av":
            raise
        complain("media needs PyAV, which is not installed: pip install 'firsthand[export]'")
        return USAGE
    trust = Trust.load(args.root)
    progress = Progress("checking", args.file)
    try:
        verdict, broken = judge_media(args.file, progress)
    finally:
        progress.finish()
    certificate = certificate_verdict(verdict, trust, args.serial, args.at or _signed_time(verdict.gops))
    good = verdict.all_signed and certificate.trusted and broken is None
    if args.json:
        document = {
            "exit_code": OK if good else INVALID,
            "name": args.file.name,
            "pictures": {"all_signed": verdict.all_signed and broken is None, "finding": broken},
            "certificate": msgspec.to_builtins(certificate),
            "simulated": trust.simulated,
            "vendor": msgspec.to_builtins(verdict.vendor) if verdict.vendor is not None else None,
            "groups": [_group(gop) for gop in verdict.gops],
        }
        print(json.dumps(document, indent=2))
    else:
        print("\n".join(_lines(args.file, verdict, certificate, broken)))
        if trust.simulated:
            print("  note        SIMULATED: judged under a simulated root, not evidence")
    return OK if good else INVALID
