"""Every connection of ours speaks TLS 1.3 and nothing older: listeners, clients, and the sources that make contexts."""

from __future__ import annotations

import ast
import contextlib
import shutil
import ssl
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from socket import SHUT_RDWR, create_server, socket

import pytest

BASE = Path(__file__).resolve().parents[2]
sys.path += [str(BASE / "tests/dock"), str(BASE / "tests/fleet")]

from dock_bench import Process, write_agent  # noqa: E402
from page_bench import Bench, open_bench  # noqa: E402

from dock.config import Target, Tls  # noqa: E402
from dock.config_mqtt import Telemetry  # noqa: E402
from dock.mqtt.outbox import Outbox  # noqa: E402
from dock.mqtt.telemetry import MqttTelemetry  # noqa: E402
from dock.station.s3_requests import S3Requests  # noqa: E402
from dock.station.timestamps import over_http  # noqa: E402
from dock.tls import client_context  # noqa: E402
from dock.transport.credentials import AccessKey  # noqa: E402
from dock.transport.https import StationLink  # noqa: E402
from dock.transport.target import target_link  # noqa: E402
from evidence.trust import Trust  # noqa: E402
from fleet.est_client import Server  # noqa: E402
from simulator.fleet_mqtt import start_broker  # noqa: E402
from simulator.processes import Children  # noqa: E402

ROOMS = ("device", "dock", "evidence", "fleet", "hal")
ANY = (Exception,)
LISTENERS = ("station", "page", "enrolment server", "broker")


def s_client(port: int, version: str, pki: Path, stem: str | None) -> str:
    """What openssl, which nobody here wrote, says of a handshake with that version of TLS and no other."""
    words = ["openssl", "s_client", "-connect", f"127.0.0.1:{port}", f"-{version}", "-CAfile", str(pki / "tls-ca.pem")]
    # Whatever openssl's own settings forbid: an old version must be refused by us.
    words += ["-cipher", "ALL:@SECLEVEL=0"] if version != "tls1_3" else []
    words += ["-cert", str(pki / f"{stem}.pem"), "-key", str(pki / f"{stem}.key")] if stem is not None else []
    return subprocess.run(words, input="", capture_output=True, text=True, timeout=120).stdout


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """A real station with its page."""
    opened = open_bench(tmp_path_factory.mktemp("tls"), cameras=1)
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def listeners(bench: Bench, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, tuple[int, str | None]]]:
    """Name -> port and client certificate, of each listener of ours: real processes."""
    directory = tmp_path_factory.mktemp("listeners")
    words = directory / "words"
    words.touch(mode=0o600)
    words.write_text("correct horse battery staple\n")
    other = directory / "other"
    other.touch(mode=0o600)
    other.write_text("another horse altogether\n")
    fleet = [sys.executable, "-m", "fleet"]
    given = ["--passphrase-file", str(words), "--root-passphrase-file", str(other)]
    init = [*fleet, "ca", "init", str(directory / "ca"), "--organization", "PD", *given]
    subprocess.run(init, check=True, capture_output=True, timeout=120)
    server = [*fleet, "enrol-server", "--ca", str(directory / "ca"), "--host", "localhost", "--listen", "127.0.0.1:0"]
    enrol = subprocess.Popen([*server, "--passphrase-file", str(words)], stdout=subprocess.PIPE, text=True)
    assert enrol.stdout is not None
    found: dict[str, tuple[int, str | None]] = {
        "station": (bench.station.port, f"{bench.serials[0]}-tls"),
        "page": (int(bench.page_url.rpartition(":")[2]), None),
        "enrolment server": (int(enrol.stdout.readline().split("https://localhost:")[1].split()[0].strip("/")), None),
    }
    with Children(directory) as children:
        kind, port = start_broker(children, bench.pki, directory)
        assert kind == "mosquitto", "apt-get install mosquitto"
        found["broker"] = (port, f"{bench.serials[0]}-tls")
        yield found
    enrol.terminate()
    enrol.wait(60)
    enrol.stdout.close()


