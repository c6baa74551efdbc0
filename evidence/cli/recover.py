"""`recover`: close a file that a crash or a power cut left open; without the camera's key, say what would be done."""

from __future__ import annotations

import argparse
import datetime as dt
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

from cryptography import x509

from evidence.cli.arguments import INVALID, OK, Parser, Verbs, add_verb, complain
from evidence.cli.terminal import plain, several, size
from evidence.cms import SignedMessage, check_signature
from evidence.errors import BadKey, NotEvidence, UntrustedSigner
from evidence.keys import FileSigner
from evidence.recovery import Found, Outcome, examine, recover
from evidence.roles import Role, serial_of
from evidence.statements import Stamp, Utc, moment
from evidence.trust import Trust

_BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")
_TEXT = """\
Close a file that a crash or a power cut left open: a torn tail is cut and kept in aside/ beside the file, sealed
objects that no statement announced are set aside too, and the camera's key signs what was found. Nothing is signed
that the camera had not announced before. Without --key the file is only looked at, never changed.
The certificate is looked for beside the key (camera.key, camera.pem), and so is root.pem."""


def add(verbs: Verbs[Parser]) -> None:
    """Declare the verb and its options."""
    parser = add_verb(
        verbs,
        "recover",
        run,
        summary="close a file that a crash left open, or say what it needs",
        text=_TEXT,
        example="recover BC-0042-000017.evidence --key /var/lib/firsthand/keys/camera.key",
    )
    parser.add_argument("file", type=Path, metavar="FILE", help="evidence file")
    parser.add_argument("--key", metavar="URI", help="the camera's private key: a path or a file: URI")
    parser.add_argument("--cert", type=Path, metavar="PEM", help="its certificate chain (default: beside the key)")
    parser.add_argument("--root", type=Path, metavar="PEM", help="the agency's root certificate")


class AnyRoot(Trust):
    """Trusts what holds together by itself: for a look at a file whose root is not at hand. Never for signing."""

    def __init__(self) -> None:
        """No root is pinned."""

    @property
    def simulated(self) -> bool:
        """A simulator's file may be looked at like any other."""
        return True

    def check(
        self, message: SignedMessage, *, role: Role, serial: str | None = None, at: dt.datetime | None = None
    ) -> None:
        """Only the signature and the serial."""
        del role, at
        if serial is not None and serial_of(message.certificate) != serial:
            raise UntrustedSigner(f"signed by {serial_of(message.certificate)}, not by {serial}")
        check_signature(message)

    def check_time(self, chain: Sequence[x509.Certificate], at: dt.datetime) -> None:
        """Nothing: validity is judged by `verify`."""


def system_stamp() -> Stamp:
    """Now, by a system clock that nothing vouches for; the boot is this machine's."""
    now_ns = time.time_ns()
    utc = Utc(earliest=moment(now_ns - 10**9), latest=moment(now_ns + 10**9), source="none")
    return Stamp(
        boot=_BOOT_ID.read_text(encoding="ascii").strip(), mono_ns=time.clock_gettime_ns(time.CLOCK_BOOTTIME), utc=utc
    )


def key_path(uri: str) -> Path:
    """The path of a key named on the command line. Raises `BadKey` for schemes that are not supported."""
    parts = urlsplit(uri)
    if parts.scheme == "file" and parts.netloc in ("", "localhost"):
        return Path(unquote(parts.path))
    if parts.scheme and not Path(uri).exists():
        raise BadKey(f"a key of the kind {parts.scheme}: cannot be used here yet: give a path or a file: URI")
    return Path(uri)


def _root(args: argparse.Namespace, key: Path | None) -> Trust | None:
    if args.root is not None:
        return Trust.load(args.root)
    beside = key.parent / "root.pem" if key is not None else None
    if beside is not None and beside.exists():
        return Trust.load(beside)
    if key is not None:
        raise BadKey(f"there is no root.pem beside {key}: name the agency's root certificate with --root")
    return None


def _tell(found: Found, *, done: bool) -> list[str]:
    """What was found, in plain words; `done` tells whether it has been acted upon."""
    chain = found.chain
    counts = (several(chain.statements, "statement"), several(chain.objects, "sealed object"))
    told = [f"  whole      {size(found.whole_bytes)} of {size(found.size)}: {', '.join(counts)}"]
    if found.cut_bytes:
        told.append(f"  ends       at byte {found.whole_bytes}: {plain(found.reason)}")
        told.append(f"  tail       {several(found.cut_bytes, 'byte')} {'were' if done else 'would be'} set aside")
    if found.orphan_bytes:
        told.append(f"  orphans    {several(found.orphan_bytes, 'byte')} of it are objects that nothing announced")
    told += [f"  lost       {one.object} object {one.sha256}, {several(one.bytes, 'byte')}" for one in found.lost]
    return told


def _report_only(path: Path, found: Found, *, pinned: bool) -> int:
    fine = found.closed and not found.cut_bytes
    if fine:
        print(f"{plain(path)}: closed and whole, nothing to recover")
    elif found.closed:
        print(f"{plain(path)}: closed, but something stands behind its end")
    else:
        print(f"{plain(path)}: not closed, needs recovery")
    print("\n".join(_tell(found, done=False)))
    if not pinned:
        print("  note       no --root given: the signatures hold together, but whose they are was not checked")
    if not fine:
        complain("nothing was changed: give the camera's key with --key to recover the file")
    return OK if fine else INVALID


def run(args: argparse.Namespace) -> int:
    """0 closed and whole (or recovered now), 1 needs recovery, 2 cannot be read or has no whole `open`."""
    key = key_path(args.key) if args.key is not None else None
    trust = _root(args, key)
    signer = FileSigner.load(key, args.cert or key.with_suffix(".pem")) if key is not None else None
    found = examine(args.file, trust if trust is not None else AnyRoot())
    if found.size == 0:
        raise NotEvidence(f"{args.file} is empty: there is nothing to recover")
    if found.opened is None:
        raise NotEvidence(f"{args.file} has no whole `open` statement, so it cannot be closed ({found.reason})")
    if signer is None or trust is None:
        return _report_only(args.file, found, pinned=trust is not None)
    trust.check_chain(signer.chain)
    trust.check_role(signer.chain, "camera")
    if serial_of(signer.certificate) != found.opened.serial:
        raise BadKey(
            f"the key is that of {serial_of(signer.certificate)}, the file is of {found.opened.serial}: "
            "only the camera itself can close it"
        )
    if found.closed and not found.cut_bytes:
        return _report_only(args.file, found, pinned=True)
    try:
        outcome = recover(args.file, trust, signer, (), system_stamp)
    except OSError as error:
        raise NotEvidence(f"cannot recover {args.file}: {error.strerror}; it can be tried again") from error
    return _report_done(args.file, found, outcome)


def _report_done(path: Path, found: Found, outcome: Outcome) -> int:
    assert outcome.file is not None  # `open` was whole
    what = "cleaned, it was closed already" if found.closed else "recovered and closed"
    print(f"{plain(path)}: {what}, now {size(outcome.file.bytes)}")
    print("\n".join(_tell(found, done=True)))
    for aside in outcome.aside:
        print(f"  aside      {plain(aside)} (kept: it may still be of use to an expert)")
    print(f"  close hash {outcome.file.close_hash}")
    return OK
