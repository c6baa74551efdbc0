"""`device.toml`: how this camera is wired. Policy is not here but in the signed profile (`device.profile`)."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta

from evidence.keys import in_token
from evidence.settings import BadSettings, load_toml
from evidence.statements import Name, Serial, Word

BUTTONS: Final = ("record_button", "emergency_button", "function_button")
RESERVED_TRIGGER: Final = "self_test"
"""The trigger of the test clip, whose recordings are labelled `test`: no input may have its name (invariant 11)."""
InputKind = Literal[
    "record_button", "emergency_button", "function_button", "stealth_switch",
    "light_bar", "siren", "pursuit", "door", "gun_rack", "crash", "speed", "ignition", "weapon", "holster", "peer",
    "trigger", "brake", "dock",
]  # fmt: skip


Users = Annotated[tuple[Annotated[str, Meta(pattern=r"^[A-Za-z_][A-Za-z0-9_.-]{0,31}\Z")], ...], Meta(max_length=32)]
"""Names of users as useradd(8) allows them."""


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of all sections: an unknown key is an error."""


class Driver(Settings, frozen=True, kw_only=True):
    """A driver by its entry point name (group ``firsthand.hal``) with its options."""

    driver: str
    """Name without the seam, e.g. ``nmea-serial`` for ``gps.nmea-serial``."""
    options: dict[str, Any] = msgspec.field(default_factory=dict)
    """Keyword options of the driver."""


class Keys(Settings, frozen=True, kw_only=True):
    """Key and certificate files, PEM; paths are relative to the settings file."""

    root: str
    """The agency's root certificate."""
    evidence_key: str
    """This camera's evidence key: a file (mode 0600), or ``pkcs11:token=…;object=…?module-path=…&pin-source=…``."""
    evidence_chain: str
    """Its certificate and intermediates."""
    signer: Driver | None = None
    """A driver for a secure element that is neither: it gets `key` and `chain`, the two above."""
    vault: Annotated[list[str], Meta(min_length=1, max_length=8)]
    """Vault certificates that every object is sealed to."""
    revocation_lists: tuple[str, ...] = ()
    """Files of revocation lists (PEM or DER): a station or supervisor in one of them is not believed any more. One that
    cannot be read lets the camera record, and delete nothing."""


class Input(Settings, frozen=True, kw_only=True):
    """What an input means. A line's pin and polarity stand with the switches driver, under the same name."""

    kind: InputKind
    """What it is; `trigger` is any other line that starts a recording."""
    source: Literal["line", "message", "sensor"] = "line"
    """`message` comes over the socket (weapon and holster radios, peers), `sensor` from GPS or accelerometer."""
    critical: bool | None = None
    """Recordings it starts are uploaded first (class critical); default: by kind (pursuit, crash, weapon)."""
    debounce_ms: Annotated[int, Meta(ge=0, le=5000)] | None = None
    """Own debounce; default: the profile's for lines, 30 ms for buttons."""
    off_delay_ms: Annotated[int, Meta(ge=0, le=60000)] = 0
    """How long the line must be off to count as off: slide switches dip while they are moved."""
    wakes: bool | None = None
    """Whether it wakes a sleeping camera; default: only what is critical."""
    starts: Literal["own", "peers"] = "own"
    """`peers` announces the start to other cameras too (R23)."""
    category: Word | None = None
    """Category that its recordings have until the officer gives another (R20)."""


class CameraChannel(Settings, frozen=True, kw_only=True):
    """One more camera of a vehicle, recorded together with the first as one incident (R2, R17)."""

    driver: str
    """The camera's driver."""
    options: dict[str, Any] = msgspec.field(default_factory=dict)
    """Keyword options of the driver."""
    microphone: Driver | None = None
    """The microphone beside this camera."""


LEAD: Final = "windshield"
"""What a vehicle's first camera shows."""


class DeviceSettings(Settings, frozen=True, kw_only=True):
    """The whole of `device.toml`."""

    serial: Serial
    """The camera's serial; must equal the one in its certificate."""
    model: Annotated[str, Meta(min_length=1, max_length=128)]
    spool: str
    """Directory of evidence files."""
    state: str
    """Directory of counters and the last accepted profile."""
    socket: str
    """Unix socket for the dock agent and technicians."""
    profile: str
    """The signed policy profile (CMS, DER)."""
    keys: Keys
    camera: Driver
    switches: Driver
    indicators: Driver
    role: Literal["body", "dash"] = "body"
    """A body-worn camera, or the camera of a vehicle."""
    vehicle: Name | None = None
    """The vehicle's identification (dash role)."""
    battery: Driver | None = None
    microphone: Driver | None = None
    """The microphone of the first camera; a dash camera's is the remote audio recorder (R2)."""
    gps: Driver | None = None
    motion: Driver | None = None
    """The accelerometer's driver."""
    thermal: Driver | None = None
    """The thermal zones' driver."""
    cameras: dict[Word, CameraChannel] = msgspec.field(default_factory=dict)
    """More cameras of a vehicle, `cabin` and `rear` say; the first one is `camera`, the windshield's."""
    clock: Driver = Driver(driver="system")
    pins: Driver = Driver(driver="default")
    inputs: dict[Word, Input]
    queue_mib: Annotated[int, Meta(ge=4, le=1024)] = 64
    """Most memory for what waits to be written, MiB."""
    peer_uids: list[int] = msgspec.field(default_factory=list)
    """Users besides root and the daemon's own who may use the socket for everything (technicians, the dock agent)."""
    peer_users: Users = ()
    """The same by name: `["firsthand-agent"]`. A name that this machine does not know is a warning."""
    trigger_uids: list[int] = msgspec.field(default_factory=list)
    """Users who may only ask for the state and pull message triggers (a radio's bridge)."""
    trigger_users: Users = ()
    """The same by name. They must be in the group `firsthand-socket`, too."""


def load_settings(path: Path) -> DeviceSettings:
    """`device.toml` with all its paths made absolute against its own directory.

    Raises `evidence.settings.BadSettings`.
    """
    settings = load_toml(path, DeviceSettings)
    if not any(one.kind in ("record_button", "emergency_button") for one in settings.inputs.values()):
        raise BadSettings(f"{path}: no input is a record_button: an officer could not start a recording")
    if RESERVED_TRIGGER in settings.inputs:
        raise BadSettings(f"{path}: inputs.{RESERVED_TRIGGER}: the name is the self-test's own: give it another")
    if settings.cameras and settings.role != "dash":
        raise BadSettings(f"{path}: more cameras are for a vehicle: role must be 'dash'")
    if LEAD in settings.cameras:
        raise BadSettings(f"{path}: {LEAD!r} is the first camera's name: give cameras.{LEAD} another")
    base = path.resolve().parent

    def absolute(name: str) -> str:
        return str(base / name)

    keys = msgspec.structs.replace(
        settings.keys,
        root=absolute(settings.keys.root),
        evidence_key=key if in_token(key := settings.keys.evidence_key) else absolute(key),
        evidence_chain=absolute(settings.keys.evidence_chain),
        vault=[absolute(name) for name in settings.keys.vault],
    )
    return msgspec.structs.replace(
        settings,
        spool=absolute(settings.spool),
        state=absolute(settings.state),
        socket=absolute(settings.socket),
        profile=absolute(settings.profile),
        keys=keys,
    )
