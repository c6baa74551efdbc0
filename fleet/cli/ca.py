"""``firsthand-fleet ca``: the agency's certificate authority on disk."""

from __future__ import annotations

import argparse
import datetime as dt
import json
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric import ec

from evidence import durable
from evidence.commands import POWER_OIDS
from evidence.roles import KEY_LEVEL_OIDS
from evidence.usage import UsageParser
from fleet import issuing, revoking
from fleet.authority_store import AuthorityStore, Keys, create, fingerprint, now
from fleet.cli import root
from fleet.csr import load_request
from fleet.errors import BadAuthority
from fleet.issued import REASONS
from fleet.issuing import CURVES, Credential, Leaf
from fleet.passphrase import read_passphrase
from fleet.root_rotation import open_root

OPERATING: Final = "FIRSTHAND_CA_PASSPHRASE_FILE"
ROOT: Final = "FIRSTHAND_ROOT_PASSPHRASE_FILE"
KINDS: Final = (
    "camera",
    "tls-client",
    "tls-server",
    "receipt",
    "profile",
    "export",
    "release",
    "command",
    "proof",
    "vault",
)


def add_passphrase(parser: argparse.ArgumentParser) -> None:
    """The option of everything that uses the authorities' keys."""
    parser.add_argument(
        "--passphrase-file",
        metavar="FILE",
        help=f"the operating passphrase, in a file of mode 0600; - for standard input (else {OPERATING}, or asked)",
    )


def unlocked(arguments: argparse.Namespace) -> Keys:
    """The authority that ``--ca`` names, with its keys at hand. Raises `FleetError`, `EvidenceError`."""
    store = AuthorityStore(arguments.ca)
    return store.unlock(read_passphrase(arguments.passphrase_file, "the authorities", OPERATING))


def add_root_passphrase(parser: argparse.ArgumentParser) -> None:
    """The option of what needs the root's key."""
    parser.add_argument(
        "--root-passphrase-file",
        metavar="FILE",
        help=f"the root's own passphrase, likewise (else {ROOT}, or asked)",
    )


def add_to(verbs: argparse._SubParsersAction[UsageParser]) -> None:
    """Declare the verbs."""
    family = verbs.add_parser(
        "ca", help="the agency's certificate authority: init, issue, revoke, backup, rotate-root…"
    )
    inner = family.add_subparsers(dest="what", required=True, metavar="VERB", parser_class=UsageParser)

    init = inner.add_parser(
        "init",
        help="make root and authorities in a new directory",
        description="Makes a root and an authority for each role. Do it on a machine without network; afterwards move "
        "1/root.key to two sticks in two safes: it is needed again only for a new root and for the root's list.",
    )
    init.add_argument("directory", type=Path, metavar="DIR")
    init.add_argument("--organization", required=True, metavar="NAME", help="the agency, at most 40 characters")
    init.add_argument("--curve", choices=list(CURVES), default="P-256", help="of all keys (default %(default)s)")
    init.add_argument("--simulated", action="store_true", help="for trials: nothing under this root is evidence")
    add_root_passphrase(init)
    add_passphrase(init)
    init.set_defaults(run=_init)

    issue = inner.add_parser("issue", help="issue one certificate: station, policy office, supervisor, vault's holder…")
    issue.add_argument("kind", choices=KINDS, metavar="ROLE", help=", ".join(KINDS))
    issue.add_argument("--ca", type=Path, required=True, metavar="DIR")
    issue.add_argument("--name", help='who it is, e.g. "Docking station 1"')
    issue.add_argument("--serial", help="the serial of the camera, station or person, e.g. STATION-1")
    issue.add_argument("--host", action="append", default=[], help="tls-server: a DNS name; may be repeated")
    issue.add_argument("--address", action="append", default=[], help="tls-server: an IP address; may be repeated")
    issue.add_argument(
        "--power", action="append", default=[], choices=list(POWER_OIDS), help="command: what it may say"
    )
    issue.add_argument("--level", choices=list(KEY_LEVEL_OIDS), default="file", help="how the key is kept (signers)")
    issue.add_argument("--days", type=int, help="how long it holds, if not as ca.toml says")
    issue.add_argument("--csr", type=Path, metavar="FILE", help="a PKCS#10 request: then the key stays where it is")
    issue.add_argument("--out", type=Path, required=True, metavar="STEM", help="writes STEM.pem, and STEM.key (0600)")
    add_passphrase(issue)
    issue.set_defaults(run=_issue)

    show = inner.add_parser("show", help="the roots, their fingerprints, how many certificates live, what is due")
    show.add_argument("ca", type=Path, metavar="DIR")
    show.set_defaults(run=_show)

    listed = inner.add_parser("list", help="every certificate that was issued, and what became of it")
    listed.add_argument("ca", type=Path, metavar="DIR")
    listed.add_argument("--owner", help="only of this serial or name")
    listed.add_argument("--json", action="store_true", help="a line of JSON for each")
    listed.set_defaults(run=_list)

    taken = inner.add_parser(
        "revoke",
        help="take certificates back: a camera was lost, a key leaked, a station is scrapped",
        description="Takes back every certificate of a camera's serial, or one (its number, or its PEM file), and "
        "signs the revocation lists anew. Copy lists/revoked.crl to the stations (revocation_lists of station.toml).",
    )
    taken.add_argument("subject", metavar="WHAT", help="a serial (CAM-0042), a certificate's number, or a PEM file")
    taken.add_argument("--ca", type=Path, required=True, metavar="DIR")
    taken.add_argument("--reason", required=True, choices=REASONS)
    taken.add_argument("--since", metavar="TIME", help="since when it was gone, e.g. 2026-11-20T08:00Z, if earlier")
    add_passphrase(taken)
    taken.set_defaults(run=_revoke)

    root.add_to(inner, OPERATING, ROOT)

    crl = inner.add_parser("crl", help="sign all revocation lists anew (from a timer, before they run out)")
    crl.add_argument("ca", type=Path, metavar="DIR")
    crl.add_argument("--root", action="store_true", help="the root's own list too, once a year: needs the root's key")
    add_root_passphrase(crl)
    add_passphrase(crl)
    crl.set_defaults(run=_crl)


