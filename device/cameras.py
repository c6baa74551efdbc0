"""Put the daemon's recorders together: one for each camera, as one group."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from device.config import LEAD
from device.group import Group
from device.recorder import Recorder, Told
from device.ring import Ring
from device.roll_over import FileLimits
from device.session import Session

if TYPE_CHECKING:
    from device.daemon import Daemon


def group_of(daemon: Daemon) -> Group:
    """The recorders of all cameras that are configured."""
    conduct, continuing, boot, policy = daemon.conduct, daemon.continuing, daemon.boot, daemon.profile.profile
    limits = FileLimits(policy.roll_over_s * 10**9, policy.roll_over_mib * 2**20)
    most_bytes = policy.ring_mib * 2**20 // (1 + len(daemon.hardware.channels))

    def opened(session: Session) -> None:
        boot.incident.begun(session)
        conduct.on_opened(session)

    told = Told(opened, conduct.on_durable, conduct.on_closed, conduct.on_trouble, continuing.rolled)

    def ring() -> Ring:
        return Ring(policy.pre_event_s * 10**9, most_bytes, policy.pre_event_audio)

    followers = {
        name: Recorder(
            ring(),
            daemon.writer,
            partial(boot.make_file, name),
            partial(boot.recording_fields, channel=name),
            told,
            limits=limits,
            opening_again=continuing.opening,
            channel=name,
            own={"microphone": channel.microphone is not None},
        )
        for name, channel in daemon.hardware.channels.items()
    }
    return Group(
        ring(),
        daemon.writer,
        boot.make_file,
        boot.recording_fields,
        told,
        limits=limits,
        opening_again=continuing.opening,
        channel=LEAD if daemon.settings.role == "dash" else None,
        followers=followers,
        on_begun=continuing.begun,
        on_fault=daemon.fault,
    )
