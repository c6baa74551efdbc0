"""Fuzz targets of `device`: settings, policy, orders of supervisors, and what a worn card does to its own notes."""

from __future__ import annotations

import contextlib
from typing import Final

import repaired
from target import NOW, Target, agency, as_file, from_file, scratch

from device import gpio_chips, kept_privacy, last_shift, sign_in, usage_kept
from device.appended import Appended
from device.board import load_board
from device.card import load_account
from device.commands import Numbers, check_command
from device.config import load_settings
from device.errors import CommandRefused, DeviceError, ProfileRefused
from device.incident_note import IncidentNote
from device.inspection import Inspected
from device.log_endings import logged_events
from device.new_config import Camera, config_text
from device.probe_tree import Tree
from device.profile import parse_profile, payload_of
from device.receipts import Receipts
from device.spool import Spool, close_hash_of, read_known
from device.state_file import StateUnreadable, read_state
from device.supervisor_queue import read_queue
from evidence import cms
from evidence.settings import BadSettings
from hal.clock import UtcClaim


def read_profile(data: bytes) -> None:
    theirs, signers = agency()
    parse_profile(cms.sign(data, signers["profile"], NOW), theirs)


def read_command(data: bytes) -> None:
    theirs, signers = agency()
    now_ns = int(NOW.timestamp()) * 10**9
    check_command(cms.sign(data, signers["supervisor"], NOW), theirs, "SIM-0001", UtcClaim(now_ns, now_ns + 1, "gnss"))


def read_profile_again(data: bytes) -> None:
    """What a page shows of an offered profile, acceptable or not."""
    theirs, signers = agency()
    payload_of(as_file("offered.p7s", cms.sign(data, signers["profile"], NOW)), theirs)


def new_config(data: bytes) -> None:
    """What a person types for a camera: whatever comes out is what the daemon reads, or is refused."""
    serial, _, vehicle = data.decode("utf-8", "replace").partition("\n")
    text = config_text(load_board("dev-webcam"), Camera(serial, vehicle=vehicle or None))
    assert load_settings(as_file("new.toml", text.encode())).serial == serial


def read_file_of_spool(data: bytes) -> None:
    """A file of the spool, as the next boot finds it."""
    path = as_file("SIM-0001-000001.evidence", data)
    read_known(path)
    close_hash_of(path)
    logged_events(path)


def read_own_notes(data: bytes) -> None:
    """Each note that the camera keeps for its next boot, with a worn card's bytes in it: no boot fails for that."""
    path = as_file("state/held.json", data)
    path.with_name("counters.json").write_bytes(data)
    path.with_name("incident.json").write_bytes(data)
    receipts = Receipts.__new__(Receipts)
    receipts._held_path = path
    receipts._load_held()
    spool = Spool.__new__(Spool)
    spool.state = path.parent
    spool._load_counters()
    IncidentNote(path.parent).read({1})
    Numbers(path).load()
    Appended(path).load()
    last_shift.load(path)
    usage_kept.load(path)
    kept_privacy.load(path, "boot")
    load_account(path)
    with contextlib.suppress(ValueError):
        read_queue(path)
    with contextlib.suppress(StateUnreadable):
        read_state(path, Inspected)
    session = None
    with contextlib.suppress(ValueError):
        session = sign_in.load(path)
    sign_in.training_seen(session, UtcClaim(0, 1, "gnss"))


def read_device_tree(data: bytes) -> None:
    """A copy of another machine's /proc and /sys, as `probe` is given it."""
    as_file("tree/sys/thing", data)
    tree = Tree(scratch() / "tree")
    tree.text("/sys/thing")
    word = tree.word("/sys/thing")
    assert word is None or word.isprintable()
    tree.number("/sys/thing")


def read_gpio_answers(data: bytes) -> None:
    """What the kernel's GPIO chip says of itself and its lines."""
    pieces = iter([data[:68], *(data[at : at + 256] for at in range(68, len(data), 256))])

    def ioctl(_descriptor: int, _request: int, asked: bytes) -> bytes:
        return next(pieces, b"").ljust(len(asked), b"\0")[: len(asked)]

    real, gpio_chips.fcntl.ioctl = gpio_chips.fcntl.ioctl, ioctl  # type: ignore[assignment]
    try:
        chip = gpio_chips.gpio_chip(as_file("gpiochip0", b""))
    finally:
        gpio_chips.fcntl.ioctl = real
    assert len(chip.users) <= gpio_chips.MOST_LINES


_JSON: Final = (repaired.canonical_json,)
TARGETS: Final = (
    Target("profile", read_profile, (ProfileRefused,), mends=_JSON),
    Target("profile-shown", read_profile_again),
    Target("command", read_command, (CommandRefused,), mends=_JSON),
    Target("device-settings", from_file("device.toml", load_settings), (BadSettings,)),
    Target("new-config", new_config, (DeviceError, BadSettings)),
    Target("spool-file", read_file_of_spool, (), mends=(repaired.der_lengths,)),
    Target("state-notes", read_own_notes, ()),
    Target("device-tree", read_device_tree, ()),
    Target("gpio-answers", read_gpio_answers, (OSError,)),
)
