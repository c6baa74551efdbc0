"""GPX 1.1 of the receiver's own points (https://www.topografix.com/GPX/1/1/): nothing interpolated, nothing smoothed.

A sample without a fix, or a hole in the recording, ends the track segment, so that no program draws a line across it.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import TextIO
from xml.sax.saxutils import escape

from evidence.gpmf import GpsPoint

_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


def decimal(value: int, digits: int) -> str:
    """`value` / 10**digits, exactly, without floating point."""
    whole, rest = divmod(abs(value), 10**digits)
    return f"{'-' if value < 0 else ''}{whole}.{rest:0{digits}d}"


def _utc(utc_ns: int) -> str:
    seconds, rest = divmod(utc_ns, 10**9)
    return f"{_EPOCH + dt.timedelta(seconds=seconds):%Y-%m-%dT%H:%M:%S}.{rest // 10**6:03d}Z"


def point(fix: GpsPoint) -> str:
    """One `trkpt`: degrees with nine decimals; what the receiver did not report is left out."""
    inside = []
    if fix.altitude_mm is not None:
        inside.append(f"<ele>{decimal(fix.altitude_mm, 3)}</ele>")
    if fix.utc_ns is not None:
        inside.append(f"<time>{_utc(fix.utc_ns)}</time>")
    if fix.dimensions in (2, 3):
        inside.append(f"<fix>{fix.dimensions}d</fix>")
    if fix.satellites is not None:
        inside.append(f"<sat>{fix.satellites}</sat>")
    if fix.hdop_centi is not None:
        inside.append(f"<hdop>{decimal(fix.hdop_centi, 2)}</hdop>")
    position = f'lat="{decimal(fix.latitude_nd, 9)}" lon="{decimal(fix.longitude_nd, 9)}"'
    return f"<trkpt {position}>{''.join(inside)}</trkpt>"


class GpxTrack:
    """Writes one GPX document with one track, point by point, to an open text file."""

    def __init__(self, file: TextIO, name: str, description: str) -> None:
        self._file = file
        self._in_segment = False
        self.points = 0
        file.write(
            '<?xml version="1.0" encoding="UTF-8"?>\n'
            '<gpx version="1.1" creator="firsthand-evidence" xmlns="http://www.topografix.com/GPX/1/1">\n'
            f"<metadata><name>{escape(name)}</name><desc>{escape(description)}</desc></metadata>\n"
            f"<trk><name>{escape(name)}</name>\n"
        )

    def add(self, fixes: Sequence[GpsPoint]) -> None:
        """The points of one GPS sample; none of them means that there was no fix."""
        if not fixes:
            self.interrupt()
            return
        if not self._in_segment:
            self._file.write("<trkseg>\n")
            self._in_segment = True
        for fix in fixes:
            self._file.write(point(fix) + "\n")
        self.points += len(fixes)

    def interrupt(self) -> None:
        """End the segment: what comes next is not joined to what was before."""
        if self._in_segment:
            self._file.write("</trkseg>\n")
        self._in_segment = False

    def finish(self) -> None:
        """Write the end of the document."""
        self.interrupt()
        self._file.write("</trk>\n</gpx>\n")
