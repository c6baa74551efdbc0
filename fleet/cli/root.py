"""``firsthand-fleet ca rotate-root | backup | restore``: the next root of an agency, and copies of its authority."""

from __future__ import annotations

import argparse
import datetime as dt
from pathlib import Path

from evidence.usage import UsageParser
from fleet.authority_backup import back_up, carry_over, restore
from fleet.authority_store import AuthorityStore, fingerprint
from fleet.passphrase import read_passphrase
from fleet.root_rotation import rotate_root


def add_to(inner: argparse._SubParsersAction[UsageParser], operating: str, root: str) -> None:
    """Declare the verb."""
    rotate = inner.add_parser(
        "rotate-root",
        help="a new root beside the old one: before it ends, or when its key may have leaked",
        description="Makes a root with new role authorities, which issue from now on. The old root stays, for what was "
        "recorded under it. Read docs/keys/root.md first: who is pinned to which root matters.",
    )
    rotate.add_argument("ca", type=Path, metavar="DIR")
    rotate.add_argument("--same-key", action="store_true", help="a longer life for the same key: it did not leak")
    rotate.add_argument("--root-passphrase-file", metavar="FILE", help=f"of the present root (else {root}, or asked)")
    rotate.add_argument("--new-root-passphrase-file", metavar="FILE", help="of the next root; else the same")
    rotate.add_argument("--passphrase-file", metavar="FILE", help=f"the operating one (else {operating}, or asked)")
    rotate.set_defaults(run=_rotate, variables=(operating, root))

    backup = inner.add_parser(
        "backup",
        help="copy the whole authority to sticks, root and register too, and try each copy",
        description="Its keys are encrypted already. After every day on which something was issued or taken back.",
    )
    backup.add_argument("ca", type=Path, metavar="DIR")
    backup.add_argument("--to", type=Path, action="append", required=True, metavar="FILE", help="a copy; give two")
    restore = inner.add_parser("restore", help="bring an authority back from a copy, into a new directory")
    restore.add_argument("copy", type=Path, metavar="COPY")
    restore.add_argument("--out", type=Path, required=True, metavar="DIR")
    since = restore.add_mutually_exclusive_group(required=True)
    since.add_argument("--crl", type=Path, metavar="FILE", help="the newest revoked.crl, from a station")
    since.add_argument("--nothing-taken-back-since", action="store_true", help="nothing was, since this backup")
    for parser, run in ((backup, _backup), (restore, _restore)):
        parser.add_argument("--passphrase-file", metavar="FILE", help=f"the operating one (else {operating}, or asked)")
        parser.add_argument("--root-passphrase-file", metavar="FILE", help="try the root's key as well")
        parser.set_defaults(run=run, variables=(operating, root))


def _rotate(arguments: argparse.Namespace) -> int:
    operating, root = arguments.variables
    store = AuthorityStore(arguments.ca)
    present = read_passphrase(arguments.root_passphrase_file, "the present root", root)
    given = arguments.new_root_passphrase_file
    following = read_passphrase(given, "the next root (new)", root, new=True) if given else present
    passphrase = read_passphrase(arguments.passphrase_file, "the authorities", operating)
    before = fingerprint(store.current.root)
    fresh = rotate_root(
        store,
        root_passphrase=present,
        new_passphrase=following,
        passphrase=passphrase,
        same_key=arguments.same_key,
    )
    number = fresh.current.number
    print(f"root {number - 1}  {before}, kept for what was recorded under it")
    print(f"root {number}  {fingerprint(fresh.current.root)}, issues from now on")
    print(f"Move {number}/root.key to the safes. Restart the enrolment server. Then follow docs/keys/root.md.")
    return 0


def _passphrases(arguments: argparse.Namespace) -> tuple[bytes | None, bytes]:
    """(the root's, if it was given; the operating one)"""
    operating, root = arguments.variables
    given = arguments.root_passphrase_file
    return (
        read_passphrase(given, "the root", root) if given else None,
        read_passphrase(arguments.passphrase_file, "the authorities", operating),
    )


def _backup(arguments: argparse.Namespace) -> int:
    store = AuthorityStore(arguments.ca)
    back_up(store, arguments.to, *_passphrases(arguments))
    for path in arguments.to:
        print(f"wrote {path}, read it back, and opened the keys in it")
    if not (store.current.directory / "root.key").exists():
        print("The present root's key was not here, and is not in it: its copies are those in the safes.")
    if len({path.stat().st_dev for path in arguments.to}) < 2:
        print("Careful: these copies do not lie on two different media. Put a second one elsewhere.")
    return 0


def _restore(arguments: argparse.Namespace) -> int:
    store = restore(arguments.copy, arguments.out, *_passphrases(arguments))
    rows = store.register.find()
    last = max((row.issued_s for row in rows), default=0)
    print(f"restored {arguments.out}: its register knows {len(rows)} certificates")
    if last:
        print(f"The last one is from {dt.datetime.fromtimestamp(last, dt.UTC):%Y-%m-%d %H:%M} UTC. Enrol cameras again")
        print("whose certificates came later: the register does not know them.")
    if arguments.crl is not None:
        print(f"learned from {arguments.crl} of {carry_over(store, arguments.crl)} that were taken back since")
    print("Make sure that the old directory is never used again. Sign the lists now: firsthand-fleet ca crl")
    return 0