@pytest.mark.requirement("R6", "R30")
@pytest.mark.skipif(shutil.which("openssl") is None, reason="needs openssl: sudo apt-get install openssl")
@pytest.mark.parametrize("name", LISTENERS)
def test_a_listener_shakes_hands_by_tls_1_3_and_by_nothing_older(
    name: str, listeners: dict[str, tuple[int, str | None]], bench: Bench
) -> None:
    port, stem = listeners[name]
    assert "New, TLSv1.3, Cipher is TLS_" in s_client(port, "tls1_3", bench.pki, stem)
    for old in ("tls1_2", "tls1_1", "tls1"):
        said = s_client(port, old, bench.pki, stem)
        assert "New, (NONE), Cipher is (NONE)" in said, f"{name} takes {old}: {said[-500:]}"


@pytest.mark.skipif(shutil.which("openssl") is None, reason="needs openssl: sudo apt-get install openssl")
def test_openssl_would_have_shaken_hands_by_tls_1_2(bench: Bench) -> None:
    """The control."""
    server = OneVersion(bench.pki, ssl.TLSVersion.TLSv1_2)
    try:
        assert "New, TLSv1.2, Cipher is" in s_client(server.port, "tls1_2", bench.pki, None)
        assert "(NONE)" in s_client(server.port, "tls1_3", bench.pki, None)
    finally:
        server.close()


def test_the_brokers_settings_that_we_ship_name_tls_1_3() -> None:
    lines = (BASE / "dock/examples/mosquitto.conf").read_text().splitlines()
    assert "tls_version tlsv1.3" in lines
    assert sum(line.startswith("listener ") for line in lines) == 1
    assert "require_certificate true" in lines


@dataclass
class OneVersion:
    """A TLS server that speaks one version only, and keeps what came through."""

    pki: Path
    version: ssl.TLSVersion
    heard: list[str] = field(default_factory=list)
    """The version of each handshake that was done, or why it was not."""
    data: bytes = b""
    something: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.minimum_version = self._context.maximum_version = self.version
        self._context.set_ciphers("ALL:@SECLEVEL=0")
        self._context.load_cert_chain(self.pki / "station-tls.pem", self.pki / "station-tls.key")
        self._listener = create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):  # closed
            while True:
                self._one(self._listener.accept()[0])

    def _one(self, plain: socket) -> None:
        plain.settimeout(60)
        try:
            with self._context.wrap_socket(plain, server_side=True) as secure:
                self.heard.append(secure.version() or "")
                self.data += secure.recv(1 << 16)
        except OSError as error:
            self.heard.append(type(error).__name__)
        finally:
            self.something.set()

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(SHUT_RDWR)
        self._listener.close()
        self._thread.join(90)


def by_agent_link(port: int, pki: Path, _: Path) -> None:
    StationLink(f"https://127.0.0.1:{port}", client_context(tls_of(pki)), 20).call("GET", "/system")


def by_agent_without_a_clock(port: int, pki: Path, _: Path) -> None:
    context = client_context(tls_of(pki), check_time=False)
    StationLink(f"https://127.0.0.1:{port}", context, 20).call("GET", "/system")


def by_foreign_target(port: int, pki: Path, _: Path) -> None:
    target = Target(name="elsewhere", kind="tus", url=f"https://127.0.0.1:{port}/files", ca=pki / "tls-ca.pem")
    target_link(target, timeout_s=20).call("GET", "/files")


def by_s3_store(port: int, pki: Path, _: Path) -> None:
    key = AccessKey("id", "secret")
    S3Requests(f"https://127.0.0.1:{port}", "bucket", "r", key, ca=pki / "tls-ca.pem").begin("name", lock={})


