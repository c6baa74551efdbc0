"""A network that is late, lossy, cut, silent or half-open, and other stations behind the same address (R6, R30, R38).

Agent and stations are the real ones; each fault of the catalogue is held against what it says the camera must do.
"""

from __future__ import annotations

import pytest
from lying_bench import LyingWorld, Visitor, begin, end, faults

from evidence.handover import SpoolFile
from simulator.faults import Fault, find_fault

BYTES = 300_000
CHUNKS = "chunk_bytes = 16384"
AMOUNTS = {"network.latency": 25.0, "network.slow": 4000.0, "network.loss": 2.0}
LATER = [one for one in faults("network") if one.name in (*AMOUNTS, "network.bad_line")]
BROKEN = [find_fault("network.cut"), find_fault("network.silent")]
TORN = [find_fault("network.reset"), find_fault("network.half_open")]
STRANGERS = [find_fault(f"dock.{one}") for one in ("other_system", "other_agency", "expired_certificate")]


def arrives(visitor: Visitor, file: SpoolFile, why: str) -> None:
    visitor.world.until(lambda: file.name in visitor.recorder.receipts, why)
    assert visitor.stored(file)
    assert visitor.recorder.receipts[file.name].verdict == "valid"


@pytest.mark.requirement("R30", "R38")
@pytest.mark.parametrize("fault", LATER, ids=lambda one: one.name)
def test_over_a_bad_line_every_byte_arrives_only_later(visitor: Visitor, world: LyingWorld, fault: Fault) -> None:
    (file,) = visitor.files(BYTES if fault.name in AMOUNTS else 0)
    begin(fault, world, AMOUNTS.get(fault.name))
    with visitor.agent("chunk_bytes = 131072") as running:
        arrives(visitor, file, fault.name)
        assert not running.events.of("file_kept")


@pytest.mark.requirement("R30", "R38")
@pytest.mark.parametrize("fault", BROKEN, ids=lambda one: one.name)
def test_a_line_that_breaks_in_mid_upload_costs_nothing_and_the_upload_goes_on_where_it_was(
    visitor: Visitor, world: LyingWorld, fault: Fault
) -> None:
    (file,) = visitor.files(BYTES)
    world.network.happen("station", "cut" if fault.name.endswith("cut") else "silent", after_bytes=BYTES // 2)
    before = world.network.counts("station")["up_bytes"]
    with visitor.agent(CHUNKS, timeout_s=5.0) as running:
        world.until(lambda: running.events.of("offload_failed"), fault.name)
        assert running.events.of("offload_failed")[0]["error"] == "StationUnreachable"
        assert world.network.counts("station")["up_bytes"] == before + BYTES // 2, "it stopped at that very byte"
        world.until(lambda: [one for one in visitor.recorder.offloading if one.trouble], "the officer can be told why")
        assert not visitor.recorder.receipts
        begin(fault, world)
        end(fault, world)
        arrives(visitor, file, fault.name)
    sent = world.network.counts("station")["up_bytes"] - before
    assert sent < 1.6 * BYTES, "what the station had was not sent again"


@pytest.mark.requirement("R30")
@pytest.mark.parametrize("fault", TORN, ids=lambda one: one.name)
def test_a_torn_connection_is_opened_again_and_the_upload_goes_on_by_itself(
    visitor: Visitor, world: LyingWorld, fault: Fault
) -> None:
    (file,) = visitor.files(BYTES)
    before = world.network.counts("station")
    begin(fault, world, 100)
    with visitor.agent(CHUNKS, timeout_s=5.0):
        arrives(visitor, file, fault.name)
    after = world.network.counts("station")
    assert after["connections"] > before["connections"] + 1
    assert after["up_bytes"] - before["up_bytes"] < 1.6 * BYTES


@pytest.mark.requirement("R6")
@pytest.mark.parametrize("fault", STRANGERS, ids=lambda one: one.name)
def test_a_stranger_behind_our_address_gets_nothing(visitor: Visitor, world: LyingWorld, fault: Fault) -> None:
    (file,) = visitor.files(0)
    begin(fault, world)
    with visitor.agent(CHUNKS) as running:
        world.until(lambda: len(running.events.of("offload_failed")) > 1, fault.name)
        assert not visitor.recorder.receipts
        assert not visitor.recorder.contacts
        elsewhere = world.directory / f"station-{fault.name.removeprefix('dock.').removesuffix('_certificate')}"
        assert elsewhere.is_dir()
        assert not [one for one in elsewhere.rglob("*") if one.suffix in (".part", ".evidence")]
        end(fault, world)
        arrives(visitor, file, fault.name)


@pytest.mark.requirement("R30", "R38")
def test_two_docks_that_claim_one_camera_each_file_is_whole_at_one_of_them(visitor: Visitor, world: LyingWorld) -> None:
    whole, half = visitor.files(BYTES, BYTES)
    world.network.happen("station", "cut", after_bytes=BYTES + BYTES // 2)
    with visitor.agent(CHUNKS + "\nat_once = 1") as running:
        arrives(visitor, whole, "the first file goes to the first dock")
        world.until(lambda: running.events.of("offload_failed"), "the second breaks off in the middle")
        fault = begin("dock.two_docks", world)
        world.network.up("station")
        world.until(lambda: half.name in visitor.recorder.receipts, "the second dock takes it from the first byte")
        second = world.directory / "station-second"
        assert (second / "store" / half.name).read_bytes() == visitor.here(half)
        assert visitor.recorder.receipts[half.name].station == "STATION-2"
        assert not list(world.store.glob(f"{half.name}*")), "half of it lies there, and is no evidence file"
        assert not (second / "store" / whole.name).exists()
        end(fault, world)
        (third,) = visitor.files(0)
        arrives(visitor, third, "back at the first dock")
    assert {one.station for one in visitor.recorder.receipts.values()} == {"STATION-1", "STATION-2"}
