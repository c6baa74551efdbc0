"""Which parts a station has, in the order in which their hooks are called."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dock.station.admin import Admin
from dock.station.aside_objects import AsideObjects
from dock.station.bay_reports import BayReports
from dock.station.broker_witness import BrokerWitness
from dock.station.checkout_desk import CheckoutDesk
from dock.station.custody_steps import CustodySteps
from dock.station.daily_reconciliation import DailyReconciliation
from dock.station.documents import Documents
from dock.station.exports_elsewhere import ExportsElsewhere
from dock.station.foreign_stores import ForeignStores
from dock.station.hand_offs import HandOffs
from dock.station.health_history import HealthHistory
from dock.station.holds import Holds
from dock.station.labels import Labels
from dock.station.lost_cameras import LostCameras
from dock.station.malfunctions import Malfunctions
from dock.station.page.part import DockPage
from dock.station.part import StationPart
from dock.station.people_audit import PeopleAudit
from dock.station.profile_shelf import ProfileShelf
from dock.station.recording_index import RecordingIndex
from dock.station.relay import Relay
from dock.station.restored import Restored
from dock.station.sent_files import SentFiles
from dock.station.store_watch import StoreWatch
from dock.station.supervisors_commands import SupervisorsCommands
from dock.station.time_desk import TimeDesk
from dock.station.update_shelf import UpdateShelf
from dock.station.vault_proofs import VaultProofs

if TYPE_CHECKING:
    from dock.station.station import Station


def parts_of(station: Station) -> tuple[StationPart, ...]:
    """All parts of one station."""
    kinds: tuple[type[StationPart], ...] = (
        Admin,
        CustodySteps,
        Documents,
        ExportsElsewhere,
        BayReports,
        AsideObjects,
        HandOffs,
        Holds,
        Labels,
        LostCameras,
        DailyReconciliation,
        PeopleAudit,
        StoreWatch,
        Malfunctions,
        HealthHistory,
        RecordingIndex,
        DockPage,
        Restored,
        SentFiles,
        VaultProofs,
        CheckoutDesk,
        ProfileShelf,
        TimeDesk,
        Relay,
        ForeignStores,
        UpdateShelf,
        BrokerWitness,
        SupervisorsCommands,
    )
    return tuple(kind(station) for kind in kinds)
