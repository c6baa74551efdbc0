"""What surrounds the camera, as a test changes it: battery, board, receiver, clock, card, network."""

from __future__ import annotations

from dataclasses import dataclass

from simulator.bench.hand import Hand
from simulator.words import Deed


@dataclass(slots=True, repr=False, eq=False)
class Battery:
    """The cell and its gauge."""

    _hand: Hand

    @property
    def percent(self) -> float:
        """The true state of charge; set it at any time."""
        return self._hand.inner.battery.percent

    @percent.setter
    def percent(self, percent: float) -> None:
        self._hand.note(f"battery {percent:g}")
        self._hand.inner.battery.set(percent=percent)

    @property
    def celsius(self) -> float:
        """Its temperature; set it at any time."""
        return self._hand.inner.battery.gauge.cell.temperature_c

    @celsius.setter
    def celsius(self, celsius: float) -> None:
        self._hand.note(f"battery at {celsius:g} degrees")
        self._hand.inner.battery.set(temperature_c=celsius)


@dataclass(slots=True, repr=False, eq=False)
class Board:
    """The camera's board."""

    _hand: Hand

    @property
    def celsius(self) -> float:
        """Its temperature; set it at any time."""
        return self._hand.inner.deeds.thermal.celsius

    @celsius.setter
    def celsius(self, celsius: float) -> None:
        self._hand.note(f"board {celsius:g} degrees")
        self._hand.inner.deeds.thermal.set(celsius=celsius)


@dataclass(slots=True, repr=False, eq=False)
class Gps:
    """The receiver."""

    _hand: Hand

    def lose_fix(self) -> None:
        """No satellites any more, as in a garage."""
        self._hand.act(Deed("lose gps"))

    def find_fix(self) -> None:
        """They are back."""
        self._hand.act(Deed("find gps"))

    def jump(self, metres: float) -> None:
        """The position jumps to the north, and stays there."""
        self._hand.act(Deed("gps jumps", metres))

    def drive_at(self, kmh: float) -> None:
        """So fast from now on."""
        self._hand.act(Deed("drive at", kmh))


@dataclass(slots=True, repr=False, eq=False)
class Clock:
    """What the camera believes of the time."""

    _hand: Hand

    def jump(self, seconds: float) -> None:
        """Forward, or back if negative."""
        self._hand.act(Deed("clock jumps", seconds))

    def forget(self) -> None:
        """Nobody vouches for it any more."""
        self._hand.act(Deed("clock unset"))

    def set(self) -> None:
        """It is right, and the network vouches for it."""
        self._hand.act(Deed("clock set"))


@dataclass(slots=True, repr=False, eq=False)
class Card:
    """The memory card."""

    _hand: Hand

    def fill(self) -> None:
        """Hardly anything fits on it any more, until `make_room`."""
        self._hand.do("fault card.full")

    def make_room(self) -> None:
        """There is room again."""
        self._hand.do("end fault card.full")


@dataclass(slots=True, repr=False, eq=False)
class Network:
    """What lies between the camera and ``station`` (in a real world also ``broker``)."""

    _hand: Hand

    def cut(self, link: str = "station") -> None:
        """Pull the plug, until `restore`."""
        self._hand.note(f"network: cut {link}")
        self._hand.inner.network.cut(link)

    def silence(self, link: str = "station") -> None:
        """Nothing arrives any more, and nobody is told; until `restore`."""
        self._hand.note(f"network: silence {link}")
        self._hand.inner.network.silence(link)

    def worsen(
        self,
        link: str = "station",
        *,
        latency_ms: float = 0.0,
        jitter_ms: float = 0.0,
        loss_percent: float = 0.0,
        kbit_s: float = 0.0,
    ) -> None:
        """A slow, shaky, lossy or narrow line, until `restore`; `kbit_s` 0 is no limit."""
        self._hand.note(f"network: worsen {link}")
        self._hand.inner.network.shape(
            link, latency_ms=latency_ms, jitter_ms=jitter_ms, loss_percent=loss_percent, kbit_s=kbit_s
        )

    def tear(self, link: str = "station", after_bytes: int = 0) -> None:
        """The connection breaks once, now or when so many more bytes have gone up."""
        self._hand.note(f"network: tear {link}")
        self._hand.inner.network.happen(link, "reset", after_bytes)

    def restore(self, link: str = "station") -> None:
        """The line is up, and perfect."""
        self._hand.note(f"network: restore {link}")
        self._hand.inner.network.restore(link)

    def bytes_up(self, link: str = "station") -> int:
        """How many bytes went that way so far, the protocol's own included."""
        return self._hand.inner.network.counts(link)["up_bytes"]
