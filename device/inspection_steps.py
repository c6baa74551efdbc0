"""The steps of the extended test: a long probe of the card, all of the log, the key's pace, every lamp, every line."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from device.history_checks import LogHistory
from device.key_checks import now_of
from device.line_check import lines_of
from device.pre_shift import PreShift
from device.selftest import Result, Seen, SelfTest, rate, run
from evidence import cms
from evidence.errors import EvidenceError
from hal.errors import HalError

if TYPE_CHECKING:
    from device.daemon import Daemon

LONG_PROBES: Final = 32
"""Probes of the card, of a mebibyte each."""
LIMIT_S: Final = 60.0
SIGNATURES: Final = 20
SIGNING_MS: Final = 250
"""Two statements a second, and as much again for everything else."""
PRESS_NS: Final = 10_000_000_000
"""How long each line is waited for."""
LAMP_S: Final = 1.0
LOOK_S: Final = 0.05
NOT_ASKED: Final = frozenset({"dock"})
"""Kinds of lines that nobody presses."""


def seen_active(timeline: Sequence[Sequence[Any]], line: str, since_ns: int) -> int | None:
    """When a line changed after `since_ns`; None if it did not. Rows are (ns, line, level), oldest first."""
    return next((int(row[0]) for row in timeline if row[1] == line and row[0] >= since_ns), None)


class Steps:
    """One extended test. `rows` fills up; `all` is the work of the self-test inside it."""

    def __init__(self, daemon: Daemon) -> None:
        self._daemon = daemon
        self.rows: list[Result] = []

    async def all(self) -> SelfTest:
        """Everything. The checks of the plain self-test are its rows; `rows` has what is beyond them."""
        daemon = self._daemon
        test = await asyncio.to_thread(self._checks)
        await self._timed("signing_pace", "signing_key", asyncio.to_thread(self._sign))
        await self._timed("whole_log", "log_chain", asyncio.to_thread(self._whole_log))
        await self._lamps()
        for line, one in sorted(lines_of(daemon.settings.inputs).items()):
            if one.kind not in NOT_ASKED:
                await self._timed(f"line_{line}", "inputs", self._ask(line))
        return test

    async def _timed(self, name: str, like: str, work: Any) -> None:
        """One row; its severity is that of the check that it deepens."""
        began = time.monotonic_ns()
        seen: Seen = await work
        duration_ms = (time.monotonic_ns() - began) // 1_000_000
        self.rows.append(rate(name, seen, self._daemon.profile.severity(like), duration_ms))

    def _checks(self) -> SelfTest:
        daemon = self._daemon
        card = daemon.part(PreShift)
        card.probes = LONG_PROBES
        try:
            return run(daemon.examination.all_checks(), daemon.profile, limit_s=LIMIT_S)
        finally:
            card.probes = 1

    def _sign(self) -> Seen:
        """The key keeps the pace of a recording."""
        identity, limit = self._daemon.identity, f"{SIGNING_MS} ms a signature"
        now, slowest_ms = now_of(self._daemon.clock.utc()), 0
        try:
            for number in range(SIGNATURES):
                if self._daemon.recorder.session is not None:  # a slow key is the recording's
                    return Seen("pass", f"{number} signatures, then a recording began", limit)
                began = time.monotonic_ns()
                cms.sign(b"inspection %d" % number, identity.signer, now)
                slowest_ms = max(slowest_ms, (time.monotonic_ns() - began) // 1_000_000)
        except EvidenceError as error:
            return Seen("fail", str(error), limit, "have the key or its token replaced, and enrol the camera again")
        value = f"{SIGNATURES} signatures, the slowest took {slowest_ms} ms"
        return Seen("pass" if slowest_ms <= SIGNING_MS else "warn", value, limit, "have the key's token looked at")

    def _whole_log(self) -> Seen:
        """Every closed segment on the card verifies and names the one before."""
        spool = self._daemon.boot.spool
        numbers = sorted(one.number for one in spool.files() if one.stream == "log")
        for done, number in enumerate(numbers):
            if self._daemon.recorder.session is not None:
                return Seen("pass", f"{done} segments hold, then a recording began", "each verifies")
            history = LogHistory(spool.directory, spool.serial, self._daemon.identity.trust)
            seen = history.judge_chain(number)
            if seen.outcome != "pass":
                return seen
        return Seen("pass", f"{len(numbers)} segments hold", "each verifies, and names the one before")

    async def _lamps(self) -> None:
        """Each indicator in turn, for the eyes, ears and hands of who inspects."""
        daemon = self._daemon
        indicators = daemon.hardware.indicators
        for channel in sorted(indicators.channels) if indicators is not None else ():
            daemon.publish("look_at", channel)
            await self._timed(f"indicator_{channel}", "indicators", self._lamp(channel))
        daemon.signals.show(daemon.machine.state)

    async def _lamp(self, channel: str) -> Seen:
        limit = "seen, heard or felt by who inspects"
        indicators = self._daemon.hardware.indicators
        assert indicators is not None
        try:
            indicators.pulse(channel, LAMP_S / 4, LAMP_S / 4, 2)
        except (HalError, OSError) as error:
            return Seen("fail", str(error), limit, "have the indicators repaired")
        await asyncio.sleep(LAMP_S)
        return Seen("pass", "driven twice", limit)

    async def _ask(self, line: str) -> Seen:
        """Ask for one line, and wait until it changes."""
        daemon, limit = self._daemon, f"changes within {PRESS_NS // 10**9} s"
        asked_ns = daemon.clock.boottime_ns()
        daemon.publish("press_line", line)
        while daemon.clock.boottime_ns() - asked_ns < PRESS_NS:
            changed_ns = seen_active(tuple(daemon.inputs.timeline), line, asked_ns)
            if changed_ns is not None:
                return Seen("pass", f"changed after {(changed_ns - asked_ns) / 1e9:.1f} s", limit)
            await asyncio.sleep(LOOK_S)
        return Seen("fail", "did not change", limit, f"check the wiring of {line}")
