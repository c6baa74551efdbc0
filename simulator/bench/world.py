"""The world of one test: everything that it can touch, by a name that reads aloud."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from evidence.requests import TriggerRequest
from simulator.bench.board import EmergencyButton, FunctionButton, Line, RecordButton
from simulator.bench.camera import Camera
from simulator.bench.hand import Hand
from simulator.bench.station import Station
from simulator.bench.surroundings import Battery, Board, Card, Clock, Gps, Network
from simulator.claims import RecordingFacts
from simulator.words import Deed

if TYPE_CHECKING:
    from simulator.bench.broker import Broker


class World:
    """What the fixture ``world`` is. Whatever it does happens at one instant of the world's time, or takes the time
    that a hand takes for it; nothing needs a sleep. It belongs to the thread of the test."""

    def __init__(self, hand: Hand, station: Station, broker: Broker | None = None) -> None:
        self._hand = hand
        self.camera = Camera(hand)
        self.station = station
        self.broker = broker
        """Only in a real world: ``@pytest.mark.firsthand(real=True)``."""
        self.record_button = RecordButton(hand)
        self.emergency = EmergencyButton(hand)
        self.function_button = FunctionButton(hand)
        self.lightbar = Line(hand, "light bar")
        self.siren = Line(hand, "siren")
        self.pursuit = Line(hand, "pursuit")
        self.door = Line(hand, "door")
        self.gun_rack = Line(hand, "gun rack")
        self.brake = Line(hand, "brake")
        self.ignition = Line(hand, "ignition")
        self.stealth_slide = Line(hand, "stealth slide")
        self.battery = Battery(hand)
        self.board = Board(hand)
        self.gps = Gps(hand)
        self.clock = Clock(hand)
        self.card = Card(hand)
        self.network = Network(hand)

    @property
    def real(self) -> bool:
        """Whether it plays in real time, with processes."""
        return self._hand.real

    @property
    def directory(self) -> Path:
        """Where its files lie (docs/simulator.md, "What a run leaves"); gone after a test that passed."""
        return self._hand.files.layout.out

    @property
    def now_s(self) -> float:
        """Seconds of its own time since it began."""
        return self._hand.seen.at_s

    @property
    def recordings(self) -> list[RecordingFacts]:
        """All recordings that were ever begun, wherever they are now; oldest first."""
        return list(self._hand.facts().recordings)

    def let_pass(self, seconds: float) -> None:
        """Let so much of its time pass. In virtual time an hour takes some seconds."""
        self._hand.pause(seconds)

    def dock(self) -> None:
        """Put the camera into the dock."""
        self._hand.act(Deed("dock"))

    def undock(self) -> None:
        """Take it out."""
        self._hand.act(Deed("undock"))

    def message(self, name: str) -> None:
        """A radio's message trigger reaches the camera: ``weapon``, or an input of the marker's `inputs`."""
        self._hand.note(f"message {name}")
        self._hand.inner.camera.ask(TriggerRequest(name=name))
        self._hand.inner.look()

    def fault(self, name: str, amount: float | None = None, *, for_s: float | None = None) -> None:
        """Let a fault of the catalogue happen (docs/simulator/faults.md), for so long or until `end_fault`.

        Raises `WorldRefused` with the nearest name, or when this world cannot have it.
        """
        self._hand.act(Deed("fault", amount, name, for_s=for_s))

    def end_fault(self, name: str) -> None:
        """It is over."""
        self._hand.act(Deed("end fault", None, name))

    def do(self, sentence: str) -> None:
        """Anything that a scenario can do, in its words: ``officer signs in``, ``give reason telephone``, ``fall``.

        Raises ValueError with the nearest known words.
        """
        __tracebackhide__ = True
        self._hand.do(sentence)

    def expect(self, sentence: str) -> None:
        """Anything that a scenario can expect, in its words: ``every recording has pre-event at least 20 s``.

        Raises AssertionError if it is not so within 10 s (or as long as the sentence says), ValueError for words that
        are none.
        """
        __tracebackhide__ = True
        self._hand.expect(sentence)

    def last_lines(self) -> list[str]:
        """The end of its timeline, for people."""
        return self._hand.last_lines()
