"""A police trainer's sentences: each is understood however it is put, and each mistake is told with its line."""

from __future__ import annotations

import random
import re
import string
from pathlib import Path

import pytest

from simulator.claims import Claim
from simulator.expected import expected
from simulator.lint import lint
from simulator.plain_words import clock, plain_deed, seconds
from simulator.run_errors import BadScenario
from simulator.scenario import Scenario, bundled, find_scenario, load_scenario
from simulator.script import read_script
from simulator.steps import Mistake, Step
from simulator.words import ACTIONS, AMOUNTS, SAID, Deed, Expectation, UnknownWord, deed


def steps_of(text: str) -> tuple[Step, ...]:
    steps, mistakes = read_script(text)
    assert mistakes == ()
    return steps


def mistakes_in(text: str) -> list[tuple[int, str]]:
    return [(one.line, one.text) for one in read_script(text)[1]]


def scenario(tmp_path: Path, script: str, more: str = "") -> Path:
    path = tmp_path / "mine.toml"
    path.write_text(f'title = "Mine"\nscript = """\n{script}\n"""\n{more}', encoding="utf-8")
    return path


# --- times ------------------------------------------------------------------------------------------------------------


def test_at_is_a_time_of_the_scenario_and_after_counts_from_the_line_before() -> None:
    first, second, third, fourth = steps_of("at 00:03:10 lightbar on\nafter 3 s siren on\nat 3:20.5 dock\nundock")
    assert (first.at_s, first.deed) == (190.0, Deed("light bar on"))
    assert (second.at_s, second.wait_s, second.action) == (None, 3.0, "siren on")
    assert (third.at_s, third.action) == (200.5, "dock")
    assert (fourth.at_s, fourth.wait_s, fourth.action) == (None, 0.0, "undock")


@pytest.mark.parametrize(
    "line",
    ["when stopped, after 2 s dock", "When the camera has stopped after 2 seconds dock.", "when stopped then dock"],
)
def test_when_waits_for_a_state(line: str) -> None:
    (step,) = steps_of(line)
    assert (step.state, step.action) == ("stopped", "dock")
    assert step.wait_s == (2.0 if "after" in line else 0.0)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("3 s", 3),
        ("0.5 s", 0.5),
        ("2 minutes", 120),
        ("half a minute", 30),
        ("one hour", 3600),
        ("200 ms", 0.2),
        ("5s", 5),
    ],
)
def test_lengths_of_time(text: str, wanted: float) -> None:
    assert seconds(text) == wanted


@pytest.mark.parametrize(("text", "wanted"), [("3:10", 190), ("01:00:00", 3600), ("0:00.5", 0.5), ("90:00", 5400)])
def test_times_of_the_scenario(text: str, wanted: float) -> None:
    assert clock(text) == wanted


def test_a_time_that_goes_backwards_is_a_mistake_and_waits_count() -> None:
    assert mistakes_in("at 0:10 dock\nafter 5 s undock\nat 0:12 dock") == [
        (3, "0:12 lies before what comes earlier in the script (0:15 at the earliest)")
    ]


def test_what_is_repeated_is_played_so_often() -> None:
    steps = steps_of("repeat 3 times\nafter 1 s light bar on\nafter 1 s light bar off\nend repeat\ndock")
    assert [step.action for step in steps] == ["light bar on", "light bar off"] * 3 + ["dock"]
    assert {step.line for step in steps} == {2, 3, 5}
    assert mistakes_in("repeat 2 times\ndock")[0][0] == 1
    assert "before this end" in mistakes_in("dock\nend repeat")[0][1]
    assert "cannot be repeated" in mistakes_in("repeat 2 times\nat 0:10 dock\nend repeat")[0][1]


def test_comments_and_empty_lines_mean_nothing() -> None:
    (step,) = steps_of("# first\n\n   \nsay Badge #4711 is clipped on.  # not said\n")
    assert (step.say, step.line) == ("Badge #4711 is clipped on.", 4)


