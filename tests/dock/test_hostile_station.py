"""Stations that lie, fail, stall or send us elsewhere: nothing is taken for stored, nothing lost (R30, R38).

The station is a real TLS server on this machine, the recorder as strict as the device's, the agent whole.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from agent_bench import RunningAgent
from dock_bench import SERIAL, poll_until, write_agent
from dock_camera import Camera, FakeRecorder
from hostile_station import HostileStation, Said

from dock.agent.ledger import UploadLedger
from evidence.handover import SpoolFile

VICTIM = f"{SERIAL}-000001.evidence"
OTHER = f"{SERIAL}-000002.evidence"
Lie = Callable[[str, str, HostileStation], Said | None]


@pytest.fixture(scope="module")
def server(pki: Path) -> Iterator[HostileStation]:
    station = HostileStation(pki)
    yield station
    station.close()


@pytest.fixture
def station(server: HostileStation) -> HostileStation:
    server.honest()
    return server


@pytest.fixture
def files(camera: Camera, recorder: FakeRecorder) -> tuple[SpoolFile, SpoolFile]:
    both = camera.record(1), camera.record(2)
    recorder.files = list(both)
    return both


def agent(tmp_path: Path, pki: Path, station: HostileStation, more: str = "") -> RunningAgent:
    path = write_agent(tmp_path, pki, port=station.port, offload=more)
    text = path.read_text().replace("ask_again_s = 0.5", "ask_again_s = 86400.0")
    path.write_text(text.replace("backoff_max_s = 0.4", "backoff_max_s = 0.1"))
    return RunningAgent(path)


def announcement(status: int, headers: dict[str, str] | None = None) -> Lie:
    """The victim's announcement is answered so; everything else is honest."""

    def lie(method: str, path: str, station: HostileStation) -> Said | None:
        if (method, path) == ("POST", "/files") and station.asked[-1][2] == VICTIM:
            return status, headers or {}, b"told so"
        return None

    return lie


def answering(wanted: str, said: Callable[[HostileStation, str], Said]) -> Lie:
    """That method on the victim's upload or receipt is answered so."""

    def lie(method: str, path: str, station: HostileStation) -> Said | None:
        return said(station, path) if method == wanted and station.of(path) == VICTIM else None

    return lie


ELSEWHERE = {"Location": "https://127.0.0.1:9/files/1"}
KEPT: dict[str, Lie] = {
    "401": announcement(401),
    "402": announcement(402),
    "403": announcement(403),
    "404": announcement(404),
    "413": announcement(413),
    "500": announcement(500),
    "502": announcement(502),
    "a redirect": announcement(307, ELSEWHERE),
    "created elsewhere": announcement(201, ELSEWHERE),
    "an early 200": announcement(200),
    "an empty 204": announcement(204),
    "200 for bytes": answering("PATCH", lambda *_: (200, {"Upload-Offset": "8192"}, b"")),
    "204 without an offset": answering("PATCH", lambda *_: (204, {}, b"")),
    "204 with more than was sent": answering("PATCH", lambda *_: (204, {"Upload-Offset": "999999"}, b"")),
    "bytes sent elsewhere": answering("PATCH", lambda *_: (308, ELSEWHERE, b"")),
    "more than there is": answering("HEAD", lambda *_: (200, {"Upload-Offset": "999999"}, b"")),
    "an empty receipt": answering("GET", lambda *_: (200, {}, b"")),
    "a receipt elsewhere": answering("GET", lambda *_: (302, ELSEWHERE, b"")),
    "no receipt": answering("GET", lambda *_: (404, {}, b"")),
    "garbage": answering("GET", lambda *_: (200, {}, b"\x30\x03\x02\x01\x01")),
    "another file's receipt": answering("GET", lambda station, _: (200, {}, station.receipt(OTHER))),
    "another camera's receipt": answering(
        "GET", lambda station, _: (200, {}, station.receipt(VICTIM, serial="SIM-0002"))
    ),
    "a wrong digest": answering("GET", lambda station, _: (200, {}, station.receipt(VICTIM, sha256="a" * 64))),
    "another length": answering("GET", lambda station, _: (200, {}, station.receipt(VICTIM, bytes=1))),
    "another system's": answering("GET", lambda station, _: (200, {}, station.receipt(VICTIM, system_id="other"))),
}


