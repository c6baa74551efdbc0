"""Where everything of a run lies, and the rule that keeps other people's directories safe.

A run directory is replaced only if it holds our marker file or is empty; anything else is refused untouched.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from simulator.card.mounts import unmount
from simulator.run_errors import OutRefused

MARKER: Final = ".firsthand-run"
_MARKER_TEXT: Final = "Made by `firsthand-sim shift`, which may replace this whole directory.\n"
_LONGEST_SOCKET_PATH_BYTES: Final = 100
"""Linux takes 107 bytes for a Unix socket's path."""
_LONGEST_SOCKET_NAME: Final = "recorder.sock"


@dataclass(frozen=True, slots=True)
class RunLayout:
    """The directories of one run under `out`; `sockets` may lie elsewhere, since such paths must be short."""

    out: Path
    sockets: Path

    @property
    def pki(self) -> Path:
        return self.out / "pki"

    @property
    def camera(self) -> Path:
        return self.out / "camera"

    @property
    def spool(self) -> Path:
        return self.camera / "spool"

    @property
    def station(self) -> Path:
        return self.out / "station"

    @property
    def store(self) -> Path:
        """Where the station keeps evidence and receipts."""
        return self.station / "store"

    @property
    def stations(self) -> tuple[Path, ...]:
        """Directories of the department's stations; the second is there once a scenario wants it."""
        return self.station, self.out / "station-second"

    @property
    def stores(self) -> tuple[Path, ...]:
        """Where all of them keep evidence and receipts."""
        return tuple(directory / self.store.name for directory in self.stations)

    @property
    def proofs(self) -> Path:
        """What the vault's holder signed."""
        return self.out / "proofs"

    @property
    def export(self) -> Path:
        return self.out / "export"

    @property
    def battery(self) -> Path:
        """Stands for /sys/class/power_supply."""
        return self.out / "hardware" / "power_supply"

    @property
    def thermal(self) -> Path:
        """Stands for /sys/class/thermal, with the firmware's get_throttled in it."""
        return self.out / "hardware" / "thermal"

    @property
    def logs(self) -> Path:
        return self.out / "logs"

    @property
    def report(self) -> Path:
        return self.out / "report.json"

    @property
    def timeline(self) -> Path:
        """What happened when, for people."""
        return self.out / "timeline.txt"

    @property
    def recorder_socket(self) -> Path:
        return self.sockets / "recorder.sock"

    @property
    def hardware_socket(self) -> Path:
        return self.sockets / "hardware.sock"

    @property
    def network_socket(self) -> Path:
        """Commands the network between the camera and the rest."""
        return self.sockets / "network.sock"

    @property
    def card_socket(self) -> Path:
        """Orders the camera's card about."""
        return self.sockets / "card.sock"

    @property
    def station_socket(self) -> Path:
        """Commands the station's lies."""
        return self.sockets / "station.sock"

    @property
    def world_socket(self) -> Path:
        """Where `firsthand-sim fault` and `do` speak to the world while it plays."""
        return self.sockets / "world.sock"


@contextlib.contextmanager
def run_layout(out: Path) -> Iterator[RunLayout]:
    """An empty run directory at `out`, ours alone while the ``with`` block lasts.

    Sockets in a short temporary place go away at the end. Raises `OutRefused` before anything is touched, or OSError.
    """
    found = _check(out)
    out.mkdir(parents=True, exist_ok=True)
    with contextlib.ExitStack() as cleanup:
        marker = cleanup.enter_context((out / MARKER).open("a+", encoding="utf-8"))
        try:
            fcntl.flock(marker, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise OutRefused(f"another run works in {out}: wait for its end, or choose another --out") from error
        unmount(out.resolve())  # a card whose program was killed
        for name in found:
            _remove(out / name)
        if marker.tell() == 0:
            marker.write(_MARKER_TEXT)
            marker.flush()
        out = out.resolve()
        sockets = out / "hardware"
        if len(os.fsencode(sockets / _LONGEST_SOCKET_NAME)) > _LONGEST_SOCKET_PATH_BYTES:
            sockets = Path(cleanup.enter_context(tempfile.TemporaryDirectory(prefix="firsthand-", dir=short_place())))
        layout = RunLayout(out, sockets)
        for directory in (layout.spool, layout.camera / "state", layout.station, layout.export, layout.logs):
            directory.mkdir(parents=True, exist_ok=True)
        layout.battery.mkdir(parents=True, exist_ok=True)
        for socket in (
            layout.recorder_socket,
            layout.hardware_socket,
            layout.network_socket,
            layout.station_socket,
            layout.world_socket,
        ):
            cleanup.callback(socket.unlink, missing_ok=True)
        yield layout


def _check(out: Path) -> list[str]:
    """Names of what an earlier run left in `out`. Raises `OutRefused` if it is not ours to replace."""
    if out.is_symlink() or (out.exists() and not out.is_dir()):
        raise OutRefused(f"{out} is no directory: choose another --out")
    found = sorted(path.name for path in out.iterdir()) if out.is_dir() else []
    if found and MARKER not in found:
        some = ", ".join(found[:3]) + (", …" if len(found) > 3 else "")
        raise OutRefused(f"{out} holds what no run of ours made ({some}): choose another --out, or an empty directory")
    return [name for name in found if name != MARKER]


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()


def short_place() -> str | None:
    """The user's runtime directory if there is one, else the system's temporary directory."""
    runtime = os.environ.get("XDG_RUNTIME_DIR", "")
    return runtime if runtime and os.access(runtime, os.W_OK | os.X_OK) else None