# --- what is done -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", [*ACTIONS, *(one.example for one in AMOUNTS), *SAID])
def test_every_word_of_the_simulator_can_stand_in_a_script(text: str) -> None:
    assert plain_deed(text) == deed(text)
    assert plain_deed(f"{text.capitalize()}.") == deed(text)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("Press the record button two times", "press record button twice"),
        ("press record twice", "press record button twice"),
        ("The light bar goes on", "light bar on"),
        ("switch the lightbar off", "light bar off"),
        ("lights on", "light bar on"),
        ("Put the camera into the dock", "dock"),
        ("take the camera out of the dock", "undock"),
        ("battery at 20 percent", "battery 20"),
        ("the board is 85 °C", "board 85 degrees"),
        ("clock jumps back 1 hour", "clock jumps -3600 s"),
        ("the encoder stalls for 3 seconds", "encoder stalls 3 s"),
        ("cut the power", "power cut"),
        ("Give the reason telephone (supervisor consulted)", "give reason telephone, supervisor consulted"),
        ("the officer draws his weapon", "weapon drawn"),
    ],
)
def test_a_deed_may_be_put_in_other_words(text: str, wanted: str) -> None:
    assert plain_deed(text) == deed(wanted)


def test_an_unknown_deed_names_the_nearest() -> None:
    assert mistakes_in("after 1 s sirn on") == [(1, "'sirn on' is not known; did you mean 'siren on'?")]
    assert mistakes_in("battery 101")[0][1].startswith("101 is no percentage")
    assert "did you mean 'telephone'?" in mistakes_in("give reason telefone")[0][1]


# --- faults -----------------------------------------------------------------------------------------------------------


def test_a_fault_has_a_name_a_number_and_a_length() -> None:
    one, two, three = steps_of("fault camera.black for 10 s\nfault microphone.late\nend fault microphone.late")
    assert one.deed == Deed("fault", None, "camera.black", for_s=10.0)
    assert (two.deed.reason, two.deed.for_s) == ("microphone.late", None)
    assert three.deed == Deed("end fault", None, "microphone.late")


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        ("fault camera.blakc for 10 s", "did you mean 'camera.black'?"),
        ("fault microphone.late 1000", "is out of range"),
        ("fault", "is no fault"),
        ("end fault camera.blakc", "did you mean 'camera.black'?"),
    ],
)
def test_a_wrong_fault_is_told(line: str, wanted: str) -> None:
    assert wanted in mistakes_in(line)[0][1]


