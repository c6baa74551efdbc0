"""The house rules that a machine can check (style.md)."""

from __future__ import annotations

import ast
import collections
import importlib
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

BASE = Path(__file__).resolve().parent.parent
MAY_IMPORT = {
    "hal": set(),
    "evidence": set(),
    "device": {"hal", "evidence"},
    "dock": {"hal", "evidence"},
    "fleet": {"evidence"},
    "simulator": {"hal", "evidence", "device", "dock", "fleet"},
}
ROOMS = frozenset(MAY_IMPORT)
HEAVY = ("av", "numpy", "PIL", "starlette", "uvicorn", "amqtt", "picamera2", "paho")


def sources(*rooms: str) -> Iterator[Path]:
    for room in rooms:
        yield from (BASE / room).rglob("*.py")


def imported(path: Path) -> Iterator[tuple[str, int]]:
    """Top-level names of every import in a file, those inside functions too."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((alias.name.split(".")[0], node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: relative import"
            yield (node.module or "").split(".")[0], node.lineno


def calls(path: Path) -> Iterator[tuple[str, int]]:
    """Every call as written, `os.replace` say."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func), node.lineno


def test_arrows_point_one_way() -> None:
    wrong = [
        f"{path.relative_to(BASE)}:{line} imports {name}"
        for room, allowed in MAY_IMPORT.items()
        for path in sources(room)
        for name, line in imported(path)
        if name in ROOMS - allowed - {room}
    ]
    assert not wrong


def test_every_room_has_its_rule() -> None:
    found = {path.parent.name for path in BASE.glob("*/__init__.py")}
    assert found == ROOMS


def test_the_camera_daemon_loads_nothing_heavy() -> None:
    code = f"import sys, device.daemon; print([name for name in {HEAVY!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=300)
    assert done.stdout.strip() == "[]"


def test_only_one_module_makes_things_durable() -> None:
    """hal/storage.py measures how fast the card's fdatasync is; nothing durable comes of it."""
    durable = {"os.replace", "os.fsync", "os.fdatasync", "os.rename"}
    wrong = [
        f"{path.relative_to(BASE)}:{line} {name}"
        for path in sources(*ROOMS)
        if path not in (BASE / "evidence/durable.py", BASE / "hal/storage.py")
        for name, line in calls(path)
        if name in durable
    ]
    assert not wrong


def test_camera_and_dock_make_no_directory_that_a_power_cut_takes_back() -> None:
    """A file is only as durable as the names of the directories above it (invariant 3): `durable.make_directory`.

    The control socket's directory is in memory; a probe's copy is a technician's.
    """
    not_kept = (BASE / "device/control.py", BASE / "device/probe_tree.py")
    wrong = [
        f"{path.relative_to(BASE)}:{line} {name}"
        for path in sources("device", "dock", "hal")
        if path not in not_kept
        for name, line in calls(path)
        if name.endswith((".mkdir", "os.makedirs"))
    ]
    assert not wrong


def test_nothing_sleeps_but_the_simulator() -> None:
    wrong = [
        f"{path.relative_to(BASE)}:{line}"
        for path in sources(*ROOMS - {"simulator"})
        for name, line in calls(path)
        if name in ("time.sleep", "sleep")
    ]
    assert not wrong


def test_no_file_is_too_long() -> None:
    lengths = {path.relative_to(BASE): len(path.read_text("utf-8").splitlines()) for path in sources(*ROOMS)}
    assert not {str(path): lines for path, lines in lengths.items() if lines > 350}


def test_no_file_is_named_for_nothing() -> None:
    names = {"utils.py", "helpers.py", "manager.py", "common.py", "util.py", "misc.py"}
    assert not [path for path in sources(*ROOMS) if path.name in names]


def entry_points() -> list[tuple[str, str]]:
    project = tomllib.loads((BASE / "pyproject.toml").read_text("utf-8"))["project"]
    found = dict(project["scripts"])
    for points in project["entry-points"].values():
        found |= points
    return sorted(found.items())


@pytest.mark.parametrize(("name", "target"), entry_points())
def test_every_entry_point_resolves(name: str, target: str) -> None:
    module, _, attribute = target.partition(":")
    found = importlib.import_module(module)
    assert not attribute or callable(getattr(found, attribute)), name


def test_no_two_modules_of_the_tests_have_one_name() -> None:
    """tests/ has no packages: whoever imports a name gets the first that any test made findable."""
    files = [path for path in (BASE / "tests").rglob("*.py") if path.name not in ("conftest.py", "run.py")]
    names = collections.Counter(path.name for path in files)
    assert [name for name, count in names.items() if count > 1] == []
    imports = re.compile(r"^\s*(from run import|import run)\b", re.MULTILINE)
    assert [path.name for path in files if imports.search(path.read_text("utf-8"))] == []
