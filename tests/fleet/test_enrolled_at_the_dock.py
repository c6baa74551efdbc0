"""What the authority issues and an enrolment brings serves a real docking station, until it is taken back."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

import pytest
from agency_on_disk import Agency
from enrolment_bench import SERIAL, enrolled

sys.path.append(str(Path(__file__).parents[1] / "dock"))

from dock_bench import TUS, Client, Process, poll_until, write_station
from dock_camera import Camera

from evidence import cms
from evidence.handover import decode_receipt
from evidence.trust import Trust
from fleet.__main__ import main


@pytest.mark.requirement("R6", "R11")
def test_an_enrolled_camera_is_served_until_it_is_taken_back(agency: Agency, tmp_path: Path) -> None:
    keys, home, spool = enrolled(agency, tmp_path / "keys"), tmp_path / "home", tmp_path / "spool"
    home.mkdir()
    spool.mkdir()
    issue = ["--ca", str(agency.ca), "--out"]
    server = ["--host", "localhost", "--address", "127.0.0.1"]
    assert main(["ca", "issue", "tls-server", *issue, str(home / "station-tls"), *server]) == 0
    assert main(["ca", "issue", "receipt", *issue, str(home / "station-receipt"), "--serial", "STATION-1"]) == 0
    for name in ("root.pem", "tls-ca.pem"):
        (home / name).write_bytes((agency.ca / name).read_bytes())
        (keys / name).write_bytes((agency.ca / name).read_bytes())
    config = write_station(home, home)
    config.write_text(f'revocation_lists = ["{agency.crl}"]\n{config.read_text()}')
    station = Process(config, "station").start()
    try:
        client = Client(station.port, keys)
        file = Camera(keys, spool).record(1)
        data = (spool / file.name).read_bytes()
        status, headers, _ = client.create(file.name, len(data), close_hash=file.close_hash)
        assert status == 201
        assert client.patch(headers["location"], 0, data, hashlib.sha256(data).digest())[0] == 204
        where = poll_until(lambda: client("HEAD", headers["location"], TUS)[1].get("firsthand-receipt"))
        message = cms.parse_signed(client("GET", where)[2])
        Trust.load(agency.root, [agency.crl]).check(message, role="receipt", serial="STATION-1")
        assert decode_receipt(message.payload).verdict == "valid"
        assert client("GET", "/nowhere")[0] == 404
        assert main(["ca", "revoke", SERIAL, "--ca", str(agency.ca), "--reason", "stolen"]) == 0
        poll_until(lambda: client("GET", "/nowhere")[0] == 403, seconds=60, why="it comes to quarantine")
        client.close()
    finally:
        station.stop()
