"""The GPS and battery feeds look to the camera as the real things do."""

from __future__ import annotations

import itertools
import os
import queue
import select
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pynmeagps
import pytest
import serial

from hal.battery_power_supply import PowerSupplyBattery
from hal.errors import BatteryLost
from hal.gps import GpsEpoch
from hal.gps_serial import NmeaSerialReceiver
from simulator.battery_feed import BatteryFeed
from simulator.gps_feed import GpsFeed
from simulator.nmea import sentence
from simulator.receiver import RouteReceiver
from simulator.receiver_log import log_epochs

WAIT_S = 120
NOON_NS = int(datetime(2026, 11, 22, 12, 0, 0, tzinfo=UTC).timestamp()) * 1_000_000_000


def parsed(line: str) -> pynmeagps.NMEAMessage:
    return pynmeagps.NMEAReader.parse(f"{line}\r\n".encode(), validate=pynmeagps.VALCKSUM)


def positions(receiver: RouteReceiver, seconds: int) -> list[tuple[float, float]]:
    fixes = [parsed(receiver.epoch(NOON_NS + second * 1_000_000_000)[0]) for second in range(seconds)]
    return [(fix.lat, fix.lon) for fix in fixes]


def test_a_known_checksum() -> None:
    assert sentence("GPGLL,5300.97914,N,00259.98174,E,125926,A") == "$GPGLL,5300.97914,N,00259.98174,E,125926,A*28"


def test_every_sentence_of_the_drive_checks_and_tells_the_time() -> None:
    receiver = RouteReceiver()
    for second in range(400):
        lines = receiver.epoch(NOON_NS + second * 1_000_000_000)
        rmc, gga, *rest = [parsed(line) for line in lines]
        assert [message.msgID for message in (rmc, gga, *rest)] == ["RMC", "GGA", "GSA", "GSV", "GSV", "GSV"]
        moment = datetime.combine(rmc.date, rmc.time, UTC)
        assert moment.timestamp() == NOON_NS / 1e9 + second
        assert (rmc.status, gga.quality, gga.numSV) == ("A", 1, 10)
        assert 6 < rmc.spd < 22
        assert all(len(line) <= 80 for line in lines)


def test_the_drive_moves_as_fast_as_it_says() -> None:
    track = positions(RouteReceiver(), 600)
    steps_m = [
        ((late[0] - early[0]) ** 2 + ((late[1] - early[1]) * 0.7485) ** 2) ** 0.5 * 111_195
        for early, late in itertools.pairwise(track)
    ]
    assert max(steps_m) < 12
    assert max(abs(lat - 41.5382) for lat, _ in track) < 0.01


def test_a_lost_fix_is_void_and_never_a_position() -> None:
    receiver = RouteReceiver()
    receiver.epoch(NOON_NS)
    receiver.has_fix = False
    rmc, gga = (parsed(line) for line in receiver.epoch(NOON_NS)[:2])
    assert (rmc.status, rmc.lat, gga.quality, gga.lat) == ("V", "", 0, "")
    receiver.has_fix = True
    assert parsed(receiver.epoch(NOON_NS)[0]).status == "A"


def test_a_stale_fix_repeats_itself_and_a_teleport_jumps() -> None:
    receiver = RouteReceiver()
    before = receiver.epoch(NOON_NS)
    receiver.frozen = True
    assert receiver.epoch(NOON_NS + 5_000_000_000) == before
    receiver.frozen = False
    receiver.teleport(5000.0, 0.0)
    assert parsed(receiver.epoch(NOON_NS)[0]).lat - parsed(before[0]).lat == pytest.approx(5000 / 111_195, abs=0.001)


def test_a_log_is_cut_by_its_own_time() -> None:
    log = "\n".join(
        [
            "# a comment",
            "$GPRMC,235958.00,A*00",
            "$GPGGA,235958.00,1*00",
            "$GPRMC,235959.50,A*00",
            "$GPGSV,1*00",
            "$GPRMC,000000.00,A*00",
            "$GPRMC,000100.00,A*00",
            "$GPRMC,000059.00,A*00",
        ]
    )
    epochs = log_epochs(log)
    assert [pause_s for _, pause_s in epochs] == [1.5, 0.5, 1.0, 1.0, 1.0]
    assert [line for lines, _ in epochs for line in lines] == log.splitlines()[1:]


