"""Fixtures for all tests."""

from __future__ import annotations

import contextlib
import fcntl
import gc
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import recorded_run

LONGEST = ("test_whole_shift.py", "test_shift.py")
"""Files that take minutes: begun first, so that no worker is left alone with them at the end."""
SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


def pytest_addoption(parser: pytest.Parser) -> None:
    recorded_run.add_options(parser)


def pytest_configure(config: pytest.Config) -> None:
    recorded_run.configure(config)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: item.path.name not in LONGEST)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item, nextitem: pytest.Item | None) -> Iterator[None]:
    """`alone`: while such a test runs, no other worker runs one; outside of every time limit."""
    with _room(alone=item.get_closest_marker("alone") is not None):
        result = yield
    if nextitem is None or nextitem.path != item.path:
        gc.collect()  # a worker runs a thousand tests: what their cycles hold open would soon be too much for select()
    return result


@contextlib.contextmanager
def _room(*, alone: bool) -> Iterator[None]:
    """One for all workers of a run: many at a time, or one alone, who does not wait for ever for the many."""
    if "PYTEST_XDIST_WORKER" not in os.environ:
        yield
        return
    how = fcntl.LOCK_EX if alone else fcntl.LOCK_SH
    with Path(__file__).with_name("test_house_rules.py").open() as room:
        with Path(__file__).open() as gate:
            fcntl.flock(gate, how)
            fcntl.flock(room, how)
        yield


@pytest.fixture
def tool() -> Callable[[str], str]:
    """The path of a command line tool. Missing: skipped for a user, failed in CI (CI=true)."""

    def find(name: str) -> str:
        path = shutil.which(name)
        if path is None:
            reason = f"{name} is not installed: run `make test` as root once, or install it"
            if os.environ.get("CI") == "true":
                pytest.fail(reason)
            pytest.skip(reason)
        return path

    return find


@pytest.fixture
def shared_data() -> Callable[[str], Path]:
    """A file of the real input that lies beside a developer's checkout; skipped where it is absent."""

    def find(name: str) -> Path:
        path = SHARED_DATA / name
        if not path.exists():
            pytest.skip(f"real input {name} is not beside this checkout")
        return path

    return find


@pytest.fixture
def as_root() -> None:
    """For tests that mount file systems: skipped for a user, failed in CI without root."""
    if os.geteuid() != 0:
        if os.environ.get("CI") == "true":
            pytest.fail("this test needs root, and CI has it")
        pytest.skip("needs root")
