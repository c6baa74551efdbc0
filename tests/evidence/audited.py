"""Fixtures of the audit tests: `audit --json` as a function, and a shift of three recordings with its store."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from camera_shift import Camera
from recordings import Agency

from evidence.__main__ import main

Out = pytest.CaptureFixture[str]


@dataclass
class Audited:
    """What `audit --json` says about one camera."""

    code: int
    verdict: str
    kinds: set[str]
    texts: list[str]
    unknown: list[str]
    notes: list[str]
    proven: dict[str, Any] | None
    rows: dict[tuple[str, int], dict[str, Any]]


Audit = Callable[..., Audited]


@pytest.fixture
def audit(agency: Agency, capsys: Out) -> Audit:
    def run(*places: Path, more: tuple[str, ...] = ()) -> Audited:
        capsys.readouterr()
        code = main(["audit", *map(str, places), "--root", agency.file("root.pem"), "--json", *more])
        (one,) = json.loads(capsys.readouterr().out)["cameras"]
        return Audited(
            code,
            one["verdict"],
            {finding["kind"] for finding in one["findings"]},
            [f"{finding['kind']}: {finding['about']}: {finding['text']}" for finding in one["findings"]],
            one["unknown"],
            one["notes"],
            one["proven"],
            {(row["stream"], row["first"]): row for row in one["rows"]},
        )

    return run


@pytest.fixture
def camera(agency: Agency, tmp_path: Path) -> Camera:
    return Camera(agency, tmp_path / "card")


@pytest.fixture
def shift(camera: Camera, tmp_path: Path) -> tuple[Camera, Path]:
    """Three recordings and a log segment, all in the store; a contact follows, then the next shift's recording 4."""
    store = tmp_path / "store"
    camera.event("boot")
    recordings = [camera.record() for _ in range(3)]
    camera.upload(store, *recordings, camera.close_log())
    camera.contact(store)
    camera.event("contact")
    camera.record()
    return camera, store
