"""How fast one docking station takes in recordings when 8, 20 and 200 cameras dock at once, beside curl.

    python benchmarks/ingest.py [--cameras 8 20 200] [--megabytes 800] [--publish]

`firsthand-sim fleet` lets simulated cameras with certificates of their own dock at one real `firsthand-dock station`
process over mutual TLS: each greets it, uploads two recordings and its log, and fetches and checks each receipt. The
station hashes, verifies, syncs, reads back and signs. The peer: as many `curl -T` at once (eight at most), for the same
bytes, to a server that hashes them and forgets them. Cameras, station and curl share this machine's processors.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import replay
import results
import upload
from measured_command import measured


def curl_mb_s(directory: Path, clients: int, megabytes: int) -> float:
    """All of them at once, one file each."""
    upload.create_agency(directory / "pki")
    file = upload.made(directory / upload.NAME, max(1, megabytes // clients))
    with upload.sink(directory / "pki", hashing=True) as port, ThreadPoolExecutor(clients) as pool:
        began = time.monotonic()
        list(pool.map(lambda _: upload.curl(directory / "pki", port, file), range(clients)))
        return file.stat().st_size / 1e6 * clients / (time.monotonic() - began)


def main() -> None:
    parser = results.options(__doc__)
    parser.add_argument("--cameras", type=int, nargs="+", default=[8, 20, 200])
    parser.add_argument("--megabytes", type=int, default=800, help="of all recordings together")
    arguments = parser.parse_args()
    run = results.Run("ingest", arguments)
    replay.BUILD.mkdir(parents=True, exist_ok=True)
    for cameras in arguments.cameras:
        each = max(1, arguments.megabytes // cameras // 2)
        with tempfile.TemporaryDirectory(dir=replay.BUILD) as out:
            fleet = [sys.executable, "-m", "simulator", "fleet", "--cameras", str(cameras), "--recordings", "2"]
            fleet += ["--megabytes", str(each), "--events", "0", "--json", "--out", f"{out}/fleet"]
            told = json.loads(measured(fleet).output)
        with tempfile.TemporaryDirectory(dir=replay.BUILD) as out:
            peer = curl_mb_s(Path(out), min(8, cameras), arguments.megabytes)
        assert told["ok"], told["trouble"]
        found = {
            "mb_s": told["mb_per_s"],
            "curl_mb_s": peer,
            "vs_curl": told["mb_per_s"] / peer,
            "station_cpu_s_per_gb": told["station_cpu_s_per_gb"],
            "station_peak_mib": told["station_peak_mib"],
            "slowest_s": told["slowest_s"],
            "files_per_s": told["files"] / told["seconds"],
        }
        run.keep({f"ingest_{cameras}_{name}": value for name, value in found.items()})
        run.row(cameras=cameras, load=round(os.getloadavg()[0], 1), **found)
    run.record()


if __name__ == "__main__":
    main()
