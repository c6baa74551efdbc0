"""Look for secrets in whatever programs wrote: in every spelling in which a secret gets into a text by mistake."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

SHORTEST: Final = 8
"""Bytes of a spelling: by fewer it would be found by chance."""
_BLOCK_BYTES: Final = 1 << 20


@dataclass
class Sought:
    """Secrets by what they are called, and all their spellings."""

    names: set[str] = field(default_factory=set)
    spellings: dict[bytes, str] = field(default_factory=dict)

    def text(self, name: str, secret: str) -> None:
        """A password, a token, a credential."""
        self._spell(name, [*_spelled(secret.encode()), secret.encode()])

    def octets(self, name: str, secret: bytes) -> None:
        """A symmetric key, a salt, a token's bytes."""
        self._spell(name, [*_spelled(secret), secret])

    def key(self, path: Path) -> None:
        """A private key: its number in every writing, and the lines of its file that hold it."""
        pem = path.read_bytes()
        key = serialization.load_pem_private_key(pem, None)
        assert isinstance(key, ec.EllipticCurvePrivateKey), path
        number = key.private_numbers().private_value
        octets = number.to_bytes((key.key_size + 7) // 8, "big")
        # The first two lines hold the number; what follows is the public key.
        lines = [line for line in pem.splitlines() if not line.startswith(b"-----")][:2]
        formats = (serialization.PrivateFormat.PKCS8, serialization.PrivateFormat.TraditionalOpenSSL)
        forms = [key.private_bytes(serialization.Encoding.DER, one, serialization.NoEncryption()) for one in formats]
        self._spell(
            path.name, [*_spelled(octets), octets, str(number).encode(), *lines, *(one.hex().encode() for one in forms)]
        )

    def found_in(self, data: bytes) -> Iterator[str]:
        """Names of the secrets that stand in it."""
        heads = {one[:SHORTEST] for one in self.spellings}
        for at in range(len(data) - SHORTEST + 1):
            if data[at : at + SHORTEST] in heads:
                yield from (name for one, name in self.spellings.items() if data.startswith(one, at))

    def _spell(self, name: str, spellings: Iterable[bytes]) -> None:
        self.names.add(name)
        for one in spellings:
            assert len(one) >= SHORTEST, f"{name} is too short to be looked for"
            self.spellings[one] = name


def _spelled(secret: bytes) -> Iterator[bytes]:
    yield secret.hex().encode()
    yield secret.hex().upper().encode()
    yield secret.hex(":").encode()
    yield repr(secret)[2:-1].encode()
    # Within a longer base64 text a secret begins at one of three places; so many characters of it are its own.
    for before in range(3):
        text = base64.b64encode(bytes(before) + secret)
        own = text[-(-before * 8 // 6) : (before + len(secret)) * 8 // 6]
        yield own
        yield own.replace(b"+", b"-").replace(b"/", b"_")


@dataclass
class Search:
    """What was looked through."""

    files: int = 0
    bytes: int = 0
    found: list[str] = field(default_factory=list)


def search(paths: Iterable[Path], sought: Sought) -> Search:
    """Look through whole files."""
    seen = Search()
    for path in paths:
        data = path.read_bytes()
        seen.files += 1
        seen.bytes += len(data)
        seen.found += [f"{path.name} has {name}" for name in sought.found_in(data)]
    return seen


def drawn(path: Path, sought: Sought) -> int:
    """What the programs drew (see hook/sitecustomize.py); how many."""
    found = path.read_text().split()
    for number, text in enumerate(found):
        sought.octets(f"drawn {number}", bytes.fromhex(text))
    return len(found)
