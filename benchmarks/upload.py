"""The agent's upload beside `curl -T`: the same file, the same TLS 1.3 server with client certificates, the same run.

    python benchmarks/upload.py [--megabytes 1000] [--rounds 5] [--chunk-bytes N]

Rounds are interleaved and the best of each counts, since the machine may be busy. With `hashed`, the server takes the
SHA-256 of what it reads from either of them; without, of neither. Ours takes it in any case, of every chunk, which curl
never does; so the least that this costs is said beside it. `two` is the agent as it is configured by default: two files
at the same time, of half the size each; curl sends them one after the other.

CPU is user and system time of the client's process from the first byte to the receipt's address; memory is the peak of
the process with all of the agent's modules loaded. The file is in the page cache. Aims: 0.8 times curl's speed, 1.5 CPU
seconds for a GB, 40 MiB.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import results

from fleet.ca import create_agency

HERE = Path(__file__).resolve().parent
NAME = "SIM-0001-000001.evidence"
PIECE = 2**20


@dataclass(frozen=True)
class Cost:
    """What one upload took."""

    seconds: float
    cpu_s: float
    peak_mib: float = 0.0
    before_mib: float = 0.0
    """Resident when all is loaded and nothing has been sent."""


def made(path: Path, megabytes: int) -> Path:
    """A file of random bytes, read once so that it is in the page cache."""
    with path.open("wb") as file:
        for _ in range(megabytes):
            file.write(os.urandom(1_000_000))
    path.read_bytes()
    return path


@contextmanager
def sink(pki: Path, *, hashing: bool, keep: Path | None = None) -> Iterator[int]:
    """The port of a server of its own."""
    more = (["--hash"] if hashing else []) + (["--keep", str(keep)] if keep is not None else [])
    command = [sys.executable, str(HERE / "upload_sink.py"), str(pki), *more]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        try:
            yield int(server.stdout.readline())
        finally:
            server.terminate()


def ours(pki: Path, port: int, *files: Path, chunk_bytes: int | None = None) -> Cost:
    """The agent's client in a process of its own, all files at the same time."""
    more = [] if chunk_bytes is None else ["--chunk-bytes", str(chunk_bytes)]
    command = [sys.executable, str(HERE / "upload_client.py"), str(pki), str(port), *map(str, files), *more]
    told = json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout)
    return Cost(told["seconds"], told["cpu_s"], told["peak_mib"], told["before_mib"])


def curl(pki: Path, port: int, *files: Path) -> Cost:
    """`curl -T`, file after file over one connection; its time is its own, without the start of the process."""
    keys = ["--cacert", str(pki / "tls-ca.pem"), "--cert", str(pki / "camera-tls.pem")]
    keys += ["--key", str(pki / "camera-tls.key"), "--tlsv1.3"]
    said = ["--silent", "--show-error", "--fail", "--write-out", "%{time_total}\n"]
    command = [
        "curl",
        *said,
        *keys,
        *(word for one in files for word in ("-T", str(one), f"https://localhost:{port}/put")),
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        seconds = sum(map(float, process.stdout))
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"curl failed with {process.returncode}")
    return Cost(seconds, used.ru_utime + used.ru_stime)


def hashing_s(file: Path, chunk_bytes: int) -> float:
    """CPU seconds of SHA-256 alone, over the same chunks."""
    began = time.process_time()
    with file.open("rb", buffering=0) as source:
        buffer = bytearray(chunk_bytes)
        spent = time.process_time() - began
        while size := source.readinto(buffer):
            began = time.process_time()
            hashlib.sha256(memoryview(buffer)[:size]).digest()
            spent += time.process_time() - began
    return spent


def main() -> None:
    parser = results.options(__doc__)
    parser.add_argument("--megabytes", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--chunk-bytes", type=int, help="default: the agent's own")
    options = parser.parse_args()
    run = results.Run("upload", options)
    figures: dict[str, float | int | str] = {}
    gigabytes = options.megabytes / 1000
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        create_agency(directory / "pki")
        pki = directory / "pki"
        file = made(directory / NAME, options.megabytes)
        halves = [made(directory / f"SIM-0001-00000{n}.evidence", options.megabytes // 2) for n in (2, 3)]
        for word, files, hashing in (("plain", [file], False), ("hashed", [file], True), ("two", halves, False)):
            with sink(pki, hashing=hashing) as port:
                pairs = [
                    (ours(pki, port, *files, chunk_bytes=options.chunk_bytes), curl(pki, port, *files))
                    for _ in range(options.rounds)
                ]
            mine, theirs = [one for one, _ in pairs], [one for _, one in pairs]
            figures |= {
                f"upload_{word}_mb_s": options.megabytes / min(one.seconds for one in mine),
                f"upload_{word}_curl_mb_s": options.megabytes / min(one.seconds for one in theirs),
                f"upload_{word}_ratio": min(one.seconds for one in theirs) / min(one.seconds for one in mine),
                f"upload_{word}_cpu_s_per_gb": min(one.cpu_s for one in mine) / gigabytes,
                f"upload_{word}_curl_cpu_s_per_gb": min(one.cpu_s for one in theirs) / gigabytes,
                f"upload_{word}_peak_mib": max(one.peak_mib for one in mine),
            }
        figures["upload_sha256_cpu_s_per_gb"] = min(hashing_s(file, PIECE) for _ in range(3)) / gigabytes
    figures["upload_vs_curl"], figures["upload_cpu_s_per_gb"] = (
        figures["upload_plain_ratio"],
        figures["upload_plain_cpu_s_per_gb"],
    )
    run.keep(figures)
    run.record()


if __name__ == "__main__":
    main()
