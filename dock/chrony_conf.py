"""chrony.conf for cameras and for the station's machine. Pure; `chronyd -p -f FILE` judges it in the tests.

chrony steps a clock only right after its start: later it is slewed, so that no recording's time jumps (invariant 10).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

_HEAD: Final = "# Written by `firsthand-dock time-config`. See chrony.conf(5).\n"
_TAIL: Final = """
# Step the clock only in the first three updates after a start; slew it ever after.
makestep 1.0 3
maxupdateskew 100.0
rtcsync
driftfile /var/lib/chrony/drift
leapsectz right/UTC
"""


def for_camera(servers: Sequence[str]) -> str:
    """A camera asks these servers; nobody asks the camera."""
    lines = [f"server {server} iburst minpoll 4 maxpoll 8" for server in servers]
    return f"{_HEAD}\n" + "\n".join(lines) + "\nport 0\ncmdport 0\n" + _TAIL


def for_station(servers: Sequence[str], networks: Sequence[str]) -> str:
    """The station asks these servers, and answers the cameras of these networks.

    Without servers it is the only source: stratum 10, so that anything better wins, and the machine's own clock must be
    kept right by something else (a GNSS receiver, say).
    """
    lines = [f"server {server} iburst" for server in servers]
    lines += [f"allow {network}" for network in networks]
    lines += ["local stratum 10 orphan"] if servers else ["local stratum 10"]
    return f"{_HEAD}\n" + "\n".join(lines) + "\n" + _TAIL
