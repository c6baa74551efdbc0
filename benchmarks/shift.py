"""A shift of ten hours in virtual time, and how fast its log and recordings are audited and told afterwards.

    python benchmarks/shift.py [--scenario ten-hour-shift] [--publish]

`firsthand-sim shift ten-hour-shift --deterministic`: daemon, agent and station in one process with real H.264, AAC,
sealing, signing and syncs, and a clock that waits for the work. Then `firsthand-evidence audit` (every signature, every
number, what is missing) and `log` (the timeline in sentences) over all that the station holds, as processes, their
start included. The peer of both: `sha256sum` of the same files.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

import replay
import results
from measured_command import least, measured


def main() -> None:
    parser = results.options(__doc__)
    parser.add_argument("--scenario", default="ten-hour-shift")
    parser.add_argument("--rounds", type=int, default=3, help="of reading")
    arguments = parser.parse_args()
    run = results.Run("shift", arguments)
    replay.BUILD.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=replay.BUILD) as name:
        out = Path(name) / "shift"
        play = [sys.executable, "-m", "simulator", "shift", arguments.scenario, "--deterministic", "--expected-only"]
        shift = measured([*play, "--json", "--out", out])
        report = json.loads(shift.output)
        files = sorted(out.glob("**/store/*.evidence"))
        assert files, f"the shift left nothing: {report}"
        size = sum(path.stat().st_size for path in files)
        begun = {word: [sys.executable, "-m", "evidence", word] for word in ("audit", "log")}
        root = ["--root", out / "pki" / "root.pem"]
        ways = {word: [*begun[word], *files, *root] for word in begun} | {"sha256sum": ["sha256sum", *files]}
        costs = {
            word: least([measured(command, accept=(0, 1)) for _ in range(arguments.rounds)])
            for word, command in ways.items()
        }
        told = measured([*begun["log"], *files, *root, "--json"], accept=(0, 1))
    run.keep(
        {
            "ten_hour_shift_s": shift.seconds,
            "ten_hour_shift_cpu_s": shift.cpu_s,
            "ten_hour_shift_peak_mib": shift.peak_mib,
            "shift_evidence_files": len(files),
            "shift_evidence_mb": size / 1e6,
            "audit_s": costs["audit"].seconds,
            "audit_mb_s": size / 1e6 / costs["audit"].seconds,
            "audit_peak_mib": costs["audit"].peak_mib,
            "audit_sha256sum_s": costs["sha256sum"].seconds,
            "log_s": costs["log"].seconds,
            "log_cpu_s": costs["log"].cpu_s,
            "log_entries": len(told.output.splitlines()),
        }
    )
    run.record()


if __name__ == "__main__":
    main()
