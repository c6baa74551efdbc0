"""Who gets into the station: TLS 1.3 with a certificate of a camera of this agency, and only to its own files."""

from __future__ import annotations

import datetime as dt
import http.client
import ssl
from collections.abc import Callable
from pathlib import Path

import pytest
from dock_bench import SERIAL, TUS, Client, Process, write_station

from fleet.ca import Authority, Validity, write_credential

Run = Callable[[str, Path], Process]


@pytest.fixture
def station(tmp_path: Path, pki: Path, run: Run) -> Process:
    return run("station", write_station(tmp_path, pki))


@pytest.fixture
def client(station: Process, pki: Path) -> Client:
    return Client(station.port, pki)


@pytest.mark.requirement("R1", "R41")
def test_without_a_certificate_nobody_comes_in(station: Process, pki: Path, other_pki: Path) -> None:
    for stem, directory in ((None, pki), ("camera-tls", other_pki)):
        with pytest.raises((ssl.SSLError, ConnectionError, http.client.RemoteDisconnected)):
            Client(station.port, directory, stem, ca=pki / "tls-ca.pem")("GET", "/system")


@pytest.mark.requirement("R6", "R33")
def test_a_certificate_of_another_purpose_does_not_come_in(station: Process, pki: Path) -> None:
    for stem in ("camera", "station-tls", "station-receipt"):
        with pytest.raises((ssl.SSLError, ConnectionError, http.client.RemoteDisconnected)):
            Client(station.port, pki, stem)("GET", "/system")


@pytest.mark.requirement("R1")
def test_another_cameras_uploads_and_receipts_are_refused(tmp_path: Path, run: Run) -> None:
    from fleet.ca import create_agency

    pki = tmp_path / "two"
    authority: Authority = create_agency(pki)
    write_credential(pki, "second", authority.tls_client("SIM-0002"))
    past = Validity.years(1, dt.datetime.now(dt.UTC) - dt.timedelta(days=700))
    write_credential(pki, "expired", authority.tls_client(SERIAL, validity=past))
    station = run("station", write_station(tmp_path, pki))
    first, second = Client(station.port, pki), Client(station.port, pki, "second")
    _, headers, _ = first.create(f"{SERIAL}-000001.evidence", 100)
    assert second("HEAD", headers["location"], TUS)[0] == 403
    assert second.patch(headers["location"], 0, b"x")[0] == 403
    assert second("GET", f"/receipts/{SERIAL}-000001.evidence")[0] == 403
    assert second.create("SIM-0002-000001.evidence", 100)[0] == 201
    with pytest.raises((ssl.SSLError, ConnectionError)):
        Client(station.port, pki, "expired")("GET", "/system")


@pytest.mark.requirement("R30")
def test_only_tls_1_3_is_spoken(station: Process, pki: Path) -> None:
    client = Client(station.port, pki)
    context = client._connection._context  # type: ignore[attr-defined]
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with pytest.raises((ssl.SSLError, ConnectionError)):
        client("GET", "/system")
