"""How fast a recording of four hours is verified, beside `sha256sum` of the same file; and in how much memory.

    python benchmarks/verify.py [--rounds 3] [--publish]

`firsthand-evidence verify` as a process, its start included, on a file that is in the page cache. The long recording
has 2 Mbit/s (3.7 GB; at 8 Mbit/s it would be 14 GB), which is the harder case for each MB: a second is a fragment with
a signature of its own whatever its size. Beside it a quarter of an hour at 8. A verifier hashes every byte twice,
once for the object that a statement announces and once for the file; sha256sum does it once. Memory must be the same
for both lengths. Aim: 300 MB/s.
"""

from __future__ import annotations

import sys

import long_recording
import results
from long_recording import LongRecording
from measured_command import Cost, least, measured


def verified(one: LongRecording) -> Cost:
    """One verification; the verdict must be that it holds."""
    command = [sys.executable, "-m", "evidence", "verify", one.path, "--root", one.pki / "root.pem"]
    cost = measured(command)
    assert "VALID" in cost.output, cost.output
    assert "NOT VALID" not in cost.output, cost.output
    return cost


def main() -> None:
    parser = results.options(__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=4 * 3600)
    arguments = parser.parse_args()
    run = results.Run("verify", arguments)
    found: dict[str, Cost] = {}
    for name, one in (
        ("verify", long_recording.made(arguments.seconds, 2)),
        ("verify_8mbit", long_recording.made(arguments.seconds // 16, 8)),
    ):
        one.into_page_cache()
        pairs = [(verified(one), measured(["sha256sum", one.path])) for _ in range(arguments.rounds)]
        ours, theirs = least([mine for mine, _ in pairs]), least([peer for _, peer in pairs])
        megabytes, found[name] = one.bytes / 1e6, ours
        run.keep(
            {
                f"{name}_mb": megabytes,
                f"{name}_mb_s": megabytes / ours.seconds,
                f"{name}_sha256sum_mb_s": megabytes / theirs.seconds,
                f"{name}_vs_sha256sum": theirs.seconds / ours.seconds,
                f"{name}_mb_per_cpu_s": megabytes / ours.cpu_s,
                f"{name}_sha256sum_mb_per_cpu_s": megabytes / theirs.cpu_s,
                f"{name}_peak_mib": ours.peak_mib,
            }
        )
        run.row(what=name, mb_s=megabytes / ours.seconds, sha256sum_mb_s=megabytes / theirs.seconds)
    run.keep({"verify_memory_grows_mib": found["verify"].peak_mib - found["verify_8mbit"].peak_mib})
    run.record()


if __name__ == "__main__":
    main()
