"""Children of a run: watched while they live, and always ended."""

from __future__ import annotations

import os
import signal
import socket
import ssl
import subprocess
import sys
import time
from pathlib import Path

import pytest

from fleet.ca import create_agency
from simulator import broker, processes
from simulator.processes import Children, python_module
from simulator.run_errors import ProcessDied

FOREVER = [sys.executable, "-c", "import time; print('up', flush=True); time.sleep(600)"]


def gone(pid: int, within_s: float = 120) -> bool:
    """True once no such process is there any more."""
    deadline_s = time.monotonic() + within_s
    while time.monotonic() < deadline_s:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            return True
        if state == "Z":
            return True
        time.sleep(0.02)
    return False


def test_a_child_that_dies_is_named_with_the_end_of_its_log(tmp_path: Path) -> None:
    with Children(tmp_path) as children:
        child = children.start("device", [sys.executable, "-c", "print('no key'); raise SystemExit(3)"])
        child.process.wait()
        with pytest.raises(ProcessDied, match=r"device ended by itself with exit code 3(.|\n)*no key"):
            children.check()


def test_leaving_the_block_ends_the_children_also_after_an_error(tmp_path: Path) -> None:
    children = Children(tmp_path)
    pid = children.start("station", FOREVER).process.pid

    def fail_inside() -> None:
        with children:
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail_inside()
    assert gone(pid)


def test_a_child_that_ignores_sigterm_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "STOP_DEADLINE_S", 0.3)
    stubborn = "import signal, time; signal.signal(15, signal.SIG_IGN); print('up', flush=True); time.sleep(600)"
    with Children(tmp_path) as children:
        child = children.start("agent", [sys.executable, "-c", stubborn])
        children.wait_for_text(child, "up", 120)
    assert child.process.returncode == -signal.SIGKILL


def test_children_end_when_the_simulator_is_killed_outright(tmp_path: Path) -> None:
    program = (
        "import sys, time; from pathlib import Path; from simulator.processes import Children\n"
        f"children = Children(Path({str(tmp_path)!r}))\n"
        f"child = children.start('device', {FOREVER!r})\n"
        "children.wait_for_text(child, 'up', 120)\n"
        "print(child.process.pid, flush=True); time.sleep(600)\n"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        assert Path(f"/proc/{pid}").exists()
        os.kill(parent.pid, signal.SIGKILL)
    assert gone(pid)


def test_tools_run_to_their_end_and_their_output_goes_where_it_should(tmp_path: Path) -> None:
    with Children(tmp_path) as children:
        jobs = [(f"tool-{n}", [sys.executable, "-c", f"print({n}); raise SystemExit({n})"], None) for n in range(3)]
        assert children.run_all(jobs) == {"tool-0": 0, "tool-1": 1, "tool-2": 2}
        out = tmp_path / "out"
        assert children.run_all([("echo", [sys.executable, "-c", "print('hi')"], out)]) == {"echo": 0}
        assert out.read_text() == "hi\n"


def test_the_broker_speaks_tls_with_the_agencys_certificate(tmp_path: Path) -> None:
    create_agency(tmp_path / "pki")
    with Children(tmp_path) as children:
        child = children.start("broker", python_module("simulator.broker", str(tmp_path / "pki")))
        port = int(children.wait_for_text(child, broker.READY, 240).rpartition(" ")[2])
        context = ssl.create_default_context(cafile=str(tmp_path / "pki" / "tls-ca.pem"))
        with (
            socket.create_connection((broker.HOST, port), 120) as plain,
            context.wrap_socket(plain, server_hostname="localhost") as secure,
        ):
            assert secure.version() in ("TLSv1.2", "TLSv1.3")
        children.stop(child)
        assert child.process.returncode == 0


def test_a_tool_that_does_not_end_is_named(tmp_path: Path) -> None:
    children = Children(tmp_path)
    with pytest.raises(ProcessDied, match="export is not done"), children:
        children.run_all([("export", FOREVER, None)], within_s=0.2)


def test_a_killed_service_is_started_again_with_its_log_kept(tmp_path: Path) -> None:
    script = "import time; print('hello', flush=True); time.sleep(600)"
    with Children(tmp_path) as children:
        service = children.start("service", [sys.executable, "-c", script], service=True)
        children.wait_for_text(service, "hello", 120)
        first = service.process.pid
        service.process.kill()
        service.process.wait(120)
        children.check()
        assert service.process.pid != first
        assert children.restarts == [("service", 9)]
        deadline_s = time.monotonic() + 120
        while service.text().count("hello") < 2:
            assert time.monotonic() < deadline_s, service.text()
            time.sleep(0.02)


def test_a_service_that_ends_by_itself_ends_the_run(tmp_path: Path) -> None:
    with Children(tmp_path) as children:
        service = children.start("service", [sys.executable, "-c", "raise SystemExit(3)"], service=True)
        service.process.wait(120)
        with pytest.raises(ProcessDied, match="exit code 3"):
            children.check()


def test_a_service_whose_battery_was_empty_is_charged_and_started_again(tmp_path: Path) -> None:
    charged: list[int] = []
    with Children(tmp_path) as children:
        children.on_power_off = lambda: charged.append(1)
        service = children.start("device", [sys.executable, "-c", "raise SystemExit(20)"], service=True)
        service.process.wait(120)
        children.check()
        assert (charged, children.power_offs, children.restarts) == ([1], 1, [])
        children.stop(service)
