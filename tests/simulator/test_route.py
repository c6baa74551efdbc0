"""Routes: drawn, out of a GPX file, or the blocks that are always there; driven as a car drives."""

from __future__ import annotations

import itertools
import math
from pathlib import Path

import pytest

from simulator.cli import main
from simulator.gpx import MOST_BYTES, parse_gpx, read_gpx
from simulator.route import BLOCKS, CORNER_M_S, Drive, Place, Route, RouteRefused, Waypoint, drawn_route

HEAD = '<?xml version="1.0"?><gpx version="1.1" xmlns="http://www.topografix.com/GPX/1/1">'
TRACK = HEAD + (
    "<trk><trkseg>"
    '<trkpt lat="41.5000" lon="-72.8000"><ele>50</ele><time>2026-05-01T12:00:00Z</time></trkpt>'
    '<trkpt lat="41.5010" lon="-72.8000"><ele>60</ele><time>2026-05-01T12:00:10Z</time></trkpt>'
    '<trkpt lat="41.50101" lon="-72.8000"><ele>60</ele><time>2026-05-01T12:01:00Z</time></trkpt>'
    '<trkpt lat="41.5010" lon="-72.7980"><ele>70</ele><time>2026-05-01T12:01:20Z</time></trkpt>'
    "</trkseg></trk></gpx>"
)


def driven(route: Route, seconds: int, kmh: float | None = None) -> list[Place]:
    drive, places = Drive(route), []
    for _ in range(seconds):
        places.append(drive.place(kmh))
        drive.go(1.0, kmh)
    return places


def apart_m(one: Place, other: Place) -> float:
    east = (other.longitude - one.longitude) * math.cos(math.radians(one.latitude))
    return math.hypot(other.latitude - one.latitude, east) * 111_195


def test_a_drive_goes_as_far_as_its_speed_says_and_slows_down_at_corners() -> None:
    places = driven(BLOCKS, 900)
    for one, other in itertools.pairwise(places):
        assert apart_m(one, other) < max(one.speed_m_s, other.speed_m_s) + 1.7
    speeds = [one.speed_m_s for one in places]
    assert min(speeds) < CORNER_M_S + 1.5
    assert max(speeds) == pytest.approx(11)
    assert apart_m(places[0], places[899]) < BLOCKS.length_m, "round and round"


def test_at_a_given_speed_it_neither_slows_down_nor_waits() -> None:
    route = drawn_route([{"lat": 41.5, "lon": -72.8, "wait_s": 60}, {"lat": 41.6, "lon": -72.8}])
    assert [one.speed_m_s for one in driven(route, 5)] == [0.0] * 5
    places = driven(route, 20, kmh=144)
    assert apart_m(places[0], places[19]) == pytest.approx(19 * 40, rel=0.01)


def test_a_drawn_route_has_speeds_and_stops_and_an_end() -> None:
    route = drawn_route(
        [
            {"lat": 41.5, "lon": -72.8, "kmh": 50},
            {"lat": 41.503, "lon": -72.8, "wait_s": 20, "kmh": 20},
            {"lat": 41.503, "lon": -72.797},
        ]
    )
    places = driven(route, 200)
    moving = [one.speed_m_s for one in places]
    assert max(moving) == pytest.approx(50 / 3.6, abs=0.5)
    stop = next(second for second, speed in enumerate(moving[5:], 5) if speed == 0)
    assert sum(speed == 0 for speed in moving[stop : stop + 30]) == pytest.approx(20, abs=1)
    assert (places[-1].latitude, places[-1].longitude, places[-1].speed_m_s) == (41.503, -72.797, 0.0)
    assert max(moving[stop + 25 :]) == pytest.approx(20 / 3.6, abs=0.2)


def test_stops_of_a_round_are_kept_every_time() -> None:
    square = [{"lat": 41.5, "lon": -72.8, "wait_s": 5}, {"lat": 41.501, "lon": -72.8}, {"lat": 41.501, "lon": -72.799}]
    speeds = [one.speed_m_s for one in driven(drawn_route(square, loop=True), 300)]
    stops = [len(list(group)) for standing, group in itertools.groupby(speeds, lambda speed: speed == 0) if standing]
    assert len(stops) >= 4
    assert all(abs(stop - 5) <= 1 for stop in stops[:-1])


