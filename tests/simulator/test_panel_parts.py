"""The parts of the control panel by themselves: orders read strictly, drawings made from the camera's own tables."""

from __future__ import annotations

import asyncio
import io
import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from device.states import TABLE, State
from simulator.cli import main
from simulator.drivers.hardware_messages import OpRefused, PictureOp
from simulator.drivers.picture import Picture
from simulator.drivers.shown import Shown, jpeg
from simulator.nmea import sentence
from simulator.panel import machine_drawing
from simulator.panel.director import fault_list
from simulator.panel.feed import Feed
from simulator.panel.files import Files
from simulator.panel.opening import layers
from simulator.panel.orders import MOST_BYTES, Do, Line, read_order, takes_a_while
from simulator.panel.track import HERE, metres, place
from simulator.run_errors import WorldRefused

VECTORS = Path(__file__).parents[1] / "vectors"
RMC = sentence("GPRMC,120000.00,A,4132.29200,N,07248.42000,W,20.000,90.00,010126,,,A")


def test_an_order_is_read_strictly() -> None:
    assert read_order(b'{"order":"line","line":"record_button","active":true}') == Line("record_button", active=True)
    assert read_order(b'{"order":"do","words":"battery 20"}') == Do("battery 20")


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"", "no order of this panel"),
        (b"[]", "no order of this panel"),
        (b'{"order":"format"}', "no order of this panel"),
        (b'{"order":"line","line":"record_button","active":1}', "no order of this panel"),
        (b'{"order":"line","line":"record_button","active":true,"more":1}', "no order of this panel"),
        (b'{"order":"line","line":"recrd_button","active":true}', "did you mean 'record_button'"),
        (b'{"order":"do","words":"battery 101"}', "101 is no percentage"),
        (b'{"order":"play","scenario":"../../etc/passwd"}', "is not known"),
        (b'{"order":"open","recording":"../../etc/passwd"}', "no order of this panel"),
        (b'{"order":"network","quality":"fast"}', "no order of this panel"),
        (b'{"order":"do","words":"' + b"x" * MOST_BYTES + b'"}', f"at most {MOST_BYTES} bytes"),
        (b"[" * 2000, "no order of this panel"),
    ],
)
def test_what_is_no_order_is_refused_with_a_sentence(body: bytes, says: str) -> None:
    with pytest.raises(WorldRefused, match=says):
        read_order(body)


@pytest.mark.parametrize(
    ("order", "slow"),
    [(Line("siren", active=True), False), (Do("battery 20"), False), (Do("press record button twice"), True)],
)
def test_what_takes_a_while_waits_for_its_turn(order: Line | Do, slow: bool) -> None:
    assert takes_a_while(order) is slow


@pytest.mark.requirement("R3")
def test_every_state_of_the_camera_is_drawn_and_told() -> None:
    """The drawing comes from the camera's own table: a new state without a place fails here."""
    states = {one.value for one in State if one is not State.HOME}
    assert {one.state for one in machine_drawing.boxes()} == states
    assert set(machine_drawing.words()) == states
    for state, said in machine_drawing.words().items():
        buttons = [one for one in said["ways"] if one["when"].startswith("record or emergency")]
        assert buttons, f"a button does something in {state}"
        if state != "shutting_down":
            assert buttons[0]["then"] in ("recording", ""), state


def test_the_arrows_are_ways_of_the_table() -> None:
    targets: dict[str, set[str]] = {}
    for (state, _), row in TABLE.items():
        home = ("ready", "docked", "out_of_service") if row.target is State.HOME else (row.target.value,)
        targets.setdefault(state.value, set()).update(home)
    for arrow in machine_drawing.arrows():
        one, other = arrow.key.split("-")
        assert other in targets[one], arrow.key


def test_each_fault_says_what_the_camera_must_do() -> None:
    for one in fault_list():
        assert one["does"], one["name"]
        assert one["must"], one["name"]
        assert str(one["requirement"]).startswith("R"), one["name"]


def test_a_place_is_what_the_receiver_says_of_it() -> None:
    said = place([RMC, "$GPGGA,rubbish", "noise"])
    assert said["fix"] is True
    assert said["kmh"] == 37
    assert abs(said["north_m"]) < 1
    assert place([sentence("GPRMC,120000.00,V,,,,,,,010126,,,N")])["fix"] is False
    assert metres(HERE[0] + 0.001, HERE[1])[1] == pytest.approx(111.2, abs=0.1)


