"""pytest-firsthand: the fixtures ``world``, ``camera``, ``station`` and ``broker`` (docs/simulator/pytest.md).

Nothing of the simulator is imported before a test asks for a fixture: whoever runs pytest without one pays nothing.
"""

from __future__ import annotations

import importlib.util
import shutil
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from simulator.bench.broker import Broker
    from simulator.bench.camera import Camera
    from simulator.bench.station import Station
    from simulator.bench.world import World

_MARKER = (
    "firsthand(profile={…}, camera={…}, seed=…, docked=True, real=True, …): the simulated world that a test wants, in "
    "the words of a scenario's tables; real=True plays in real time with processes and a broker"
)
_NEEDED = ("av", "numpy", "PIL", "amqtt", "argon2", "httptools", "jinja2", "obstore", "starlette", "uvicorn")
_open: pytest.StashKey[World] = pytest.StashKey()
_failed: pytest.StashKey[bool] = pytest.StashKey()


def pytest_configure(config: pytest.Config) -> None:
    """Tell pytest the marker."""
    config.addinivalue_line("markers", _MARKER)


@pytest.fixture(scope="session")
def _firsthand_keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The agency's keys, made once for all tests of a session."""
    missing = [name for name in _NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        pytest.fail(
            f"the simulated world needs what is not installed here ({', '.join(missing)}): "
            'pip install "firsthand[sim,station]"',
            pytrace=False,
        )
    from simulator.bench.opening import make_keys

    keys = tmp_path_factory.mktemp("firsthand-keys") / "pki"
    make_keys(keys)
    return keys


@pytest.fixture
def world(
    request: pytest.FixtureRequest, _firsthand_keys: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[World]:
    """A simulated department of its own for this test: camera, agent, docking station; virtual time."""
    from simulator.bench.marker import BadMarker, setting_of
    from simulator.bench.opening import opened

    item: pytest.Item = request.node
    wrong = ""
    try:
        setting = setting_of(item.nodeid, [(one.args, one.kwargs) for one in item.iter_markers("firsthand")])
    except BadMarker as error:
        wrong = str(error)
    if wrong:
        pytest.fail(wrong, pytrace=False)
    out = tmp_path_factory.mktemp("firsthand-world")
    with opened(setting, out, _firsthand_keys) as one:
        item.stash[_open] = one
        try:
            yield one
        finally:
            del item.stash[_open]
    if not item.stash.get(_failed, False):
        shutil.rmtree(out, ignore_errors=True)


@pytest.fixture
def camera(world: World) -> Camera:
    """The camera of this test's world: the same as ``world.camera``."""
    return world.camera


@pytest.fixture
def station(world: World) -> Station:
    """The docking station of this test's world: the same as ``world.station``."""
    return world.station


@pytest.fixture
def broker(request: pytest.FixtureRequest, world: World) -> Broker:
    """The fleet's MQTT broker. Only for tests marked ``@pytest.mark.firsthand(real=True)``."""
    if world.broker is None:
        pytest.fail(
            f"{request.node.nodeid}: in virtual time there is no broker; mark the test with "
            "@pytest.mark.firsthand(real=True), and it plays in real time",
            pytrace=False,
        )
    return world.broker


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: Any) -> Generator[None, Any, Any]:
    """A test that failed shows the last lines of its world's timeline."""
    report = yield
    if report.failed and call.when != "teardown":
        item.stash[_failed] = True
        one = item.stash.get(_open, None)
        if one is not None:
            lines = (*one.last_lines(), "", f"Its files: {one.directory}")
            report.sections.append(("what happened in the world (firsthand)", "\n".join(lines)))
    return report
