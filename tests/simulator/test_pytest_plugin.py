"""pytest-firsthand, as somebody else's project meets it: found, lazy, clear about what is wrong (R29).

Everything runs in a pytest of its own, in an empty directory.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from importlib.metadata import entry_points
from pathlib import Path

import pytest

pytest_plugins = ["pytester"]

BASE = Path(__file__).resolve().parents[2]
PAGE = BASE / "docs" / "simulator" / "pytest.md"


@pytest.fixture(autouse=True)
def installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The plugin is found through the installed distribution, by nobody's -p."""
    found = {one.value for one in entry_points(group="pytest11") if one.name == "firsthand"}
    told = tomllib.loads((BASE / "pyproject.toml").read_text("utf-8"))["project"]["entry-points"]["pytest11"]
    assert found == set(told.values()), "install the project again: pip install --no-deps --editable ."
    monkeypatch.delenv("PYTEST_ADDOPTS", raising=False)
    monkeypatch.delenv("PYTEST_PLUGINS", raising=False)


def blocks() -> Iterator[str]:
    """The page's examples in Python."""
    return iter(re.findall(r"^```python\n(.*?)^```$", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL))


def test_every_recipe_of_the_page_runs_as_it_stands_there(pytester: pytest.Pytester) -> None:
    found = list(blocks())
    assert len(found) >= 10
    for number, text in enumerate(found):
        assert "sleep" not in text
        pytester.path.joinpath(f"test_recipe_{number:02d}.py").write_text(text, "utf-8")
    done = pytester.runpytest_subprocess("-q", timeout=800)
    done.assert_outcomes(passed=len(found))


def test_worlds_after_each_other_leave_nothing_behind_even_when_a_test_fails(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        test_worlds="""
        import random, threading, time
        import pytest

        def left():
            from hal import program_time
            from simulator.drivers.hardware import HardwareSocket
            others = [one for one in threading.enumerate() if one is not threading.main_thread()]
            for one in others:
                one.join(120)
            alive = {one.name for one in others if one.is_alive()}
            before_s = time.time()
            return before_s <= program_time.utc_s() <= time.time(), dict(HardwareSocket._shared), alive

        @pytest.fixture(autouse=True)
        def around(request, tmp_path_factory):
            before = random.getstate()
            yield
            assert random.getstate() == before
            real_time, boards, threads = left()
            assert real_time
            assert not boards
            assert not threads, threads
            found = tmp_path_factory.getbasetemp().glob("firsthand-world*")
            worlds = [one for one in found if not one.is_symlink()]
            assert len(worlds) == ("one" not in request.node.name), "one that failed is kept, the others not"

        def test_one_ends_in_the_middle_of_a_self_test(world):
            world.lightbar.on()
            world.camera.wait_for("recording", within_s=1)
            world.camera.cut_power()
            world.camera.wait_for("recording", within_s=10)

        def test_two_fails_in_a_recording(world):
            world.lightbar.on()
            world.camera.wait_for("recording", within_s=1)
            world.let_pass(120)
            assert world.now_s > 120
            assert not world.camera.is_recording, "which is wrong"

        @pytest.mark.firsthand(docked=True)
        def test_three_begins_anew(world, camera, station):
            assert world.camera is camera and world.station is station
            assert camera.state == "docked"
            assert not world.recordings
        """
    )
    done = pytester.runpytest_subprocess("-q", timeout=600)
    done.assert_outcomes(passed=2, failed=1)
    done.stdout.fnmatch_lines(
        [
            "*AssertionError: which is wrong*",
            "*what happened in the world (firsthand)*",
            "*test    > light bar on",
            "*camera  recording SIM-0001-000001 begins (lightbar)",
            "Its files: *firsthand-world*",
        ]
    )


