"""``firsthand-fleet vault``: the keys that open recordings."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Final

from evidence.usage import UsageParser
from fleet import escrow, vault, vault_rotation
from fleet.cli.ca import add_passphrase, unlocked
from fleet.errors import BadAuthority
from fleet.passphrase import read_passphrase

VARIABLE: Final = "FIRSTHAND_VAULT_PASSPHRASE_FILE"


def add_to(verbs: argparse._SubParsersAction[UsageParser]) -> None:
    """Declare the verbs."""
    family = verbs.add_parser("vault", help="the keys that open recordings: new, backup, restore, escrow-check, rotate")
    inner = family.add_subparsers(dest="what", required=True, metavar="VERB", parser_class=UsageParser)

    new = inner.add_parser(
        "new",
        help="make two vaults or more: their keys open every recording",
        description="Makes a key and a certificate for each name. Cameras seal to all of them, and each alone opens "
        "everything: give them to different people in different places. A lost vault key is lost evidence.",
    )
    new.add_argument("names", nargs="+", metavar="NAME", help='e.g. "Evidence vault" "Escrow at the county clerk"')
    new.add_argument("--ca", type=Path, required=True, metavar="DIR")
    new.add_argument("--out", type=Path, required=True, metavar="DIR", help="for NAME.key (0600) and NAME.pem")
    _accept(new)
    add_passphrase(new)
    new.set_defaults(run=_new)

    backup = inner.add_parser("backup", help="write encrypted copies of a vault key, and try each of them")
    backup.add_argument("key", metavar="KEY", help="the vault's private key (PEM)")
    backup.add_argument("--cert", type=Path, required=True, metavar="FILE.pem", help="its certificate")
    backup.add_argument("--to", type=Path, action="append", required=True, metavar="FILE", help="a copy; give two")
    _passphrase(backup)
    backup.set_defaults(run=_backup)

    restore = inner.add_parser("restore", help="make a usable key from an encrypted copy")
    restore.add_argument("copy", type=Path, metavar="COPY")
    restore.add_argument(
        "--out", type=Path, required=True, metavar="FILE.key", help="mode 0600; the certificate beside"
    )
    _passphrase(restore)
    restore.set_defaults(run=_restore)

    check = inner.add_parser(
        "escrow-check",
        help="prove that every vault key exists and opens, once a quarter",
        description="Seals a fresh object to each vault of device.toml and opens it. Keys that lie elsewhere answer a "
        "challenge with a code (--make-challenge, then `vault answer` there). Exit code 1 unless every key opened "
        "and two of them are independent.",
    )
    _which(check)
    check.add_argument(
        "--key", action="append", default=[], help="a key, an encrypted copy or a pkcs11: URI; repeatable"
    )
    check.add_argument("--make-challenge", type=Path, metavar="FILE", help="write a challenge for all vaults, and end")
    _codes(check)
    _passphrase(check)
    check.set_defaults(run=_check)

    answer = inner.add_parser("answer", help="where a vault key lies: the code that answers a challenge")
    answer.add_argument("challenge", type=Path, metavar="FILE")
    answer.add_argument("--key", required=True, help="a key, an encrypted copy or a pkcs11: URI")
    answer.add_argument("--cert", type=Path, required=True, metavar="FILE.pem", help="its certificate")
    _passphrase(answer)
    answer.set_defaults(run=_answer)

    rotate = inner.add_parser(
        "rotate",
        help="change a camera's vaults: first --add the new one, later --retire the old one",
        description="Changes keys.vault of device.toml; it counts from the recorder's next start. The old key is kept "
        "for ever: it opens what was sealed to it.",
    )
    rotate.add_argument("--config", type=Path, required=True, metavar="device.toml")
    way = rotate.add_mutually_exclusive_group(required=True)
    way.add_argument("--add", type=Path, metavar="FILE.pem", help="seal to this vault too; needs its --key")
    way.add_argument(
        "--retire", type=Path, metavar="FILE.pem", help="no longer seal to this one; needs all others' keys"
    )
    rotate.add_argument(
        "--key", action="append", default=[], help="a key, an encrypted copy or a pkcs11: URI; repeatable"
    )
    _codes(rotate)
    _accept(rotate)
    _passphrase(rotate)
    rotate.set_defaults(run=_rotate)


def _accept(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(vault.ACCEPTED, dest="accepted", action="store_true", help="one vault only: its loss loses all")


def _passphrase(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--passphrase-file", metavar="FILE", help=f"of the encrypted copies; mode 0600, - for input (else {VARIABLE})"
    )


def _which(parser: argparse.ArgumentParser) -> None:
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--config", type=Path, metavar="device.toml", help="whose vaults")
    which.add_argument("--recipient", type=Path, action="append", metavar="FILE.pem", help="or these; repeatable")


def _codes(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--challenge", type=Path, metavar="FILE", help="which the codes answer")
    parser.add_argument("--code", action="append", default=[], help="what `vault answer` printed elsewhere; repeatable")


def _opening(arguments: argparse.Namespace, keys: list[str]) -> bytes | None:
    """The passphrase, if one of the keys needs it."""
    if not any(Path(key).exists() and vault.is_encrypted(Path(key)) for key in keys):
        return None
    return read_passphrase(arguments.passphrase_file, "the encrypted copies", VARIABLE)


def _new(arguments: argparse.Namespace) -> int:
    keys = unlocked(arguments)
    vault.refuse_single(keys.store, len(arguments.names), arguments.accepted)
    for one in vault.new_vaults(keys, arguments.names, arguments.out):
        print(f"made the vault {one.name!r}: {one.certificate}, its key {one.key}")
    print("Cameras get the .pem files only (keys.vault of device.toml). Next, for each key, on its keeper's machine:")
    print("  firsthand-fleet vault backup KEY --cert FILE.pem --to STICK-1 --to STICK-2")
    return 0


def _backup(arguments: argparse.Namespace) -> int:
    passphrase = read_passphrase(arguments.passphrase_file, "the encrypted copies (new)", VARIABLE, new=True)
    vault.back_up(arguments.key, arguments.cert, arguments.to, passphrase)
    for path in arguments.to:
        print(f"wrote {path}, read it back, and opened a fresh object with it")
    if len({path.stat().st_dev for path in arguments.to}) < vault.FEWEST:
        print("Careful: these copies do not lie on two different media. Put a second one elsewhere.")
    return 0


def _restore(arguments: argparse.Namespace) -> int:
    passphrase = read_passphrase(arguments.passphrase_file, "the encrypted copy", VARIABLE)
    certificate = vault.restore(arguments.copy, passphrase, arguments.out)
    print(f"restored {arguments.out}, the key of {certificate.subject.rfc4514_string()}")
    return 0


def _check(arguments: argparse.Namespace) -> int:
    paths = arguments.recipient or escrow.recipients_of(arguments.config)
    if arguments.make_challenge is not None:
        escrow.make_challenge(paths, arguments.make_challenge)
        print(f"wrote {arguments.make_challenge}: send it to each keeper, who runs firsthand-fleet vault answer")
        return 0
    if arguments.code and arguments.challenge is None:
        raise BadAuthority("--code answers a challenge: say which with --challenge FILE")
    passphrase = _opening(arguments, arguments.key)
    found = escrow.check(paths, arguments.key, passphrase, arguments.code, arguments.challenge)
    for one in found:
        print(f"{'opens' if one.proven else 'NOT PROVEN':<10}  {one.name}  {f'by {one.proven}' if one.proven else ''}")
    wrong = escrow.sentences(found)
    for sentence in wrong:
        print(sentence)
    return 1 if wrong else 0


def _answer(arguments: argparse.Namespace) -> int:
    passphrase = _opening(arguments, [arguments.key])
    print(escrow.answer_challenge(arguments.challenge, arguments.key, arguments.cert, passphrase))
    return 0


def _rotate(arguments: argparse.Namespace) -> int:
    passphrase = _opening(arguments, arguments.key)
    if arguments.add is not None:
        vault_rotation.add(arguments.config, arguments.add, arguments.key, passphrase)
        print(
            f"{arguments.config} names {arguments.add} too. Restart the recorder while it is docked; then, when every"
        )
        print("camera has it, retire the old one with --retire, and keep its key.")
        return 0
    vault_rotation.retire(
        arguments.config,
        arguments.retire,
        arguments.key,
        passphrase,
        codes=arguments.code,
        challenge=arguments.challenge,
        accepted=arguments.accepted,
    )
    print(f"{arguments.config} no longer names {arguments.retire}. Restart the recorder while it is docked.")
    print("KEEP THE OLD KEY: everything that was recorded until now opens only with it or with the other vaults.")
    return 0
