"""What the daemon itself tells a technician who cannot see the camera: versions, drivers, last self-test (R39).

Metrics and words only: no evidence, no position, no officer.
"""

from __future__ import annotations

from typing import Any

from device.part import Part
from evidence.handover import Answer, Facts
from evidence.requests import FactsRequest, Request


class SupportFacts(Part):
    """Answers `about` = `support`."""

    name = "support"

    async def answer(self, request: Request) -> Answer | None:
        if isinstance(request, FactsRequest) and request.about == "support":
            return Facts(about="support", facts=self.facts())
        return None

    def facts(self) -> dict[str, Any]:
        """The daemon as it is now."""
        daemon = self.daemon
        test, session = daemon.examination.last, daemon.recorder.session
        claim = daemon.clock.utc()
        return {
            "camera": {
                "serial": daemon.identity.serial,
                "model": daemon.identity.camera.model,
                "firmware": daemon.identity.camera.firmware,
                "firmware_sha256": daemon.identity.camera.firmware_sha256,
                "key_level": daemon.identity.signer.level,
                "certificate_ends": f"{daemon.identity.signer.certificate.not_valid_after_utc:%Y-%m-%d}",
                "simulated": daemon.identity.simulated,
            },
            "profile": {"name": daemon.profile.profile.name, "version": daemon.profile.profile.version},
            "state": daemon.machine.state.value,
            "docked": daemon.machine.docked,
            "degraded": daemon.degraded,
            "recording": session is not None,
            "missing": list(daemon.hardware.missing),
            "parts": [part.name for part in daemon.parts],
            "boots": daemon.boot.spool.counters.boots,
            "uptime_s": (daemon.clock.boottime_ns() - daemon.power_on_ns) // 10**9,
            "clock": {"source": claim.source, "uncertain_ms": (claim.latest_ns - claim.earliest_ns) // 2_000_000},
            "frames": daemon.recorder.frames,
            "buffered_ms": daemon.recorder.buffered_ns() // 1_000_000,
            "writer_alive": daemon.writer.alive,
            "self_test": None
            if test is None
            else {"id": daemon.examination.id, "verdict": test.verdict, "checks": [one.row() for one in test.results]},
        }
