"""Open a station's directory: one process at a time, everything in it put together.

The server serves it; verbs such as `custody`, `hold` or `reconcile` open it as well while no server runs, or ask the
running one.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

from dock.config import StationConfig
from dock.errors import BadConfig, StationLocked
from dock.station.bays import BayBook
from dock.station.contacts import ContactBook
from dock.station.custody import Custody
from dock.station.custody_steps import CustodySteps
from dock.station.desk import Desk
from dock.station.intake import Intake
from dock.station.lanes import Lanes, RevocationLists
from dock.station.lost_cameras import LostCameras
from dock.station.parts import parts_of
from dock.station.retention import Retention
from dock.station.settling import Settling
from dock.station.station import Station
from dock.station.store import DirectoryStore
from dock.station.stores import own_store
from dock.station.witness import WitnessBook
from evidence import durable
from evidence.keys import Signer, load_signer
from evidence.roles import role_of
from evidence.trust import Trust
from evidence.verify import StreamVerifier


@contextlib.contextmanager
def open_station(config: StationConfig) -> Iterator[Station]:
    """The station, alone in its directory. Raises `BadConfig`, `StationLocked`, `evidence.errors.BadKey`, OSError."""
    signer = load_signer(config.receipts.key, config.receipts.certificate)
    if role_of(signer.certificate) != "receipt":
        raise BadConfig(f"receipts.certificate {config.receipts.certificate} does not have the receipt role")
    trust = Trust.load(config.root)
    lists = RevocationLists(config.revocation_lists)
    durable.make_directory(config.directory)
    with _alone(config.directory):
        durable.clear_temporaries(*(Path(parent) for parent, _, _ in os.walk(config.directory)))
        station = _put_together(config, signer, trust, lists)
        try:
            yield station
        finally:
            station.custody.close()
            station.store.close()


def _put_together(config: StationConfig, signer: Signer, trust: Trust, lists: RevocationLists) -> Station:
    directory = config.directory
    desk = Desk(
        system_id=config.system_id,
        station=config.station,
        signer=signer,
        witnesses=WitnessBook(directory / "witness"),
        clock_uncertainty_ms=config.clock_uncertainty_ms,
        contacts=ContactBook(directory / "contacts"),
    )
    store = own_store(config, desk.utc_ns)

    def verifier(name: str) -> StreamVerifier:
        trust.revocations = lists.refresh()
        return StreamVerifier(trust, name)

    reserve_bytes = config.limits.reserve_bytes
    settling = Settling(store, desk, verifier, Retention(config.retention_days, desk.utc_ns))
    locked_away = Settling(
        DirectoryStore(directory / "quarantine" / "store", f"quarantine-{config.station}"),
        desk,
        verifier,
        Retention({}, desk.utc_ns),
        lane="quarantine",
    )
    intake = Intake(directory / "incoming", settling, reserve_bytes=reserve_bytes)
    quarantine = Intake(directory / "quarantine" / "incoming", locked_away, reserve_bytes=reserve_bytes)
    station = Station(
        config=config,
        trust=trust,
        signer=signer,
        desk=desk,
        store=store,
        intake=intake,
        quarantine=quarantine,
        lanes=Lanes(config.tls.ca, lists, lambda serial: station.part(LostCameras).lost(serial)),
        lists=lists,
        custody=Custody(directory / "custody", signer, utc_ns=desk.utc_ns),
        bays=BayBook(directory / "bays"),
        utc_ns=desk.utc_ns,
    )
    station.parts = parts_of(station)
    settling.on_stored = station.file_stored
    locked_away.on_stored = station.part(LostCameras).quarantined
    settling.before_receipt = locked_away.before_receipt = station.part(CustodySteps).settling
    return station


@contextlib.contextmanager
def _alone(directory: Path) -> Iterator[None]:
    """One process for each directory, or names could be taken twice. Raises `StationLocked`."""
    descriptor = os.open(directory / "station.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise StationLocked(f"another station works in {directory}: stop it first") from error
        yield
    finally:
        os.close(descriptor)
