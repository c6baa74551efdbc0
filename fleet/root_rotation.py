"""A new root beside the old one (docs/keys/root.md; design, invariant 12).

1. The old root is kept for ever: it alone verifies what was recorded under it, and it goes on taking back its own.
2. A root with a *new key* comes with new role authorities, which the old root signs as well. With such a cross
   certificate in its chain, a new certificate verifies for everyone who is still pinned to the old root.
3. A root with the *same key* is a longer life of the old one: what was recorded before verifies under both.
4. The new generation is made aside, and comes into place by one rename.
"""

from __future__ import annotations

import hmac
import shutil

from cryptography.hazmat.primitives.asymmetric import ec

from evidence import durable
from evidence.keys import same_public_key
from fleet import issuing, revoking
from fleet.authority_store import BACKDATED, ROOT_YEARS, AuthorityStore, Generation, Keys, now, write_generation
from fleet.encrypted_key import open_encrypted
from fleet.errors import BadAuthority
from fleet.issuing import CURVES, Credential, Validity


def rotate_root(
    store: AuthorityStore, *, root_passphrase: bytes, new_passphrase: bytes, passphrase: bytes, same_key: bool
) -> AuthorityStore:
    """Make the next root and its authorities. Durable. Raises `FleetError`, `EvidenceError`, OSError.

    `root_passphrase` opens the present root, `new_passphrase` guards the next one.
    """
    settings, last = store.settings, store.current
    old = open_root(last, root_passphrase)
    store.unlock(passphrase).issuer("tls")  # a wrong operating passphrase is told before anything is made
    if hmac.compare_digest(new_passphrase, passphrase):
        raise BadAuthority("the root's passphrase must be another one: who runs the authorities must not have the root")
    number = last.number + 1
    validity = Validity.years(ROOT_YEARS, now() - BACKDATED)
    if same_key:
        root = issuing.make_root(
            settings.organization, old.key, validity, simulated=settings.simulated, subject=last.root.subject
        )
    else:
        key = ec.generate_private_key(CURVES[settings.curve])
        root = issuing.make_root(settings.organization, key, validity, simulated=settings.simulated, generation=number)
    aside = store.directory / "next"
    if aside.exists():  # of a rotation that was cut off: nothing was ever issued from it
        shutil.rmtree(aside)
    made = write_generation(
        aside,
        root,
        settings.organization,
        settings.simulated,
        settings.curve,
        new_passphrase,
        passphrase,
        () if same_key else (old,),
        number=number,
    )
    durable.rename(aside, store.directory / str(number))
    store.register.note("new root", None, f"root {number}, {'the same key' if same_key else 'a new key'}", _now_s())
    fresh = AuthorityStore(store.directory)
    fresh.write_installable()
    revoking.sign_root_list(fresh, fresh.current, root)
    keys = Keys(fresh, passphrase, {(number, role): one for role, one in made.items()})
    revoking.sign_lists(keys, {(number, role) for role in made})
    return fresh


def open_root(generation: Generation, passphrase: bytes) -> Credential:
    """A root with its key. Raises `FleetError`, `EvidenceError`."""
    path = generation.directory / "root.key"
    if not path.exists():
        raise BadAuthority(f"{path} is away: bring it from the safe for this")
    key = open_encrypted(path, passphrase)
    if not same_public_key(key, generation.root):
        raise BadAuthority(f"{path} is not the key of {generation.directory / 'root.pem'}: bring the right one")
    return Credential(key, (generation.root,))


def _now_s() -> int:
    return int(now().timestamp())
