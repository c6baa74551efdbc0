"""Fixtures of the evidence tests: two agencies, and a factory of recordings."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from recordings import Agency, Recipe, make_agency, write_recording


@pytest.fixture(scope="session")
def agency(tmp_path_factory: pytest.TempPathFactory) -> Agency:
    """A simulated agency with one camera, one station, an export desk and a second camera."""
    return make_agency(tmp_path_factory.mktemp("agency"))


@pytest.fixture(scope="session")
def real_agency(tmp_path_factory: pytest.TempPathFactory) -> Agency:
    """The same under a production root."""
    return make_agency(tmp_path_factory.mktemp("real-agency"), simulated=False)


@pytest.fixture(scope="session")
def recording(agency: Agency, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two seconds of closed recording; read it, never change it."""
    return write_recording(agency, tmp_path_factory.mktemp("recording"))


@pytest.fixture
def record(agency: Agency, tmp_path: Path) -> Callable[..., Path]:
    """Makes a recording of its own for a test: `record(seconds=3, close=False)`."""

    def make(signer: str = "camera", **recipe: object) -> Path:
        return write_recording(agency, tmp_path, Recipe(**recipe), signer)  # type: ignore[arg-type]

    return make