def by_timestamps(port: int, pki: Path, _: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SSL_CERT_FILE", str(pki / "tls-ca.pem"))
        over_http(f"https://127.0.0.1:{port}/tsr", 20)(b"request")


def by_first_enrolment(port: int, _: Path, __: Path) -> None:
    Server(f"https://localhost:{port}").authorities("00" * 32)


def by_renewal(port: int, pki: Path, _: Path) -> None:
    root = Trust.load(pki / "root.pem").root
    session = Server(f"https://localhost:{port}").trusted(root, (pki / "camera-tls.pem", pki / "camera-tls.key"))
    session.authorities()


def by_telemetry(port: int, pki: Path, directory: Path) -> None:
    """paho in its own thread: told by the server."""
    outbox = Outbox(directory / "outbox.sqlite", max_rows=100)
    context = partial(client_context, tls_of(pki))
    settings = Telemetry(host="localhost", port=port, backoff_max_s=1)
    telemetry = MqttTelemetry(settings, outbox, context, device="SIM-0001", boot="boot")
    telemetry.start()
    SERVERS[port].something.wait(60)
    telemetry.stop()
    outbox.close()


CLIENTS: tuple[Callable[[int, Path, Path], None], ...] = (
    by_agent_link,
    by_agent_without_a_clock,
    by_foreign_target,
    by_s3_store,
    by_timestamps,
    by_first_enrolment,
    by_renewal,
    by_telemetry,
)
SERVERS: dict[int, OneVersion] = {}


def asked(client: Callable[[int, Path, Path], None], pki: Path, version: ssl.TLSVersion, directory: Path) -> OneVersion:
    """What a server of one version heard from that client."""
    server = OneVersion(pki, version)
    SERVERS[server.port] = server
    try:
        with contextlib.suppress(*ANY):  # this server answers nobody
            client(server.port, pki, directory)
        assert server.something.wait(60), "nobody came"
    finally:
        server.close()
        del SERVERS[server.port]
    return server


@pytest.mark.requirement("R6", "R30")
@pytest.mark.parametrize("client", CLIENTS, ids=lambda one: one.__name__)
def test_a_client_leaves_a_server_that_offers_only_tls_1_2(
    client: Callable[[int, Path, Path], None], bench: Bench, tmp_path: Path
) -> None:
    (tmp_path / "new").mkdir()
    (tmp_path / "old").mkdir()
    new = asked(client, bench.pki, ssl.TLSVersion.TLSv1_3, tmp_path / "new")
    assert new.heard[0] == "TLSv1.3"
    assert new.data, "the control: to such a server it speaks"
    old = asked(client, bench.pki, ssl.TLSVersion.TLSv1_2, tmp_path / "old")
    assert old.data == b""
    assert "TLSv1.2" not in old.heard


@pytest.mark.requirement("R6")
def test_an_agent_process_tells_a_station_of_tls_1_2_nothing(bench: Bench, tmp_path: Path) -> None:
    from dock_camera import Camera, FakeRecorder

    (tmp_path / "spool").mkdir()
    camera = Camera(bench.pki, tmp_path / "spool")
    camera.record(1)
    server = OneVersion(bench.pki, ssl.TLSVersion.TLSv1_2)
    recorder = FakeRecorder(tmp_path / "recorder.sock", camera.spool, Trust.load(bench.pki / "root.pem"))
    agent = Process(write_agent(tmp_path, bench.pki, port=server.port), "agent").start()
    try:
        assert server.something.wait(60), agent.log()
    finally:
        agent.stop()
        recorder.close()
        server.close()
    assert server.data == b""
    assert "TLSv1.2" not in server.heard


def tls_of(pki: Path) -> Tls:
    return Tls(certificate=pki / "camera-tls.pem", key=pki / "camera-tls.key", ca=pki / "tls-ca.pem")


def made_contexts() -> Iterator[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef]]:
    """Each function of the product that makes a TLS context, and where."""
    for path in sorted(path for room in ROOMS for path in (BASE / room).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and any(
                isinstance(one, ast.Call) and ast.unparse(one.func) in MAKES for one in ast.walk(node)
            ):
                yield f"{path.relative_to(BASE)}:{node.name}", node


MAKES = ("ssl.SSLContext", "ssl.create_default_context", "ssl._create_unverified_context", "ssl.wrap_socket")
BY_ANOTHER = "_load(context, tls)"
"""dock/tls.py sets it for both of its contexts, in one place."""


def test_no_source_makes_a_tls_context_without_saying_1_3() -> None:
    found = dict(made_contexts())
    assert len(found) >= 8
    wrong = [
        where
        for where, node in found.items()
        if "context.minimum_version = ssl.TLSVersion.TLSv1_3" not in ast.unparse(node)
        and BY_ANOTHER not in ast.unparse(node)
    ]
    assert not wrong
    assert "context.minimum_version = ssl.TLSVersion.TLSv1_3" in (BASE / "dock/tls.py").read_text()
    for path in sorted(path for room in ROOMS for path in (BASE / room).rglob("*.py")):
        text = path.read_text("utf-8")
        assert "TLSv1_2" not in text, path
        assert "HTTPSConnection(" not in text or "context=" in text, f"{path}: HTTPS without a context of ours"
        assert "urllib.request" not in text, f"{path}: makes TLS contexts of its own"
