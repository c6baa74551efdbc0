"""docs/openapi.json: OpenAPI 3.1 of all that cameras may ask a station over HTTPS, from the code's own structures.

Limits are the code's constants, bodies its structures. The tests hold the document against the routes of the real
application (tests/dock/test_openapi.py), and a foreign tool holds the real station against the document.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

import msgspec

from dock.agent.documents import Offered
from dock.bay_report import REPORT_BYTES, BayReport
from dock.station import aside_objects, documents, sent_files, update_shelf, vault_proofs
from dock.station.app import CONTACT_BYTES, ContactWords
from dock.station.tus import CHECKSUM_MISMATCH
from dock.station.tus_words import VERSION

FILE: Final = Path(__file__).with_name("openapi.json")
_REF: Final = "#/components/schemas/{name}"
_STRUCTS: Final = (
    ContactWords, BayReport, sent_files.SentWords, documents.DocumentAnswer, vault_proofs.Missing, Offered,
)  # fmt: skip
_TEXT: Final = {"text/plain": {"schema": {"type": "string", "description": "One sentence that says what to do."}}}
_WHY: Final = {
    400: "It cannot be read; nothing was changed.",
    403: "The certificate is none of a camera, or of another one; or this camera is in quarantine.",
    404: "There is no such thing for this camera.",
    405: "This address does not do that.",
    409: "The upload stands elsewhere, or is complete; the sentence says where.",
    412: f"The request does not speak tus {VERSION}.",
    413: "It is larger than the station takes.",
    415: "The body is of another type.",
    416: "Ask for one range of the bundle that is within its bounds.",
    423: "Another request works on this upload; try again later.",
    CHECKSUM_MISMATCH: "The bytes do not match their digest, or came torn; send them again.",
    503: "Too much at once: try again after the seconds of Retry-After.",
    507: "The store is full.",
}


def document() -> dict[str, Any]:
    """The whole document."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Firsthand docking station, for cameras",
            "version": "1.0.0",
            "summary": "Greeting, uploads, receipts, documents.",
            "description": "A camera's agent asks all of this; the camera's recorder has no network. Every receipt and "
            "every document is signed, and judged by the recorder itself. Requests of one camera never reach what is "
            "another's.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [
            {"url": "https://{station}", "variables": {"station": {"default": "dock.example.org:8443"}}},
        ],
        "security": [{"certificate": []}],
        "paths": {**_greeting(), **_uploads(), **_papers(), **_beside()},
        "components": {
            "schemas": _schemas(),
            "securitySchemes": {
                "certificate": {
                    "type": "mutualTLS",
                    "description": "TLS 1.3 with a client certificate of the TLS role; its serial is the camera's.",
                }
            },
        },
    }


def _greeting() -> dict[str, Any]:
    system = _closed(system_id=_string(), station=_string(), version=_string())
    time = _closed(servers={"type": "array", "items": _string()}, now=_string(), uncertainty_ms={"type": "integer"})
    return {
        "/system": {"get": _operation("Which station this is.", {200: _json("Its names.", system)}, 403)},
        "/contact": {
            "post": _operation(
                "Greet the station: it answers with a signed greeting (its nonce and its time), and notes where the "
                "camera's log stands.",
                {200: _binary("A `contact` statement, CMS.", "application/pkcs7-mime")},
                400, 403, 413,
                body=_body("ContactWords", CONTACT_BYTES, required=False),
            )
        },
        "/time": {"get": _operation("Where to get the time, and what it is here.", {200: _json("Time.", time)}, 403)},
        "/report": {
            "post": _operation(
                "What the camera's state is, for the board of bays.", {204: _empty("Noted.")}, 400, 403, 413,
                body=_body("BayReport", REPORT_BYTES),
            )
        },
    }  # fmt: skip


