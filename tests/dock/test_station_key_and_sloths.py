"""The station's receipt key in a token (PKCS#11), and clients that never finish what they began to say."""

from __future__ import annotations

import os
import socket
import ssl
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from dock_bench import Client, Process, poll_until, write_agent, write_station
from dock_camera import Camera, FakeRecorder

sys.path.append(str(Path(__file__).resolve().parents[1] / "evidence"))
from soft_token import PIN, SoftToken

Run = Callable[[str, Path], Process]


@pytest.mark.requirement("R38", "R41")
def test_receipts_are_signed_by_a_key_that_cannot_leave_its_token(
    tmp_path: Path,
    pki: Path,
    camera: Camera,
    recorder: FakeRecorder,
    run: Run,
    tool: Callable[[str], str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before = os.environ.get("SOFTHSM2_CONF")
    try:
        token = SoftToken.create(tmp_path / "hsm", tool("softhsm2-util"))
        key = serialization.load_pem_private_key((pki / "station-receipt.key").read_bytes(), None)
        assert isinstance(key, ec.EllipticCurvePrivateKey)
        uri = token.put("receipts", key)
        config = write_station(tmp_path, pki)
        config.write_text(config.read_text().replace(f"{pki}/station-receipt.key", uri))
        recorder.files = [camera.record(1), camera.record(2), camera.record(3), camera.log(1)]
        station = run("station", config)
        agent = run("agent", write_agent(tmp_path, pki, port=station.port))
        poll_until(lambda: len(recorder.receipts) == 4, why=str(agent.log), seconds=60)
        assert {one.verdict for one in recorder.receipts.values()} == {"valid"}
        station.stop()
        token.pin_file.write_text("000000\n")
        refused = subprocess.run(
            [sys.executable, "-m", "dock", "station", "--config", str(config)],
            capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
        assert refused.returncode == 1
        assert "PIN" in refused.stderr
        assert PIN not in refused.stderr
    finally:
        if before is None:
            os.environ.pop("SOFTHSM2_CONF", None)
        else:
            os.environ["SOFTHSM2_CONF"] = before


def test_who_never_ends_a_sentence_keeps_no_place_from_others(tmp_path: Path, pki: Path, run: Run) -> None:
    station = run("station", write_station(tmp_path, pki, limits="idle_s = 4.0"))
    context = ssl.create_default_context(cafile=str(pki / "tls-ca.pem"))
    context.load_cert_chain(pki / "camera-tls.pem", pki / "camera-tls.key")

    def sloth(said: bytes) -> ssl.SSLSocket:
        plain = socket.create_connection(("127.0.0.1", station.port), timeout=25)
        wrapped = context.wrap_socket(plain, server_hostname="localhost")
        wrapped.sendall(said)
        return wrapped

    sloths = [sloth(b""), sloth(b"GET /system HT"), sloth(b"GET /system HTTP/1.1\r\nHost: x\r\nA: b\r\n")]
    for one in sloths:  # in time: recv() gives up before the 30 s of a station that was told nothing
        assert one.recv(1) == b"", "closed by the station"
        one.close()
    client = Client(station.port, pki)
    assert client("GET", "/system")[0] == 200
    assert client("GET", "/system")[0] == 200, "one who ends its sentences may go on over the same connection"
