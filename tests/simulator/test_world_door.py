"""The door of a world that plays: asked from outside, worked off by the world itself, strict, and for us alone."""

from __future__ import annotations

import json
import os
import socket
import stat
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from paper_world import make_agency, paper_world

from simulator.fault_command import duration_s
from simulator.run_errors import OutRefused, ProcessDied, WorldRefused
from simulator.world import World
from simulator.world_door import WorldDoor
from simulator.world_messages import MAX_LINE_BYTES, BeginOp, DoOp, EndOp, StatusOp, WorldAnswer, WorldOp
from simulator.world_place import announced, ask_world, find_world, notes_directory


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_agency(tmp_path_factory.mktemp("pki"))


@pytest.fixture
def world(tmp_path: Path, pki: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """A world on paper with a real door, which can be found in a runtime directory of its own."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    made = paper_world(tmp_path, pki)
    door = WorldDoor(tmp_path / "world.sock")
    made.door = door
    yield made
    door.close()


def told(world: World, ask: Callable[[], Any]) -> Any:
    """What somebody outside is told, while the world goes on looking."""
    with ThreadPoolExecutor(1) as outside:
        asked = outside.submit(ask)
        while not asked.done():
            world.look()
        return asked.result()


def look_until(world: World, done: Callable[[], bool]) -> None:
    while not done():
        world.look()


def asked(world: World, operation: WorldOp) -> WorldAnswer:
    assert world.door is not None
    path = world.door.path
    answer = told(world, lambda: ask_world(path, operation))
    assert isinstance(answer, WorldAnswer)
    return answer


def said(world: World) -> list[Any]:
    camera: Any = world.camera
    return list(camera.said)


def test_a_deed_is_done_and_the_camera_described(world: World) -> None:
    answer = asked(world, DoOp("light bar on"))
    assert (answer.ok, answer.camera) == (True, "ready, ring 3 s, battery 80 %")
    assert said(world) == [("pin", 27, 1)]


def test_a_fault_begins_says_what_the_camera_must_do_and_is_listed_until_it_ends(world: World) -> None:
    begun = asked(world, BeginOp("camera.black", for_s=10))
    assert begun.must is not None
    assert "picture_black" in begun.must
    (lasting,) = asked(world, StatusOp()).lasting
    assert (lasting.name, lasting.left_s) == ("camera.black", 10)
    assert asked(world, EndOp("camera.black")).lasting == ()
    assert [one["look"] for one in said(world)] == ["black", "normal"]


@pytest.mark.parametrize(
    ("operation", "why"),
    [
        (BeginOp("camera.blakc"), "did you mean 'camera.black'?"),
        (EndOp("camera.black"), "does not last now"),
        (DoOp("light bar onn"), "did you mean 'light bar on'?"),
    ],
)
def test_what_cannot_be_done_is_answered_with_one_sentence(world: World, operation: WorldOp, why: str) -> None:
    answer = asked(world, operation)
    assert not answer.ok
    assert why in str(answer.error)
    assert said(world) == []


@pytest.mark.parametrize(
    "line",
    [b"{}", b"nonsense", b'{"op":"explode"}', b'{"op":"do"}', b'{"op":"do","text":7}', b"\xff\xfe", b"[" * 2000,
     b'{"op":"status","more":1}', b'{"op":"fault_begin","name":"camera.black","for_s":-1}'],
)  # fmt: skip
def test_a_line_that_is_not_understood_is_refused_and_the_connection_goes_on(world: World, line: bytes) -> None:
    def talk() -> list[dict[str, Any]]:
        assert world.door is not None
        with socket.socket(socket.AF_UNIX) as visitor:
            visitor.settimeout(180)
            visitor.connect(str(world.door.path))
            visitor.sendall(line + b'\n{"op":"status"}\n')
            with visitor.makefile("rb") as answers:
                return [json.loads(answers.readline()) for _ in range(2)]

    first, second = told(world, talk)
    assert first["ok"] is False
    assert first["error"].startswith("not an operation: ")
    assert second["ok"] is True


def test_too_long_a_line_ends_the_conversation(world: World) -> None:
    def talk() -> bytes:
        assert world.door is not None
        with socket.socket(socket.AF_UNIX) as visitor:
            visitor.settimeout(180)
            visitor.connect(str(world.door.path))
            visitor.sendall(b"x" * (MAX_LINE_BYTES + 1))
            with visitor.makefile("rb") as answers:
                return answers.read()

    (line,) = told(world, talk).splitlines()
    assert f"at most {MAX_LINE_BYTES} bytes" in json.loads(line)["error"]


def test_only_our_own_user_may_enter(world: World) -> None:
    assert world.door is not None
    assert stat.S_IMODE(world.door.path.stat().st_mode) == 0o600


def test_what_is_asked_during_a_deed_waits_for_its_turn(world: World) -> None:
    door = world.door
    assert door is not None
    world.busy = True
    with ThreadPoolExecutor(1) as outside:
        waiting = outside.submit(ask_world, door.path, DoOp("light bar on"))
        while door._wishes.empty():
            threading.Event().wait(0.001)
        world.look()
        assert said(world) == []
        world.busy = False
        while not waiting.done():
            world.look()
    assert said(world) == [("pin", 27, 1)]


def test_whoever_asked_hears_why_the_run_has_ended(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def dies() -> None:
        raise ProcessDied("the camera does not answer")

    monkeypatch.setattr(world.camera, "cut_power", dies)
    door = world.door
    assert door is not None
    with ThreadPoolExecutor(1) as outside:
        waiting = outside.submit(ask_world, door.path, BeginOp("process.kill_device"))
        with pytest.raises(ProcessDied):
            look_until(world, waiting.done)
        assert waiting.result().error == "the camera does not answer"


def test_a_world_that_has_ended_says_so(world: World) -> None:
    door = world.door
    assert door is not None
    with ThreadPoolExecutor(1) as outside:
        waiting = outside.submit(ask_world, door.path, StatusOp())
        while door._wishes.empty():
            threading.Event().wait(0.001)
        door.close()
        assert waiting.result().error == "the world has ended"
    with pytest.raises(WorldRefused, match="nobody answers"):
        ask_world(door.path, StatusOp())


def test_a_path_that_cannot_be_listened_on_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OutRefused, match="the world cannot listen there"):
        WorldDoor(tmp_path / "not" / "there")


# --- finding it -------------------------------------------------------------------------------------------------------


def test_the_newest_world_is_found_and_one_by_its_directory(world: World, tmp_path: Path) -> None:
    assert world.door is not None
    with pytest.raises(WorldRefused, match='no world plays now: start one with "firsthand-sim shift'):
        find_world(None)
    with announced(tmp_path.resolve(), world.door.path):
        assert find_world(None) == find_world(tmp_path) == world.door.path
        with pytest.raises(WorldRefused, match=f"no world plays in .*elsewhere; a world plays in {tmp_path}"):
            find_world(tmp_path / "elsewhere")
        assert stat.S_IMODE(notes_directory().stat().st_mode) == 0o700
    assert list(notes_directory().iterdir()) == []


def test_the_note_of_a_dead_world_is_taken_away(world: World, tmp_path: Path) -> None:
    assert world.door is not None
    with announced(tmp_path, world.door.path):
        dead = notes_directory() / "1.json"
        dead.write_text(json.dumps({"run": "/gone", "socket": str(tmp_path / "gone.sock"), "pid": 1}))
        (notes_directory() / "2.json").write_text("nonsense")
        assert find_world(None) == world.door.path
        assert not dead.exists()


def test_a_directory_that_others_can_write_is_not_believed(world: World, tmp_path: Path) -> None:
    assert world.door is not None
    notes_directory().mkdir()
    notes_directory().chmod(0o777)
    with announced(tmp_path, world.door.path), pytest.raises(WorldRefused, match="no world plays now"):
        find_world(None)
    assert list(notes_directory().iterdir()) == []


# --- the command line -------------------------------------------------------------------------------------------------


def command(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "simulator", *words],
        env=dict(os.environ),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def test_the_commands_reach_the_world_that_plays(world: World, tmp_path: Path) -> None:
    assert world.door is not None
    with announced(tmp_path.resolve(), world.door.path):
        done = told(world, lambda: command("fault", "microphone.late", "--for", "2m", "--amount", "1.5"))
        assert done.returncode == 0, done.stderr
        assert "the camera must: record on" in done.stdout
        assert said(world) == [{"op": "microphone", "late_s": 1.5}]
        lasting = told(world, lambda: command("fault"))
        assert lasting.stdout == "microphone.late, 120 s more\n"
        ended = told(world, lambda: command("fault", "microphone.late", "--end", "--json"))
        assert json.loads(ended.stdout)["ok"] is True
        deed = told(world, lambda: command("do", "light", "bar", "on", "--run", str(tmp_path)))
        assert deed.stdout.splitlines()[0] == "light bar on"
        refused = told(world, lambda: command("fault", "microphone.late", "--end"))
        assert (refused.returncode, refused.stdout) == (1, "")
        assert "does not last now" in refused.stderr


@pytest.mark.parametrize(
    ("words", "code", "why"),
    [
        (("fault", "camera.blakc"), 64, "did you mean 'camera.black'?"),
        (("fault", "camera.black", "--for", "soon"), 64, "10s, 0.5s, 2m or 1h"),
        (("fault", "camera.black", "--end", "--for", "1s"), 64, "--end takes neither"),
        (("do", "light bar onn"), 64, "did you mean 'light bar on'?"),
    ],
)  # fmt: skip
def test_a_typing_error_is_one_sentence(words: tuple[str, ...], code: int, why: str) -> None:
    done = command(*words)
    assert (done.returncode, done.stdout) == (code, "")
    assert why in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_the_list_says_of_every_fault_what_the_camera_must_do() -> None:
    done = command("fault", "--list")
    assert done.returncode == 0
    assert "camera.black  [R29]" in done.stdout
    rows = json.loads(command("fault", "--list", "--json").stdout)
    assert done.stdout.count("the camera must: ") == len(rows) > 20
    assert {"name": "peer.forged", "requirement": "R23"}.items() <= next(
        row for row in rows if row["name"] == "peer.forged"
    ).items()


@pytest.mark.parametrize(("text", "seconds"), [("10s", 10), ("0.5 s", 0.5), ("2m", 120), ("1h", 3600), ("7", 7)])
def test_times_as_people_write_them(text: str, seconds: float) -> None:
    assert duration_s(text) == seconds


@pytest.mark.parametrize("text", ["0s", "-1s", "s", "10 weeks", "25h", "1e3s"])
def test_times_that_are_none(text: str) -> None:
    with pytest.raises(ValueError, match=text):
        duration_s(text)
