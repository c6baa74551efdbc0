"""A device log that is written for a while, with the camera's counters beside it. Run by `witnessed.py`.

witnessed.py … log_work PKI CARD ENTRIES
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from uuid import uuid4

from device.device_log import DeviceLog
from device.spool import Counters
from device.state_file import write_state
from evidence.durable import make_directory
from evidence.keys import FileSigner, load_certificates
from evidence.sealed import Recipient
from evidence.statements import CameraFacts, FileFacts, ProfileRef, Source, Stamp, Utc, moment

EACH_SEGMENT = 12


def main(pki: Path, card: Path, entries: int) -> None:
    """Write so many entries, in segments of a few."""
    spool, state = card / "spool", card / "state"
    boot = str(uuid4())

    def stamp() -> Stamp:
        now_ns = time.time_ns()
        utc = Utc(earliest=moment(now_ns - 10**6), latest=moment(now_ns + 10**6), source="ntp")
        return Stamp(boot=boot, mono_ns=time.clock_gettime_ns(time.CLOCK_BOOTTIME), utc=utc)

    def closed(_: int, __: FileFacts) -> None:
        """Nobody needs to be told here."""

    make_directory(spool)
    log = DeviceLog(
        spool,
        "SIM-0001",
        FileSigner.load(pki / "camera.key", pki / "camera.pem"),
        [Recipient.of(load_certificates(pki / "vault.pem")[0])],
        stamp,
        next_segment=1,
        previous=None,
        on_closed=closed,
    )
    log.open_fields = lambda: {
        "camera": CameraFacts(model="bench", firmware="0.1.0", firmware_sha256="00" * 32),
        "sources": (Source(role="camera", driver="bench", sensor="none", kind="simulated"),),
        "profile": ProfileRef(name="bench", version=1, sha256="00" * 32),
        "retention_class": "standard",
    }
    for number in range(1, entries + 1):
        log.event("marker", recording=number, details={"number": number})
        log.commit()
        write_state(state / "counters.json", Counters(next_recording=number + 1))
        if number % EACH_SEGMENT == 0:
            log.close("docked")
            log.commit()


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))