@pytest.mark.requirement("R30", "R38")
@pytest.mark.parametrize("lie", KEPT)
def test_the_victim_stays_it_is_told_and_the_other_file_arrives(
    tmp_path: Path,
    pki: Path,
    camera: Camera,
    recorder: FakeRecorder,
    station: HostileStation,
    files: tuple[SpoolFile, SpoolFile],
    lie: str,
) -> None:
    victim = camera.spool / VICTIM
    before = victim.read_bytes()
    station.lie = KEPT[lie]
    with agent(tmp_path, pki, station, "chunk_bytes = 8192") as running:
        poll_until(lambda: OTHER in recorder.receipts, why=lie)
        poll_until(lambda: [one for one in running.events.of("file_kept") if one["file"] == VICTIM], why=lie)
        assert VICTIM not in recorder.receipts
        assert victim.read_bytes() == before
        # Once the station tells the truth the victim arrives: nothing was given up for good.
        station.lie = lambda *_: None
        if lie != "a wrong digest":  # the recorder refused it thrice at most, then it is asked about once a day
            poll_until(lambda: VICTIM in recorder.receipts, why=lie)
    assert len(recorder.receipts) <= len(files)


@pytest.mark.requirement("R30", "R38")
def test_what_can_never_be_stored_is_rejected_told_once_and_not_asked_about_again(
    tmp_path: Path, pki: Path, camera: Camera, recorder: FakeRecorder, station: HostileStation, files: tuple[SpoolFile]
) -> None:
    station.lie = announcement(400)
    with agent(tmp_path, pki, station) as running:
        poll_until(lambda: OTHER in recorder.receipts)
        told = poll_until(lambda: running.events.of("file_rejected"))
        assert told == [
            {
                "file": VICTIM,
                "verdict": "rejected",
                "reason": f"announcing {VICTIM}: 400 told so",
                "attention": True,
            }
        ]
        recorder.files = [*recorder.files, camera.record(3)]
        poll_until(lambda: len(recorder.receipts) == 2)
        assert station.announced(VICTIM) == 1
    assert [one.verdict for one in UploadLedger(tmp_path / "agent-state/uploads.sqlite").settled()] == ["rejected"]
    assert (camera.spool / VICTIM).exists()
    # A restart does not forget it; another version of the station is asked at once.
    with agent(tmp_path, pki, station) as running:
        recorder.files = [*recorder.files, camera.record(4)]
        poll_until(lambda: len(recorder.receipts) == 3)
        assert station.announced(VICTIM) == 1
    station.lie = lambda method, path, _: (
        (200, {}, b'{"version":"2"}') if (method, path) == ("GET", "/system") else None
    )
    with agent(tmp_path, pki, station) as running:
        poll_until(lambda: [one for one in running.events.of("receipt_taken") if one["file"] == VICTIM])
    assert not running.events.of("file_rejected")
    assert not UploadLedger(tmp_path / "agent-state/uploads.sqlite").settled()
    assert files


@pytest.mark.requirement("R30")
@pytest.mark.parametrize("verdict", ["not_valid", "unproven"])
def test_what_did_not_verify_is_told_once_and_the_station_is_left_in_peace(
    tmp_path: Path,
    pki: Path,
    camera: Camera,
    recorder: FakeRecorder,
    station: HostileStation,
    files: tuple[SpoolFile, SpoolFile],
    verdict: str,
) -> None:
    station.lie = answering(
        "GET", lambda station, _: (200, {}, station.receipt(VICTIM, verdict=verdict, findings=("a wrong hash",)))
    )
    with agent(tmp_path, pki, station) as running:
        poll_until(lambda: len(recorder.receipts) == 2)
        poll_until(lambda: running.events.of("file_kept"))
        recorder.files = [*recorder.files, camera.record(3)]
        poll_until(lambda: len(recorder.receipts) == 3)
        assert recorder.order.count(VICTIM) == 1
        assert running.events.of("file_kept") == [
            {"file": VICTIM, "verdict": verdict, "reason": "a wrong hash", "attention": True}
        ]
    assert any(one.name == VICTIM for one in recorder.files)
    assert files


