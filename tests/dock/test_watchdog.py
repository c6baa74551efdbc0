"""What systemd sees of agent and station: that they live; and that an agent needs nothing of a station's."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from dock.notify import keep_alive

WITHOUT = """
import sys

class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {"argon2", "uvicorn", "starlette", "jinja2", "obstore", "httptools", "rfc3161_client"}:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Missing())
from dock.__main__ import main
sys.exit(main(sys.argv[1:]))
"""


def dock_on_a_camera(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", WITHOUT, *words], capture_output=True, text=True, timeout=120)


async def heard(manager: socket.socket, count: int) -> list[bytes]:
    """So many words that the manager is told while the loop turns."""
    alive = asyncio.create_task(keep_alive())
    try:
        async with asyncio.timeout(60):
            return [await asyncio.get_running_loop().sock_recv(manager, 64) for _ in range(count)]
    finally:
        alive.cancel()


def test_an_event_loop_that_turns_tells_the_watchdog_again_and_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        monkeypatch.setenv("WATCHDOG_USEC", "150000")
        manager.setblocking(False)
        assert asyncio.run(heard(manager, 3)) == [b"WATCHDOG=1"] * 3


def test_without_a_watchdog_nobody_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WATCHDOG_USEC", raising=False)
    assert asyncio.run(asyncio.wait_for(keep_alive(), 60)) is None


def test_an_agent_starts_without_a_stations_libraries(tmp_path: Path) -> None:
    done = dock_on_a_camera("agent", "--config", str(tmp_path / "agent.toml"))
    assert (done.returncode, "agent.toml" in done.stderr) == (1, True), done.stderr
    assert "Traceback" not in done.stderr


def test_a_stations_verb_on_a_camera_says_what_to_install() -> None:
    done = dock_on_a_camera("people", "--help")
    assert done.returncode == 1
    assert done.stderr == "firsthand-dock people: needs argon2: install the package firsthand-station\n"


def test_the_help_on_a_camera_lists_what_runs_there() -> None:
    done = dock_on_a_camera("--help")
    assert done.returncode == 0, done.stderr
    assert "agent" in done.stdout
    assert "people" not in done.stdout
