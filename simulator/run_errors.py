"""What can go wrong with a simulated run. Each message is one sentence that says what a person should do."""

from __future__ import annotations

from collections.abc import Sequence

from simulator.steps import Mistake


class RunError(Exception):
    """Base of all errors of a run."""


class BadScenario(RunError, ValueError):
    """A scenario that cannot be played; names file, line and the nearest known word."""

    mistakes: tuple[str, ...] = ()
    """All that is wrong with it, a sentence each; empty if the message says it all."""

    @classmethod
    def of(cls, name: str, found: Sequence[Mistake]) -> BadScenario:
        """All mistakes of one file; the message is the first of them."""
        told = tuple(f"{name}:{one.line}: {one.text}" if one.line else f"{name}: {one.text}" for one in found)
        more = f" (and {len(told) - 1} more: firsthand-sim lint {name})" if len(told) > 1 else ""
        error = cls(f"{told[0]}{more}")
        error.mistakes = told
        return error


class OutRefused(RunError, FileExistsError):
    """The output directory holds something that is not ours. It is left as it is."""


class BadInput(RunError, ValueError):
    """A clip or a receiver's log that cannot be played."""


class ProcessDied(RunError):
    """One of the processes ended by itself; the message shows the end of its log."""


class TookTooLong(RunError, TimeoutError):
    """The camera did not come to the state that the scenario waits for."""


class NotAsExpected(RunError):
    """The camera did not do what the scenario expects of it; names the scenario's line."""

    excerpt: tuple[str, ...] = ()
    """The timeline of the last seconds before it."""


class WorldRefused(RunError):
    """The simulated hardware or the recorder did not understand or accept a request."""


class CameraRefused(WorldRefused):
    """The camera itself said no to a request, in good order: with a forged message that is what it must do."""


class Interrupted(RunError):
    """Ctrl-C or SIGTERM; carries the signal's number."""

    def __init__(self, number: int) -> None:
        super().__init__("stopped by a signal; the processes of the run are ended")
        self.number = number
