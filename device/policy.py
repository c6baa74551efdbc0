"""What the agency decided, as one structure: the content of the signed policy profile (R7).

Encryption and signing are no policy: no key of a profile can turn them off. Every key has a default of this project.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from evidence.statements import Count, Frozen, Hash, Name, Word

Severity = Literal["block", "warn", "note"]
MuteMode = Literal["hold", "static", "off"]


StorePattern = Annotated[str, Meta(pattern=r"^[A-Za-z0-9:._/*-]{1,128}\Z")]
"""A store's name as receipts have it, with `*` for any letters."""


class Category(Frozen, frozen=True, kw_only=True):
    """A category that an officer can give a recording (D.5.b, R31)."""

    name: Word
    """As it stands in evidence."""
    label: Annotated[str, Meta(min_length=1, max_length=64)]
    """What an officer reads."""
    upload_class: Literal["critical", "normal"] = "normal"
    """`critical` recordings are uploaded first."""
    hold: bool = False
    """Nothing cleans such a recording up until a person lifts the hold (R35)."""


D5B_CATEGORIES: Final = (
    Category(name="arrest_search", label="Arrest or search", upload_class="critical"),
    Category(name="use_of_force", label="Use of force", upload_class="critical", hold=True),
    Category(name="prudent", label="Prudent to keep as evidence"),
    Category(name="major_incident", label="Major incident", upload_class="critical", hold=True),
)
"""The four of D.5.b, on every camera whatever its profile says."""


