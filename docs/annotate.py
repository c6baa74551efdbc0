"""Print CMS messages octet by octet with the name of every element, for the worked example of the format page.

    .venv/bin/python docs/annotate.py FILE.evidence NUMBER

Names are given in the order in which the elements come: the form is fixed, so that is enough.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from evidence import der
from evidence.export.items import StatementItem, walk

VECTOR = Path(__file__).resolve().parents[1] / "tests" / "vectors" / "SIM-0001-log-000001.evidence"
_STATEMENT = """ContentInfo|contentType: signedData|content [0]|SignedData|version 1|digestAlgorithms
AlgorithmIdentifier|SHA-256|encapContentInfo|eContentType: data|eContent [0]|the JSON
certificates [0], two of them, sorted|signerInfos|SignerInfo|version 1
sid: issuer and serial number of the signer|digestAlgorithm|SHA-256|signedAttrs [0], sorted
Attribute|contentType|values|data|Attribute|signingTime|values|UTCTime|Attribute|messageDigest
values|SHA-256 of the JSON|Attribute|signingCertificateV2|values|SigningCertificateV2|certs
ESSCertIDv2|SHA-256 of the signer's certificate|ESSCertIDv2
SHA-256 of the camera authority's certificate|signatureAlgorithm|ECDSA with SHA-256
signature: SEQUENCE of r, s"""
_OBJECT = """ContentInfo|contentType: authEnvelopedData|content [0]|AuthEnvelopedData|version 0|recipientInfos
KeyAgreeRecipientInfo [1]|version 3|originator [0]|originatorKey [1]|algorithm
EC public key, no parameters|BIT STRING: 04 and the ephemeral point, x and y|keyEncryptionAlgorithm
dhSinglePass-stdDH-sha256kdf|AlgorithmIdentifier|AES-256 key wrap, no parameters
recipientEncryptedKeys|RecipientEncryptedKey|rid: issuer and serial number of the vault certificate
encryptedKey: the wrapped content key|authEncryptedContentInfo|contentType: data
contentEncryptionAlgorithm|AES-256-GCM|GCMParameters|nonce|ICVlen 16
encryptedContent [0], not constructed|mac: the GCM tag"""
_CLOSED = ("certificates", "sid", "rid")
_WIDTH = 16


def elements(
    data: bytes, start: int, end: int, names: list[str], depth: int = 0
) -> Iterator[tuple[int, int, int, int, str]]:
    """(offset, header bytes, body bytes shown here, depth, name) of every element, depth first."""
    while start < end:
        found = der.read_header(data, start)
        assert found is not None
        tag, head, length = found
        name = names.pop(0)
        inside = tag & 0x20 and not name.startswith(_CLOSED)
        yield start, head, 0 if inside else length, depth, name
        if inside:
            yield from elements(data, start + head, start + head + length, names, depth + 1)
        start += head + length


def annotate(data: bytes) -> str:
    """One message as lines: offset, octets (long bodies shortened), name."""
    signed = der.read_header(data) is not None and b"\x07\x02" in data[:20]
    names = [name for name in (_STATEMENT if signed else _OBJECT).replace("\n", "|").split("|") if name]
    lines = []
    for offset, head, body, depth, name in elements(data, 0, len(data), names):
        octets = data[offset : offset + head + body]
        shown = octets.hex(" ") if len(octets) <= _WIDTH else f"{octets[: _WIDTH - 2].hex(' ')} …"
        rest = f" ({body} octets)" if len(octets) > _WIDTH else ""
        lines.append(f"{offset:5}  {shown:<{_WIDTH * 3}} {'  ' * depth}{name}{rest}")
    assert not names, names
    return "\n".join(lines)


def message(path: Path, number: int) -> tuple[bytes, str]:
    """Octets of one message, and a statement's JSON."""
    data = path.read_bytes()
    with path.open("rb") as file:
        item = next(one for one in walk(file) if one.number == number)
    said = item.message.payload.decode() if isinstance(item, StatementItem) and item.message is not None else ""
    return data[item.offset : item.offset + item.size], said


def example(number: int) -> str:
    """A block for the format page: one message of the log's test vector."""
    data, said = message(VECTOR, number)
    return "```\n" + annotate(data) + "\n```\n" + (f"\nThe JSON, one line:\n\n```json\n{said}\n```\n" if said else "")


if __name__ == "__main__":
    print(annotate(message(Path(sys.argv[1]), int(sys.argv[2]))[0]))
