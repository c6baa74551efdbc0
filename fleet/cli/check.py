"""``firsthand-fleet check``: the extended test of a camera, and its report in the files."""

from __future__ import annotations

import argparse
import datetime as dt
from pathlib import Path

from evidence import durable
from evidence.statements import encode_canonical, moment
from evidence.usage import UsageParser
from fleet.assets import AssetLog, Checked
from fleet.camera_check import CheckReport, ask_status, reach, run_test
from fleet.check_page import MEANING, page, wrong
from fleet.cli.flash import technician_of
from fleet.errors import CheckFailed

BLOCKED = 2


def add_to(verbs: argparse._SubParsersAction[UsageParser]) -> None:
    """Declare the verb."""
    check = verbs.add_parser(
        "check",
        help="run a camera's extended test, and file the report",
        description="Runs the camera's extended self-test (it asks for each button, line and lamp, and the emergency "
        "button really starts a recording), writes the report as JSON and as a page into a directory, and enters it "
        f"into the asset log. Exit code: 0 ready, {BLOCKED} do not hand this camera out, 1 it could not be tested.",
        epilog="Example: firsthand-fleet check ssh:technician@192.0.2.42 --identity technician --serial CAM-0042 "
        "--assets ca/assets.jsonl",
    )
    check.add_argument("camera", metavar="CAMERA", help="local, the path of its socket, or ssh:USER@HOST")
    check.add_argument("--assets", type=Path, required=True, metavar="FILE", help="the asset log of `flash`")
    check.add_argument("--serial", help="what stands on its label: another camera is refused")
    check.add_argument("--technician", metavar="NAME", help="who inspects (default: the user's name)")
    check.add_argument("--identity", type=Path, metavar="KEY", help="ssh: your key, its certificate beside it")
    check.add_argument("--reports", type=Path, metavar="DIR", help="default: `reports` beside the asset log")
    check.set_defaults(run=_check)


def _check(arguments: argparse.Namespace) -> int:
    technician = technician_of(arguments.technician)
    log = AssetLog(arguments.assets)
    log.read()  # a log that cannot be used is told before the camera is tested for minutes
    reached = reach(arguments.camera, arguments.identity)
    status = ask_status(reached)
    if arguments.serial is not None and status.serial != arguments.serial:
        raise CheckFailed(f"this is {status.serial}, and the label says {arguments.serial}: is it the right camera?")
    if status.recording is not None:
        raise CheckFailed(f"{status.serial} is recording {status.recording}: stop it first, then check again")
    print(f"{status.serial}, {status.model}, firmware {status.firmware}: press and look as you are asked", flush=True)
    done, rows = run_test(reached, technician)
    at = moment(int(dt.datetime.now(dt.UTC).timestamp() * 1e6) * 1000)
    report = CheckReport(
        v=1,
        at=at,
        technician=technician,
        camera=arguments.camera[:128],
        serial=status.serial,
        model=status.model,
        firmware=status.firmware,
        profile_version=status.profile_version,
        battery_percent=status.battery_percent,
        free_bytes=status.free_bytes,
        verdict=done.verdict,
        rows=rows,
    )
    filed = _file(report, arguments.reports or arguments.assets.parent / "reports")
    name = filed.name
    log.add(
        Checked(
            v=1,
            at=at,
            serial=status.serial,
            verdict=done.verdict,
            firmware=status.firmware,
            technician=technician,
            report=name,
        )
    )
    for row in wrong(report):
        print(f"{row.result:<5} {row.name.replace('_', ' ')}: {row.value}. {row.advice}")
    print(f"{report.verdict.upper()}: {MEANING[report.verdict]}")
    print(f"filed as {filed} and {filed.with_suffix('.html').name}")
    return BLOCKED if report.verdict == "block" else 0


def _file(report: CheckReport, directory: Path) -> Path:
    """The report's JSON; the page lies beside it. Raises OSError."""
    durable.make_directory(directory)
    stem = f"{report.serial}-{report.at[:19].replace('-', '').replace(':', '')}Z"
    path = directory / f"{stem}.json"
    durable.write_new(path, encode_canonical(report), mode=0o640)
    durable.write_new(path.with_suffix(".html"), page(report).encode(), mode=0o640)
    return path
