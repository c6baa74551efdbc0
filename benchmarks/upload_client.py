"""Upload files at once with the agent's own code, and say what it cost: a process for `benchmarks/upload.py`.

    python benchmarks/upload_client.py PKI PORT FILE… [--chunk-bytes N]

`Uploader`, `TusPieces`, `StationLink` and the ledger are the agent's; all modules of its daemon are loaded, so that
the memory is an agent's. Prints JSON: seconds from the first byte to the address of the receipt, CPU of that time and
of the whole process, resident memory before it and at the peak.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import tempfile
import time
from pathlib import Path

import dock.agent.daemon  # noqa: F401 - the memory of an agent
from dock.agent.ledger import UploadLedger
from dock.agent.upload import Uploader
from dock.config import Offload
from dock.config_base import Tls
from dock.tls import client_context
from dock.transport.https import StationLink
from dock.transport.tus_pieces import TusPieces
from evidence.handover import SpoolFile
from evidence.statements import NO_HASH


class Go:
    """`dock.agent.upload.Flow`: always, and as fast as it goes."""

    def may_go_on(self, _: SpoolFile) -> bool:
        return True

    async def turn(self, _: SpoolFile, most: int) -> int:
        return most

    async def pause(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    def reached(self, file: SpoolFile, offset: int) -> None:
        """Nobody asks."""


def memory_mib(field: str) -> float:
    """A line of /proc/self/status."""
    text = Path("/proc/self/status").read_text("ascii")
    return int(re.findall(rf"{field}:\s+([0-9]+)", text)[0]) / 1024


async def upload_all(pki: Path, files: list[tuple[Path, int]], port: int, chunk_bytes: int) -> None:
    """Each over a connection of its own, as the agent does."""
    await asyncio.gather(*(upload(pki, path, size, port, chunk_bytes) for path, size in files))


async def upload(pki: Path, path: Path, size: int, port: int, chunk_bytes: int) -> str:
    """The address of the receipt."""
    tls = Tls(certificate=pki / "camera-tls.pem", key=pki / "camera-tls.key", ca=pki / "tls-ca.pem")
    link = StationLink(f"https://localhost:{port}", client_context(tls), 30.0)
    file = SpoolFile(
        name=path.name,
        stream="recording",
        number=1,
        bytes=size,
        close_hash=NO_HASH,
        upload_class="normal",
        state="waiting",
    )
    with tempfile.TemporaryDirectory() as state:
        ledger = UploadLedger(Path(state) / "agent.sqlite")
        uploader = Uploader(TusPieces(link), ledger, Go(), station="bench", chunk_bytes=chunk_bytes, receipt_wait_s=60)
        try:
            return await uploader.send(file, path.parent)
        finally:
            link.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=re.sub(r"\s+", " ", __doc__ or ""))
    parser.add_argument("pki", type=Path)
    parser.add_argument("port", type=int)
    parser.add_argument("files", type=Path, nargs="+")
    parser.add_argument("--chunk-bytes", type=int, default=Offload().chunk_bytes)
    options = parser.parse_args()
    files = [(one, one.stat().st_size) for one in options.files]
    before_mib, cpu, began = memory_mib("VmRSS"), time.process_time(), time.monotonic()
    asyncio.run(upload_all(options.pki, files, options.port, options.chunk_bytes))
    seconds, whole = time.monotonic() - began, time.process_time()
    found = {"seconds": seconds, "cpu_s": whole - cpu, "process_cpu_s": whole}
    print(json.dumps({**found, "before_mib": before_mib, "peak_mib": memory_mib("VmHWM")}))


if __name__ == "__main__":
    main()
