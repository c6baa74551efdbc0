"""The receiver's own points as a small map: lines, north arrow, scale bar; no tiles, no network. Pure.

Projected as a plane around the middle of the track (WGS 84 mean radii), which is exact enough for what a drawing shows.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

from evidence.export.contents import Place
from evidence.export.gpx import decimal
from evidence.export.markup import Markup, tag

_WIDTH: Final = 720
_HEIGHT: Final = 340
_EDGE: Final = 42
_EARTH_M: Final = 6_371_008.8
_LEAST_SPAN_M: Final = 20.0
"""A camera that stood still is drawn at this scale, so that the receiver's noise does not look like a journey."""


def degrees(place: Place) -> str:
    """A position in words."""
    north, east = ("N" if place.latitude_nd >= 0 else "S"), ("E" if place.longitude_nd >= 0 else "W")
    return f"{decimal(abs(place.latitude_nd), 9)[:-3]}° {north}, {decimal(abs(place.longitude_nd), 9)[:-3]}° {east}"


class _Plane:
    def __init__(self, places: Sequence[Place]) -> None:
        lats, lons = [one.latitude_nd for one in places], [one.longitude_nd for one in places]
        self._lat, self._lon = (min(lats) + max(lats)) / 2, (min(lons) + max(lons)) / 2
        self._squeeze = math.cos(math.radians(self._lat / 1e9))
        height = self._metres(max(lats) - min(lats))
        width = self._metres(max(lons) - min(lons)) * self._squeeze
        room = ((_WIDTH - 2 * _EDGE) / max(width, _LEAST_SPAN_M), (_HEIGHT - 2 * _EDGE) / max(height, _LEAST_SPAN_M))
        self.pixels_per_m = min(room)

    @staticmethod
    def _metres(nanodegrees: float) -> float:
        return math.radians(nanodegrees / 1e9) * _EARTH_M

    def xy(self, place: Place) -> tuple[float, float]:
        east = self._metres(place.longitude_nd - self._lon) * self._squeeze
        north = self._metres(place.latitude_nd - self._lat)
        return (
            round(_WIDTH / 2 + east * self.pixels_per_m, 1),
            round(_HEIGHT / 2 - north * self.pixels_per_m, 1),
        )


def _scale_bar(plane: _Plane) -> Markup:
    wanted = 130 / plane.pixels_per_m
    unit = 10 ** math.floor(math.log10(wanted))
    metres = max(step * unit for step in (1, 2, 5) if step * unit <= wanted)
    length, y = round(metres * plane.pixels_per_m, 1), _HEIGHT - 16
    text = f"{metres / 1000:g} km" if metres >= 1000 else f"{metres:g} m"
    return tag(
        "g",
        tag("path", d=f"M14 {y - 5}V{y}H{14 + length}V{y - 5}", fill="none", stroke="#222", stroke_width=1.5),
        tag("text", text, x=14 + length / 2, y=y - 6, text_anchor="middle", font_size=11),
    )


def _north() -> Markup:
    x, y = _WIDTH - 26, 14
    return tag(
        "g",
        tag("path", d=f"M{x} {y}L{x + 7} {y + 24}L{x} {y + 18}L{x - 7} {y + 24}Z", fill="#222"),
        tag("text", "N", x=x, y=y + 38, text_anchor="middle", font_size=13, font_weight=700),
    )


def _dot(xy: tuple[float, float], text: str, colour: str, below: bool) -> Markup:
    x, y = xy
    anchor = "start" if x < _WIDTH * 0.7 else "end"
    return tag(
        "g",
        tag("circle", cx=x, cy=y, r=5, fill=colour, stroke="white"),
        tag("text", text, x=x + (8 if anchor == "start" else -8), y=y + (16 if below else -8), text_anchor=anchor,
            font_size=12, font_weight=700, fill=colour),
    )  # fmt: skip


def track_map(pieces: Sequence[Sequence[Place]]) -> Markup | None:
    """The drawing, or None without a point. A point nearer than half a pixel to the one before is not drawn."""
    places = [one for piece in pieces for one in piece]
    if not places:
        return None
    plane = _Plane(places)
    drawn: list[Markup] = [
        tag("rect", x=0.5, y=0.5, width=_WIDTH - 1, height=_HEIGHT - 1, fill="#fafaf7", stroke="#bbb")
    ]
    for piece in pieces:
        line: list[tuple[float, float]] = []
        for place in piece:
            xy = plane.xy(place)
            if not line or math.dist(xy, line[-1]) >= 0.5:
                line.append(xy)
        if line:
            path = "M" + "L".join(f"{x} {y}" for x, y in line)
            drawn.append(tag("path", d=path, fill="none", stroke="#1d4f91", stroke_width=2, stroke_linejoin="round"))
        if len(line) <= 200:
            drawn += [tag("circle", cx=x, cy=y, r=2, fill="#1d4f91") for x, y in line]
    drawn += [
        _dot(plane.xy(places[0]), "first point", "#1a6b2f", below=False),
        _dot(plane.xy(places[-1]), "last point", "#a3160f", below=True),
        _north(),
        _scale_bar(plane),
    ]
    label = "Track of the camera as the satellite receiver reported it"
    return tag("svg", *drawn, viewBox=f"0 0 {_WIDTH} {_HEIGHT}", role="img", aria_label=label, class_="map",
               font_family="sans-serif")  # fmt: skip