class Profile(Frozen, frozen=True, kw_only=True):
    """All policy that a camera follows, with the defaults of this project."""

    v: Literal[1]
    name: Name
    version: Count
    """An older version than the accepted one is refused."""

    # --- before, during and after a recording -----------------------------------------------------------------------
    pre_event_s: Annotated[int, Meta(ge=0, le=120)] = 30
    """Seconds of pre-event ring."""
    pre_event_audio: bool = False
    """Whether the ring holds sound (settled: off)."""
    ring_mib: Annotated[int, Meta(ge=1, le=512)] = 48
    """Most memory of the ring, MiB. The card's measured speed may cap it further (flushed in 3 s)."""
    post_event_s: Annotated[int, Meta(ge=0, le=60)] = 0
    """Seconds that a recording goes on after its stop."""
    roll_over_s: Annotated[int, Meta(ge=5, le=86400)] = 14_400
    """A recording goes on without a gap in a new file after this long (R22)."""
    roll_over_mib: Annotated[int, Meta(ge=1, le=65536)] = 16_384
    """…or when its file has this size, MiB."""
    low_power_bitrate_percent: Annotated[int, Meta(ge=10, le=100)] = 50
    """On low power or a hot board the picture is encoded at this share of its usual rate; recording goes on (R22)."""

    # --- buttons ------------------------------------------------------------------------------------------------------
    debounce_ms: Annotated[int, Meta(ge=0, le=5000)] = 200
    """How long a vehicle line must hold a level to count."""
    double_press_ms: Annotated[int, Meta(ge=100, le=2000)] = 700
    """Two presses of the record button within this time start a recording."""
    hold_to_stop_ms: Annotated[int, Meta(ge=500, le=10000)] = 3000
    """Holding the record button this long asks to stop a recording."""
    confirm_stop_s: Annotated[int, Meta(ge=0, le=10)] = 5
    """A stop must be confirmed by one more press within this time, else the recording goes on; 0 = no confirmation."""
    stop_reason_s: Annotated[int, Meta(ge=0, le=60)] = 10
    """After a confirmed stop the camera records on for this long so that the reason can be spoken (R26); 0 = not."""
    reactivation_reminder_s: Annotated[int, Meta(ge=0, le=3600)] = 300
    """After a stop for a reason of D.3 the officer is reminded this often (R28); 0 = never."""
    false_start_cancel_s: Annotated[int, Meta(ge=0, le=60)] = 10
    """A start by a peer that is stopped within this time is kept as `false_activation`; 0 = no such cancel."""
    mute: MuteMode = "hold"
    """`hold` = muted while the function button is held, `static` = toggled by holding it 3 s, `off` = no mute."""
    mute_alarm_s: Annotated[int, Meta(ge=10, le=600)] = 60
    """How often a muted camera says so."""
    sleep_allowed: bool = True
    """Whether the officer may put the camera to sleep (no ring, R24)."""
    sleep_reminder_s: Annotated[int, Meta(ge=60, le=900)] = 900
    """How often a sleeping camera says so."""
    stealth_allowed: bool = True
    """Whether the officer may darken the indicators; it never changes recording and is logged (R4)."""
    categories: Annotated[tuple[Category, ...], Meta(max_length=32)] = ()
    """Categories besides the four of D.5.b, which are always there (R31)."""
    category_timeout_s: Annotated[int, Meta(ge=2, le=60)] = 8
    """How long the category wheel waits for a press after a recording."""

    # --- triggers -----------------------------------------------------------------------------------------------------
    triggers_when_out_of_service: bool = True
    """Whether vehicle lines start recordings on a camera that failed its self-test. Buttons always do (R9, R21)."""
    speed_trigger_kmh: Annotated[int, Meta(ge=0, le=300)] = 0
    """Speed at which a `speed` input starts a recording (R14); 0 = never."""
    speed_hold_s: Annotated[int, Meta(ge=0, le=60)] = 5
    """How long a speed without a fix counts as it last was."""
    crash_trigger_mg: Annotated[int, Meta(ge=0, le=16000)] = 3500
    """Acceleration at which a `crash` input starts a recording, thousandths of g; 0 = never."""
    send_peer_start: bool = True
    """Whether a start of this camera is announced to its peers (R23)."""
    accept_peer_start: bool = True
    """Whether a peer's announcement starts this camera."""
    ignition_hold_up_s: Annotated[int, Meta(ge=0, le=3600)] = 900
    """How long a vehicle's camera stays up after ignition off when nothing is recorded (R17)."""

    # --- storage and offload ------------------------------------------------------------------------------------------
    keep_after_receipt_h: Annotated[int, Meta(ge=0, le=8760)] = 72
    """Hours of running camera time that a receipted file is kept."""
    vault_proof: bool = True
    """Whether nothing is deleted before the vault's holder has proven that it opens (`prove-open`)."""
    deletion_stores: Annotated[tuple[StorePattern, ...], Meta(max_length=16)] = ()
    """Which store a receipt must name to delete, `*` standing for any letters: `["s3:archive-*"]`. Empty = any store of
    the agency's stations (R38)."""
    retention_class: Word = "standard"
    min_free_mib: Annotated[int, Meta(ge=1, le=1048576)] = 512
    """Below this the storage check does not pass."""
    alarm_free_min: Annotated[int, Meta(ge=1, le=1440)] = 60
    """Minutes of recording left on the card below which the officer is told."""
    backlog_alarm_h: Annotated[int, Meta(ge=1, le=8760)] = 72
    """Hours of running time after which a recording without a receipt is an alarm (R30)."""

    # --- self-test and power ------------------------------------------------------------------------------------------
    min_battery_percent: Annotated[int, Meta(ge=0, le=100)] = 30
    """Below this the battery check does not pass."""
    shift_h: Annotated[int, Meta(ge=0, le=24)] = 0
    """Hours that the battery must last by prediction (R8); 0 = not asked."""
    min_battery_health_percent: Annotated[int, Meta(ge=0, le=100)] = 60
    """Capacity of an aged battery, in percent of its design, below which the check does not pass."""
    low_battery_min: Annotated[int, Meta(ge=1, le=240)] = 20
    """Predicted minutes left at which the officer is told."""
    critical_battery_min: Annotated[int, Meta(ge=1, le=240)] = 10
    """Predicted minutes left at which the officer is told urgently."""
    power_off_percent: Annotated[int, Meta(ge=0, le=20)] = 2
    """Charge at which the camera closes, syncs and powers off cleanly."""
    test_clip_s: Annotated[int, Meta(ge=0, le=10)] = 0
    """Length of the test clip after the self-test at undocking, in which the officer says name and badge; 0 = none."""
    supervisor_override: bool = True
    """Whether a supervisor's signed override may put a camera that failed its self-test into service."""
    inspection_days: Annotated[int, Meta(ge=0, le=3650)] = 0
    """Days after which a supervisor's extended test is due again (R37); 0 = not asked."""
    severity: dict[Word, Severity] = msgspec.field(default_factory=dict)
    """What a failed check does, where it differs from the default table."""

    # --- indicators ---------------------------------------------------------------------------------------------------
    zone: Annotated[str, Meta(min_length=1, max_length=64)] = "UTC"
    """IANA time zone for night dimming; evidence is in UTC whatever it says."""
    dim_from_h: Annotated[int, Meta(ge=0, le=23)] = 20
    """Local hour from which lamps are dimmed."""
    dim_until_h: Annotated[int, Meta(ge=0, le=23)] = 8
    """Local hour until which lamps are dimmed; the same hour as `dim_from_h` = never."""

    # --- trust --------------------------------------------------------------------------------------------------------
    vault: Annotated[tuple[Hash, ...], Meta(max_length=8)] = ()
    """SHA-256 of the vault certificates to seal to, as a promise to be checked; a change needs a second signature."""
    drivers: dict[Word, Name] = msgspec.field(default_factory=dict)
    """Driver by seam (`camera`, `microphone`, …). What stands here rules over `device.toml`."""

    @property
    def all_categories(self) -> tuple[Category, ...]:
        """The four of D.5.b as this project or the profile has them, then the profile's own."""
        own = {one.name: one for one in self.categories}
        first = tuple(own.pop(one.name, one) for one in D5B_CATEGORIES)
        return (*first, *own.values())


DEFAULT_SEVERITY: Final[dict[str, Severity]] = {
    # what must work for evidence to come about
    "sensor": "block",
    "picture": "block",
    "view": "warn",
    "channels": "block",
    "encoder": "block",
    "buffer": "note",
    "storage": "block",
    "signing_key": "block",
    "log_chain": "block",
    "firmware": "block",
    "custody": "block",
    # what a shift needs
    "battery": "block",
    "battery_health": "warn",
    "runtime": "block",
    "thermal": "warn",
    "microphone": "warn",
    "remote_audio": "block",
    "indicators": "warn",
    "inputs": "warn",
    "wear": "warn",
    "vault": "warn",
    # what should be known
    "gps": "note",
    "clock": "note",
    "last_session": "note",
    "watchdog": "note",
    "backlog": "note",
    "assignment": "note",
    "training": "note",
    "inspection": "note",
    "test_clip": "note",
}
"""What a failed check does unless the profile says otherwise (requirements, "What fails the test")."""
CHECKS: Final = tuple(DEFAULT_SEVERITY)
SEAMS: Final = (
    "camera", "microphone", "gps", "switches", "indicators", "battery", "motion", "thermal", "clock", "pins",
)  # fmt: skip
"""What a profile may choose drivers for."""
