"""What can go wrong at the dock. Each message says what a person should do, or what the program does about it."""

from __future__ import annotations


class DockError(Exception):
    """Base of all errors of `dock/`."""


class BadConfig(DockError, ValueError):
    """A configuration file that cannot be used; names the file and the key."""


class BadFileName(DockError, ValueError):
    """Not the name of an evidence file of this camera."""


class RecorderUnreachable(DockError, OSError):
    """The recorder's socket is not there, was closed, or did not answer in time. Tried again."""


class RecorderRefused(DockError):
    """The recorder answered that it does not do that; the message is its own."""


class RecorderConfused(DockError, ValueError):
    """The recorder's answer is not one of the agreed words. The connection is dropped and opened anew."""


class WrongStation(DockError, PermissionError):
    """Another system's station, or a greeting that is not signed under the pinned root. No evidence is sent to it."""


class ReceiptNotReady(DockError):
    """The station has no receipt for the file yet; asked again later."""


class DocumentRefused(DockError):
    """A document from the station is not taken; the station is told this sentence."""


class SpoolMismatch(DockError):
    """What lies in the spool is not what the recorder announced. It is left alone, and told."""


class BadReceipt(DockError, ValueError):
    """A receipt of another file, camera or signer. It is not handed on, and the file stays."""


class TransportError(DockError):
    """Base of what can go wrong between camera and station. The file stays on the camera in every case."""


class StationUnreachable(TransportError, ConnectionError):
    """No connection, a broken one, a failed TLS handshake, or no answer in time. Tried again with back-off."""


class StationRefused(TransportError, PermissionError):
    """The station will not take this (400, 401, 403, 404, 409, 412, 413, 415…). Kept, told, tried again later."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


class StationRejects(StationRefused):
    """The station can never store this file (400 to its announcement). Kept, told, asked again after a long time."""


class StationBusy(TransportError):
    """The station asks for patience (423, 429, 503)."""

    def __init__(self, message: str, retry_after_s: float) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class StationFull(TransportError):
    """The station's store has no room (507). A person must make some; the camera waits."""


class StationFailed(TransportError):
    """The station failed (other 5xx) or its answer makes no sense, an empty one included. Never a success."""


class UploadGone(TransportError):
    """The station does not know this upload any more (404, 410): it is created again."""


class OffsetMoved(TransportError):
    """The station stands at another offset than we thought: it is asked anew."""


class ChecksumRefused(TransportError):
    """A chunk arrived altered (460): it is sent again."""


class UploadStopped(DockError):
    """Undocked, or a recording began: recording comes first (invariant 1). The upload goes on later."""


class StoreOccupied(DockError, FileExistsError):
    """The store already holds something of that name; nothing is replaced."""


class StoreFailed(DockError, ConnectionError):
    """The store cannot be reached, or refuses. What came in stays in incoming/, and is tried again."""


class StoreForgot(StoreFailed):
    """The store does not know a multipart upload any more: it is begun anew."""


class StoreDiffers(DockError, OSError):
    """The store gave back other bytes than were put into it. No receipt is signed, what came in stays."""


class StoreStopped(DockError, InterruptedError):
    """The station stops in the middle of a transfer; the next start goes on."""


class TimestampUnavailable(DockError, ConnectionError):
    """The timestamp authority cannot be asked now. Receipts do not wait for it; it is asked again later."""


class StationLocked(DockError, BlockingIOError):
    """Another station process works in the same directory. Stop it first."""


class BadArguments(DockError, ValueError):
    """A request to the station that it cannot follow; the sentence names the key."""


class StationDown(DockError, ConnectionError):
    """No station runs in that directory."""


class StationSaysNo(DockError):
    """The running station's own sentence."""


class BadPerson(DockError, ValueError):
    """What was said of a person cannot be kept in the registry; the message says what to write instead."""


class SignInLocked(DockError, PermissionError):
    """Too many wrong tries. It opens by itself."""

    def __init__(self, message: str, retry_after_s: int) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class BadHold(DockError, ValueError):
    """A hold or a release that cannot be; says what is there."""


class NoSuchMalfunction(DockError, LookupError):
    """No malfunction of that number was ever noticed here."""


class AlreadyClosed(DockError):
    """Somebody else closed that malfunction first."""


class CheckoutRefused(DockError):
    """No camera is handed out; the message says why, and which one is ready instead."""


class NotIdentified(DockError, PermissionError):
    """Nobody knows who stands there: an unknown tag, a wrong PIN, or somebody without the role."""


class ReaderLost(DockError, OSError):
    """The RFID reader is not there. Plug it in; a service manager starts the program again."""


class BadLabel(DockError, ValueError):
    """A label that cannot be; says what can."""


class HandOffFailed(DockError):
    """A hand-off that cannot go on; what is written so far says that it is not complete."""
