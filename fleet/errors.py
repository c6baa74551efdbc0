"""What can go wrong with keys and certificates. Each message says what a technician should do."""

from __future__ import annotations


class FleetError(Exception):
    """Base of all errors of `fleet/`."""


class BadAuthority(FleetError, ValueError):
    """A directory of the certificate authority that cannot be used, or a wish that it does not grant."""


class BadPassphrase(FleetError):
    """A passphrase that is missing, too short, readable by others, or wrong."""


class RequestRefused(FleetError):
    """The authority does not certify this; `status` is the HTTP status that an enrolment server answers with."""

    def __init__(self, message: str, status: int = 403) -> None:
        super().__init__(message)
        self.status = status


class ServerUnreachable(FleetError):
    """The enrolment server cannot be asked now. Nothing is lost: try again."""


class WrongServer(FleetError):
    """Another agency's server, or an answer that is not what was asked for. Nothing of it is used."""


class EvidenceLeft(FleetError):
    """A camera still holds evidence that no station has given a receipt for."""


class KeyAtRisk(FleetError):
    """What was asked for could make evidence unreadable for ever."""


class BadBackup(FleetError, ValueError):
    """A backup that cannot be opened, or that does not hold what it says."""


class BadImage(FleetError, ValueError):
    """An image that is not what its signed manifest says, or not one for a card. Nothing of it is written."""


class CardRefused(FleetError):
    """A device that must not be erased: a system disk, one in use, one that is too small."""


class CardFailed(FleetError):
    """A card that does not take or keep what is written. The other cards go on."""


class FlashInterrupted(FleetError):
    """Somebody pressed Ctrl-C: the card has no partition table, or no identity, and starts nowhere."""


class BadAssetLog(FleetError, ValueError):
    """An asset log that cannot be read, or a serial that it already has."""


class CheckFailed(FleetError):
    """The camera could not be tested: it cannot be reached, or its answer is none."""
