"""How fast a recording of four hours is exported, beside `ffmpeg -c copy` of the finished MP4; and what takes the time.

    python benchmarks/export.py [--rounds 2] [--publish]

`firsthand-evidence export` as a process: verified, read and hashed again while each object is decrypted, held against
its commitment and muxed into an MP4 whose table stands at its front, six stills, GPX, report, synced. Without an
export desk's certificate, so without C2PA (c2pa-rs hashes the MP4 again). Video only, as in verify.py. The peer
copies the exported MP4 to another with its table at the front, and neither decrypts nor checks nor syncs. Speeds are of
the evidence file's bytes. Aim: 200 MB/s.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

import long_recording
import replay
import results
from long_recording import LongRecording
from measured_command import Cost, least, measured


def exported(one: LongRecording, out: Path) -> Cost:
    """One export into a new directory."""
    shutil.rmtree(out, ignore_errors=True)
    keys = ["--root", one.pki / "root.pem", "--vault-cert", one.pki / "vault.pem", "--vault-key", one.pki / "vault.key"]
    return measured([sys.executable, "-m", "evidence", "export", one.path, *keys, "--out", out])


def remuxed(mp4: Path) -> Cost:
    """The peer: ffmpeg copies every sample into another MP4."""
    copy = mp4.with_name("copy.mp4")
    command = ["ffmpeg", "-v", "error", "-y", "-i", mp4, "-map", "0:v", "-c", "copy", "-movflags", "faststart", copy]
    cost = measured(command)
    copy.unlink()
    return cost


def main() -> None:
    parser = results.options(__doc__)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--seconds", type=int, default=4 * 3600)
    arguments = parser.parse_args()
    run = results.Run("export", arguments)
    with tempfile.TemporaryDirectory(dir=replay.BUILD) as name:
        out = Path(name) / "export"
        for figure, one in (
            ("export", long_recording.made(arguments.seconds, 2)),
            ("export_8mbit", long_recording.made(arguments.seconds // 16, 8)),
        ):
            one.into_page_cache()
            pairs = [(exported(one, out), remuxed(next(out.glob("*.mp4")))) for _ in range(arguments.rounds)]
            ours, theirs = least([mine for mine, _ in pairs]), least([peer for _, peer in pairs])
            megabytes = one.bytes / 1e6
            run.keep(
                {
                    f"{figure}_mb_s": megabytes / ours.seconds,
                    f"{figure}_ffmpeg_mb_s": megabytes / theirs.seconds,
                    f"{figure}_vs_ffmpeg_copy": theirs.seconds / ours.seconds,
                    f"{figure}_mb_per_cpu_s": megabytes / ours.cpu_s,
                    f"{figure}_ffmpeg_mb_per_cpu_s": megabytes / theirs.cpu_s,
                    f"{figure}_peak_mib": ours.peak_mib,
                    f"{figure}_ffmpeg_peak_mib": theirs.peak_mib,
                }
            )
            run.row(what=figure, mb_s=megabytes / ours.seconds, ffmpeg_mb_s=megabytes / theirs.seconds)
    run.record()


if __name__ == "__main__":
    main()
