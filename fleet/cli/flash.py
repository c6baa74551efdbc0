"""``firsthand-fleet sign-image | flash | assets``: from a released image to cards of known cameras."""

from __future__ import annotations

import argparse
import getpass
import os
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from evidence import durable
from evidence.roles import KEY_LEVEL_OIDS, KeyLevel
from evidence.settings import SETTINGS_BYTES
from evidence.usage import UsageParser
from fleet import tokens
from fleet.assets import AssetLog, table_lines
from fleet.authority_store import AuthorityStore, now
from fleet.errors import BadAuthority, CardRefused
from fleet.flash.card import Card, inspect
from fleet.flash.identity import AgencyFiles, Enrolment, check_token, identity_of, load_agency
from fleet.flash.identity_only import NewIdentities, renew
from fleet.flash.image import verify_image
from fleet.flash.label import Label, check_target, write_labels
from fleet.flash.manifest import bmap_path, make_manifest, manifest_path, read_small, sign_manifest
from fleet.flash.one_card import OneCard, Order, asked_to_stop, flash_cards
from fleet.passphrase import read_passphrase
from fleet.vault import ACCEPTED, refuse_single

MOST_FAILED: Final = 60
"""Largest exit code that counts failed cards; 64 is wrong usage."""
MOST_CARDS: Final = 32
INTERRUPTED: Final = 130


def add_to(verbs: argparse._SubParsersAction[UsageParser]) -> None:
    """Declare the verbs."""
    sign = verbs.add_parser("sign-image", help="sign an image, so that it may be flashed: IMAGE.p7s beside it")
    sign.add_argument("image", type=Path, metavar="IMAGE", help="a raw image, or one packed with zstd")
    sign.add_argument("--board", required=True, help="the board it is for, e.g. bodycam-zero2w")
    sign.add_argument("--version", required=True, help="the released version, e.g. 1.4.2")
    sign.add_argument("--bmap", type=Path, metavar="FILE", help="its block map (default: the one beside it, if any)")
    sign.add_argument("--key", type=Path, required=True, help="key of a certificate of the release role")
    sign.add_argument("--cert", type=Path, required=True, help="that certificate with its intermediate")
    sign.add_argument("--out", type=Path, metavar="FILE.p7s", help="default: IMAGE.p7s")
    sign.set_defaults(run=_sign)

    flash = verbs.add_parser(
        "flash",
        help="write an image onto cards, with each camera's identity",
        description="Checks the image's signature, writes it onto each card, reads every block back, and puts the "
        "identity of its camera onto the first partition. Everything on the cards is lost, but with --identity-only. "
        f"Exit code: how many cards failed (at most {MOST_FAILED}); {INTERRUPTED} after Ctrl-C.",
        epilog="Example: sudo firsthand-fleet flash firsthand-bodycam-zero2w-1.4.2.img.zst /dev/sdb /dev/sdc "
        "--serial CAM-0042 --serial CAM-0043 --board bodycam-zero2w --agency agency --ca /secure/ca --enrol-server "
        "https://enrol.hartford.example:8444 --station https://dock.hartford.example:8443 --system-id hartford-dock-1 "
        "--label-printer labels.pdf",
    )
    flash.add_argument("image", type=Path, metavar="IMAGE", help="a signed image (none with --identity-only)")
    flash.add_argument("devices", type=Path, nargs="*", metavar="DEVICE", help="whole cards, as /dev/sdb (see lsblk)")
    flash.add_argument(
        "--identity-only",
        action="store_true",
        help="no IMAGE: give flashed cards of cameras that never enrolled a new token and addresses, and leave the "
        "rest of each card as it is; needs --again",
    )
    serials = flash.add_mutually_exclusive_group(required=True)
    serials.add_argument("--serial", action="append", default=[], help="a camera's serial; once for each DEVICE")
    serials.add_argument("--serials", type=Path, metavar="FILE", help="serials, a line each, in the DEVICEs' order")
    flash.add_argument("--board", required=True, metavar="NAME", help="the cameras' board; the image must be for it")
    flash.add_argument("--agency", type=Path, required=True, metavar="DIR", help="root.pem, vault-*.pem, profile.p7s")
    flash.add_argument("--enrol-server", required=True, metavar="URL", help="https://HOST:PORT of enrol-server")
    flash.add_argument("--station", required=True, metavar="URL", help="https://HOST:PORT of the docking station")
    flash.add_argument("--system-id", required=True, metavar="ID", help="that station's system_id")
    flash.add_argument(
        "--token-file", action="append", default=[], metavar="FILE", help="a camera's token; once for each DEVICE"
    )
    flash.add_argument("--ca", type=Path, metavar="DIR", help="make the tokens here, at the agency's authority")
    flash.add_argument(
        "--valid", default="2d", metavar="TIME", help="how long such a token holds (default %(default)s)"
    )
    flash.add_argument(ACCEPTED, dest="accepted", action="store_true", help="make tokens although there is one vault")
    flash.add_argument("--key-level", choices=list(KEY_LEVEL_OIDS), help="how the evidence key is kept: your word")
    flash.add_argument("--secure-element", metavar="URI", help="pkcs11:token=…;object=…: the key is made in it")
    flash.add_argument(
        "--vehicle", action="append", default=[], metavar="ID", help="a dash camera's vehicle; once for each DEVICE"
    )
    flash.add_argument("--manifest", type=Path, metavar="FILE.p7s", help="default: IMAGE.p7s")
    flash.add_argument("--bmap", type=Path, metavar="FILE", help="default: the block map beside the image")
    flash.add_argument("--crl", type=Path, action="append", default=[], metavar="FILE", help="revocation lists")
    flash.add_argument("--label-printer", default="none", metavar="none|FILE", help="labels as FILE.pdf or FILE.png")
    flash.add_argument("--assets", type=Path, metavar="FILE", help="the asset log (default: assets.jsonl in --ca)")
    flash.add_argument("--technician", metavar="NAME", help="who does this (default: the user's name)")
    flash.add_argument(
        "--again", metavar="REASON", help="why these serials get a card, or an identity, once more; it is kept"
    )
    flash.add_argument("--yes", action="store_true", help="do not ask before erasing")
    flash.add_argument("--allow-file", action="store_true", help="a DEVICE may be a file (for trials)")
    flash.set_defaults(run=_flash, misused=flash.error)

    assets = verbs.add_parser("assets", help="show an asset log: which camera has which card, by whom, tested when")
    assets.add_argument("file", type=Path, metavar="FILE")
    assets.set_defaults(run=_assets)