def test_a_place_alone_is_a_route_that_stays_there() -> None:
    assert {one.speed_m_s for one in driven(Route((Waypoint(lat=1, lon=2),), loop=True), 5)} == {0.0}


@pytest.mark.parametrize(
    ("values", "why"),
    [
        ([], "at least one point"),
        ([{"lat": 91, "lon": 0}], "<= 89"),
        ([{"lat": 1, "lon": 0, "speed": 3}], "speed"),
        ("there", "list of points"),
        ([{"lat": "1", "lon": 0}], "float"),
    ],
)
def test_a_drawing_that_is_no_route_is_refused_in_one_sentence(values: object, why: str) -> None:
    with pytest.raises(RouteRefused, match=why):
        drawn_route(values)


def test_a_recorded_track_is_driven_as_fast_as_it_was_with_its_stops_and_heights(tmp_path: Path) -> None:
    file = tmp_path / "track.gpx"
    file.write_text(TRACK)
    route = read_gpx(file)
    places = driven(route, 130)
    first_leg = places[6].speed_m_s
    assert first_leg == pytest.approx(11.1, abs=1.5)
    standing = [second for second, one in enumerate(places[:78]) if one.speed_m_s == 0 and second > 5]
    assert 45 <= len(standing) <= 55, "fifty seconds at the second point"
    assert places[0].altitude_m == 50
    assert places[-1].longitude == -72.798


def test_without_a_track_the_route_counts_and_without_one_the_waypoints() -> None:
    points = '<{0} lat="41.5" lon="-72.8"/><{0} lat="41.6" lon="-72.8"/>'
    assert len(parse_gpx((HEAD + points.format("wpt") + "</gpx>").encode()).points) == 2
    both = HEAD + points.format("wpt") + "<rte>" + points.format("rtept") * 2 + "</rte></gpx>"
    assert len(parse_gpx(both.encode()).points) == 4


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("<html/>", "is no GPX file"),
        ("<gpx", "not well-formed XML"),
        (HEAD + "</gpx>", "holds no track"),
        (HEAD + '<wpt lat="x" lon="1"/></gpx>', "is not a number from -89 to 89"),
        (HEAD + '<wpt lat="nan" lon="1"/></gpx>', "is not a number"),
        (HEAD + '<wpt lon="1"/></gpx>', "a point without lat"),
        (HEAD + '<wpt lat="1" lon="1"><time>noon</time></wpt></gpx>', "time 'noon' is none"),
        (HEAD + "<a>" * 20 + "</a>" * 20 + "</gpx>", "nested deeper"),
        ('<!DOCTYPE gpx [<!ENTITY a "b">]><gpx/>', "declares a document type"),
        ('<!DOCTYPE gpx SYSTEM "file:///etc/passwd"><gpx/>', "declares a document type"),
        (TRACK.replace("12:01:20", "11:01:20"), "times go back"),
    ],
)
def test_a_file_that_is_no_route_is_refused_in_one_sentence(text: str, why: str) -> None:
    with pytest.raises(RouteRefused, match=why) as refused:
        parse_gpx(text.encode(), "car.gpx")
    assert str(refused.value).startswith("car.gpx: ")
    assert "\n" not in str(refused.value)


def test_too_large_a_file_is_refused_before_it_is_read() -> None:
    with pytest.raises(RouteRefused, match="8 MiB"):
        parse_gpx(b" " * (MOST_BYTES + 1))


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["--route", "nowhere.gpx"], "--route nowhere.gpx cannot be played: No such file"),
        (["--route", "bad.gpx"], "bad.gpx: begins with <html> and is no GPX file"),
        (["--route", "bad.gpx", "--nmea", "bad.gpx"], "give one of them"),
    ],
)
def test_a_shift_refuses_a_route_that_is_none_before_it_starts_anything(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    why: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("bad.gpx").write_text("<html/>")
    assert main(["shift", "quick", "--out", "out", *arguments]) == 64
    assert why in capsys.readouterr().err
    assert not Path("out").exists()
