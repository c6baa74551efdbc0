"""A receiver with a fix that keeps step, handed to chrony by the driver's own code. Runs in the container's sandbox."""

from __future__ import annotations

import sys
import time

sys.path.insert(0, "/usr/lib/firsthand/site")

from hal.chrony_samples import STEADY, ChronySamples
from hal.gps import GpsEpoch

AHEAD_NS = 200_000_000
"""What chrony is told to take off again (`offset`)."""
faults: list[str] = []
samples = ChronySamples(
    "/run/firsthand-gnss.sock", time.time_ns, lambda: time.clock_gettime_ns(time.CLOCK_BOOTTIME), faults.append
)
for _ in range(STEADY + 12):
    now_ns = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
    samples.feed(GpsEpoch(received_ns=now_ns, fix=True, utc_ns=time.time_ns() - AHEAD_NS))
    time.sleep(0.1)
samples.close()
sys.exit(faults[0] if faults else 0)
