"""The table of all benchmarks: what is run, which figures stand in the table, their aims, and the peer beside each.

Names of figures are those of build/bench.json. `benchmarks/run_benchmarks.py` prints this table, docs/benchmarks.md
draws it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

Value = float | int | str | bool


@dataclass(frozen=True)
class Row:
    """One figure that is told. With an `aim` it is judged: at most, or at least, that."""

    figure: str
    what: str
    unit: str = ""
    aim: float | None = None
    at_least: bool = False
    """The aim is a lower bound (a speed), else an upper one (a time, a size)."""
    peer: str | None = None
    """The figure that was measured beside it, in the same run."""
    peer_is: str = ""

    def met(self, value: Value) -> bool | None:
        """Whether the aim was met; None without one."""
        if self.aim is None or isinstance(value, str):
            return None
        return value >= self.aim if self.at_least else value <= self.aim


@dataclass(frozen=True)
class Part:
    """One program of this folder, by its name, and its rows."""

    name: str
    title: str
    rows: tuple[Row, ...]
    arguments: tuple[str, ...] = ()
    """For `make bench`, which has about twenty minutes for all."""

    @property
    def command(self) -> str:
        return f"make bench ONLY={self.name}"


PARTS: Final = (
    Part(
        "startup",
        "Start and memory",
        (
            Row("ready_s", "process start to `READY=1`, least of all rounds", "s", 1.0),
            Row("ready_median_s", "… median", "s"),
            Row("ready_cpu_s", "CPU until ready", "s"),
            Row("import_s", "import of all modules", "s"),
            Row("rss_ready_mib", "resident at ready", "MiB", 80),
            Row("rss_ring_full_mib", "resident with a full ring of 30 s", "MiB"),
            Row("camera_rss_mib_without_ring", "resident with a full ring, without the ring's own bytes", "MiB", 80),
        ),
        ("--rounds", "6"),
    ),
    Part(
        "trigger_latency",
        "From a trigger to the card",
        (
            Row("trigger_to_durable_p50_ms", "first durable byte (the signed `open`), p50", "ms"),
            Row("trigger_to_durable_p99_ms", "first durable byte, p99", "ms", 100),
            Row("trigger_ring_durable_p99_ms", "the whole ring of 30 s, p99", "ms", 3000),
            Row("trigger_live_durable_p99_ms", "the live fragment too, which lasts a second, p99", "ms"),
            Row("trigger_slow_card_to_durable_p99_ms", "first durable byte on a card of 15 MB/s, p99", "ms", 100),
            Row("trigger_slow_card_ring_durable_p99_ms", "the whole ring on that card, p99", "ms", 3000),
        ),
        ("--rounds", "16"),
    ),
    Part(
        "recording_cpu",
        "CPU beside plain copying",
        (
            Row("recorder_cpu_vs_ffmpeg_segment", "the whole daemon in real time, to `ffmpeg -re -c copy -f segment`",
                "times", 1.5),
            Row("cpu_s_per_h_daemon_recording", "the daemon, recording: CPU for an hour of video", "s", None, False,
                "cpu_s_per_h_ffmpeg_segment_live", "`ffmpeg -re -c copy -f segment`"),
            Row("cpu_s_per_h_daemon_buffering", "the daemon, buffering only", "s", None, False, "cpu_s_per_h_source",
                "the replayed camera alone"),
            Row("recorder_cpu_vs_ffmpeg_segment_at_full_speed", "the pipeline as fast as it goes, to ffmpeg likewise",
                "times", 1.5),
            Row("cpu_s_per_h_pipeline", "the pipeline as fast as it goes: CPU for an hour of video", "s", None, False,
                "cpu_s_per_h_ffmpeg_segment_raw", "`ffmpeg -c copy -f segment` from the raw stream"),
            Row("cpu_s_per_h_hashing", "of it four passes of SHA-256, which the format asks for", "s", None, False,
                "cpu_s_per_h_splitmuxsink_mp4", "GStreamer `splitmuxsink`, from an MP4"),
        ),
        ("--rounds", "3", "--seconds", "30"),
    ),
    Part(
        "under_stress",
        "Under stress",
        (
            Row("calm_frames_lost", "frames lost in a calm minute", "", 0),
            Row("cpu_load_frames_lost", "frames lost with more busy processes than processors, 30 s", "", 0),
            Row("io_stall_frames_lost", "frames lost with the card's file system frozen for 10 s", "", 0),
            Row("cpu_load_longest_ms_between_durable_fragments", "longest wait between durable fragments under load",
                "ms"),
            Row("io_stall_rss_growth_mib", "memory that the stall added", "MiB"),
            Row("flushes_per_minute", "flush requests at the card in a minute of recording"),
        ),
    ),
    Part(
        "seal_vs_openssl",
        "Sealing beside openssl",
        (
            Row("seal_vs_openssl", "sealing and signing 1 MB, to openssl's AES-256-GCM and SHA-256 of it", "times", 3),
            Row("seal_ms_per_mb", "sealing and signing 1 MB: CPU", "ms", None, False, "openssl_aes_gcm_ms_per_mb",
                "`openssl speed`, AES-256-GCM alone"),
        ),
    ),
    Part(
        "selftest",
        "Self-test",
        (
            Row("selftest_s", "self-test of a ready camera, least of all rounds", "s"),
            Row("selftest_median_s", "… median", "s"),
            Row("selftest_with_clip_s", "with its test clip of 5 s", "s"),
        ),
        ("--rounds", "3"),
    ),
    Part(
        "verify",
        "Verification",
        (
            Row("verify_mb_s", "a recording of four hours at 2 Mbit/s", "MB/s", 300, True, "verify_sha256sum_mb_s",
                "`sha256sum`, which hashes once"),
            Row("verify_8mbit_mb_s", "a quarter of an hour at 8 Mbit/s", "MB/s", 300, True,
                "verify_8mbit_sha256sum_mb_s", "`sha256sum`"),
            Row("verify_mb_per_cpu_s", "MB for each second of CPU, 2 Mbit/s", "MB", None, True,
                "verify_sha256sum_mb_per_cpu_s", "`sha256sum`"),
            Row("verify_8mbit_mb_per_cpu_s", "… 8 Mbit/s", "MB", None, True,
                "verify_8mbit_sha256sum_mb_per_cpu_s", "`sha256sum`"),
            Row("verify_peak_mib", "memory at the most, four hours", "MiB"),
            Row("verify_memory_grows_mib", "memory for four hours, more than for a quarter of one", "MiB", 4),
        ),
        ("--rounds", "2"),
    ),
    Part(
        "export",
        "Export",
        (
            Row("export_mb_s", "a recording of four hours at 2 Mbit/s", "MB/s", 200, True, "export_ffmpeg_mb_s",
                "`ffmpeg -c copy` of the MP4"),
            Row("export_8mbit_mb_s", "a quarter of an hour at 8 Mbit/s", "MB/s", 200, True, "export_8mbit_ffmpeg_mb_s",
                "`ffmpeg -c copy`"),
            Row("export_mb_per_cpu_s", "MB for each second of CPU, 2 Mbit/s", "MB", None, True,
                "export_ffmpeg_mb_per_cpu_s", "`ffmpeg -c copy`"),
            Row("export_8mbit_mb_per_cpu_s", "… 8 Mbit/s", "MB", None, True, "export_8mbit_ffmpeg_mb_per_cpu_s",
                "`ffmpeg -c copy`"),
            Row("export_peak_mib", "memory at the most, four hours", "MiB", None, False, "export_ffmpeg_peak_mib",
                "`ffmpeg -c copy`"),
        ),
        ("--rounds", "1"),
    ),
    Part(
        "upload",
        "Upload beside curl",
        (
            Row("upload_vs_curl", "one file of 1 GB, the server forgets it: speed, to `curl -T`", "times", 0.8, True),
            Row("upload_plain_mb_s", "one file of 1 GB, the server forgets it", "MB/s", None, True,
                "upload_plain_curl_mb_s", "`curl -T`"),
            Row("upload_hashed_mb_s", "one file of 1 GB, the server hashes it", "MB/s", None, True,
                "upload_hashed_curl_mb_s", "`curl -T`"),
            Row("upload_two_mb_s", "two files at once, the agent's default", "MB/s", None, True,
                "upload_two_curl_mb_s", "`curl -T`, one after the other"),
            Row("upload_cpu_s_per_gb", "the agent's CPU for a GB", "s", 1.5, False, "upload_plain_curl_cpu_s_per_gb",
                "`curl -T`"),
            Row("upload_sha256_cpu_s_per_gb", "of it one SHA-256, which curl does not take", "s"),
            Row("upload_plain_peak_mib", "the agent's memory at the most", "MiB", 40),
        ),
        ("--rounds", "4"),
    ),
    Part(
        "ingest",
        "A station takes in",
        tuple(
            row
            for cameras in (8, 20, 200)
            for row in (
                Row(f"ingest_{cameras}_mb_s", f"{cameras} cameras dock at once", "MB/s", None, True,
                    f"ingest_{cameras}_curl_mb_s", "`curl -T`, up to 8 at once, to a server that hashes"),
                Row(f"ingest_{cameras}_station_cpu_s_per_gb", f"{cameras} cameras: the station's CPU for a GB", "s"),
                Row(f"ingest_{cameras}_station_peak_mib", f"{cameras} cameras: the station's memory at the most",
                    "MiB"),
            )
        ),
        ("--megabytes", "160"),
    ),
    Part(
        "page",
        "The dock page",
        (
            Row("page_board_p50_ms", "the board with 60 cameras, p50", "ms", None, False, "page_http_server_p50_ms",
                "`python -m http.server`, a file of that size"),
            Row("page_board_p99_ms", "the board with 60 cameras, p99", "ms", None, False,
                "page_http_server_p99_ms", "`python -m http.server`"),
            Row("page_camera_p50_ms", "one camera's page, p50", "ms"),
            Row("page_recordings_p50_ms", "the recordings, p50", "ms"),
            Row("page_log_in_s", "logging in, with its deliberate password hash", "s"),
            Row("station_rss_idle_mib", "a station that is ready, resident", "MiB"),
            Row("station_rss_with_page_mib", "… with 60 cameras and a reader", "MiB"),
        ),
        ("--rounds", "40"),
    ),
    Part(
        "shift",
        "A ten-hour shift in virtual time",
        (
            Row("ten_hour_shift_s", "camera, agent and station, ten hours", "s", 60),
            Row("ten_hour_shift_cpu_s", "… CPU", "s"),
            Row("ten_hour_shift_peak_mib", "… memory at the most", "MiB"),
            Row("audit_s", "`audit` of all that the station holds", "s", None, False, "audit_sha256sum_s",
                "`sha256sum`, which judges nothing"),
            Row("log_s", "`log`: its timeline in sentences", "s"),
            Row("log_entries", "… entries"),
        ),
        ("--rounds", "1"),
    ),
)  # fmt: skip
BY_NAME: Final = {part.name: part for part in PARTS}


def number(value: Value) -> str:
    """Three digits, as people read them."""
    if isinstance(value, str | bool):
        return str(value)
    if value == int(value) and abs(value) < 100_000:
        return str(int(value))
    size = abs(value)
    digits = 0 if size >= 100 else 1 if size >= 10 else 2 if size >= 1 else 3
    return f"{value:.{digits}f}"


def seen(row: Row, found: Mapping[str, Value]) -> tuple[str, str, str, str]:
    """Cells of one row: aim, seen, verdict on the aim, and the peer's."""
    if row.figure not in found:
        return "", "not measured", "", ""
    value = found[row.figure]
    aim = "" if row.aim is None else f"{'≥' if row.at_least else '≤'} {number(row.aim)}"
    met = row.met(value)
    peer = number(found[row.peer]) if row.peer is not None and row.peer in found else ""
    return aim, f"{number(value)} {row.unit}".strip(), "" if met is None else "met" if met else "missed", peer