def _init(arguments: argparse.Namespace) -> int:
    root_passphrase = read_passphrase(arguments.root_passphrase_file, "the root (new)", ROOT, new=True)
    passphrase = read_passphrase(arguments.passphrase_file, "the authorities (new)", OPERATING, new=True)
    keys, made = create(
        arguments.directory,
        organization=arguments.organization,
        simulated=arguments.simulated,
        curve=arguments.curve,
        root_passphrase=root_passphrase,
        passphrase=passphrase,
    )
    store = keys.store
    revoking.sign_root_list(store, store.current, made)
    revoking.sign_lists(keys)
    print(f"made the certificate authority of {arguments.organization} in {arguments.directory}")
    print(f"root {fingerprint(store.current.root)}")
    print("Write this fingerprint down: technicians give it to every camera that they enrol.")
    print(
        "Now move 1/root.key to two sticks in two safes, and remove it here. "
        "Next come two vaults: firsthand-fleet vault new"
    )
    return 0


def _leaf(arguments: argparse.Namespace, organization: str) -> Leaf:
    kind, serial, name = arguments.kind, arguments.serial, arguments.name
    if (arguments.power and kind != "command") or ((arguments.host or arguments.address) and kind != "tls-server"):
        raise BadAuthority(
            "--power is for a command certificate, --host and --address are for a tls-server certificate"
        )
    try:
        if kind == "tls-server":
            if not arguments.host and not arguments.address:
                raise BadAuthority("a tls-server certificate needs --host or --address: what cameras connect to")
            return issuing.tls_server_leaf(arguments.host, arguments.address, organization)
        if kind == "vault":
            if arguments.csr is None or name is None:
                raise BadAuthority("a vault here needs --name and --csr, its key in a token; else: vault new")
            return issuing.vault_leaf(name, organization)
        if serial is None:
            raise BadAuthority(f"a {kind} certificate needs --serial")
        if kind == "tls-client":
            return issuing.tls_client_leaf(serial, organization)
        if kind == "command" and not arguments.power:
            raise BadAuthority("a command certificate needs --power: without one no camera obeys it")
        return issuing.signer_leaf(
            kind, name or serial, organization, serial=serial, level=arguments.level, powers=arguments.power
        )
    except ValueError as error:
        if isinstance(error, BadAuthority):
            raise
        raise BadAuthority(f"that cannot stand in a certificate: {error}") from error


