"""`prove-open`: the vault's holder opens stored files and signs that every object opened (invariant 8, R40)."""

from __future__ import annotations

import argparse
import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from evidence.cli.arguments import INVALID, OK, UNREADABLE, USAGE, Parser, Verbs, add_verb, complain
from evidence.cli.terminal import Progress, plain, several, size
from evidence.cli.vault import add_vault_options, ledgered, loaded_vault
from evidence.cli.verify import exit_code, read_through
from evidence.durable import replace
from evidence.errors import BrokenChain, EvidenceError, NotEvidence
from evidence.export.decrypt import Vault
from evidence.keys import Signer, load_signer
from evidence.prove_open import check_holder, open_all, sign_proof
from evidence.trust import Trust
from evidence.vault_proof import LIST_BYTES, SUFFIX, decode_proofs_wanted

_TEXT = """\
Prove that the agency can open what its cameras seal. A camera deletes nothing under a vault certificate before the
holder of the vault's key has opened a recording that this camera sealed to it with its present firmware, and no
recording of the critical class before that very recording was opened.
Each file is verified, every sealed object in it is opened with the vault's key and held against what the camera
committed to, and NAME.proof.p7s is written into --out: signed by the holder, and good for that camera only. Nothing
that was opened is written anywhere. Bring the proofs back to the station: `firsthand-dock proofs take`.
Run this where the vault's key lives, never at the station. --list takes a station's work list, made by
`firsthand-dock proofs wanted --json`; with --store the files are looked for in that directory instead of where the
station has them. A proof that is there already is not made again."""


def add(verbs: Verbs[Parser]) -> None:
    """Declare the verb and its options."""
    parser = add_verb(
        verbs,
        "prove-open",
        run,
        summary="prove that the vault's key opens what cameras sealed",
        text=_TEXT,
        example="prove-open --list wanted.json --store /mnt/evidence --root root.pem \\\n"
        "    --vault-cert vault.pem --vault-key vault.key --cert proof.pem --key proof.key --out proofs/",
    )
    parser.add_argument("files", nargs="*", type=Path, metavar="FILE", help="evidence file")
    parser.add_argument("--list", type=Path, metavar="JSON", help="a station's work list")
    parser.add_argument("--store", type=Path, metavar="DIR", help="where the files of the list lie here")
    parser.add_argument("--root", type=Path, required=True, metavar="PEM", help="the agency's root certificate")
    add_vault_options(parser, required=True)
    parser.add_argument("--cert", type=Path, required=True, metavar="PEM", help="certificate chain of the proof role")
    parser.add_argument("--key", required=True, metavar="KEY", help="its private key: a PEM file or a pkcs11: URI")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="where the proofs go")


@dataclass(frozen=True, slots=True)
class _Job:
    """One file to open."""

    path: Path
    sha256: str | None = None
    """What the station's work list says of it."""


@dataclass(frozen=True, slots=True)
class _Holder:
    """What opens and signs."""

    args: argparse.Namespace
    trust: Trust
    vault: Vault
    signer: Signer

    def prove(self, job: _Job) -> str:
        """Open one file and write its proof; a line about it. Raises `EvidenceError`, OSError."""
        target: Path = self.args.out / f"{job.path.name}{SUFFIX}"
        if target.exists():
            return f"{plain(target)}: is there already"
        _, report = read_through(job.path, self.trust, None)
        if job.sha256 not in (None, report.sha256):
            raise BrokenChain(f"{job.path.name} is not the file on the work list: fetch it from the store again")
        if not report.valid:
            raise (BrokenChain if exit_code(report) == INVALID else NotEvidence)(
                f"{job.path.name} does not verify, so it proves nothing: {plain(report.findings[0])}"
            )
        progress = Progress("opening", job.path)
        try:
            with ledgered(self.args, self.vault, "prove_open", job.path.name) as vault:
                opened = open_all(job.path, report, vault, progress)
        finally:
            progress.finish()
        replace(target, sign_proof(report, opened, self.vault, self.signer, dt.datetime.now(dt.UTC)))
        objects = several(opened.objects, "object")
        return f"{plain(target)}: all {objects} opened as committed ({size(report.bytes)})"


def run(args: argparse.Namespace) -> int:
    """0 all proven, 1 something does not open or verify, 2 unreadable or not writable, 64 wrong usage."""
    if bool(args.files) == (args.list is not None) or (args.store is not None and args.list is None):
        complain("name files, or a work list with --list (and with --store where its files lie)")
        return USAGE
    trust = Trust.load(args.root)
    signer = load_signer(args.key, args.cert)
    check_holder(signer, trust)
    vault = loaded_vault(args)
    assert vault is not None  # its options are required
    args.out.mkdir(parents=True, exist_ok=True)
    jobs = [_Job(path) for path in args.files] if args.list is None else list(_listed(args, vault))
    return _prove_all(_Holder(args, trust, vault, signer), jobs)


def _prove_all(holder: _Holder, jobs: Sequence[_Job]) -> int:
    """One file that does not open stops none of the others."""
    worst = OK
    for job in jobs:
        try:
            print(holder.prove(job), flush=True)
        except NotEvidence as error:
            complain(str(error))
            worst = UNREADABLE
        except EvidenceError as error:
            complain(f"{plain(job.path)}: NOT proven: {error}")
            worst = max(worst, INVALID)
    return worst


def _listed(args: argparse.Namespace, vault: Vault) -> Iterator[_Job]:
    try:
        with args.list.open("rb") as file:
            data = file.read(LIST_BYTES + 1)
    except OSError as error:
        raise NotEvidence(f"cannot read {args.list}: {error.strerror}") from error
    if len(data) > LIST_BYTES:
        raise NotEvidence(f"{args.list} is larger than a work list can be ({LIST_BYTES} bytes)")
    for one in decode_proofs_wanted(data).files:
        path = Path(one.path)
        if vault.recipient.sha256 not in one.vaults:
            complain(f"{plain(one.name)} is sealed to another vault certificate: its holder must open it")
            continue
        yield _Job(args.store / path.name if args.store is not None else path, one.sha256)
