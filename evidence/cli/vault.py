"""The vault's options, shared by all verbs that open sealed objects, and the ledger of what they opened."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from evidence.cli.arguments import Parser, complain
from evidence.errors import BadKey
from evidence.export.decrypt import Vault
from evidence.keys import in_token, load_signer
from evidence.unwrap_ledger import UnwrapLedger

_KEY: Final = "the vault's private key: a PEM file, or a pkcs11: URI (then --ledger is needed)"


def add_vault_options(parser: Parser, *, required: bool) -> None:
    """Declare --vault-cert, --vault-key and the ledger's options."""
    parser.add_argument(
        "--vault-cert", type=Path, required=required, metavar="PEM", help="the agency's vault certificate"
    )
    parser.add_argument("--vault-key", required=required, metavar="KEY", help=_KEY)
    parser.add_argument("--ledger", type=Path, metavar="FILE", help="write what is opened into this signed ledger")
    parser.add_argument("--ledger-cert", type=Path, metavar="PEM", help="certificate chain of the export role")
    parser.add_argument("--ledger-key", metavar="KEY", help="its private key: a PEM file or a pkcs11: URI")


def loaded_vault(args: argparse.Namespace) -> Vault | None:
    """The vault that the options name; None without the options.

    Raises `BadKey` for options that do not go together, and for a key or a ledger's certificate that cannot be used.
    """
    if (args.vault_cert is None) != (args.vault_key is None):
        raise BadKey("give --vault-cert and --vault-key together, or neither")
    ledger_options = (args.ledger, args.ledger_cert, args.ledger_key)
    if any(ledger_options) and not all(ledger_options):
        raise BadKey("give --ledger, --ledger-cert and --ledger-key together, or none of them")
    if args.vault_cert is None:
        return None
    if in_token(args.vault_key) and args.ledger is None:
        raise BadKey(
            "a vault key in a token opens nothing without a ledger: give --ledger, --ledger-cert, --ledger-key"
        )
    vault = Vault.load(args.vault_cert, args.vault_key)
    if not in_token(args.vault_key):
        complain("the vault key lies in a file: that is for tests and small agencies; a token can be named by a URI")
    return vault


@contextmanager
def ledgered(args: argparse.Namespace, vault: Vault, verb: str, evidence: str) -> Iterator[Vault]:
    """The vault for one file, with every object that it opens in the ledger if there is one.

    Raises `EvidenceError` and OSError for a ledger that cannot be used: then nothing is opened.
    """
    if args.ledger is None:
        yield vault
        return
    signer = load_signer(args.ledger_key, args.ledger_cert)
    ledger = UnwrapLedger(args.ledger, signer, verb, evidence, vault.recipient.sha256)
    ledger.begin()
    done = False
    try:
        yield vault.told(ledger.opened)
        done = True
    finally:
        ledger.end(done=done)


@contextmanager
def opened_vault(args: argparse.Namespace, verb: str) -> Iterator[Vault | None]:
    """The vault that the options name, for the one file of the verb; None without the options. Raises as both above."""
    vault = loaded_vault(args)
    if vault is None:
        yield None
        return
    with ledgered(args, vault, verb, args.file.name) as told:
        yield told