@pytest.mark.parametrize(("name", "cut_short"), [("neo-m8n.log", 3), ("ublox-8.log", 1), ("bu353s4.log", 0)])
def test_a_real_receivers_log_is_kept_to_the_letter_but_for_an_epoch_cut_short_by_its_end(
    shared_data: Callable[[str], Path], name: str, cut_short: int
) -> None:
    text = shared_data(name).read_text(encoding="ascii", errors="replace")
    epochs = log_epochs(text)
    sentences = [line for line in text.splitlines() if line and not line.startswith("#")]
    assert [line for lines, _ in epochs for line in lines] == sentences[: len(sentences) - cut_short]
    assert len(epochs) > 10
    assert all(0 < pause_s <= 10 for _, pause_s in epochs)


def test_the_camera_reads_the_feed_through_pyserial() -> None:
    feed = GpsFeed()
    with serial.Serial(feed.port, 9600, timeout=WAIT_S) as port:
        feed.start()
        lines = [port.readline() for _ in range(6)]
    feed.stop()
    feed.stop()
    assert all(line.endswith(b"\r\n") for line in lines)
    assert parsed(lines[0].decode().strip()).msgID == "RMC"


def test_the_cameras_own_receiver_gets_a_fix_and_loses_it() -> None:
    feed = GpsFeed()
    epochs: queue.Queue[GpsEpoch] = queue.Queue()
    receiver = NmeaSerialReceiver(port=feed.port)
    receiver.start(epochs.put, lambda _sentence: None)
    feed.start()
    while not (epoch := epochs.get(timeout=WAIT_S)).fix:
        pass  # what came before the port was opened is lost, and with it a part of that second
    feed.lose_fix()
    assert epoch.latitude_nd == pytest.approx(41_538_200_000, abs=10_000_000)
    while epochs.get(timeout=WAIT_S).fix:
        pass
    receiver.stop()
    feed.stop()


def test_a_log_is_played_unaltered(tmp_path: Path) -> None:
    log = tmp_path / "short.log"
    log.write_text("# comment\n$GPGGA,120000.00,,,,,0,00,99.99,,,,,,*66\n$GPTXT,wrong checksum*00\n")
    feed = GpsFeed(nmea=log)
    with serial.Serial(feed.port, 9600, timeout=WAIT_S) as port:
        feed.start()
        assert port.readline() == b"$GPGGA,120000.00,,,,,0,00,99.99,,,,,,*66\r\n"
        assert port.readline() == b"$GPTXT,wrong checksum*00\r\n"
    feed.stop()


def test_an_empty_log_is_refused(tmp_path: Path) -> None:
    log = tmp_path / "empty.log"
    log.write_text("# only a comment\n")
    with pytest.raises(ValueError, match="no NMEA sentence"):
        GpsFeed(nmea=log)


def test_the_feed_never_waits_for_a_reader(tmp_path: Path) -> None:
    log = tmp_path / "fast.log"
    log.write_text("".join(f"$GPRMC,1200{n // 1000:02}.{n % 1000:03},{'x' * 300}*00\n" for n in range(2000)))
    feed = GpsFeed(nmea=log)
    feed.start()
    reader = os.open(feed.port, os.O_RDONLY | os.O_NOCTTY)
    assert select.select([reader], [], [], WAIT_S)[0]
    os.close(reader)
    stopper = threading.Thread(target=feed.stop)
    stopper.start()
    stopper.join(WAIT_S)
    assert not stopper.is_alive()


def test_the_camera_reads_the_gauge(tmp_path: Path) -> None:
    feed = BatteryFeed(tmp_path)
    battery = PowerSupplyBattery(root=str(tmp_path))
    feed.set(percent=40, status="discharging", temperature_c=-3.5)
    reading = battery.read()
    assert (reading.percent, reading.status, reading.temperature_dc) == (40, "discharging", -35)
    assert reading.current_ua == -260_000
    assert (tmp_path / "battery" / "capacity").read_text() == "40\n"
    feed.remove()
    feed.remove()
    with pytest.raises(BatteryLost):
        battery.read()
    feed.set(percent=39)
    assert battery.read().percent == 39


def test_the_cell_discharges_in_a_straight_line_and_charges_until_full(tmp_path: Path) -> None:
    feed = BatteryFeed(tmp_path, capacity_mah=2600, load_ma=260)
    feed.tick(3600)
    assert feed.percent == pytest.approx(90)
    assert "POWER_SUPPLY_TIME_TO_EMPTY_AVG=32400\n" in (tmp_path / "battery" / "uevent").read_text()
    feed.tick(100 * 3600)
    assert feed.percent == 0
    feed.set(status="charging")
    feed.tick(10 * 3600)
    assert (feed.percent, feed.status) == (100, "full")


def test_values_out_of_range_are_refused(tmp_path: Path) -> None:
    feed = BatteryFeed(tmp_path)
    with pytest.raises(ValueError, match="state of charge"):
        feed.set(percent=101)
    with pytest.raises(ValueError, match="status"):
        feed.set(status="asleep")  # type: ignore[arg-type]