def test_the_picture_is_what_the_sensor_delivers_in_its_own_colours() -> None:
    """Limited range in, a JPEG's full range out; nothing is copied while nobody asks."""
    shown, picture = Shown(), Picture(64, 48)
    picture.y[:], picture.u[:], picture.v[:] = 235, 128, 128
    shown.offer(picture)
    with pytest.raises(OpRefused, match="delivers no picture"):
        shown.answer(PictureOp())
    data = jpeg((picture.y, picture.u, picture.v), 32)
    image = Image.open(io.BytesIO(data)).convert("RGB")
    assert image.size == (32, 24)
    assert all(level >= 253 for level in image.getpixel((5, 5)))  # type: ignore[union-attr]


def test_an_evidence_file_is_told_as_it_grows(tmp_path: Path) -> None:
    spool, store = tmp_path / "spool", tmp_path / "store"
    spool.mkdir()
    store.mkdir()
    whole = next(VECTORS.glob("**/*.evidence")).read_bytes()
    growing = spool / "SIM-0001-000001.evidence"
    files = Files(spool, (tmp_path / "none", store))
    seen = []
    for end in (10, len(whole) // 2, len(whole)):
        growing.write_bytes(whole[:end])
        seen.append(files.look()[0])
    assert [one["count"] for one in seen] == sorted(one["count"] for one in seen)
    assert seen[0]["count"] == 0
    assert seen[-1]["closed"]
    assert seen[-1]["statements"] > seen[1]["statements"]
    assert files.recordings() == [], "no receipt, nothing to open"
    growing.rename(store / growing.name)
    (store / f"{growing.name}.receipt.p7s").write_bytes(b"")
    assert files.look()[0]["place"] == "station"
    assert files.recordings() == ["SIM-0001-000001"]
    growing.write_bytes(b"no evidence at all, whatever its name says")
    (store / growing.name).unlink()
    assert files.look()[0]["broken"]


def report(**changes: Any) -> list[dict[str, Any]]:
    """The layers of a recording of which everything holds, but for the changes."""
    facts: dict[str, Any] = {
        "file": {"valid": True, "statements": 3, "objects": 2, "times": {"claim_holds": True}},
        "media": {"pictures": {"all_signed": True}, "certificate": {"trusted": True}, "groups": [{"status": "signed"}]},
        "report": {
            "source": {"serial": "SIM-0001"},
            "custody": [{"holds": True, "station": "STATION-1"}],
            "exported": {"re_encoded": False},
        },
        "credentials": "Trusted",
    }
    facts |= changes
    return layers(facts["file"], facts["media"], facts["report"], facts["credentials"])


def test_every_layer_holds_only_if_its_own_judge_says_so() -> None:
    assert all(one["holds"] for one in report())
    broken = {
        "Complete and untouched": {
            "file": {"valid": False, "findings": ["a byte differs"], "times": {"claim_holds": True}}
        },
        "Nothing changed on export": {"credentials": "Invalid"},
    }
    for name, change in broken.items():
        assert [one["name"] for one in report(**change) if not one["holds"]] == [name]
    missing = report(file={}, media={})
    assert [one["holds"] for one in missing] == [False, False, False, False, True, True]


def test_a_browser_that_does_not_keep_up_is_let_go() -> None:
    async def story() -> list[str]:
        feed = Feed()
        feed.set("camera", {"state": "ready"})
        browser = feed.subscribe(asyncio.get_running_loop())
        assert browser is not None
        for number in range(500):
            feed.set("world", number)
        await asyncio.sleep(0)
        return [one async for one in feed.events(browser)]

    told = asyncio.run(story())
    assert told == ["retry: 1000\n\n"]


def test_a_browser_gets_all_that_is_known_and_then_what_is_new() -> None:
    async def story() -> list[str]:
        feed = Feed()
        feed.set("camera", {"state": "ready"})
        feed.tell("camera", "is ready", 1.0)
        browser = feed.subscribe(asyncio.get_running_loop())
        assert browser is not None
        feed.set("camera", {"state": "ready"})  # nothing new
        feed.set("camera", {"state": "recording"})
        feed.close()
        await asyncio.sleep(0)
        return [one async for one in feed.events(browser)]

    told = asyncio.run(story())
    events = [(one.split("\n")[0].removeprefix("event: "), json.loads(one.split("data: ")[1])) for one in told[1:]]
    assert [topic for topic, _ in events] == ["reset", "camera", "told", "camera"]
    assert events[-1][1] == {"state": "recording"}


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["panel", "nonsense"], "there is no scenario 'nonsense'"),
        (["panel", "--port", "70000"], "port from 0 to 65535"),
    ],
)
def test_wrong_usage_is_told_in_one_sentence(words: list[str], says: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words) == 64
    assert says in capsys.readouterr().err
