"""Which parts a camera has, in the order in which their hooks are called."""

from __future__ import annotations

from typing import TYPE_CHECKING

from device.assignment import Assignment
from device.background_test import BackgroundTest
from device.card_watch import CardWatch
from device.categories import Categories
from device.command_desk import CommandDesk
from device.custody import Custody
from device.driver_choice import DriverChoice
from device.energy import Energy
from device.failure_detector import FailureDetector
from device.feedback import Feedback
from device.hold_up import HoldUp
from device.inspection import Inspection
from device.kept_privacy import KeptPrivacy
from device.labels import Labels
from device.lost import Lost
from device.malfunction import Malfunction
from device.offload_state import OffloadState
from device.part import Part
from device.pauses import Pauses
from device.peers import Peers
from device.pre_shift import PreShift
from device.privacy import Privacy
from device.profile_desk import ProfileDesk
from device.remote_audio import RemoteAudio
from device.ring_keeper import RingKeeper
from device.second_look import SecondLook
from device.self_test_desk import SelfTestDesk
from device.senses import Senses
from device.sensor_triggers import SensorTriggers
from device.spoken_clip import SpokenClip
from device.supervisor_queue import SupervisorQueue
from device.support_facts import SupportFacts
from device.usage import ShiftUsage
from device.vault_proofs import VaultProofs
from device.vehicle import Vehicle
from device.verdict_watch import VerdictWatch

if TYPE_CHECKING:
    from device.daemon import Daemon


def parts_of(daemon: Daemon) -> tuple[Part, ...]:
    """All parts of one daemon."""
    kinds: tuple[type[Part], ...] = (
        DriverChoice,
        Senses,
        BackgroundTest,
        SupervisorQueue,
        FailureDetector,
        CardWatch,
        Energy,
        Privacy,
        Pauses,
        KeptPrivacy,
        Categories,
        Lost,
        Peers,
        SensorTriggers,
        Feedback,
        PreShift,
        VerdictWatch,
        SecondLook,
        RingKeeper,
        Assignment,
        Labels,
        Custody,
        CommandDesk,
        ProfileDesk,
        Malfunction,
        ShiftUsage,
        SupportFacts,
        SpokenClip,
        Inspection,
        SelfTestDesk,
        Vehicle,
        HoldUp,
        RemoteAudio,
        VaultProofs,
        OffloadState,
    )
    return tuple(kind(daemon) for kind in kinds)
