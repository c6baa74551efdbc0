"""The fault catalogue, and faults that begin, last and end by the world's own clock (issue 6, line 6)."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest
from paper_world import PaperStage, make_agency, paper_world

from evidence.cms import parse_signed
from evidence.commands import Lock, Unlock, parse_command
from evidence.errors import EvidenceError
from evidence.handover import decode_peer_start
from evidence.requests import PeerRequest
from evidence.trust import Trust
from simulator.faults import catalogue, find_fault
from simulator.faults.fault import Fault
from simulator.run_errors import WorldRefused
from simulator.second_camera import SERIAL
from simulator.words import deed
from simulator.world import World

BASE = Path(__file__).resolve().parents[2]
MINE = ("camera", "microphone", "officer", "category", "device", "peer", "process", "update")
"""Kinds of faults that a world on paper can have."""


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_agency(tmp_path_factory.mktemp("pki"))


@pytest.fixture
def world(tmp_path: Path, pki: Path) -> World:
    return paper_world(tmp_path, pki)


def said(world: World) -> list[Any]:
    camera: Any = world.camera
    return list(camera.said)


def later(world: World, seconds: float) -> None:
    stage: Any = world.stage
    assert isinstance(stage, PaperStage)
    stage.at_s += seconds
    world.look()


def faults(*kinds: str) -> list[Fault]:
    return [one for one in catalogue().values() if one.name.partition(".")[0] in kinds]


@pytest.mark.parametrize("fault", catalogue().values(), ids=lambda one: one.name)
def test_every_fault_names_a_requirement_and_says_what_the_camera_must_do(fault: Fault) -> None:
    with (BASE / "docs" / "requirements.toml").open("rb") as file:
        known = set(tomllib.load(file))
    assert fault.requirement in known
    for text in (fault.does, fault.must):
        assert 10 < len(text) < 160
        assert not text.endswith(".")
    kind, _, what = fault.name.partition(".")
    assert kind.isidentifier()
    assert what.isidentifier()
    if fault.amount is not None:
        assert fault.amount.least <= fault.amount.usual <= fault.amount.most


@pytest.mark.parametrize("fault", [one for one in faults(*MINE) if one.end], ids=lambda one: one.name)
def test_a_fault_that_lasts_ends_by_the_worlds_clock(world: World, fault: Fault) -> None:
    world.faults.begin(world, fault.name, for_s=10)
    begun = said(world)
    later(world, 9.9)
    assert said(world) == begun
    assert fault.name in world.faults.lasting
    later(world, 0.2)
    assert fault.name not in world.faults.lasting
    assert len(said(world)) > len(begun) or fault.name == "officer.never_signs_out"


@pytest.mark.parametrize("fault", faults(*MINE), ids=lambda one: one.name)
def test_every_fault_does_something_to_the_world(world: World, fault: Fault) -> None:
    world.faults.begin(world, fault.name)
    assert said(world) or world.deeds.forgets_sign_out


def test_the_picture_is_afterwards_what_the_scenario_left_it(world: World) -> None:
    world.act(deed("camera covered"))
    world.faults.begin(world, "camera.black")
    world.faults.end(world, "camera.black")
    looks = [one["look"] for one in said(world)]
    assert looks == ["covered", "black", "covered"]


def test_two_faults_cannot_hold_the_picture_at_once(world: World) -> None:
    world.faults.begin(world, "camera.black")
    with pytest.raises(WorldRefused, match="would hold the picture, and camera"):
        world.faults.begin(world, "camera.frozen")
    with pytest.raises(WorldRefused, match="lasts already"):
        world.faults.begin(world, "camera.black")
    world.faults.begin(world, "microphone.silent")
    assert set(world.faults.lasting) == {"camera.black", "microphone.silent"}


def test_what_lives_in_the_cameras_process_begins_again_when_the_camera_does(world: World) -> None:
    world.faults.begin(world, "camera.black", for_s=60)
    world.faults.begin(world, "officer.never_signs_out")
    world.faults.begin(world, "process.kill_device")
    later(world, 1)
    later(world, 1)
    assert said(world) == [{"op": "camera", "look": "black"}, "power cut", {"op": "camera", "look": "black"}]
    later(world, 60)
    assert said(world)[-1] == {"op": "camera", "look": "normal"}


def test_a_fault_that_was_due_while_the_camera_was_away_is_just_over(world: World) -> None:
    world.faults.begin(world, "camera.black", for_s=1)
    world.faults.begin(world, "process.kill_device")
    later(world, 5)
    assert said(world)[-1] == "power cut"
    assert not world.faults.lasting


def test_at_the_end_of_a_run_nothing_is_left_stopped(world: World) -> None:
    world.faults.begin(world, "process.hang_agent")
    world.faults.begin(world, "process.hang_station")
    world.faults.end_all(world)
    assert said(world)[2:] == [("go on", "agent"), ("go on", "station")]


@pytest.mark.parametrize(
    ("name", "amount", "for_s", "why"),
    [
        ("camera.blakc", None, None, "did you mean 'camera.black'?"),
        ("nonsense", None, None, "firsthand-sim fault --list"),
        ("camera.black", 3, None, "takes no number"),
        ("microphone.late", 99, None, "takes 0.01 to 10 s, not 99"),
        ("camera.drop_frames", None, 3, "happens at an instant"),
        ("camera.black", None, 10**6, "at most 86400 s"),
    ],
)
def test_a_wrong_word_is_refused_with_one_sentence(
    world: World, name: str, amount: float | None, for_s: float | None, why: str
) -> None:
    with pytest.raises(WorldRefused) as refused:
        world.faults.begin(world, name, amount, for_s)
    assert why in str(refused.value)
    assert said(world) == []


def test_only_what_lasts_can_be_ended(world: World) -> None:
    with pytest.raises(WorldRefused, match="does not last now; nothing does"):
        world.faults.end(world, "camera.black")


def test_a_world_of_one_process_says_that_it_has_no_programs_to_kill(world: World) -> None:
    world.programs = None
    with pytest.raises(WorldRefused, match="one process"):
        world.faults.begin(world, "process.kill_agent")


@pytest.mark.requirement("R23")
def test_the_forged_start_has_a_colleagues_name_and_another_agencys_signature(world: World, pki: Path) -> None:
    find_fault("peer.forged").begin(world, None)
    (request,) = said(world)
    assert isinstance(request, PeerRequest)
    signed = parse_signed(request.announcement)
    assert decode_peer_start(signed.payload).serial == SERIAL
    with pytest.raises(EvidenceError):
        Trust.load(pki / "root.pem").check(signed, role="camera", serial=SERIAL)


@pytest.mark.requirement("R23")
def test_the_replayed_start_is_an_old_one_or_the_same_once_more(world: World, pki: Path) -> None:
    replay = find_fault("peer.replayed").begin
    replay(world, None)
    old = said(world)[0]
    Trust.load(pki / "root.pem").check(parse_signed(old.announcement), role="camera", serial=SERIAL)
    world.act(deed("peer starts"))
    replay(world, None)
    assert said(world)[1] == said(world)[2] != old


@pytest.mark.requirement("R11")
def test_a_lost_camera_is_locked_and_unlocked_by_a_supervisor(world: World) -> None:
    world.faults.begin(world, "device.lost_lock", for_s=5)
    later(world, 6)
    kinds = [type(parse_command(one.command)[0]) for one in said(world)]
    assert kinds == [Lock, Unlock]


def test_a_refusal_of_the_camera_is_no_failure_of_the_world(world: World) -> None:
    camera: Any = world.camera
    camera.refuses = True
    world.faults.begin(world, "category.unknown")
    world.faults.begin(world, "peer.forged")
    assert len(said(world)) == 2


def test_an_officer_who_forgets_signs_out_later(world: World) -> None:
    world.faults.begin(world, "officer.never_signs_out")
    world.act(deed("officer signs out"))
    assert said(world) == []
    world.faults.end(world, "officer.never_signs_out")
    world.act(deed("officer signs out"))
    assert len(said(world)) == 1