def _issue(arguments: argparse.Namespace) -> int:
    keys = unlocked(arguments)
    leaf = _leaf(arguments, keys.store.settings.organization)
    out: Path = arguments.out
    pem, key_file = out.with_name(out.name + ".pem"), out.with_name(out.name + ".key")
    if pem.exists() or (arguments.csr is None and key_file.exists()):
        raise BadAuthority(f"{pem} or {key_file} exists, and keys are never overwritten: give another --out")
    if arguments.csr is not None:
        public = load_request(arguments.csr.read_bytes()).key
    else:
        key = ec.generate_private_key(CURVES[keys.store.settings.curve])
        durable.write_new(key_file, Credential(key, ()).key_pem(), mode=0o600)
        public = key.public_key()
    chain = keys.issue(leaf, public, days=arguments.days)
    durable.write_new(pem, issuing.pem(*chain), mode=0o644)
    print(f"issued {pem}, valid until {chain[0].not_valid_after_utc:%Y-%m-%d}")
    if (crossed := keys.store.crossed(leaf.role)) is not None:
        beside = out.with_name(out.name + "-old-root.pem")
        durable.replace(beside, issuing.pem(chain[0], crossed), mode=0o644)
        print(f"{beside} is the same for everyone who is still pinned to the root before: docs/keys/root.md")
    if arguments.csr is None:
        print(f"its key is {key_file}: move it to where it is used, and leave no copy here")
    return 0


def _show(arguments: argparse.Namespace) -> int:
    store = AuthorityStore(arguments.ca)
    now_s = int(now().timestamp())
    print(f"organization  {store.settings.organization}{'  SIMULATED' if store.settings.simulated else ''}")
    for one in store.generations:
        word = "issues now" if one is store.current else "only takes back"
        print(
            f"root {one.number}        {fingerprint(one.root)}, until {one.root.not_valid_after_utc:%Y-%m-%d}, {word}"
        )
        if (one.directory / "root.key").exists():
            print(f"              its key lies in {one.directory / 'root.key'}: move it to a safe")
    for role, certificate in store.current.authorities.items():
        rows = store.register.find("role = ?", role)
        live = sum(row.live(now_s) for row in rows)
        until = f"{certificate.not_valid_after_utc:%Y-%m-%d}"
        print(f"{role:<13} authority until {until}: {live} live, {len(rows) - live} expired or taken back")
    due = now_s + 30 * 86_400
    for row in store.register.find("until_s < ?", due):
        if row.live(now_s):
            print(f"due           {row.role} of {row.owner} ends on {_day(row.until_s)}")
    for sentence in revoking.stale(store):
        print(f"due           {sentence}")
    return 0


def _list(arguments: argparse.Namespace) -> int:
    store = AuthorityStore(arguments.ca)
    now_s = int(now().timestamp())
    rows = store.register.find("owner = ?", arguments.owner) if arguments.owner else store.register.find()
    for row in rows:
        state = row.reason or ("live" if row.live(now_s) else "expired")
        if arguments.json:
            told = {"number": row.number, "role": row.role, "owner": row.owner, "level": row.level, "state": state}
            told |= {"root": row.generation, "issued": _day(row.issued_s), "until": _day(row.until_s)}  # type: ignore[dict-item]
            print(json.dumps(told | ({"revoked": _day(row.revoked_s)} if row.revoked_s else {})))
        else:
            print(f"{row.number:<40} {row.role:<8} {row.owner:<24} until {_day(row.until_s)}  {state}")
    return 0


def _day(seconds: int) -> str:
    return f"{dt.datetime.fromtimestamp(seconds, dt.UTC):%Y-%m-%d}"


def moment(text: str) -> dt.datetime:
    """A time that a person typed, UTC unless it says otherwise. Raises `BadAuthority`."""
    try:
        when = dt.datetime.fromisoformat(text)
    except ValueError as error:
        raise BadAuthority(f"{text!r} is no time: write it like 2026-11-20T08:00Z") from error
    return when if when.tzinfo else when.replace(tzinfo=dt.UTC)


def _revoke(arguments: argparse.Namespace) -> int:
    keys = unlocked(arguments)
    rows = revoking.find(keys.store, arguments.subject)
    since = moment(arguments.since) if arguments.since else None
    fresh = revoking.revoke(keys, rows, arguments.reason, since)
    for row in rows:
        print(f"{'taken back' if row in fresh else 'was taken back before'}: {row.role} of {row.owner}, {row.number}")
    print(f"Now copy {keys.store.directory / 'lists' / 'revoked.crl'} to every station, broker and verifier.")
    return 0


def _crl(arguments: argparse.Namespace) -> int:
    keys = unlocked(arguments)
    if arguments.root:
        root_passphrase = read_passphrase(arguments.root_passphrase_file, "the root", ROOT)
        for one in keys.store.generations:
            revoking.sign_root_list(keys.store, one, open_root(one, root_passphrase))
    revoking.sign_lists(keys)
    print(f"signed {keys.store.directory / 'lists' / 'revoked.crl'}, good for {keys.store.settings.crl_days} days")
    return 0
