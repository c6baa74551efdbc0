"""What goes to a bucket and what comes back: signatures against AWS's own example and botocore, XML read strictly."""

from __future__ import annotations

import datetime as dt
import hashlib
from pathlib import Path

import pytest
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from dock.errors import BadConfig, StationFailed
from dock.transport import s3_words as words
from dock.transport.credentials import AccessKey, load_access_key, load_tus_pass
from dock.transport.sigv4 import EMPTY_SHA256, encoded, encoded_query, signed_headers

NOW = dt.datetime(2013, 5, 24, tzinfo=dt.UTC)
KEY = AccessKey("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")
HOST = "examplebucket.s3.amazonaws.com"


def signature(headers: dict[str, str]) -> str:
    return headers["Authorization"].rpartition("Signature=")[2]


def test_the_signature_is_that_of_the_reference_example() -> None:
    """ "Signature calculation examples" of the Amazon S3 API reference, GET of a range."""
    got = signed_headers(
        KEY,
        "us-east-1",
        method="GET",
        path="/test.txt",
        query=[],
        headers={"Host": HOST, "Range": "bytes=0-9"},
        payload_sha256=EMPTY_SHA256,
        now=NOW,
    )
    assert signature(got) == "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"


@pytest.mark.parametrize(
    ("method", "path", "query", "headers", "body"),
    [
        ("POST", "/evidence/in/SIM-0001/SIM-0001-000001.evidence", [("uploads", "")], {"x-amz-meta-sha256": "ab"}, b""),
        (
            "PUT",
            "/evidence/a~b",
            [("partNumber", "12"), ("uploadId", "a/b+c=d ~e")],
            {"x-amz-x": "  two  words "},
            b"x" * 9,
        ),
        ("GET", "/evidence/x", [("uploadId", "u"), ("max-parts", "500"), ("part-number-marker", "0")], {}, b""),
        ("HEAD", "/evidence/x", [], {}, b""),
    ],
)
def test_the_signature_is_what_botocore_makes_of_the_same_request(
    method: str, path: str, query: list[tuple[str, str]], headers: dict[str, str], body: bytes
) -> None:
    now = dt.datetime.now(dt.UTC)
    digest = hashlib.sha256(body).hexdigest()
    ours = signed_headers(
        KEY, "eu-central-1", method=method, path=path, query=query, headers={"Host": HOST, **headers},
        payload_sha256=digest, now=now,
    )  # fmt: skip
    url = f"https://{HOST}{encoded(path)}" + (f"?{encoded_query(query)}" if query else "")
    theirs = AWSRequest(method=method, url=url, headers={"Host": HOST, **headers}, data=body)
    theirs.context["timestamp"] = ours["x-amz-date"]
    judge = S3SigV4Auth(Credentials(KEY.id, KEY.secret), "s3", "eu-central-1")
    theirs.headers["X-Amz-Date"], theirs.headers["X-Amz-Content-SHA256"] = ours["x-amz-date"], digest
    text = judge.string_to_sign(theirs, judge.canonical_request(theirs))
    assert signature(ours) == judge.signature(text, theirs)


@pytest.mark.parametrize(
    "document",
    [
        b"",
        b"no xml",
        b"<a>",
        b"<a/><b/>",
        b'<!DOCTYPE a [<!ENTITY x "y">]><a>&x;</a>',
        b'<!DOCTYPE a SYSTEM "file:///etc/passwd"><a/>',
        b"<a>&unknown;</a>",
        b"<a>" * 20 + b"</a>" * 20,
        b"<r>" + b"<a/>" * 30_000 + b"</r>",
        b"<r>" + b"x" * 5000 + b"</r>",
        b"<r>" + b" " * words.XML_BYTES + b"</r>",
    ],
)
def test_an_answer_that_is_no_small_plain_xml_is_a_failure(document: bytes) -> None:
    with pytest.raises(StationFailed):
        words.read_xml(document)


def test_an_error_that_comes_with_status_200_is_no_completion() -> None:
    """AWS begins its answer before it is done: spaces first, and perhaps an error at the end."""
    root = "CompleteMultipartUploadResult"
    words.read_completed(f'  \n <?xml version="1.0"?><{root} xmlns="urn:x"><ETag>"a-1"</ETag></{root}>'.encode())
    with pytest.raises(StationFailed, match="InternalError"):
        words.read_completed(b"<Error><Code>InternalError</Code></Error>")


def test_parts_are_read_with_their_order_and_their_next_page() -> None:
    part = "<Part><PartNumber>{}</PartNumber><Size>5</Size><ETag>&quot;e{}&quot;</ETag></Part>"
    page = "<ListPartsResult><IsTruncated>{}</IsTruncated>{}</ListPartsResult>"
    two = part.format(1, 1) + part.format(2, 2)
    assert words.read_parts(page.format("true", two).encode()) == (
        [words.Part(1, 5, "e1"), words.Part(2, 5, "e2")],
        2,
    )
    assert words.read_parts(page.format("false", "").encode()) == ([], None)
    for odd in (
        page.format("true", ""),
        page.format("false", part.format(2, 2) + part.format(1, 1)),
        page.format("false", part.format(1, 1) * 2),
        page.format("false", part.format("x", 1)),
        page.format("false", part.format(1, "&lt;")),
        "<Other/>",
    ):
        with pytest.raises(StationFailed):
            words.read_parts(odd.encode())


@pytest.mark.requirement("R41")
def test_credentials_come_from_a_file_that_only_its_owner_may_read(tmp_path: Path) -> None:
    path = tmp_path / "secret"

    def write(text: str, mode: int = 0o600) -> Path:
        path.write_text(text)
        path.chmod(mode)
        return path

    assert load_access_key(write("ID\nSECRET\n")) == AccessKey("ID", "SECRET")
    assert "SECRET" not in repr(load_access_key(path))
    assert load_tus_pass(write("bearer abc.def\n")).headers == {"Authorization": "Bearer abc.def"}
    assert load_tus_pass(write("basic user word\n")).headers == {"Authorization": "Basic dXNlcjp3b3Jk"}
    for text, mode, told in (
        ("ID\nSECRET\n", 0o640, "chmod 600"),
        ("ID\n", 0o600, "two lines"),
        ("ID\nSEC RET\n", 0o600, "two lines"),
        ("ID\nSEC\x07RET\n", 0o600, "plain ASCII"),
        ("x" * 10_000, 0o600, "plain ASCII"),
    ):
        with pytest.raises(BadConfig, match=told):
            load_access_key(write(text, mode))
    for text in ("", "bearer\n", "basic user\n", "basic us:er word\n", "digest a b\n", "bearer a\nbearer b\n"):
        with pytest.raises(BadConfig, match="one line"):
            load_tus_pass(write(text))
    path.unlink()
    with pytest.raises(BadConfig, match="cannot be read"):
        load_access_key(path)
