"""The station's socket for people at its machine: who is answered, what is refused, and that no server is needed."""

from __future__ import annotations

import json
import socket
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from dock_bench import Process, poll_until, write_station

from dock.admin_words import REQUEST_BYTES, SOCKET, address_of, connect
from dock.cli.station_asker import ask, ask_running
from dock.config import load_station
from dock.errors import StationDown, StationSaysNo
from dock.station.admin import _groups, actor

Run = Callable[[str, Path], Process]


def say(directory: Path, line: bytes) -> dict[str, Any]:
    with connect(directory, 60) as ours, ours.makefile("rb") as answers:
        ours.sendall(line)
        found: dict[str, Any] = json.loads(answers.readline() or b'{"error": "closed"}')
        return found


@pytest.mark.requirement("R33")
def test_the_socket_is_for_the_stations_group_and_answers_in_sentences(tmp_path: Path, pki: Path, run: Run) -> None:
    station = run("station", write_station(tmp_path, pki))
    directory = tmp_path / "station"
    poll_until(lambda: "error" in say(directory, b'{"verb":"nothing"}\n'))
    mode = (directory / SOCKET).stat().st_mode
    assert stat.S_ISSOCK(mode)
    assert stat.S_IMODE(mode) == 0o660
    assert "has no verb nothing" in say(directory, b'{"verb":"nothing"}\n')["error"]
    assert "not a request" in say(directory, b"hello\n")["error"]
    assert "unknown field" in say(directory, b'{"verb":"nothing","uid":0}\n')["error"]
    assert say(directory, b"x" * (REQUEST_BYTES + 10) + b"\n")["error"] == "closed"
    assert station.stop() == 0
    assert not (directory / SOCKET).exists()


def test_a_socket_that_a_killed_station_left_is_in_nobodys_way(tmp_path: Path, pki: Path, run: Run) -> None:
    config = write_station(tmp_path, pki)
    run("station", config).kill()
    assert (tmp_path / "station" / SOCKET).exists()
    with pytest.raises(StationDown):
        ask_running(load_station(config), "nothing", {})
    with pytest.raises(Exception, match="has no verb nothing"):
        ask(load_station(config), "nothing", {})  # done in the directory itself
    run("station", config)
    poll_until(lambda: "no verb" in say(tmp_path / "station", b'{"verb":"nothing"}\n').get("error", ""))
    with pytest.raises(StationSaysNo, match="has no verb nothing"):
        ask(load_station(config), "nothing", {})


def test_a_directory_with_a_long_name_has_a_socket_all_the_same(tmp_path: Path) -> None:
    deep = tmp_path / ("d" * 120)
    deep.mkdir()
    with socket.socket(socket.AF_UNIX) as listener:
        with address_of(deep) as address:
            listener.bind(address)
        listener.listen()
        connect(deep, 5).close()
    assert (deep / SOCKET).exists()


def test_the_ledger_is_told_the_kernels_user_beside_the_claimed_name() -> None:
    assert actor("miller", "Sgt. Miller") == "Sgt. Miller (user miller)"
    assert actor("miller", None) == "user miller"
    assert len(actor("m" * 40, "x" * 200)) <= 128


def test_a_user_without_a_name_is_in_their_own_group_only() -> None:
    assert _groups(4_000_000_000, 77) == {77}
