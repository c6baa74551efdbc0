"""Fixtures for the dock: one agency for the session, processes and a recorder for each test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from chromium import chromium
from dock_bench import Process
from dock_camera import Camera, FakeRecorder
from lying_bench import LyingWorld, Visitor, lying_world, visitor_of
from playwright.sync_api import Browser, BrowserContext
from weed import Weed

from evidence.trust import Trust
from fleet.ca import create_agency


@pytest.fixture(scope="session")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small agency with one camera, SIM-0001."""
    directory = tmp_path_factory.mktemp("pki")
    create_agency(directory)
    return directory


@pytest.fixture(scope="session")
def other_pki(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Another agency, with a camera of the same serial."""
    directory = tmp_path_factory.mktemp("other")
    create_agency(directory)
    return directory


@pytest.fixture(scope="session")
def weed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Weed]:
    """SeaweedFS, one for all tests that need a bucket: each makes its own."""
    store = Weed(tmp_path_factory.mktemp("weed")).start()
    yield store
    store.kill()


@pytest.fixture
def camera(tmp_path: Path, pki: Path) -> Camera:
    spool = tmp_path / "spool"
    spool.mkdir()
    return Camera(pki, spool)


@pytest.fixture
def recorder(tmp_path: Path, pki: Path, camera: Camera) -> Iterator[FakeRecorder]:
    fake = FakeRecorder(tmp_path / "recorder.sock", camera.spool, Trust.load(pki / "root.pem"))
    yield fake
    fake.close()


@pytest.fixture(scope="module")
def lying(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LyingWorld]:
    """The real station with its liar, and a network before it, for one file of tests."""
    with lying_world(tmp_path_factory.mktemp("lying")) as world:
        yield world


@pytest.fixture
def world(lying: LyingWorld) -> Iterator[LyingWorld]:
    """The same, honest and undisturbed at the beginning of each test."""
    yield lying
    lying.again()


@pytest.fixture
def visitor(tmp_path: Path, world: LyingWorld) -> Iterator[Visitor]:
    """A camera that comes to it."""
    made = visitor_of(world, tmp_path)
    yield made
    made.recorder.close()


@pytest.fixture
def run() -> Iterator[Callable[[str, Path], Process]]:
    """Start `firsthand-dock COMMAND --config FILE`; all are stopped at the end."""
    started: list[Process] = []

    def start(command: str, config: Path) -> Process:
        process = Process(config, command)
        started.append(process)
        return process.start()

    yield start
    for process in started:
        if process.started is not None and process.started.poll() is None:
            process.kill()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium, for one file of tests: as long as it runs no event loop can be begun beside it."""
    with chromium() as found:
        yield found


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    """A fresh browser profile in a window of a desk's size."""
    made = browser.new_context(ignore_https_errors=True, viewport={"width": 1280, "height": 800})
    yield made
    made.close()