def _sign(arguments: argparse.Namespace) -> int:
    image: Path = arguments.image
    made = make_manifest(
        image, board=arguments.board, version=arguments.version, bmap=arguments.bmap or bmap_path(image)
    )
    out = arguments.out or manifest_path(image)
    durable.replace(out, sign_manifest(made, arguments.key, arguments.cert), mode=0o644)
    blocks = "with its block map" if made.bmap_sha256 else "without a block map: every block will be written"
    print(f"signed {out}: {made.name} for {made.board}, version {made.version}, {blocks}")
    print(f"SHA-256 {made.sha256}")
    return 0


def _flash(arguments: argparse.Namespace) -> int:
    if arguments.identity_only:
        arguments.devices = [arguments.image, *arguments.devices]
        if arguments.again is None:
            arguments.misused("--identity-only needs --again: say why, as in --again 'token ran out'")
    elif not arguments.devices:
        arguments.misused("name the card too: flash IMAGE DEVICE, as in flash camera.img.zst /dev/sdb")
    serials = _serials(arguments)
    label = None if arguments.label_printer == "none" else Path(arguments.label_printer)
    if label is not None:
        check_target(label, len(serials))
    technician = technician_of(arguments.technician)
    if bool(arguments.token_file) == (arguments.ca is not None):
        raise BadAuthority("say where the enrolment tokens come from: --ca DIR, or --token-file FILE for each card")
    store = None if arguments.ca is None else AuthorityStore(arguments.ca)
    level = arguments.key_level or (store.settings.camera_key_level if store else "file")
    enrolment = Enrolment(
        arguments.enrol_server, arguments.station, arguments.system_id, level, arguments.secure_element
    )
    if len(arguments.vehicle) not in (0, len(serials)):
        raise BadAuthority(f"{len(arguments.vehicle)} vehicles for {len(serials)} cards: one for each")
    vehicles = dict(zip(serials, arguments.vehicle, strict=False))
    agency, trust = load_agency(arguments.agency, arguments.crl)
    if trust.simulated:
        print("this agency is simulated: what its cameras record is never evidence")
    if arguments.again is not None and not 1 <= len(arguments.again.strip()) <= 500:
        raise BadAuthority("--again says why, in a sentence of at most 500 characters")
    log = AssetLog(assets_path(arguments.assets, arguments.ca))
    for serial in serials:  # what a camera would not read is told before any card is erased
        identity_of(serial, arguments.board, enrolment, agency.root_sha256, "0" * 32, vehicles.get(serial))
    token_of = _tokens(arguments, serials, store, level)
    cards = [inspect(path, allow_file=arguments.allow_file) for path in arguments.devices]
    if len({card.number for card in cards}) != len(cards):
        raise CardRefused("the same card is named twice: name each one once")
    pairs = list(zip(serials, cards, strict=True))
    if arguments.identity_only:
        wanted = NewIdentities(arguments.board, agency, enrolment, token_of, log, technician, arguments.again, vehicles)
        return min(renew(pairs, wanted, print), MOST_FAILED)
    print(f"checking {arguments.image.name} …", flush=True)
    image = verify_image(
        arguments.image, board=arguments.board, trust=trust, manifest=arguments.manifest, bmap=arguments.bmap
    )
    said = image.manifest
    print(
        f"{said.name}: version {said.version} for {said.board}, signed by the agency's release role; "
        f"{image.blocks.mapped_bytes / 1e6:.0f} of {said.raw_bytes / 1e6:.0f} MB are written"
    )
    if not arguments.yes:
        _confirm(pairs)
    elif built_in := [card for card in cards if card.built_in]:
        raise CardRefused(f"{built_in[0].path} looks like a disk of this computer: flash it without --yes, and look")
    order = Order(image, agency, enrolment, token_of, log, technician, arguments.again, vehicles)
    with asked_to_stop(stop := threading.Event()):  # until all is told
        return _tell(flash_cards(pairs, order, sys.stderr, stop), agency, said.board, label)


