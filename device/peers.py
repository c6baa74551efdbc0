"""Starts that come as messages: radios of weapons and holsters, technicians' tests, and other cameras (R18, R23).

A camera announces a start to its peers with a CMS message of its own evidence certificate; a peer takes it only from a
camera of the same agency, once, and while it is fresh. A peer's announcement starts; nothing a peer says ever stops.
"""

from __future__ import annotations

import asyncio
import base64
import datetime as dt
import logging
import secrets
from collections import deque
from typing import TYPE_CHECKING, Final

from device.config import BUTTONS, Input
from device.part import Part
from device.timekeeping import stamp_now
from device.triggers import CONTEXT_KINDS, Start, standing
from evidence import cms
from evidence.errors import EvidenceError
from evidence.handover import Answer, Done, PeerStart, Refused, decode_peer_start
from evidence.requests import PeerRequest, Request, TriggerRequest
from evidence.settings import nearest
from evidence.statements import encode_canonical, moment_ns

if TYPE_CHECKING:
    from device.daemon import Daemon

log = logging.getLogger("firsthand.peers")

FRESH_NS: Final = 30_000_000_000
"""An announcement older than this by both clocks' claims is a replay."""
REMEMBERED: Final = 256
REFUSALS_EVERY_NS: Final = 10_000_000_000
"""So often at most a refusal stands in the signed log: whoever has the socket cannot fill the card with them."""


class Peers(Part):
    """Message triggers and peers of one camera. Loop only."""

    name = "peers"

    def __init__(self, daemon: Daemon) -> None:
        super().__init__(daemon)
        self._seen: deque[str] = deque(maxlen=REMEMBERED)
        self._refused = 0
        """Refusals since the last one that was logged."""
        self._refused_ns = -REFUSALS_EVERY_NS

    # --- what this camera says ----------------------------------------------------------------------------------------

    def announce(self, start: Start, incident: str) -> None:
        """Tell the peers of a start, if its input is configured so. A peer's own start is never passed on."""
        configured = self.daemon.settings.inputs.get(start.trigger)
        if configured is None or configured.starts != "peers" or start.kind == "peer":
            return
        if self.daemon.profile.profile.send_peer_start:
            self.daemon.spawn(self._announce(incident))

    async def _announce(self, incident: str) -> None:
        stamp = stamp_now(self.daemon.clock)
        message = PeerStart(
            v=1, serial=self.daemon.identity.serial, incident=incident, nonce=secrets.token_hex(16), utc=stamp.utc
        )
        now = dt.datetime.fromtimestamp(max(0, moment_ns(stamp.utc.earliest)) // 10**9, dt.UTC)
        try:
            signed = await asyncio.to_thread(cms.sign, encode_canonical(message), self.daemon.identity.signer, now)
        except (EvidenceError, OSError) as error:
            log.warning("no announcement to peers: %s", error)
            return
        self.daemon.log("peer_start_sent", details={"incident": incident})
        self.daemon.publish("peer_start", base64.b64encode(signed).decode(), incident)

    # --- what it is told ----------------------------------------------------------------------------------------------

    async def answer(self, request: Request) -> Answer | None:
        """Message triggers by name, and announcements of peers."""
        if isinstance(request, TriggerRequest):
            return self._by_name(request)
        if isinstance(request, PeerRequest):
            return self._by_peer(request.announcement)
        return None

    def _by_name(self, request: TriggerRequest) -> Answer:
        """A configured trigger, as if its line had become active; it says that it came over the socket."""
        usable = {
            name: one
            for name, one in self.daemon.settings.inputs.items()
            if one.kind not in (*BUTTONS, *CONTEXT_KINDS, "dock", "peer")
        }
        configured = usable.get(request.name)
        if configured is None:
            return Refused(error=f"no trigger is called {request.name!r}{nearest(request.name, sorted(usable))}")
        self._start(request.name, configured, request.incident)
        return Done()

    def _by_peer(self, announcement: bytes) -> Answer:
        named = next(((name, one) for name, one in self.daemon.settings.inputs.items() if one.kind == "peer"), None)
        if named is None or not self.daemon.profile.profile.accept_peer_start:
            return Refused(
                error="this camera takes no starts from peers: see accept_peer_start and an input of kind peer"
            )
        try:
            message = self._checked(announcement)
        except (EvidenceError, ValueError) as error:
            self._log_refusal(str(error))
            return Refused(error=f"the peer's announcement is refused: {error}")
        self._seen.append(message.nonce)
        self.daemon.log("peer_start_taken", details={"incident": message.incident, "serial": message.serial})
        self._start(named[0], named[1], message.incident)
        return Done()

    def _log_refusal(self, why: str) -> None:
        """Sign the first one at once, and after that how many there were."""
        self._refused += 1
        now_ns = self.daemon.clock.boottime_ns()
        if now_ns - self._refused_ns >= REFUSALS_EVERY_NS:
            self.daemon.log("peer_start_refused", details={"why": why[:300], "refused": self._refused})
            self._refused, self._refused_ns = 0, now_ns

    def _checked(self, announcement: bytes) -> PeerStart:
        """Raises `EvidenceError` or ValueError with one sentence."""
        signed = cms.parse_signed(announcement)
        message = decode_peer_start(signed.payload)
        ours = self.daemon.clock.utc()
        at = dt.datetime.fromtimestamp(max(0, ours.middle_ns) // 10**9, dt.UTC)
        trusted = ours.source != "none"
        self.daemon.identity.others.check(signed, role="camera", serial=message.serial, at=at if trusted else None)
        if message.serial == self.daemon.identity.serial:
            raise ValueError("it is this camera's own")
        if message.nonce in self._seen:
            raise ValueError("it was taken before")
        if trusted and message.utc.source != "none":
            early_ns = ours.earliest_ns - moment_ns(message.utc.latest)
            late_ns = moment_ns(message.utc.earliest) - ours.latest_ns
            if max(early_ns, late_ns) > FRESH_NS:
                raise ValueError("it is not of this minute")
        return message

    def _start(self, name: str, configured: Input, incident: str | None) -> None:
        critical, wakes = standing(configured)
        at_ns = self.daemon.clock.boottime_ns()
        self.daemon.trigger(Start(name, critical, at_ns, False, wakes, configured.kind, incident, "message"))
