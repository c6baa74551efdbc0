"""The docking station, as a test looks at it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evidence.handover import Receipt
from evidence.trust import Trust
from evidence.verify import Report, verify_file
from simulator.bench.hand import Hand
from simulator.claims import RecordingFacts
from simulator.measured import RECEIPT_SUFFIX, check_receipt


@dataclass(slots=True, repr=False, eq=False)
class Station:
    """One docking station with its store."""

    _hand: Hand
    _stop: Callable[[], None]
    _start: Callable[[], None]

    @property
    def store(self) -> Path:
        """The directory in which evidence and receipts lie."""
        return self._hand.files.layout.store

    @property
    def recordings(self) -> list[RecordingFacts]:
        """What the stored recordings say, oldest first."""
        return [one for one in self._hand.facts().recordings if one.stored]

    @property
    def receipts(self) -> dict[str, Receipt]:
        """Its receipts by the recording's name. Raises `EvidenceError` for one that does not hold."""
        suffix = ".evidence" + RECEIPT_SUFFIX
        stems = sorted(path.name.removesuffix(suffix) for path in self.store.glob(f"*{suffix}"))
        return {stem: self._receipt(stem) for stem in stems if "-log-" not in stem}

    def verify(self, recording: str | RecordingFacts) -> Report:
        """Verify a stored recording, every signature and hash. Raises ValueError for one that is not stored."""
        return verify_file(self._path(recording if isinstance(recording, str) else recording.stem), self._trust())

    def stop(self) -> None:
        """It is switched off, until `start`."""
        self._hand.note("station: stop")
        self._stop()

    def start(self) -> None:
        """It is switched on again."""
        self._hand.note("station: start")
        self._start()

    def lie(self, what: str, **more: Any) -> None:
        """It answers wrongly from now on: a word of docs/simulator/network.md. Raises `WorldRefused`."""
        self._hand.note(f"station: lie {what}")
        self._hand.inner.station.lie(what, **more)  # type: ignore[arg-type]  # checked there, strictly

    def be_honest(self) -> None:
        """The truth from now on."""
        self._hand.note("station: be honest")
        self._hand.inner.station.honest()

    def _path(self, name: str) -> Path:
        path = self.store / f"{name.removesuffix('.evidence')}.evidence"
        if path.parent != self.store or not path.is_file():
            stored = ", ".join(sorted(one.stem for one in self.store.glob("*.evidence"))) or "nothing"
            raise ValueError(f"{name!r} is not stored; the station has {stored}")
        return path

    def _receipt(self, stem: str) -> Receipt:
        path = self.store / f"{stem}.evidence"
        return check_receipt(path, verify_file(path, self._trust()), self._trust())

    def _trust(self) -> Trust:
        return Trust.load(self._hand.files.layout.pki / "root.pem")
