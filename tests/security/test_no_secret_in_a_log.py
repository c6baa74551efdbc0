"""No secret stands in anything that a program says or keeps: a whole shift, a desk, foreign stores, all logging on."""

from __future__ import annotations

import base64
import contextlib
import http.server
import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

BASE = Path(__file__).resolve().parents[2]
HERE = Path(__file__).resolve().parent
sys.path += [str(BASE / "tests/dock"), str(HERE)]

from dock_bench import Process, poll_until, write_agent  # noqa: E402
from dock_camera import Camera, FakeRecorder  # noqa: E402
from page_bench import PASSWORD, open_bench  # noqa: E402
from secrets_sought import Search, Sought, drawn, search  # noqa: E402

from dock.transport.credentials import load_access_key, load_tus_pass  # noqa: E402
from evidence.keys import FileSigner, FileVaultKey, load_private_key  # noqa: E402
from evidence.trust import Trust  # noqa: E402
from fleet.ca import create_agency  # noqa: E402

SECRET = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
BEARER = "eyJhbGciOiJIUzI1NiJ9.bearer-of-nothing.signature"


def hooked(secrets: Path) -> dict[str, str]:
    """The environment in which a program logs all and its secrets are kept."""
    path = os.pathsep.join([str(HERE / "hook"), str(BASE), os.environ.get("PYTHONPATH", "")])
    return {**os.environ, "PYTHONPATH": path.rstrip(os.pathsep), "FIRSTHAND_SECRETS": str(secrets)}