def _tell(done: Sequence[OneCard], agency: AgencyFiles, board: str, label: Path | None) -> int:
    ready = [one for one in done if one.result == "ready"]
    for one in done:
        how = "ready" if one in ready else f"FAILED: {one.why or 'for no known reason, see above'}"
        print(f"{one.serial}  {one.card.path}  {how}")
    if ready and label is not None:
        written = write_labels([Label(one.serial, board, agency.organization) for one in ready], label)
        print(f"labels (62 x 29 mm): {', '.join(str(path) for path in written)}")
    if any(one.result == "interrupted" for one in done):
        return INTERRUPTED
    return min(len(done) - len(ready), MOST_FAILED)


def _serials(arguments: argparse.Namespace) -> list[str]:
    found: list[str] = arguments.serial
    if arguments.serials is not None:
        text = read_small(arguments.serials, SETTINGS_BYTES, "list of serials").decode("ascii", "replace")
        found = [line.strip() for line in text.splitlines() if line.strip()]
    for one in found:
        if tokens.SERIAL.fullmatch(one) is None:
            raise BadAuthority(
                f"{one[:40]!r} is no serial: capital letters, digits and dashes, at most 32, e.g. CAM-0042"
            )
    if len(set(found)) != len(found):
        raise BadAuthority("a serial is given twice: each camera has its own")
    if not len(found) == len(arguments.devices) <= MOST_CARDS:
        raise BadAuthority(
            f"{len(found)} serials for {len(arguments.devices)} cards: one for each, at most {MOST_CARDS}"
        )
    return found


def _tokens(
    arguments: argparse.Namespace, serials: Sequence[str], store: AuthorityStore | None, level: KeyLevel
) -> Callable[[str], str]:
    """Where a serial's token comes from."""
    if store is None:
        if len(arguments.token_file) != len(serials):
            raise BadAuthority(f"{len(arguments.token_file)} token files for {len(serials)} cards: one for each")
        variable = "FIRSTHAND_ENROL_TOKEN_FILE"
        read = [read_passphrase(one, "the enrolment (its token)", variable).decode() for one in arguments.token_file]
        given = {serial: check_token(text) for serial, text in zip(serials, read, strict=True)}
        if len(set(given.values())) != len(given):
            raise BadAuthority("two cards have the same token: a token is for one serial")
        return given.__getitem__
    refuse_single(store, 0, arguments.accepted)
    valid_s = tokens.seconds_of(arguments.valid)
    return lambda serial: tokens.make_token(store.register, serial, level, valid_s, int(now().timestamp()))


def _confirm(pairs: Sequence[tuple[str, Card]]) -> None:
    """A person says for each card that it is the right one. Raises `CardRefused`."""
    if not sys.stdin.isatty():
        raise CardRefused("nobody is there to confirm that the cards are erased: say --yes")
    print("Everything on these cards will be lost:")
    for serial, card in pairs:
        print(f"  {card.path}: {card.model}, serial {card.serial}, {card.size_text}, for {serial}")
        if card.built_in:
            print("  CAREFUL: this looks like a disk of this computer, not like a card in a reader")
        wanted = card.size_text.split()[0]
        print(f"  type its size in {card.size_text.split()[1]} ({wanted}) to erase it: ", end="", flush=True)
        if sys.stdin.readline(100).strip() != wanted:
            raise CardRefused(f"{card.path} was not confirmed: nothing was written to any card")


def technician_of(name: str | None) -> str:
    """Who does this: as said, else the user. Raises `BadAuthority`."""
    found = name or os.environ.get("SUDO_USER") or getpass.getuser()
    if not 1 <= len(found) <= 128 or not found.isprintable():
        raise BadAuthority("--technician is a name, at most 128 characters")
    return found


def assets_path(given: Path | None, ca: Path | None) -> Path:
    """Where the asset log lies. Raises `BadAuthority`."""
    if given is None and ca is None:
        raise BadAuthority("say where the asset log lies: --assets FILE")
    return given or Path(ca or ".") / "assets.jsonl"


def _assets(arguments: argparse.Namespace) -> int:
    if not arguments.file.exists():
        raise BadAuthority(f"{arguments.file} is not there: firsthand-fleet flash writes it")
    print("\n".join(table_lines(AssetLog(arguments.file).read())))
    return 0
