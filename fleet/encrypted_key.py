"""Private keys that rest on a disk: PKCS#8 under a passphrase (RFC 5958, RFC 8018, RFC 7914), which openssl opens too.

scrypt and AES-256-CBC. Written by hand, since the library's own encryption stretches the passphrase 2048 times with
PBKDF2, which a graphics card tries by the million. N is the largest that openssl takes without being told to.
"""

from __future__ import annotations

import base64
import os
import textwrap
from pathlib import Path
from typing import Final

from cryptography.exceptions import InternalError, UnsupportedAlgorithm
from cryptography.hazmat.primitives import padding, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from evidence import der
from evidence.errors import BadKey
from evidence.keys import SIGNING_CURVES
from evidence.limits import KEY_FILE_BYTES
from fleet.errors import BadPassphrase

_PBES2: Final = der.oid("1.2.840.113549.1.5.13")
_SCRYPT: Final = der.oid("1.3.6.1.4.1.11591.4.11")
_AES256_CBC: Final = der.oid("2.16.840.1.101.3.4.1.42")
_BEGIN, _END = b"-----BEGIN ENCRYPTED PRIVATE KEY-----", b"-----END ENCRYPTED PRIVATE KEY-----"
_N, _R, _P, _KEY_BYTES = 2**14, 8, 5, 32


def encrypt(data: bytes, passphrase: bytes) -> bytes:
    """An EncryptedPrivateKeyInfo around `data`, as DER."""
    salt, iv = os.urandom(16), os.urandom(16)
    key = Scrypt(salt=salt, length=_KEY_BYTES, n=_N, r=_R, p=_P).derive(passphrase)
    padder = padding.PKCS7(128).padder()
    encryptor = Cipher(algorithms.AES(key), modes.CBC(iv)).encryptor()
    secret = encryptor.update(padder.update(data) + padder.finalize()) + encryptor.finalize()
    stretch = der.sequence(
        _SCRYPT,
        der.sequence(der.tlv(der.OCTET_STRING, salt), *(der.integer(value) for value in (_N, _R, _P, _KEY_BYTES))),
    )
    cipher = der.sequence(_AES256_CBC, der.tlv(der.OCTET_STRING, iv))
    return der.sequence(der.sequence(_PBES2, der.sequence(stretch, cipher)), der.tlv(der.OCTET_STRING, secret))


def encrypted_pem(key: ec.EllipticCurvePrivateKey, passphrase: bytes) -> bytes:
    """The key as ``ENCRYPTED PRIVATE KEY``."""
    form = (serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    text = base64.b64encode(encrypt(key.private_bytes(*form), passphrase)).decode()
    lines = "\n".join(textwrap.wrap(text, 64))
    return f"-----BEGIN ENCRYPTED PRIVATE KEY-----\n{lines}\n-----END ENCRYPTED PRIVATE KEY-----\n".encode()


def open_encrypted(path: Path, passphrase: bytes) -> ec.EllipticCurvePrivateKey:
    """The key in an encrypted PEM file. Raises `BadPassphrase`, `evidence.errors.BadKey`."""
    try:
        with path.open("rb") as file:
            data = file.read(KEY_FILE_BYTES + 1)
    except OSError as error:
        raise BadKey(f"cannot read {path}: {error.strerror}") from error
    if len(data) > KEY_FILE_BYTES or _BEGIN not in data:
        raise BadKey(f"{path} is not an encrypted PEM private key")
    start, end = data.index(_BEGIN), data.find(_END)  # a backup has its certificate behind the key
    try:
        key = serialization.load_pem_private_key(data[start : end + len(_END)] + b"\n", password=passphrase)
    except InternalError as error:  # openssl's own complaint: scrypt with numbers that it does not take
        raise BadKey(f"{path} is locked with numbers that openssl does not take: restore it from a backup") from error
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise BadPassphrase(f"the passphrase does not open {path}") from error
    if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, SIGNING_CURVES):
        raise BadKey(f"{path} is neither a P-256 nor a P-384 key")
    return key