def shift(directory: Path) -> tuple[Search, Sought]:
    """A shift by real processes; what was sought in all that they left: logs, messages, databases, evidence."""
    secrets, out = directory / "secrets", directory / "run"
    secrets.touch()
    words = [sys.executable, "-m", "simulator", "shift", "quick", "--out", str(out)]
    done = subprocess.run(words, env=hooked(secrets), capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    (out / "said.txt").write_text(done.stdout + done.stderr)
    sought = Sought()
    for path in sorted(out.rglob("*.key")):
        with contextlib.suppress(ValueError):  # the key of the tags is no PEM
            sought.key(path)
    assert drawn(secrets, sought) >= 20
    # The exported videos hold what was salted: they are disclosed on purpose, with their salts.
    files = [
        path
        for path in sorted(out.rglob("*"))
        if path.is_file() and path.suffix != ".key" and not path.is_relative_to(out / "export")
    ]
    return search(files, sought), sought


@pytest.mark.slow
@pytest.mark.timeout(700)
@pytest.mark.requirement("R41")
def test_a_shift_leaves_no_secret_in_logs_messages_databases_or_evidence(tmp_path: Path) -> None:
    seen, sought = shift(tmp_path)
    assert {"camera.key", "camera-tls.key", "station-receipt.key", "vault.key"} <= sought.names
    said = {path.name: path.read_text(errors="replace") for path in (tmp_path / "run").rglob("*.log")}
    assert any("DEBUG" in text for text in said.values()), "the hook works"
    assert seen.files >= 20
    assert seen.bytes > 500_000
    assert not seen.found


@pytest.mark.requirement("R33", "R41")
def test_the_desks_page_says_no_password_cookie_or_token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    secrets = tmp_path / "secrets"
    secrets.touch()
    for name, value in hooked(secrets).items():
        monkeypatch.setenv(name, value)
    bench = open_bench(tmp_path, cameras=1)
    pages = b""
    sought = Sought()
    try:
        with bench.client() as client:
            for password in ("a wrong guess entirely", PASSWORD):
                form = client.get("/login")
                token = re.search(r'name="csrf" value="([^"]+)"', form.text)
                assert token is not None
                sought.text("login token", token[1])
                given = {"csrf": token[1], "person": "adm1", "password": password, "next": "/"}
                answer = client.post("/login", data=given, headers={"Origin": bench.page_url})
                pages += answer.content
                sought.text(f"password {password}", password)
            assert answer.status_code == 303
            cookie = client.cookies["__Host-firsthand"]
            sought.text("session cookie", cookie)
            for path in ("/", "/audit", "/people", "/recordings", "/nothing"):
                pages += client.get(path).content
            client.post("/people", data={"csrf": "x" * 100_000, "id": "\0"}, headers={"Origin": bench.page_url})
        cookies = [name for name in sought.names if name != "login token"]
    finally:
        bench.close()
    for path in sorted(bench.pki.glob("*.key")):
        sought.key(path)
    assert b"Nora Haddad" in pages, "somebody was logged in"
    assert [name for name in sought.found_in(pages) if name in cookies or name.endswith(".key")] == []
    assert drawn(secrets, sought) >= 4
    left = [path for path in sorted(bench.directory.rglob("*")) if path.is_file() and path != secrets]
    seen = search([path for path in left if path.suffix != ".key" and path.name != "tags"], sought)
    assert "DEBUG" in bench.station.log() or "INFO" in bench.station.log()
    assert not seen.found


class Refusing(http.server.BaseHTTPRequestHandler):
    """A store that refuses all, and keeps what it was shown."""

    shown: list[str] = []  # noqa: RUF012 - one for the class, as http.server makes a handler for each connection

    def answer(self) -> None:
        self.shown.append(str(self.headers.get("Authorization")))
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        body = b"<Error><Code>SignatureDoesNotMatch</Code></Error>"
        self.send_response(403)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nothing."""


for _method in ("GET", "HEAD", "PUT", "POST", "PATCH", "DELETE"):
    setattr(Refusing, f"do_{_method}", Refusing.answer)


@pytest.fixture
def refusing() -> Iterator[int]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Refusing)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    Refusing.shown.clear()
    yield server.server_address[1]
    server.shutdown()
    server.server_close()


@pytest.mark.requirement("R41")
@pytest.mark.parametrize("kind", ["s3", "tus"])
def test_a_store_that_refuses_brings_no_credential_into_a_log(
    kind: str, tmp_path: Path, refusing: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    secrets = tmp_path / "secrets"
    secrets.touch()
    for name, value in hooked(secrets).items():
        monkeypatch.setenv(name, value)
    bench = open_bench(tmp_path, cameras=1)
    credentials = tmp_path / "credentials"
    credentials.touch(mode=0o600)
    credentials.write_text(f"AKIDEXAMPLE\n{SECRET}\n" if kind == "s3" else f"bearer {BEARER}\n")
    more = (
        'url = "http://127.0.0.1:{port}"\nbucket = "evidence"' if kind == "s3" else 'url = "http://127.0.0.1:{port}/f"'
    )
    target = f'[target]\nkind = "{kind}"\nname = "far"\n{more.format(port=refusing)}\ncredentials = "{credentials}"\n'
    (tmp_path / "spool").mkdir()
    camera = Camera(bench.pki, tmp_path / "spool")
    recorder = FakeRecorder(tmp_path / "recorder.sock", camera.spool, Trust.load(bench.pki / "root.pem"))
    recorder.files = [camera.record(1)]
    agent = Process(write_agent(tmp_path, bench.pki, port=bench.station.port, telemetry=target), "agent").start()
    try:
        poll_until(lambda: len(Refusing.shown) >= 2, seconds=60, why=f"the agent asks: {agent.log()[-2000:]}")
    finally:
        agent.stop()
        recorder.close()
        bench.close()
    if kind == "tus":
        assert Refusing.shown[0] == f"Bearer {BEARER}", "the control: it was used"
    sought = Sought()
    sought.text("the secret", SECRET if kind == "s3" else BEARER)
    for path in bench.pki.glob("*.key"):
        sought.key(path)
    drawn(secrets, sought)
    left = [path for path in tmp_path.rglob("*") if path.is_file() and path.suffix != ".key"]
    seen = search([path for path in left if path not in (secrets, credentials)], sought)
    assert seen.files >= 5
    assert not seen.found


def test_nothing_that_holds_a_secret_shows_it_when_it_is_printed(tmp_path: Path) -> None:
    """A traceback, a debugger and a careless f-string print `repr`."""
    create_agency(tmp_path)
    sought = Sought()
    sought.key(tmp_path / "camera.key")
    for name, text in (("s3", f"AKIDEXAMPLE\n{SECRET}\n"), ("tus", f"bearer {BEARER}\n")):
        (tmp_path / name).touch(mode=0o600)
        (tmp_path / name).write_text(text)
    sought.text("s3 secret", SECRET)
    sought.text("bearer", BEARER)
    key = load_private_key(tmp_path / "camera.key")
    signer = FileSigner.load(tmp_path / "camera.key", tmp_path / "camera.pem")
    held = (signer, key, FileVaultKey(key), load_access_key(tmp_path / "s3"), load_tus_pass(tmp_path / "tus"))
    shown = "\n".join(f"{one!r} {one} {one.__dict__ if hasattr(one, '__dict__') else ''}" for one in held[:3])
    shown += "\n".join(f"{one!r} {one}" for one in held[3:])
    assert list(sought.found_in(shown.encode())) == []


@pytest.mark.parametrize("before", ["", "a", "ab", "abc", "a longer beginning: "])
def test_the_search_finds_a_secret_in_every_spelling(before: str, tmp_path: Path) -> None:
    """The control of all of the above."""
    create_agency(tmp_path)
    sought = Sought()
    sought.key(tmp_path / "camera.key")
    token = bytes(range(100, 132))
    sought.octets("token", token)
    number = load_private_key(tmp_path / "camera.key").private_numbers().private_value
    raw = number.to_bytes(32, "big")
    pem = (tmp_path / "camera.key").read_text()
    spelled = [
        pem.encode(), json.dumps({"key": pem}).encode(), raw, raw.hex().encode(), str(number).encode(),
        repr(raw).encode(), base64.b64encode(raw), base64.urlsafe_b64encode(raw),
    ]  # fmt: skip
    for one in spelled:
        assert "camera.key" in list(sought.found_in(before.encode() + one + b" and more"))
    in_base64 = base64.b64encode(before.encode() + token + b" and more")
    assert list(sought.found_in(in_base64)) == ["token"]
    assert list(sought.found_in(b"DEBUG firsthand.recorder: nothing to see here" * 100)) == []