def _uploads() -> dict[str, Any]:
    tus = _header("Tus-Resumable", {"const": VERSION})
    offset = {"Upload-Offset": {"description": "Bytes that are durable here.", "schema": _number()}}
    receipt = {"Firsthand-Receipt": {"description": "Where the receipt is, once there is one.", "schema": _string()}}
    upload = _path("upload_id", "^[0-9a-f]{32}$")
    options = _operation("What the server can do.", {204: _empty("tus offers.")}, 403)
    patch_headers = (
        tus,
        _header("Upload-Offset", _number()),
        _header("Upload-Checksum", {"type": "string", "pattern": "^sha256 [A-Za-z0-9+/]{43}=$"}, required=False),
    )
    piece = {
        "required": True,
        "content": {"application/offset+octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    }
    patch = _operation(
        "Append bytes; the answer is given once they are durable.", {204: _empty("The new offset.", offset)},
        400, 403, 404, 409, 412, 413, 415, 423, CHECKSUM_MISMATCH, 503, 507,
        parameters=(upload, *patch_headers), body=piece,
    )  # fmt: skip
    override = _header("X-HTTP-Method-Override", {"const": "PATCH"})
    post = {
        **patch,
        "summary": "PATCH from a client that cannot say so.",
        "parameters": [*patch["parameters"], override],
    }
    post["responses"] = {**patch["responses"], "405": _refusal(405)}
    return {
        "/files": {
            "options": options,
            "post": _operation(
                "Announce a file. The same file again is the same upload.",
                {201: _empty("Made, or found.", {"Location": {"schema": _string()}, **offset, **receipt})},
                400, 403, 412, 413, 503, 507,
                parameters=(tus, _header("Upload-Length", _number(1)), _header("Upload-Metadata", _METADATA)),
            ),
        },
        "/files/{upload_id}": {
            "options": _operation(
                "The same.", {204: _empty("tus offers.")}, 403, 404, parameters=(_path("upload_id"),)
            ),
            "head": _operation(
                "How much is here.",
                {200: _empty("Where it stands.", {"Upload-Length": {"schema": _number()}, **offset, **receipt})},
                403, 404, 412,
                parameters=(upload, tus),
            ),
            "patch": patch,
            "post": post,
        },
    }  # fmt: skip


_METADATA: Final = {
    "type": "string",
    "maxLength": 4096,
    "description": "`filename` and `close_hash`, each with its value in base64, commas between (tus 1.0, creation).",
}


def _papers() -> dict[str, Any]:
    waiting = {"type": "array", "items": {"$ref": _REF.format(name="Offered")}}
    one = _path("id", "^[0-9a-f]{64}$")
    return {
        "/receipts/{stored}": {
            "get": _operation(
                "The station's receipt for a file.", {200: _binary("CMS.", "application/pkcs7-mime")}, 403, 404, 503,
                parameters=(_path("stored", "^[A-Z0-9][A-Za-z0-9.-]{0,120}$"),),
            )
        },
        "/documents": {
            "get": _operation(
                "What waits for this camera: profiles, commands, vault proofs, releases.",
                {200: _json("At once if something waits, else as soon as something does.", waiting)}, 403,
                parameters=(_header("Prefer", {"type": "string", "examples": ["wait=30"]}, required=False),),
            )
        },
        "/documents/{id}": {
            "get": _operation("One of them.", {200: _binary("CMS.", "application/octet-stream")}, 403, 404,
                              parameters=(one,))
        },
        "/documents/{id}/answer": {
            "post": _operation(
                "What the recorder said to it.", {204: _empty("Noted.")}, 400, 403, 404, 413,
                parameters=(one,), body=_body("DocumentAnswer", documents.ANSWER_BYTES),
            )
        },
    }  # fmt: skip


def _beside() -> dict[str, Any]:
    name = _path("name", r"^.{1,64}\.evidence\.(unsigned-[0-9]{1,12}\.p7|tail-[0-9]{1,16}-[0-9a-f]{12}|no-open)$")
    octets = {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}
    span = _header("Range", {"type": "string", "pattern": "^bytes=[0-9]{1,12}-[0-9]{1,12}$"})
    return {
        "/sent": {
            "post": _operation(
                "A file lies at a foreign store: the station shall read it back.", {204: _empty("It will.")},
                400, 403, 404, 409, 413, 503, body=_body("SentWords", sent_files.BODY_BYTES),
            )
        },
        "/proofs/missing": {
            "post": _operation(
                "Files that wait for a vault proof only.", {204: _empty("Noted.")}, 400, 403, 413,
                body=_body("Missing", vault_proofs.MISSING_BYTES),
            )
        },
        "/aside/{name}": {
            "put": _operation(
                f"What the camera keeps beside its evidence, at most {aside_objects.OBJECT_BYTES} bytes.",
                {201: _json("Kept.", _closed(sha256=_string()))}, 400, 403, 404, 413, CHECKSUM_MISMATCH, 507,
                parameters=(name,), body={"required": True, "content": octets},
            )
        },
        "/updates/{sha256}": {
            "get": _operation(
                f"A piece of the bundle that is offered now, at most {update_shelf.PIECE_BYTES} bytes.",
                {206: _binary("The range.", "application/octet-stream")}, 403, 404, 416,
                parameters=(_path("sha256", "^[0-9a-f]{64}$"), span),
            )
        },
    }  # fmt: skip


def _operation(
    summary: str,
    answers: dict[int, dict[str, Any]],
    *refusals: int,
    parameters: tuple[dict[str, Any], ...] = (),
    body: dict[str, Any] | None = None,
) -> dict[str, Any]:
    said = {**answers, **{status: _refusal(status) for status in refusals}}
    return {
        "summary": summary,
        **({"parameters": list(parameters)} if parameters else {}),
        **({"requestBody": body} if body is not None else {}),
        "responses": {str(status): said[status] for status in sorted(said)},
    }


def _refusal(status: int) -> dict[str, Any]:
    return {"description": _WHY[status], "content": _TEXT}


def _body(struct: str, most_bytes: int, *, required: bool = True) -> dict[str, Any]:
    return {
        "required": required,
        "description": f"At most {most_bytes} bytes.",
        "content": {"application/json": {"schema": {"$ref": _REF.format(name=struct)}}},
    }


def _json(description: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"description": description, "content": {"application/json": {"schema": schema}}}


def _binary(description: str, kind: str) -> dict[str, Any]:
    return {"description": description, "content": {kind: {"schema": {"type": "string", "format": "binary"}}}}


def _empty(description: str, headers: dict[str, Any] | None = None) -> dict[str, Any]:
    return {"description": description, **({"headers": headers} if headers else {})}


def _header(name: str, schema: dict[str, Any], *, required: bool = True) -> dict[str, Any]:
    return {"name": name, "in": "header", "required": required, "schema": schema}


def _path(name: str, pattern: str | None = None) -> dict[str, Any]:
    schema = {"type": "string", **({"pattern": pattern} if pattern is not None else {})}
    return {"name": name, "in": "path", "required": True, "schema": schema}


def _string() -> dict[str, Any]:
    return {"type": "string"}


def _number(least: int = 0) -> dict[str, Any]:
    return {"type": "integer", "minimum": least, "maximum": 10**16 - 1}


def _closed(**properties: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": sorted(properties),
        "additionalProperties": False,
    }


def _schemas() -> dict[str, Any]:
    _, schemas = msgspec.json.schema_components(_STRUCTS, ref_template=_REF)
    # Python's end of a text is ECMA 262's `$`, which is what JSON Schema means.
    found: dict[str, Any] = json.loads(json.dumps(schemas).replace(r"\\Z", "$"))
    return found


def text() -> str:
    """The file's content."""
    return json.dumps(document(), indent=2, ensure_ascii=False, sort_keys=True) + "\n"


def stale() -> bool:
    """Whether the file is not what the code says."""
    return not FILE.exists() or FILE.read_text("utf-8") != text()
