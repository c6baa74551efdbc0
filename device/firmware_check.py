"""The self-test's row `firmware`: the running code against the release manifest, if one is installed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from device.selftest import Seen
from evidence.errors import EvidenceError
from evidence.limits import SIGNED_DOCUMENT_BYTES
from evidence.release import read_release
from evidence.statements import CameraFacts
from evidence.trust import Trust

MANIFEST: Final = "release.p7s"
ADVICE: Final = "install the released image again"


def manifest_paths(state: Path) -> tuple[Path, ...]:
    """Where a manifest may lie: beside the code, where an image puts it, or in the state directory."""
    return (Path(__file__).resolve().parent.parent / MANIFEST, state / MANIFEST)


def judge_firmware(facts: CameraFacts, manifests: Sequence[Path], trust: Trust) -> Seen:
    """The first manifest that is there must be signed by the release role and name this very code."""
    limit = "as the signed release says"
    value = f"{facts.firmware}, SHA-256 {facts.firmware_sha256[:16]}…"
    found = next((path for path in manifests if path.exists()), None)
    if found is None:
        return Seen("not_present", f"{value}; no release manifest is installed", limit, expected=False)
    try:
        with found.open("rb") as file:
            document = file.read(SIGNED_DOCUMENT_BYTES + 1)
        if len(document) > SIGNED_DOCUMENT_BYTES:
            return Seen("fail", f"{found.name} is larger than a manifest can be", limit, ADVICE)
        release = read_release(document, trust)
    except (OSError, EvidenceError) as error:
        return Seen("fail", f"{found.name}: {error}", limit, ADVICE)
    if release.version != facts.firmware:
        return Seen("fail", f"{value}; released is {release.version}", limit, ADVICE)
    if release.sha256 != facts.firmware_sha256:
        return Seen("fail", f"{value}; the release has {release.sha256[:16]}…", limit, ADVICE)
    return Seen("pass", f"{value}, as released", limit)
