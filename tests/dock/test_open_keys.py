"""Agent and station look at their keys before they use them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from dock_bench import Process, write_agent, write_station

Run = Callable[[str, Path], Process]
KEYS = {"agent": ["camera-tls"], "station": ["station-tls", "station-receipt", "page"]}


@pytest.fixture
def keys(pki: Path, tmp_path: Path) -> Path:
    copied = Path(shutil.copytree(pki, tmp_path / "keys"))
    for suffix in ("key", "pem"):
        shutil.copy2(copied / f"station-tls.{suffix}", copied / f"page.{suffix}")
    return copied


def configured(command: str, directory: Path, keys: Path) -> Path:
    if command == "agent":
        return write_agent(directory, keys, port=1)
    path = write_station(directory, keys)
    page = f'[page]\nlisten_port = 0\ncertificate = "{keys}/page.pem"\nkey = "{keys}/page.key"\n'
    path.write_text(path.read_text() + page)
    return path


@pytest.mark.requirement("R6", "R41")
@pytest.mark.parametrize(("command", "stem"), [(command, stem) for command, stems in KEYS.items() for stem in stems])
def test_a_key_that_others_can_read_is_refused_before_it_is_used(
    command: str, stem: str, keys: Path, tmp_path: Path
) -> None:
    (keys / f"{stem}.key").chmod(0o644)
    words = [sys.executable, "-m", "dock", command, "--config", str(configured(command, tmp_path, keys))]
    done = subprocess.run(words, capture_output=True, text=True, timeout=120)
    assert done.returncode == 1
    assert done.stdout == "", "nobody was served"
    last = done.stderr.splitlines()[-1]
    assert f"{stem}.key can be read by" in last
    assert "chmod 600" in last
    assert "Traceback" not in done.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root: whose file it is decides")
@pytest.mark.needs_root
def test_a_file_of_roots_that_a_group_reads_is_an_administrators_choice_and_told(
    keys: Path, tmp_path: Path, run: Run
) -> None:
    (keys / "page.key").chmod(0o640)
    station = run("station", configured("station", tmp_path, keys))
    assert "WARNING dock.tls: page.key: " in station.log()