def test_mistakes_name_the_test_and_the_nearest_word(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        test_wrong="""
        import pytest
        firsthand = pytest.mark.firsthand

        @firsthand(profle={})
        def test_word(world): pass

        @firsthand(profile={"pre_evnt_s": 3}, camera={"width": 1})
        def test_key(world): pass

        @firsthand("docked")
        def test_argument(world): pass

        @firsthand(docked="yes")
        def test_truth(world): pass

        @firsthand(inputs={"taser": {"kind": "weapon"}})
        def test_input(world): pass

        def test_broker(broker): pass

        def test_waits(camera):
            with pytest.raises(ValueError, match="did you mean 'recording'"):
                camera.wait_for("recroding")

        def test_does(world, station):
            with pytest.raises(ValueError, match="light bar on"):
                world.do("lite bar on")
            with pytest.raises(AttributeError):
                world.battery.precent = 12
            with pytest.raises(ValueError, match="is not stored; the station has nothing"):
                station.verify("../../etc/passwd")
            with pytest.raises(Exception, match="did you mean 'gps.teleport'"):
                world.fault("gps.telport")
        """
    )
    done = pytester.runpytest_subprocess("-q", timeout=600)
    done.assert_outcomes(passed=2, errors=6)
    said = done.stdout.str()
    for line in (
        "test_wrong.py::test_word: @pytest.mark.firsthand does not know 'profle'; did you mean 'profile'?",
        "test_wrong.py::test_key: @pytest.mark.firsthand: [profile]: unknown key 'pre_evnt_s'",
        "@pytest.mark.firsthand: width: expected `int` >= 128",
        'test_wrong.py::test_argument: say what it is, as in @pytest.mark.firsthand(seed=7), not only "docked"',
        "test_wrong.py::test_truth: @pytest.mark.firsthand(docked='yes'): say True or False",
        'say source = "message"',
        "test_wrong.py::test_broker: in virtual time there is no broker; mark the test with",
    ):
        assert line in said


def test_a_project_without_simulated_worlds_pays_nothing(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        test_plain="""
        import sys

        def test_nothing_was_loaded(pytestconfig):
            assert pytestconfig.pluginmanager.has_plugin("firsthand")
            heavy = {"av", "numpy", "PIL", "msgspec", "starlette", "amqtt", "device", "dock", "evidence"}
            assert not heavy & set(sys.modules)
            assert {name for name in sys.modules if name.startswith("simulator")} == {
                "simulator", "simulator.pytest_plugin"
            }
        """
    )
    pytester.runpytest_subprocess("-q", "-p", "no:hypothesispytest", timeout=300).assert_outcomes(passed=1)


def test_it_can_be_left_out(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("def test_one(world): pass")
    done = pytester.runpytest_subprocess("-q", "-p", "no:firsthand", timeout=300)
    done.assert_outcomes(errors=1)
    done.stdout.fnmatch_lines(["*fixture 'world' not found"])


def test_without_the_extra_it_says_what_to_install(pytester: pytest.Pytester) -> None:
    pytester.makeconftest(
        """
        from importlib.machinery import PathFinder

        found = PathFinder.find_spec

        def find_spec(name, path=None, target=None):
            return None if name.partition(".")[0] in ("av", "starlette") else found(name, path, target)

        PathFinder.find_spec = find_spec
        """
    )
    pytester.makepyfile("def test_one(world): pass")
    done = pytester.runpytest_subprocess("-q", timeout=300)
    done.assert_outcomes(errors=1)
    done.stdout.fnmatch_lines(
        ['the simulated world needs what is not installed here (av, starlette): pip install "firsthand?sim,station?"']
    )


def test_workers_of_xdist_have_worlds_of_their_own(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        test_many="""
        import pytest

        @pytest.mark.parametrize("number", range(2))
        def test_one(world, number):
            world.lightbar.on()
            world.camera.wait_for("recording", within_s=1)
        """
    )
    pytester.runpytest_subprocess("-q", "-n", "2", timeout=600).assert_outcomes(passed=2)
