"""The real station, made to lie by the simulator: nothing is taken for stored, everybody is told, and once it is honest
again every file arrives (R6, R30, R34, R38).

The agent and the station are the real ones, the network between them is the simulator's, the recorder is as strict as
the device's.
"""

from __future__ import annotations

from collections import Counter

import pytest
from lying_bench import LyingWorld, Visitor, begin, end, faults

from simulator.faults import Fault

SETTLED = {"station.status_400", "station.wrong_hash", "station.not_valid"}
"""Said of the file itself, and asked about again only after a day."""
QUIET = {"station.status_503", "station.ack_lost"}
"""Nothing is wrong that somebody must be told."""
DIES = "station.killed_storing"


@pytest.mark.requirement("R6", "R30", "R34", "R38")
@pytest.mark.parametrize("fault", faults("station", DIES), ids=lambda one: one.name)
def test_a_lie_deletes_nothing_is_told_and_the_truth_mends_it(
    visitor: Visitor, world: LyingWorld, fault: Fault
) -> None:
    visitor.brings_one()  # there is an earlier receipt, which may be replayed
    (file,) = visitor.files(60_000)
    before = visitor.here(file)
    asked = Counter(world.station.told())
    begin(fault, world)
    with visitor.agent("chunk_bytes = 32768", timeout_s=3.0 if "time_out" in fault.name else 20.0) as running:
        world.until(lambda: world.station.told()["lies"] > asked["lies"], fault.name)
        if fault.name not in QUIET:
            world.until(lambda: running.events.of("file_kept") or running.events.of("file_rejected")
                        or running.events.of("offload_failed"), fault.name)  # fmt: skip
        if fault.name == "station.not_valid":  # the recorder is shown it, and judges for itself
            assert visitor.recorder.receipts.pop(file.name).verdict == "not_valid"
        assert file.name not in visitor.recorder.receipts
        assert visitor.here(file) == before
        if fault.must.startswith("send it not one byte"):
            assert world.station.told()["announce"] == asked["announce"]
        end(fault, world)
        if fault.name not in SETTLED:
            world.until(lambda: file.name in visitor.recorder.receipts, fault.name)
            assert visitor.stored(file)
            assert visitor.recorder.receipts[file.name].verdict == "valid"
    if fault.name in SETTLED:
        assert visitor.here(file) == before
        assert file in visitor.recorder.files


@pytest.mark.requirement("R38")
def test_a_station_that_dies_while_it_stores_gives_a_receipt_for_every_byte_when_it_is_back(
    visitor: Visitor, world: LyingWorld
) -> None:
    files = visitor.files(60_000, 60_000)
    begin(DIES, world)
    before = len(world.children.restarts)
    with visitor.agent():
        world.until(lambda: len(visitor.recorder.receipts) == 2, "both arrive")
    assert len(world.children.restarts) == before + 1
    assert all(visitor.stored(file) for file in files)
