"""``firsthand-fleet deb``: the Debian packages of cameras and stations."""

from __future__ import annotations

import argparse
from pathlib import Path

from evidence.usage import UsageParser
from fleet import installed_release


def add_to(verbs: argparse._SubParsersAction[UsageParser]) -> None:
    """Declare the verb."""
    deb = verbs.add_parser(
        "deb",
        help="in a checkout: make the Debian packages firsthand and firsthand-station",
        description="Makes packages with all libraries that Debian does not bring, for another machine's Python and "
        "processor. The same checkout and libraries give the same bytes (SOURCE_DATE_EPOCH, else the last commit).",
    )
    deb.add_argument("--suite", default="trixie", help="Debian suite of the camera (default %(default)s)")
    deb.add_argument("--arch", choices=("amd64", "arm64"), default="arm64", help="default %(default)s")
    deb.add_argument("--out", type=Path, default=Path("build"), metavar="DIR", help="default %(default)s")
    deb.add_argument("--camera-only", action="store_true", help="leave firsthand-station out")
    installed_release.add_options(deb)
    deb.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    from fleet.deb_contents import build_packages

    made = build_packages(
        arguments.out,
        suite=arguments.suite,
        arch=arguments.arch,
        station=not arguments.camera_only,
        release=installed_release.given(arguments),
        say=print,
    )
    for path in made:
        print(f"{path}  {path.stat().st_size / 1e6:.1f} MB")
    return 0
