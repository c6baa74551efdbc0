"""What S3 answers in XML, read strictly: a bounded document without DTD and entities of its own."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final
from xml.parsers import expat

from dock.errors import StationFailed

XML_BYTES: Final = 512 * 1024
_DEPTH: Final = 8
_ELEMENTS: Final = 20_000
_TEXT: Final = 4096
_ETAG: Final = re.compile(r'"?([A-Za-z0-9+/=_-]{1,128})"?', re.ASCII)
_UPLOAD_ID: Final = re.compile(r"[A-Za-z0-9._~+/=-]{1,1024}", re.ASCII)
_CODE: Final = re.compile(r"[A-Za-z0-9.]{1,64}", re.ASCII)


@dataclass
class Element:
    """One element; names are without their namespace."""

    name: str
    text: str = ""
    children: list[Element] = field(default_factory=list)

    def one(self, name: str) -> str:
        """Text of the only child of that name; "" without one. Raises `StationFailed` for two."""
        found = [child for child in self.children if child.name == name]
        if len(found) > 1:
            raise StationFailed(f"the bucket's answer has {name} twice")
        return found[0].text.strip() if found else ""


@dataclass(frozen=True)
class Part:
    """One part of a multipart upload, as the bucket lists it."""

    number: int
    bytes: int
    etag: str


def read_xml(data: bytes) -> Element:
    """The root element. Raises `StationFailed` for what is no small plain XML document."""
    if len(data) > XML_BYTES:
        raise StationFailed("the bucket's answer is larger than any that we ask for")
    parser = expat.ParserCreate("utf-8")
    stack, count = [Element("")], 0

    def start(name: str, _: dict[str, str]) -> None:
        nonlocal count
        count += 1
        if len(stack) > _DEPTH or count > _ELEMENTS:
            raise StationFailed("the bucket's answer is nested or long beyond reason")
        element = Element(name.rpartition(":")[2])
        stack[-1].children.append(element)
        stack.append(element)

    def text(data: str) -> None:
        if len(stack[-1].text) + len(data) > _TEXT:
            raise StationFailed("the bucket's answer has a value that is too long")
        stack[-1].text += data

    def no_dtd(*_: object) -> None:
        raise StationFailed("the bucket's answer has a DTD; nothing of it is believed")

    parser.StartElementHandler = start
    parser.EndElementHandler = lambda _: stack.pop()
    parser.CharacterDataHandler = text
    parser.StartDoctypeDeclHandler = no_dtd
    try:
        parser.Parse(data.strip(), True)
    except expat.ExpatError as error:
        raise StationFailed(f"the bucket's answer is no XML: {error}") from error
    return stack[0].children[0]


def read_upload_id(data: bytes) -> str:
    """From InitiateMultipartUploadResult. Raises `StationFailed`."""
    found = _root(data, "InitiateMultipartUploadResult").one("UploadId")
    if not _UPLOAD_ID.fullmatch(found):
        raise StationFailed("the bucket gave no usable UploadId")
    return found


def read_parts(data: bytes) -> tuple[list[Part], int | None]:
    """From ListPartsResult: the parts, and where the next page begins. Raises `StationFailed`."""
    root = _root(data, "ListPartsResult")
    parts = [_part(child) for child in root.children if child.name == "Part"]
    numbers = [part.number for part in parts]
    if numbers != sorted(set(numbers)):
        raise StationFailed("the bucket lists parts out of order")
    if root.one("IsTruncated") != "true":
        return parts, None
    if not parts:
        raise StationFailed("the bucket promises more parts after none")
    return parts, numbers[-1]


def read_completed(data: bytes) -> None:
    """CompleteMultipartUploadResult, or an error that came with status 200. Raises `StationFailed`."""
    _root(data, "CompleteMultipartUploadResult")


def error_code(data: bytes) -> str:
    """The code of an <Error>; "" if there is none to be read."""
    try:
        root = read_xml(data)
        found = root.one("Code") if root.name == "Error" else ""
    except StationFailed:
        return ""
    return found if _CODE.fullmatch(found) else ""


def completion(parts: list[tuple[int, str, str]]) -> bytes:
    """The body that completes an upload, from (number, ETag, SHA-256 in base64)."""
    listed = "".join(
        f"<Part><PartNumber>{number}</PartNumber><ETag>&quot;{etag}&quot;</ETag>"
        f"<ChecksumSHA256>{checksum}</ChecksumSHA256></Part>"
        for number, etag, checksum in parts
    )
    space = "http://s3.amazonaws.com/doc/2006-03-01/"
    return f'<CompleteMultipartUpload xmlns="{space}">{listed}</CompleteMultipartUpload>'.encode()


def usable_etag(text: str) -> str:
    """An ETag without its quotes. Raises `StationFailed`."""
    found = _ETAG.fullmatch(text)
    if found is None:
        raise StationFailed("the bucket gave no usable ETag for a part")
    return found[1]


def _part(element: Element) -> Part:
    number, size = element.one("PartNumber"), element.one("Size")
    if not all(text.isascii() and text.isdigit() and len(text) <= 13 for text in (number, size)):
        raise StationFailed("the bucket lists a part without number or size")
    return Part(int(number), int(size), usable_etag(element.one("ETag")))


def _root(data: bytes, name: str) -> Element:
    root = read_xml(data)
    if root.name != name:
        raise StationFailed(f"the bucket answered {root.name[:40]} {root.one('Code')[:64]} where {name} was due")
    return root