@pytest.mark.requirement("R30")
def test_a_busy_station_is_left_alone_for_as_long_as_it_asks_and_no_file_for_it(
    tmp_path: Path, pki: Path, recorder: FakeRecorder, station: HostileStation, files: tuple[SpoolFile, SpoolFile]
) -> None:
    times: list[float] = []

    def lie(method: str, path: str, _: HostileStation) -> Said | None:
        if method == "POST" and path == "/files" and len(times) < 2:
            times.append(time.monotonic())
            return 503, {"Retry-After": "1"}, b""
        return None

    station.lie = lie
    with agent(tmp_path, pki, station, "at_once = 1") as running:
        poll_until(lambda: len(recorder.receipts) == len(files))
        assert times[1] - times[0] >= 1.0
        assert not running.events.of("offload_failed")
        assert sum(1 for one in station.asked if one[1] == "/contact") == 1
    assert recorder.order == [VICTIM, OTHER]


@pytest.mark.requirement("R31")
def test_files_go_side_by_side_over_connections_of_their_own_and_begin_in_order(
    tmp_path: Path, pki: Path, camera: Camera, recorder: FakeRecorder, station: HostileStation
) -> None:
    names = {one: f"{SERIAL}-{one:06d}.evidence" for one in range(1, 5)}
    recorder.files = [camera.record(one, upload_class="critical" if one == 3 else "normal") for one in names]
    held, together = threading.Semaphore(0), threading.Barrier(2)

    def lie(method: str, path: str, station: HostileStation) -> Said | None:
        if method == "PATCH" and station.of(path) in (names[3], names[1]):
            together.wait(60)  # both are under way at the same time, or neither goes on
            held.acquire(timeout=60)
        return None

    station.lie = lie
    with agent(tmp_path, pki, station, "at_once = 2"):
        poll_until(lambda: sum(1 for one in station.asked if one[0] == "PATCH") == 2)
        announced = [name for method, path, name in station.asked if (method, path) == ("POST", "/files")]
        assert sorted(announced) == [names[1], names[3]]
        held.release(2)
        poll_until(lambda: len(recorder.receipts) == 4)
    begun = [name for method, path, name in station.asked if (method, path) == ("POST", "/files")]
    assert sorted(begun[:2]) == [names[1], names[3]]
    assert sorted(begun[2:]) == [names[2], names[4]]


@pytest.mark.requirement("R30")
def test_a_station_that_is_full_half_way_is_waited_for_and_goes_on_where_it_stood(
    tmp_path: Path, pki: Path, camera: Camera, recorder: FakeRecorder, station: HostileStation
) -> None:
    file = camera.record(1, size=200_000)
    recorder.files = [file]
    full = [True]

    def lie(method: str, path: str, station: HostileStation) -> Said | None:
        stands = path in station.uploads and len(station.uploads[path].data) >= 81_920
        return (507, {}, b"no room") if method == "PATCH" and stands and full[0] else None

    station.lie = lie
    with agent(tmp_path, pki, station, "chunk_bytes = 8192") as running:
        failed = poll_until(lambda: running.events.of("offload_failed"))
        assert failed[0]["error"] == "StationFull"
        poll_until(lambda: recorder.offloading and "507" in (recorder.offloading[-1].trouble or ""))
        assert not recorder.receipts
        full[0] = False
        poll_until(lambda: recorder.receipts)
    assert bytes(next(iter(station.uploads.values())).data) == (camera.spool / file.name).read_bytes()


@pytest.mark.requirement("R38")
def test_a_tail_that_is_lost_after_its_acknowledgement_is_sent_again(
    tmp_path: Path, pki: Path, camera: Camera, recorder: FakeRecorder, station: HostileStation
) -> None:
    file = camera.record(1, size=200_000)
    recorder.files = [file]
    lost: list[str] = []

    def lie(method: str, path: str, station: HostileStation) -> Said | None:
        kept = station.uploads.get(path)
        if method == "HEAD" and kept is not None and len(kept.data) == kept.length and not lost:
            lost.append(path)
            del kept.data[100_000:]
        return None

    station.lie = lie
    with agent(tmp_path, pki, station):
        poll_until(lambda: recorder.receipts)
    assert lost
    assert bytes(station.uploads[lost[0]].data) == (camera.spool / file.name).read_bytes()


