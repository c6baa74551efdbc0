"""``firsthand-dock time-config``: chrony.conf for cameras, and for this station."""

from __future__ import annotations

import argparse
import ipaddress
import re
from typing import Final

from dock.chrony_conf import for_camera, for_station
from dock.config import load_station
from dock.errors import BadArguments
from dock.verbs import Verb

_HOST: Final = re.compile("[A-Za-z0-9.:-]{1,253}", re.ASCII)


def _arguments(parser: argparse.ArgumentParser) -> None:
    who = parser.add_mutually_exclusive_group(required=True)
    who.add_argument("--camera", action="store_true", help="for the cameras")
    who.add_argument("--station", action="store_true", help="for this machine")
    parser.add_argument("--station-host", metavar="NAME", help="this station, as cameras reach it (see --camera)")
    parser.add_argument(
        "--allow", action="append", default=[], metavar="NETWORK", help="cameras' network, as 10.20.0.0/16; repeatable"
    )


def _run(options: argparse.Namespace) -> int:
    desk = load_station(options.config).desk
    servers = list(desk.ntp_servers) if desk is not None else []
    if options.camera:
        if not servers and options.station_host is None:
            raise BadArguments("say --station-host NAME, or set ntp_servers in [desk]: cameras must ask somebody")
        if options.station_host is not None and not _HOST.fullmatch(options.station_host):
            raise BadArguments("--station-host: give a name or an address")
        print(for_camera(servers or [options.station_host]), end="")
        return 0
    try:
        networks = [str(ipaddress.ip_network(one)) for one in options.allow]
    except ValueError as error:
        raise BadArguments(f"--allow: {error}") from error
    print(for_station(servers, networks), end="")
    return 0


VERB = Verb(
    "time-config",
    "chrony.conf for cameras and for this station",
    """Prints a configuration for chrony. Cameras ask the servers of [desk] ntp_servers, or else this station; the
    station asks ntp_servers and answers its cameras. Example: firsthand-dock time-config --config station.toml --camera
    --station-host dock.example.org > /etc/chrony/chrony.conf""",
    _run,
    _arguments,
)