# --- what is expected -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("recording within 0.5 s", Expectation("", status="recording", within_s=0.5)),
        ("the camera is recording", Expectation("", status="recording")),
        ("not recording", Expectation("", status="stopped")),
        ("recording for 10 s", Expectation("", status="recording", always=True)),
        ("no recording for 2 s", Expectation("", status="recording", never=True, within_s=2)),
        ("state sleep within 4 s", Expectation("", state="sleep", within_s=4)),
        ("out of service", Expectation("", state="out_of_service")),
        ("lamp red within 1 s", Expectation("", signal="red", within_s=1)),
        ("the red lamp", Expectation("", signal="red")),
        ("haptic", Expectation("", signal="haptic")),
        ("no tone for 5 s", Expectation("", signal="tone", never=True, within_s=5)),
        ("dark for 5 s", Expectation("", signal="any", never=True, within_s=5)),
        ("degraded", Expectation("", flag="degraded")),
        ("not degraded", Expectation("", flag="degraded", so=False)),
        ("log muted", Expectation("", event="muted")),
        ("log failure began encoder stalled within 6 s",
         Expectation("", event="failure_began", word="encoder_stalled", within_s=6)),
        ("no log muted for 2 s", Expectation("", event="muted", never=True, within_s=2)),
    ],
)  # fmt: skip
def test_state_lamps_and_log_can_be_expected(text: str, wanted: Expectation) -> None:
    one = expected(text)
    assert one.text == text
    assert {name: getattr(one, name) for name in Expectation.__slots__ if name != "text"} == {
        name: getattr(wanted, name) for name in Expectation.__slots__ if name != "text"
    }


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("evidence valid", Claim("evidence")),
        ("3 recordings", Claim("recordings", least=3, most=3)),
        ("recordings 3", Claim("recordings", least=3, most=3)),
        ("at least two recordings", Claim("recordings", least=2)),
        ("no recordings", Claim("recordings", least=0, most=0)),
        ("station has 2 recordings", Claim("stored", least=2, most=2)),
        ("pre-event at least 25 s", Claim("pre-event", "every", least=25)),
        ("recording 2 has pre-event at least 25 s", Claim("pre-event", 2, least=25)),
        ("gap camera_silent", Claim("gap", "any", "camera_silent")),
        ("no gap", Claim("gap", "none")),
        ("the first recording has no gap", Claim("gap", "first", negated=True)),
        ("trigger light bar", Claim("trigger", "any", "lightbar")),
        ("every recording has trigger pursuit", Claim("trigger", "every", "pursuit")),
        ("label arrest_search", Claim("label", "any", "arrest_search")),
        ("loss at most 2 s", Claim("loss", "every", most=2)),
        ("muted sound between 1:05 and 1:10", Claim("silent between", "any", least=65, most=70)),
        ("time unverified", Claim("time unverified", "any")),
        ("the last recording is linked to the recording before", Claim("linked", "last")),
        ("receipted", Claim("receipted", "every")),
        ("not receipted", Claim("receipted", "none")),
        ("recording 1 is not receipted", Claim("receipted", 1, negated=True)),
        ("not deleted on camera", Claim("deleted", "none")),
        ("quarantined", Claim("quarantined", "every")),
        ("station told lost", Claim("told lost")),
    ],
)
def test_evidence_and_dock_can_be_expected(text: str, wanted: Claim) -> None:
    assert expected(text).claim == wanted


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("recoding", "did you mean 'recording'?"),
        ("state asleep within 1 s", "did you mean 'sleep'?"),
        ("lamp rde", "did you mean 'red'?"),
        ("log mutd", "did you mean 'muted'?"),
        ("log muted for 2 s", "makes no sense"),
        ("lamp red for 3 s", "lamps blink"),
        ("gap camera_silnt", "did you mean 'camera_silent'?"),
        ("trigger lightbaar", "did you mean 'lightbar'?"),
        ("recording 2 has recipt", "did you mean 'receipted'?"),
        ("receipted for 3 s", "not watched for a time"),
        ("sound between 1:10 and 1:05", "is not after"),
        ("", "say after 'expect'"),
    ],
)
def test_a_wrong_expectation_is_told_with_the_nearest_words(text: str, wanted: str) -> None:
    with pytest.raises(UnknownWord) as refused:
        expected(text)
    assert wanted in str(refused.value)
    assert "\n" not in str(refused.value)


def test_several_expectations_belong_to_the_deed_before_them() -> None:
    first, second, last = steps_of(
        "press record twice\nexpect recording\nexpect log trigger\nafter 2 s expect haptic\nat the end expect no gap"
    )
    assert [one.line for one in first.expect] == [2, 3]
    assert (second.wait_s, second.action, len(second.expect)) == (2.0, "nothing", 1)
    assert (last.at_end, len(last.expect)) == (True, 1)


# --- files ------------------------------------------------------------------------------------------------------------


def test_all_that_is_wrong_with_a_file_is_told_at_once(tmp_path: Path) -> None:
    more = "[profile]\npre_event = 3\nmute = 'loud'\n[camera]\nwidht = 320\n[battery]\npercent = 120\n"
    path = scenario(tmp_path, "at 0:10 sirn on\nexpect recoding\nwhn stopped dock", more)
    mistakes, warnings = lint(path)
    assert warnings == []
    told = [line.removeprefix(f"{path}:") for line in mistakes]
    assert [line.partition(":")[0] for line in told] == ["3", "4", "5", "8", "9", "11", "13"]
    assert "did you mean 'siren on'?" in told[0]
    assert "begins with 'when'?" in told[2]
    assert "[profile]: unknown key 'pre_event'; did you mean 'pre_event_s'?" in told[3]
    assert "did you mean 'width'?" in told[5]
    assert "percent: expected `int` <= 100" in told[6]
    with pytest.raises(BadScenario) as refused:
        load_scenario(path)
    assert list(refused.value.mistakes) == mistakes


def test_the_world_is_set_up_in_the_file(tmp_path: Path) -> None:
    more = (
        "seed = 7\n[clock]\nstart = '1970'\n[gps]\nfix = false\n[battery]\npercent = 30\n[officer]\nname = 'A. Weiss'\n"
    )
    path = tmp_path / "mine.toml"
    path.write_text(f"title = 'a'\nscript = 'dock'\n{more}", encoding="utf-8")
    loaded = load_scenario(path)
    assert (loaded.seed, loaded.setup.clock.start, loaded.setup.gps.fix) == (7, "1970", False)
    assert loaded.setup.officer.fields["name"] == "A. Weiss"


