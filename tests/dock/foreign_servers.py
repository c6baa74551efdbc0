"""Servers that nobody here wrote, as real processes: SeaweedFS (S3 and tus), @tus/server on node, tuspyserver."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from dock_bench import poll_until
from weed import free_ports

NODE = Path(__file__).parent / "node"
INSTALLED = Path(__file__).resolve().parents[2] / "build" / "node"
ADMIN, SCOPED = ("ADMIN0", "admin-secret"), ("CAMERA1", "camera-secret")
BUCKET = "evidence"
TOKEN = "a-token-for-the-camera"
_TUSPYSERVER = """
import sys, fastapi, uvicorn
from tuspyserver import create_tus_router
port, files, token, chain, key = sys.argv[1:]

async def known(authorization: str = fastapi.Header("")):
    if authorization != "Bearer " + token:
        raise fastapi.HTTPException(401, "who is it?")

app = fastapi.FastAPI()
app.include_router(create_tus_router(prefix="files", files_dir=files, max_size=2**32, auth=known))
uvicorn.run(app, host="127.0.0.1", port=int(port), log_level="warning", ssl_certfile=chain, ssl_keyfile=key)
"""


def needed(name: str) -> str:
    """A tool's path. Missing: skipped for a user, failed in CI (CI=true)."""
    beside = Path(sys.executable).parent / name
    path = str(beside) if beside.exists() else shutil.which(name)
    if path is None:
        reason = f"{name} is not installed: run `make test` as root once, or install it"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    return path


def node_judges() -> Path:
    """The folder in which tests/dock/node/package-lock.json is installed; installs it once, with npm's own cache."""
    npm = needed("npm")
    INSTALLED.mkdir(parents=True, exist_ok=True)
    with (INSTALLED / "lock").open("w") as lock:
        import fcntl

        fcntl.flock(lock, fcntl.LOCK_EX)  # several test processes
        wanted = (NODE / "package-lock.json").read_text()
        kept = INSTALLED / "package-lock.json"
        if not (INSTALLED / "installed").exists() or kept.read_text() != wanted:
            for name in ("package.json", "package-lock.json"):
                shutil.copyfile(NODE / name, INSTALLED / name)
            command = [npm, "ci", "--no-audit", "--no-fund", "--ignore-scripts"]
            subprocess.run(command, cwd=INSTALLED, check=True, capture_output=True, timeout=240)
            (INSTALLED / "installed").touch()
    return INSTALLED


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@dataclass
class Server:
    """A process that listens, can be killed as by a power cut, and begun again over the same files."""

    directory: Path
    command: list[str]
    ports: list[int]
    cwd: Path | None = None
    process: subprocess.Popen[bytes] | None = None
    more_environment: dict[str, str] = field(default_factory=dict)

    def start(self) -> None:
        self.directory.mkdir(parents=True, exist_ok=True)
        with (self.directory / "server.log").open("ab") as log:
            self.process = subprocess.Popen(
                self.command,
                cwd=self.cwd,
                stdout=log,
                stderr=log,
                start_new_session=True,
                env={**os.environ, **self.more_environment},
            )
        poll_until(self.ready, seconds=90, why=self.command[0])

    def ready(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, (self.directory / "server.log").read_text()[-2000:]
        return all(listens(port) for port in self.ports)

    @property
    def alive(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def kill(self) -> None:
        """As a power cut would end it, with whatever it started."""
        if self.process is not None and self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait(60)


class Weed(Server):
    """SeaweedFS on this machine: S3 with a key that is bound to one prefix, and tus below /.tus."""

    def __init__(self, directory: Path) -> None:
        self.s3, master, volume, self.filer = free_ports(4)
        directory.mkdir(parents=True, exist_ok=True)
        own = f"{BUCKET}/cameras/SIM-0001/*"
        identities = [
            {"name": "admin", "credentials": [_key(ADMIN)], "actions": ["Admin", "Read", "Write", "List"]},
            {"name": "camera", "credentials": [_key(SCOPED)], "actions": [f"Write:{own}", f"Read:{own}"]},
        ]
        (directory / "s3.json").write_text(json.dumps({"identities": identities}))
        super().__init__(
            directory,
            [
                needed("weed"),
                "server",
                f"-dir={directory}",
                "-ip=127.0.0.1",
                "-ip.bind=127.0.0.1",
                "-filer",
                "-s3",
                f"-s3.port={self.s3}",
                f"-s3.config={directory / 's3.json'}",
                "-s3.port.iceberg=0",
                "-s3.port.lance=0",
                "-filer.tusBasePath=/.tus",
                f"-master.port={master}",
                f"-volume.port={volume}",
                f"-filer.port={self.filer}",
                "-master.telemetry=false",
                "-master.electionTimeout=500ms",  # else a killed one waits for itself for a quarter of a minute
                "-master.heartbeatInterval=100ms",
                "-master.volumeSizeLimitMB=64",
                "-volume.max=20",
            ],
            [self.s3, self.filer],
        )

    def start(self) -> None:
        super().start()
        import boto3
        from botocore.config import Config
        from botocore.exceptions import ClientError

        self.boto = boto3.client(
            "s3",
            endpoint_url=f"http://127.0.0.1:{self.s3}",
            aws_access_key_id=ADMIN[0],
            aws_secret_access_key=ADMIN[1],
            region_name="us-east-1",
            config=Config(s3={"addressing_style": "path"}, retries={"max_attempts": 1}),
        )

        def writes() -> bool:
            """Listening is not yet working: the volumes come last."""
            try:
                if BUCKET not in [one["Name"] for one in self.boto.list_buckets()["Buckets"]]:
                    self.boto.create_bucket(Bucket=BUCKET)
                self.boto.put_object(Bucket=BUCKET, Key="ready", Body=b"1")
            except ClientError:
                return False
            return True

        poll_until(writes, seconds=90, why="SeaweedFS takes an object")

    def object(self, key: str) -> bytes | None:
        """What lies there, read by a client of another make."""
        from botocore.exceptions import ClientError

        try:
            data: bytes = self.boto.get_object(Bucket=BUCKET, Key=key)["Body"].read()
        except ClientError:
            return None
        return data


def _key(key: tuple[str, str]) -> dict[str, str]:
    return {"accessKey": key[0], "secretKey": key[1]}


def node_tus(directory: Path) -> Server:
    """npm's @tus/server with its file store; its creation address is /files."""
    port = free_ports(1)[0]
    script = NODE / "server.mjs"
    files = directory / "files"
    files.mkdir(parents=True)
    command = [needed("node"), str(script), str(port), str(files)]
    return Server(directory, command, [port], more_environment={"JUDGES": str(node_judges())})


def python_tus(directory: Path, pki: Path) -> Server:
    """PyPI's tuspyserver under uvicorn, with TLS and a bearer token; its creation address is /files/."""
    port = free_ports(1)[0]
    files = directory / "files"
    files.mkdir(parents=True)
    words = [str(port), str(files), TOKEN, str(pki / "station-tls.pem"), str(pki / "station-tls.key")]
    return Server(directory, [sys.executable, "-c", _TUSPYSERVER, *words], [port])
