"""How fast the dock page answers, and what a station with it holds in memory, beside a file from Python's own server.

    python benchmarks/page.py [--cameras 60] [--rounds 100] [--publish]

A real `firsthand-dock station` with its page; cameras have reported over mutual TLS; an administrator is logged in and
asks for the wall of bays, the page of one camera and the recordings, one after the other over one TLS connection. The
first request is left out. Logging in costs a deliberate password hash and is timed apart. The peer in the same run is
`python -m http.server` with a file of the board's size: no TLS, no session, nothing drawn.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import httpx
import results

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests" / "dock"))

from page_bench import PASSWORD, Bench, open_bench

PATHS = {"board": "/", "camera": "/cameras/SIM-0001", "recordings": "/recordings"}


def memory_mib(bench: Bench, field: str) -> float:
    """A line of the station's /proc/PID/status."""
    assert bench.station.started is not None
    text = Path(f"/proc/{bench.station.started.pid}/status").read_text("ascii")
    return int(re.findall(rf"{field}:\s+([0-9]+)", text)[0]) / 1024


def entered(client: httpx.Client) -> float:
    """Seconds to log in."""
    token = client.get("/login").text.partition('name="csrf" value="')[2].partition('"')[0]
    began = time.monotonic()
    answer = client.post("/login", data={"csrf": token, "person": "sup1", "password": PASSWORD})
    assert answer.status_code == 303, answer.status_code
    return time.monotonic() - began


def times_ms(client: httpx.Client, path: str, rounds: int) -> list[float]:
    """Milliseconds of each request after the first."""
    found = []
    for _ in range(rounds + 1):
        began = time.monotonic()
        answer = client.get(path)
        found.append((time.monotonic() - began) * 1000)
        assert answer.status_code == 200, (path, answer.status_code)
    return found[1:]


def peer_ms(size: int, rounds: int) -> list[float]:
    """Python's own file server with a file of that size."""
    with tempfile.TemporaryDirectory() as name:
        (Path(name) / "file").write_bytes(b"x" * size)
        command = [sys.executable, "-u", "-m", "http.server", "0", "--bind", "127.0.0.1", "--directory", name]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as server:
            assert server.stdout is not None
            try:
                port = re.findall(r"port ([0-9]+)", server.stdout.readline())[0]
                with httpx.Client(base_url=f"http://127.0.0.1:{port}") as client:
                    return times_ms(client, "/file", rounds)
            finally:
                server.terminate()


def main() -> None:
    parser = results.options(__doc__)
    parser.add_argument("--cameras", type=int, default=60)
    parser.add_argument("--rounds", type=int, default=100)
    arguments = parser.parse_args()
    run = results.Run("page", arguments)
    with tempfile.TemporaryDirectory() as name:
        bench = open_bench(Path(name), cameras=arguments.cameras)
        try:
            run.keep({"station_rss_idle_mib": memory_mib(bench, "VmRSS")})
            for serial in bench.serials:
                bench.report(serial)
            with bench.client() as client:
                run.keep({"page_log_in_s": entered(client)})
                size = len(client.get("/").content)
                for what, path in PATHS.items():
                    found = times_ms(client, path, arguments.rounds)
                    for percent in (50, 99):
                        run.keep({f"page_{what}_p{percent}_ms": results.percentile(found, percent)})
            peer = peer_ms(size, arguments.rounds)
            run.keep(
                {
                    "page_cameras": arguments.cameras,
                    "page_board_bytes": size,
                    "page_http_server_p50_ms": results.percentile(peer, 50),
                    "page_http_server_p99_ms": results.percentile(peer, 99),
                    "station_rss_with_page_mib": memory_mib(bench, "VmRSS"),
                }
            )
        finally:
            bench.close()
    run.record()


if __name__ == "__main__":
    main()