@pytest.mark.requirement("R2")
def test_a_vehicle_has_more_cameras(tmp_path: Path) -> None:
    loaded = load_scenario(scenario(tmp_path, "dock", "[cameras.rear]\nwidth = 320\n"))
    assert loaded.setup.cameras["rear"].width == 320
    mistakes, _ = lint(scenario(tmp_path, "dock", "[cameras.roof]\nwidth = 320\n"))
    assert "roof" in mistakes[0] or "(cabin|rear|left|right)" in mistakes[0]


def test_a_script_and_steps_do_not_go_together(tmp_path: Path) -> None:
    path = scenario(tmp_path, "dock", "[[step]]\nat = 'start'\ndo = 'dock'\n")
    assert "not in both" in lint(path)[0][0]


@pytest.mark.parametrize(
    ("script", "wanted"),
    [
        ("light bar on", "nothing is expected"),
        ("expect recording", "expected before anything was done"),
        ("fault camera.black\nexpect log failure_began\nwhen stopped, dock", "camera.black never ends"),
        ("light bar on\nexpect recording\nlight bar on", "on already, since line 3"),
        ("hold function button\nexpect log muted", "never let go"),
        ("press record twice\nexpect recording\nwhen offloaded, expect no gap", "not in the dock"),
        ("press record twice\nexpect receipted", "never docked before"),
    ],
)
def test_what_is_probably_wrong_is_warned_of(tmp_path: Path, script: str, wanted: str) -> None:
    mistakes, warnings = lint(scenario(tmp_path, script))
    assert mistakes == []
    assert any(wanted in line for line in warnings), warnings


def test_nothing_is_said_about_a_good_scenario(tmp_path: Path) -> None:
    script = "light bar on\nexpect recording within 1 s\nfault camera.black for 3 s\nlight bar off\ndock\nexpect no gap"
    assert lint(scenario(tmp_path, script)) == ([], [])


@pytest.mark.parametrize("name", bundled())
def test_bundled_scenarios_have_no_mistake(name: str) -> None:
    assert isinstance(load_scenario(find_scenario(name)), Scenario)


def test_no_text_brings_the_reader_down() -> None:
    chance = random.Random(6)
    words = [*" ".join((*ACTIONS, *SAID)).split(), "at", "0:10", "after", "3", "s", "when", "stopped,", "expect", "no",
             "recording", "for", "within", "fault", "camera.black", "end", "repeat", "times", "between", "and", "every",
             "has", "say", "#", "-", "%", "1e9", "9" * 30, "\u2028", "\x00", "٣"]  # fmt: skip
    for _ in range(3000):
        text = "\n".join(
            " ".join(chance.choices(words, k=chance.randrange(8)))
            if chance.random() < 0.8
            else "".join(chance.choices(string.printable, k=chance.randrange(60)))
            for _ in range(chance.randrange(5))
        )
        steps, mistakes = read_script(text)
        assert all(isinstance(one, Step) for one in steps)
        assert all(isinstance(one, Mistake) and "\n" not in one.text for one in mistakes)


# --- the page that trainers read --------------------------------------------------------------------------------------

PAGE = Path(__file__).parents[2] / "docs" / "simulator" / "scenarios.md"


def test_every_word_that_can_be_done_stands_on_the_page() -> None:
    page = PAGE.read_text("utf-8")
    words = [*(one for one in ACTIONS if not one.endswith(" off")), *(one.example for one in AMOUNTS), *SAID]
    assert [one for one in words if f"`{one}`" not in page] == []


def test_every_example_of_the_page_is_a_good_scenario(tmp_path: Path) -> None:
    examples = re.findall(r"```toml\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    assert len(examples) == 2
    for number, text in enumerate(examples):
        path = tmp_path / f"{number}.toml"
        path.write_text(text, encoding="utf-8")
        assert lint(path) == ([], [])


def test_every_expectation_of_the_page_is_understood() -> None:
    section = PAGE.read_text("utf-8").partition("### State, lamps, log")[2].partition("### Names")[0]
    for row in re.findall(r"^\| (`.*?) \|", section, re.MULTILINE):
        for text in re.findall(r"`([^`]+)`", row):
            assert isinstance(expected(text), Expectation), text
