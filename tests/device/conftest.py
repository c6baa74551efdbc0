"""Fixtures of the camera's tests: an agency, and cameras on the bench (`camera_bench`)."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from camera_bench import CameraBench
from fair_time import FairTime

from fleet.ca import create_agency, write_credential


@pytest.fixture(scope="session")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All keys of a simulated agency."""
    directory = tmp_path_factory.mktemp("pki")
    authority = create_agency(directory)
    other = authority.signer("camera", "Camera SIM-0002", serial="SIM-0002")
    write_credential(directory, "camera-2", other)
    return directory


@pytest.fixture
def bench(pki: Path) -> Iterator[Callable[..., CameraBench]]:
    """Makes cameras: `bench(policy={…}, battery_percent=5)`; see `CameraBench`. All are stopped at the end."""
    made: list[CameraBench] = []
    directories: list[Path] = []

    def make(**options: Any) -> CameraBench:
        # Not tmp_path: a Unix socket's path has at most 107 bytes.
        directory = Path(tempfile.mkdtemp(prefix="bench-"))
        directories.append(directory)
        made.append(CameraBench(directory, pki, **options))
        return made[-1]

    yield make
    for camera in made:
        camera.close()
    for directory in directories:
        shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture
def fair(tmp_path: Path) -> Iterator[FairTime]:
    """For a test of a time that is a requirement: how much of it the machine gave to the camera."""
    witness = FairTime(tmp_path).begin()
    yield witness
    witness.end()