@pytest.mark.requirement("R6")
@pytest.mark.parametrize("status", [301, 307])
def test_a_greeting_that_sends_us_elsewhere_is_not_followed(
    tmp_path: Path, pki: Path, recorder: FakeRecorder, station: HostileStation, files: tuple[SpoolFile], status: int
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as trap:
        trap.settimeout(0.2)
        where = {"Location": f"https://127.0.0.1:{trap.getsockname()[1]}/contact"}
        station.lie = lambda _method, path, _: (status, where, b"") if path == "/contact" else None
        with agent(tmp_path, pki, station) as running:
            poll_until(lambda: len(running.events.of("offload_failed")) >= 2)
            with pytest.raises(TimeoutError):
                trap.accept()
    assert {one[1] for one in station.asked} == {"/contact"}
    assert not recorder.contacts
    assert files


@pytest.mark.requirement("R6")
def test_another_station_of_the_system_is_tried_while_the_first_one_is_not_to_be_trusted(
    tmp_path: Path, pki: Path, recorder: FakeRecorder, station: HostileStation, files: tuple[SpoolFile, SpoolFile]
) -> None:
    other = HostileStation(pki)
    try:
        station.lie = lambda _method, path, one: (
            (200, {}, one.greeting(system_id="other-pd")) if path == "/contact" else None
        )
        path = write_agent(tmp_path, pki, port=station.port)
        urls = f'fallback_urls = ["https://127.0.0.1:{other.port}"], system_id'
        path.write_text(path.read_text().replace("system_id", urls, 1))
        with RunningAgent(path) as running:
            poll_until(lambda: len(recorder.receipts) == len(files))
            assert running.events.of("offload_failed")[0]["error"] == "WrongStation"
        assert not station.uploads
    finally:
        other.close()


def test_a_station_that_stalls_is_given_up_and_tried_again(
    tmp_path: Path, pki: Path, recorder: FakeRecorder, station: HostileStation, files: tuple[SpoolFile, SpoolFile]
) -> None:
    """Slowloris the other way: it takes the request, and never answers."""
    held = threading.Event()

    def lie(method: str, path: str, _: HostileStation) -> Said | None:
        if method == "POST" and path == "/files" and not held.is_set():
            held.wait(60)
        return None

    station.lie = lie
    with RunningAgent(write_agent(tmp_path, pki, port=station.port, timeout_s=2.0)) as running:
        failed = poll_until(lambda: running.events.of("offload_failed"))
        assert failed[0]["error"] == "StationUnreachable"
        held.set()
        poll_until(lambda: len(recorder.receipts) == len(files))


@pytest.mark.requirement("R13", "R30")
@pytest.mark.parametrize("cause", ["a recording", "undocking"])
def test_a_chunk_under_way_is_cut_off_at_once(
    tmp_path: Path, pki: Path, camera: Camera, recorder: FakeRecorder, station: HostileStation, cause: str
) -> None:
    """Not at the next chunk: this one would take ten minutes, the station reads a little of it and no more."""
    recorder.files = [camera.record(1, size=12_000_000)]
    under_way, cut, released = threading.Event(), threading.Event(), threading.Event()

    def body(handler: object, size: int) -> bytes:
        if size < 10_000_000:
            return bytes(handler.rfile.read(size))  # type: ignore[attr-defined]
        handler.rfile.read(100_000)  # type: ignore[attr-defined]
        under_way.set()
        released.wait(600)
        try:
            rest = handler.rfile.read(size - 100_000)  # type: ignore[attr-defined]
        except OSError:
            rest = b""
        if len(rest) < size - 100_000:
            cut.set()
        raise ConnectionAbortedError

    station.body = body
    path = write_agent(tmp_path, pki, port=station.port, offload="chunk_bytes = 16777216", timeout_s=600.0)
    with RunningAgent(path) as running:
        poll_until(under_way.is_set)
        if cause == "a recording":
            recorder.recording = f"{SERIAL}-000002"
            recorder.notify("state", word="recording")
        else:
            recorder.docked = False
            recorder.notify("undocked")
        # Nobody has released it, and its time-out is ten times as long as is waited here.
        stopped = poll_until(lambda: running.events.of("offload_stopped"))
        assert "stopped at 0 of" in stopped[0]["reason"]
        why = "recording comes first" if cause == "a recording" else "not docked"
        assert why in stopped[0]["reason"]
        released.set()
        poll_until(cut.is_set)
    assert not recorder.receipts
