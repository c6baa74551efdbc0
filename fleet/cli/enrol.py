"""``firsthand-fleet enrol-token | enrol-server | enrol | renew``: bring cameras under the authority, and keep them."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import datetime as dt
import ipaddress
import logging
import sys
from pathlib import Path
from typing import Final

from evidence.roles import KEY_LEVEL_OIDS
from evidence.usage import UsageParser
from fleet import tokens
from fleet.authority_store import AuthorityStore, fingerprint, now
from fleet.cli.ca import add_passphrase, unlocked
from fleet.errors import BadAuthority, RequestRefused, ServerUnreachable, WrongServer
from fleet.passphrase import read_passphrase
from fleet.vault import ACCEPTED, refuse_single

LATER: Final = 75
"""EX_TEMPFAIL of sysexits.h: the timer will try again."""
REFUSED: Final = 77
"""EX_NOPERM of sysexits.h: a person must look."""


def add_to(verbs: argparse._SubParsersAction[UsageParser]) -> None:
    """Declare the verbs."""
    token = verbs.add_parser(
        "enrol-token",
        help="at the authority: a one-time token for one camera",
        description="Prints a token with which one camera, and only under this serial, gets its certificates. Only its "
        "hash is kept. Hand it over in a file, not on a command line.",
    )
    token.add_argument("serial", metavar="SERIAL", help="the camera's serial, e.g. CAM-0042")
    token.add_argument("--ca", type=Path, required=True, metavar="DIR")
    token.add_argument("--valid", default="30m", metavar="TIME", help="30m, 12h or 2d (default %(default)s)")
    token.add_argument(
        "--key-level",
        choices=list(KEY_LEVEL_OIDS),
        help="how the evidence key is kept, as you vouch for it (else as ca.toml says)",
    )
    token.add_argument(ACCEPTED, dest="accepted", action="store_true", help="enrol although there is one vault only")
    token.set_defaults(run=_token)

    server = verbs.add_parser(
        "enrol-server",
        help="at the authority: serve enrolments and renewals (EST, RFC 7030)",
        description="Prints a line when ready; SIGTERM ends it. Its own TLS certificate is made anew at each start.",
    )
    server.add_argument("--ca", type=Path, required=True, metavar="DIR")
    server.add_argument("--listen", default="127.0.0.1:8444", metavar="ADDRESS:PORT", help="default %(default)s")
    server.add_argument("--host", action="append", default=[], help="name or address that cameras use; repeatable")
    add_passphrase(server)
    server.set_defaults(run=_server)

    enrol = verbs.add_parser(
        "enrol",
        help="on the camera: make its keys and have them certified",
        description="Makes the evidence key and the TLS key here, and brings certificates for them. An enrolment that "
        "was cut off goes on when you run it again. No key leaves this machine.",
    )
    enrol.add_argument("--server", required=True, metavar="URL", help="https://HOST:PORT")
    enrol.add_argument("--ca-fingerprint", required=True, metavar="SHA256", help="of the root: ca init printed it")
    enrol.add_argument("--serial", required=True, help="this camera's serial")
    enrol.add_argument("--token-file", required=True, metavar="FILE", help="holds the token; mode 0600, - for input")
    enrol.add_argument("--out", type=Path, required=True, metavar="DIR", help="where keys and certificates shall lie")
    enrol.add_argument("--evidence-key", metavar="URI", help="pkcs11:token=…;object=…: the key is made in the token")
    enrol.add_argument("--curve", choices=["P-256", "P-384"], default="P-256")
    enrol.set_defaults(run=_enrol)

    renew = verbs.add_parser(
        "renew",
        help="on the camera: renew certificates before they end (from a timer)",
        description=f"Exit code 0: renewed, or nothing is due. {LATER}: the server cannot be asked now, the next run "
        f"will. {REFUSED}: refused, a person must look. 1: something here is wrong.",
    )
    renew.add_argument("--config", type=Path, required=True, metavar="enrolment.toml", help="`enrol` wrote it")
    renew.add_argument("--force", action="store_true", help="renew although nothing is due")
    renew.add_argument("--new-root", metavar="SHA256", help="go over to the agency's next root (docs/keys/root.md)")
    renew.set_defaults(run=_renew)


def _token(arguments: argparse.Namespace) -> int:
    store = AuthorityStore(arguments.ca)
    refuse_single(store, 0, arguments.accepted)
    level = arguments.key_level or store.settings.camera_key_level
    valid_s = tokens.seconds_of(arguments.valid)
    text = tokens.make_token(store.register, arguments.serial, level, valid_s, int(now().timestamp()))
    print(text)
    until = now() + dt.timedelta(seconds=valid_s)
    print(
        f"This token enrols {arguments.serial}, once, until {until:%Y-%m-%d %H:%M} UTC; key level {level}.\n"
        f"On the camera: firsthand-fleet enrol --serial {arguments.serial} --token-file FILE --out DIR "
        f"--ca-fingerprint {fingerprint(store.current.root)} --server https://HOST:PORT",
        file=sys.stderr,
    )
    return 0


def _server(arguments: argparse.Namespace) -> int:
    try:
        from fleet.enrol_server import serve
    except ModuleNotFoundError as error:
        raise BadAuthority(f"the server needs {error.name}: pip install 'firsthand[station]'") from error
    host, _, port = arguments.listen.rpartition(":")
    host = host.strip("[]")
    if not host or not port.isdecimal() or int(port) > 65_535:
        raise BadAuthority(f"{arguments.listen!r} is no ADDRESS:PORT")
    names, addresses = [], []
    for one in arguments.host or [host]:
        try:
            addresses.append(str(ipaddress.ip_address(one)))
        except ValueError:
            names.append(one)
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s", stream=sys.stderr)
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(serve(unlocked(arguments), host, int(port), names, addresses))
    return 0


def _enrol(arguments: argparse.Namespace) -> int:
    from fleet.enrol_camera import enrol
    from fleet.est_client import Server

    token = read_passphrase(arguments.token_file, "the enrolment (its token)", "FIRSTHAND_ENROL_TOKEN_FILE").decode()
    enrol(
        Server(arguments.server),
        arguments.ca_fingerprint,
        arguments.serial,
        token,
        arguments.out,
        evidence_key=arguments.evidence_key,
        curve=arguments.curve,
    )
    print(f"{arguments.serial} is enrolled; its keys lie in {arguments.out}")
    print(f"Keep them fresh from a timer: firsthand-fleet renew --config {arguments.out / 'enrolment.toml'}")
    return 0


def _renew(arguments: argparse.Namespace) -> int:
    from fleet.enrol_camera import renew

    try:
        done = renew(arguments.config, now=now(), force=arguments.force, new_root=arguments.new_root, told=print)
    except ServerUnreachable as error:
        print(f"firsthand-fleet: {error}", file=sys.stderr)
        return LATER
    except (RequestRefused, WrongServer) as error:
        print(f"firsthand-fleet: {error}", file=sys.stderr)
        return REFUSED
    if not done:
        print("nothing is due")
    return 0
