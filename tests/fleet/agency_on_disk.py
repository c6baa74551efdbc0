"""An agency's authority on disk, for tests."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from fleet.authority_store import AuthorityStore, Keys, fingerprint

OPERATING = "four operating words drawn"
ROOT = "five words for the root only"


@dataclass(frozen=True)
class Agency:
    """One authority and the files with its passphrases."""

    ca: Path
    passphrases: Path

    @property
    def root(self) -> Path:
        return self.ca / "root.pem"

    @property
    def crl(self) -> Path:
        return self.ca / "lists" / "revoked.crl"

    def store(self) -> AuthorityStore:
        return AuthorityStore(self.ca)

    def keys(self) -> Keys:
        return self.store().unlock(OPERATING.encode())

    @property
    def fingerprint(self) -> str:
        return fingerprint(self.store().current.root)

    def copy(self, to: Path) -> Agency:
        shutil.copytree(self.ca, to)
        return Agency(to, self.passphrases)
