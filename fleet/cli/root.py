"""``firsthand-fleet ca rotate-root``: the next root of an agency."""

from __future__ import annotations

import argparse
from pathlib import Path

from evidence.usage import UsageParser
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
