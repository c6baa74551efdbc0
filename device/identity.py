"""Who this camera is: its key, certificate, vault recipients and firmware."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Final

from device.config import DeviceSettings
from device.errors import CannotStart
from evidence.errors import EvidenceError
from evidence.keys import Signer, in_token, key_path, load_certificates, load_signer
from evidence.release import code_sha256
from evidence.roles import is_simulated, serial_of
from evidence.sealed import Recipient
from evidence.statements import CameraFacts
from evidence.trust import Trust
from hal.errors import HalError
from hal.registry import load_driver

FIRMWARE: Final = version("firsthand")


def firmware_sha256() -> str:
    """SHA-256 over the recorder's own files (see `evidence.release`)."""
    return code_sha256(Path(__file__).resolve().parent.parent)


@dataclass(frozen=True, slots=True)
class Identity:
    """Everything that does not change while the daemon runs."""

    serial: str
    signer: Signer
    trust: Trust
    recipients: tuple[Recipient, ...]
    camera: CameraFacts
    others: Trust
    """The same root with its revocation lists: for what stations, supervisors and peers sign."""
    lists_complaint: str | None = None
    """Why a revocation list cannot be read: then nothing is deleted (invariant 13)."""
    key_file: Path | None = None
    """Where the evidence key lies, if it lies in a file."""

    @property
    def simulated(self) -> bool:
        return is_simulated(self.signer.certificate)


def load_identity(settings: DeviceSettings, *, allow_simulated: bool) -> Identity:
    """Load keys and certificates. Raises `CannotStart`: without a key there is no evidence at all."""
    try:
        trust = Trust.load(Path(settings.keys.root))
        signer = _signer(settings, allow_simulated=allow_simulated)
        recipients = tuple(Recipient.of(load_certificates(Path(name))[0]) for name in settings.keys.vault)
    except EvidenceError as error:
        raise CannotStart(str(error)) from error
    if serial_of(signer.certificate) != settings.serial:
        raise CannotStart(
            f"the evidence certificate is of {serial_of(signer.certificate)}, not {settings.serial}: enrol the camera"
        )
    if is_simulated(signer.certificate) != allow_simulated:
        raise CannotStart(
            "a simulated certificate needs --allow-simulated, and --allow-simulated needs a simulated certificate"
        )
    camera = CameraFacts(model=settings.model, firmware=FIRMWARE, firmware_sha256=firmware_sha256())
    others, complaint = _with_lists(settings, trust)
    key_file = None if in_token(settings.keys.evidence_key) else key_path(settings.keys.evidence_key)
    return Identity(settings.serial, signer, trust, recipients, camera, others, complaint, key_file)


def _signer(settings: DeviceSettings, *, allow_simulated: bool) -> Signer:
    """The evidence key, by its file, its token, or its own driver. Raises `EvidenceError` or `CannotStart`.

    A file that others can read is no reason not to record: the self-test says so (`device.key_checks`).
    """
    keys = settings.keys
    if keys.signer is None:
        return load_signer(keys.evidence_key, Path(keys.evidence_chain), check_mode=False)
    options = {"key": keys.evidence_key, "chain": keys.evidence_chain, **keys.signer.options}
    try:
        signer: Signer = load_driver("signer", keys.signer.driver, options, allow_simulated=allow_simulated)
    except (HalError, ImportError) as error:
        raise CannotStart(f"the signer's driver cannot be used: {error}") from error
    return signer


def _with_lists(settings: DeviceSettings, trust: Trust) -> tuple[Trust, str | None]:
    """Recording comes first: a bad list never keeps the camera from starting."""
    try:
        return Trust.load(Path(settings.keys.root), [Path(name) for name in settings.keys.revocation_lists]), None
    except EvidenceError as error:
        return trust, f"a revocation list cannot be used, so nothing is deleted: {error}"
