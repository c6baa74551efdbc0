"""PKCS#11 URIs (RFC 7512): which key in which token, and where its PIN stands. The PIN itself is never part of it.

``pkcs11:token=Vault;object=vault-2026?module-path=/usr/lib/softhsm/libsofthsm2.so&pin-source=/etc/firsthand/pin``

Used are the path attributes ``token``, ``serial`` (of the token), ``object``, ``id`` and ``type`` (``private``), and
the query attributes ``module-path`` and ``pin-source`` (a path or a ``file:`` URI). Without them the environment's
FIRSTHAND_PKCS11_MODULE and FIRSTHAND_PKCS11_PIN count. ``pin-value`` is refused: command lines and settings are read
by others.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import unquote, unquote_to_bytes, urlsplit

from evidence.errors import BadKey

SCHEME: Final = "pkcs11:"
MODULE_VARIABLE: Final = "FIRSTHAND_PKCS11_MODULE"
PIN_VARIABLE: Final = "FIRSTHAND_PKCS11_PIN"
_URI_BYTES: Final = 2048
_PIN_BYTES: Final = 256
_PATH: Final = frozenset({"token", "serial", "object", "id", "type"})
_QUERY: Final = frozenset({"module-path", "pin-source"})


@dataclass(frozen=True, slots=True)
class TokenUri:
    """One key in one token."""

    text: str
    """The URI as it was given; it holds no secret, and may be shown."""
    token: str | None
    serial: bytes | None
    label: str | None
    identifier: bytes | None
    module: Path
    pin_source: Path | None

    @classmethod
    def parse(cls, text: str, environment: Mapping[str, str] = os.environ) -> TokenUri:
        """Raises `BadKey` for what is no such URI, is ambiguous, or would show a PIN."""
        if not text.startswith(SCHEME) or len(text) > _URI_BYTES:
            raise BadKey("a PKCS#11 URI looks like pkcs11:token=NAME;object=KEY")
        path, _, query = text[len(SCHEME) :].partition("?")
        names = _attributes(path, ";", _PATH)
        options = _attributes(query, "&", _QUERY)
        if names.get("type", "private") != "private":
            raise BadKey("a PKCS#11 URI must name a private key: leave `type` out, or type=private")
        if not names.keys() & {"token", "serial"} or not names.keys() & {"object", "id"}:
            raise BadKey("a PKCS#11 URI must name the token (token= or serial=) and the key (object= or id=)")
        module = options.get("module-path") or environment.get(MODULE_VARIABLE)
        if not module:
            raise BadKey(
                f"which PKCS#11 module? Add ?module-path=/path/to/module.so to the URI, or set {MODULE_VARIABLE}"
            )
        source = options.get("pin-source")
        return cls(
            text=text,
            token=_text(names, "token"),
            serial=unquote_to_bytes(names["serial"]) if "serial" in names else None,
            label=_text(names, "object"),
            identifier=unquote_to_bytes(names["id"]) if "id" in names else None,
            module=Path(unquote(module)),
            pin_source=_pin_path(source) if source else None,
        )

    def pin(self, environment: Mapping[str, str] = os.environ) -> str | None:
        """The user's PIN; None for a token that needs none. Raises `BadKey`."""
        if self.pin_source is None:
            return environment.get(PIN_VARIABLE)
        try:
            with self.pin_source.open("rb") as file:
                if os.fstat(file.fileno()).st_mode & (stat.S_IRWXG | stat.S_IRWXO):
                    raise BadKey(f"{self.pin_source} can be read by others: chmod 600 it, and change the PIN")
                return file.read(_PIN_BYTES).decode("utf-8").strip("\r\n")
        except OSError as error:
            raise BadKey(f"cannot read the PIN from {self.pin_source}: {error.strerror}") from error
        except UnicodeDecodeError as error:
            raise BadKey(f"the PIN in {self.pin_source} is no text") from error


def _attributes(text: str, separator: str, known: frozenset[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for part in text.split(separator) if text else ():
        name, equals, value = part.partition("=")
        if name == "pin-value":
            raise BadKey("a PIN must not stand in a URI (pin-value): use pin-source, or the environment")
        if name not in known or not equals or name in found:
            raise BadKey(f"a PKCS#11 URI with {name!r}: use {', '.join(sorted(known))}, each once")
        found[name] = value
    return found


def _text(names: Mapping[str, str], name: str) -> str | None:
    try:
        return unquote(names[name], errors="strict") if name in names else None
    except UnicodeDecodeError as error:
        raise BadKey(f"the {name} of a PKCS#11 URI is no UTF-8") from error


def _pin_path(source: str) -> Path:
    decoded = unquote(source)
    parts = urlsplit(decoded)
    if parts.scheme == "file" and parts.netloc in ("", "localhost"):
        return Path(unquote(parts.path))
    if parts.scheme or decoded.startswith("|"):
        raise BadKey("pin-source must be a path or a file: URI; programs are not run")
    return Path(decoded)
