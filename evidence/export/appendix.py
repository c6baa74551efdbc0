"""The appendix "verify this yourself": commands that can be pasted, and the hashes that must come out. Pure."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import Any

from evidence.export.markup import Markup, joined, tag


def commands(values: Mapping[str, Any]) -> list[tuple[str, str]]:
    """(what it shows, commands) with openssl, sha256sum and our own verifier; each line can be pasted as it stands."""
    source = values["source"]
    name = shlex.quote(_one_line(source["name"]))
    hashes = [(source["sha256"], _one_line(source["name"]))]
    hashes += [(one["sha256"], _one_line(one["name"])) for one in values["outputs"]]
    lines = "\n".join(f"{digest}  {file}" for digest, file in hashes)
    made = [
        (
            "The files are those of this report. Every line must end in OK.",
            f"sha256sum -c <<'END'\n{lines}\nEND",
        )
    ]
    for kind, told in (
        ("open", "The camera itself signed the beginning of the recording: which camera, when, with which sources."),
        ("close", "The camera itself signed the end: nothing may follow it. Its hash fixes all before it."),
    ):
        found = [one for one in values["statements"] if one["kind"] == kind]
        if found:
            made.append((told, _statement(name, found[-1], kind)))
    serial = shlex.quote(str(source.get("serial", "")))
    ours = [f"firsthand-evidence verify {name} --root root.pem"]
    videos = [one["name"] for one in values["outputs"] if one["name"].endswith(".mp4")]
    ours += [f"firsthand-evidence media {shlex.quote(one)} --root root.pem --serial {serial}" for one in videos]
    made.append(("The whole chain from begin to end, and the signatures inside the picture.", "\n".join(ours)))
    if values["desk"]:
        report = shlex.quote(_one_line(f"{values['stem']}.json"))
        verify = f"openssl cms -verify -binary -inform DER -in {report}.p7s -CAfile root.pem -out signed.json"
        made.insert(1, ("The export desk stands by this page: it signed the report that holds its hash.",
                        f"{verify}\ncmp signed.json {report} && grep sha256 signed.json | tail -3"))  # fmt: skip
    if values["c2pa"]["signed"]:
        made.append(
            (
                "The export desk signed the MP4 as a whole (C2PA). With the agency's root a reader says Trusted.",
                "\n".join(f"c2patool {shlex.quote(one)} trust --trust_anchors root.pem" for one in videos),
            )
        )
    return made


def _one_line(name: str) -> str:
    """A file name that cannot end the line it stands in; a name that is changed by this is simply not found."""
    return "".join(one if one.isprintable() else "?" for one in name)


def _statement(name: str, statement: Mapping[str, Any], kind: str) -> str:
    cut = f"tail -c +{statement['offset'] + 1} {name} | head -c {statement['bytes']} > {kind}.p7s"
    verify = f"openssl cms -verify -binary -inform DER -in {kind}.p7s -CAfile root.pem -out {kind}.json"
    return f"{cut}\necho '{statement['sha256']}  {kind}.p7s' | sha256sum -c\n{verify}"


def appendix(values: Mapping[str, Any]) -> Markup:
    """The section as markup."""
    parts = [
        tag("h2", "Appendix: verify this yourself"),
        tag(
            "p",
            "None of this needs the agency's computers. All but the commands that begin with firsthand-evidence (which "
            "is open source) use only tools that others wrote. You need the evidence file and the files of this "
            "export in one folder, and the agency's root certificate as ",
            tag("code", "root.pem"),
            ", which you must have from the agency itself and not from beside these files. The root used here is ",
            tag("code", values["root"]["subject"]),
            ", SHA-256 of its DER form ",
            tag("code", values["root"]["sha256"]),
            ". See it with ",
            tag("code", "openssl x509 -in root.pem -noout -subject -fingerprint -sha256"),
            ".",
        ),
    ]
    for told, text in commands(values):
        parts += [tag("h3", told), tag("pre", text)]
    parts.append(
        tag(
            "p",
            "With the vault's key the script docs/verify-with-openssl.sh of the Firsthand sources checks and decrypts "
            "the whole evidence file with openssl alone. If openssl says that a certificate is not yet valid or has "
            "expired, add -attime with a moment at which it was valid, in seconds since 1970.",
            class_="quiet",
        )
    )
    return tag("section", joined(parts), class_="appendix")
