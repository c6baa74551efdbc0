"""Stands for RAUC in the kill bench: it notes which bundle it was given, takes its time, and writes its outcome.

    python installer.py DIRECTORY BUNDLE MANIFEST

The real one is cut off in a bench of its own (docs/updates.md). As systemd ends what an agent began when the agent
dies, the bench ends this one by the process that it noted.
"""

from __future__ import annotations

import hashlib
import os
import sys
import time
from pathlib import Path
from typing import Final

from evidence import cms, durable
from evidence.release import Release
from evidence.statements import decode_canonical, encode_canonical
from evidence.update_state import Pending, UpdateState

TAKES_S: Final = 0.3
RUNNING, GIVEN, OUTCOME = "installing.pid", "given.log", "outcome.json"


def main(directory: Path, bundle: Path, manifest: Path) -> int:
    """The exit code."""
    import msgspec

    durable.replace(directory / RUNNING, b"%d" % os.getpid())
    payload = cms.parse_signed(manifest.read_bytes()).payload
    release = decode_canonical(payload, msgspec.json.Decoder(Release))
    assert release.bundle is not None
    digest = hashlib.sha256(bundle.read_bytes()).hexdigest()
    with (directory / GIVEN).open("a") as given:
        given.write(f"{release.version} {digest}\n")
    pending = Pending(version=release.version, sha256=release.bundle.sha256, slot="B", phase="installing")
    durable.replace(directory / OUTCOME, encode_canonical(UpdateState(pending=pending)))
    time.sleep(TAKES_S)
    done = msgspec.structs.replace(pending, phase="installed")
    durable.replace(directory / OUTCOME, encode_canonical(UpdateState(pending=done)))
    (directory / RUNNING).unlink()
    return 0 if digest == release.bundle.sha256 else 1


if __name__ == "__main__":
    sys.exit(main(*map(Path, sys.argv[1:])))
