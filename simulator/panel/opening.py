"""Open a recording that is at the station, as the agency would: export it with the real tool, and verify each layer.

The work is done by programs of their own, started and watched on the world's thread. The panel reads what they say.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import av

from evidence.errors import EvidenceError
from evidence.export import content_credentials
from evidence.gpmf import parse_gps_sample
from evidence.trust import Trust
from simulator.layout import RunLayout
from simulator.panel.track import metres
from simulator.processes import Child, Children, python_module
from simulator.run_errors import WorldRefused

FORGED: Final = "forged"
"""Directory of what was changed on purpose."""


@dataclass
class _Job:
    recording: str
    forged: bool
    waiting: list[tuple[str, list[str]]] = field(default_factory=list)
    running: list[tuple[str, Child]] = field(default_factory=list)
    codes: dict[str, int] = field(default_factory=dict)


class Opening:
    """One recording after the other. `tell` gets a recording's name and what is known of it."""

    def __init__(self, layout: RunLayout, children: Children, tell: Callable[[str, dict[str, Any]], None]) -> None:
        self._layout = layout
        self._children = children
        self._tell = tell
        self._jobs: list[_Job] = []
        self._count = 0

    def open(self, recording: str) -> None:
        """Export and verify. Raises `WorldRefused` for one that is not at the station."""
        stored = self._stored(recording)
        pki, out = self._layout.pki, self._layout.export
        root = ("--root", str(pki / "root.pem"))
        vault = ("--vault-cert", str(pki / "vault.pem"), "--vault-key", str(pki / "vault.key"))
        desk = ("--sign-cert", str(pki / "export.pem"), "--sign-key", str(pki / "export.key"))
        export = ["evidence", "export", str(stored), *root, *desk, *vault, "--out", str(out), "--force"]
        media = ["evidence", "media", str(out / f"{recording}.mp4"), *root, "--json"]
        verify = ["evidence", "verify", *root, "--json", str(stored)]
        self._jobs.append(_Job(recording, False, [("verify", verify), ("export", export), ("media", media)]))
        self._tell(recording, {"step": "verifying every signature, then decrypting and exporting …"})

    def forge(self, recording: str) -> None:
        """Change one bit in the middle of a copy, and verify the copy. Raises `WorldRefused`, OSError."""
        data = bytearray(self._stored(recording).read_bytes())
        data[len(data) // 2] ^= 1
        copy = self._layout.out / FORGED / f"{recording}.evidence"
        copy.parent.mkdir(exist_ok=True)
        copy.write_bytes(data)
        root = ("--root", str(self._layout.pki / "root.pem"))
        self._jobs.append(_Job(recording, True, [("verify", ["evidence", "verify", *root, "--json", str(copy)])]))
        self._tell(recording, {"forged": {"step": "one bit of a copy is changed; the copy is verified …"}})

    def look(self) -> None:
        """Go on with the work: start what waits, read what is done."""
        if not self._jobs:
            return
        job = self._jobs[0]
        for name, child in list(job.running):
            code = child.process.poll()
            if code is not None:
                job.running.remove((name, child))
                job.codes[name] = code
        if job.running:
            return
        if job.waiting:
            name, words = job.waiting.pop(0)
            self._count += 1
            child = self._children.start(f"panel-{name}", python_module(*words), out=self._out(name))
            child.expected = True  # its end is what we wait for
            job.running.append((name, child))
            return
        self._jobs.pop(0)
        self._tell(job.recording, self._forgery() if job.forged else self._result(job))

    def _out(self, name: str) -> Path:
        return self._layout.logs / f"panel-{name}.json"

    def _stored(self, recording: str) -> Path:
        for store in self._layout.stores:
            path = store / f"{recording}.evidence"
            if path.is_file():
                return path
        raise WorldRefused(f"{recording} is not at the station: put the camera into its dock first")

    def _said(self, name: str) -> dict[str, Any]:
        try:
            said: dict[str, Any] = json.loads(self._out(name).read_bytes())
        except (OSError, ValueError):
            return {}
        return said

    def _forgery(self) -> dict[str, Any]:
        file = (self._said("verify").get("files") or [{}])[0]
        return {"forged": {"valid": bool(file.get("valid")), "findings": file.get("findings") or []}}

    def _result(self, job: _Job) -> dict[str, Any]:
        name, out = job.recording, self._layout.export
        file = (self._said("verify").get("files") or [{}])[0]
        try:
            report: dict[str, Any] = json.loads((out / f"{name}.json").read_bytes())
            points = track(out / f"{name}.mp4")
        except (OSError, ValueError, EvidenceError, av.error.FFmpegError) as error:
            return {"step": "", "problem": f"the export failed ({error}): see logs/panel-export.log", "layers": []}
        return {
            "step": "",
            "problem": "",
            "layers": layers(file, self._said("media"), report, self._credentials(out / f"{name}.mp4")),
            "video": f"/export/{name}.mp4",
            "page": f"/export/{name}.html",
            "duration_s": report["source"]["duration_s"],
            "track": points,
            "markers": [
                {"at_s": round(one["at_s"], 2), "title": one["title"]}
                for one in report["happenings"]
                if one.get("at_s") is not None
            ],
        }

    def _credentials(self, mp4: Path) -> str:
        root = Trust.load(self._layout.pki / "root.pem").root
        try:
            return content_credentials.state(mp4, root)[0]
        except EvidenceError as error:
            return str(error)


def track(mp4: Path) -> list[dict[str, float]]:
    """The positions inside the video itself (its GPMF track), each with its time in the video. Raises FFmpegError."""
    found = []
    with av.open(str(mp4)) as container:
        for stream in container.streams.data:
            if stream.metadata.get("handler_name") != "GoPro MET":
                continue
            for packet in container.demux(stream):
                if packet.size and packet.pts is not None and packet.time_base is not None:
                    for point in parse_gps_sample(bytes(packet))[0][:1]:
                        east_m, north_m = metres(point.latitude_nd / 1e9, point.longitude_nd / 1e9)
                        at_s = float(packet.pts * packet.time_base)
                        found.append({"at_s": round(at_s, 2), "east_m": east_m, "north_m": north_m})
    return found


def layers(
    file: dict[str, Any], media: dict[str, Any], report: dict[str, Any], credentials: str
) -> list[dict[str, Any]]:
    """Each layer's verdict in plain words: what it says, who judged it, whether it holds. Pure."""
    groups = media.get("groups") or []
    signed = sum(one.get("status") == "signed" for one in groups)
    custody = (report.get("custody") or [{}])[0]
    pictures = media.get("pictures") or {}
    certificate = media.get("certificate") or {}
    times = file.get("times") or {}
    lines = [
        (
            "Complete and untouched",
            bool(file.get("valid")),
            f"{file.get('statements', 0)} signed statements follow one another without a gap; "
            f"{file.get('objects', 0)} sealed parts match what was announced; the camera closed the file."
            if file.get("valid")
            else "; ".join(file.get("findings") or ["the file does not verify"]),
            "firsthand-evidence verify, without any key",
        ),
        (
            "The pictures themselves",
            bool(pictures.get("all_signed")),
            (
                f"{signed} of {len(groups)} groups of pictures carry the camera's signature inside the video "
                "(ONVIF Media Signing); it survives copying."
            ),
            "firsthand-evidence media",
        ),
        (
            "This agency's camera",
            bool(certificate.get("trusted")),
            f"Signed by {report['source']['serial']} with a certificate of this agency."
            if certificate.get("trusted")
            else str(certificate.get("reason") or "the certificate is not trusted"),
            "the certificate chain, up to the agency's root",
        ),
        (
            "Time",
            bool(times.get("claim_holds")),
            f"The camera's clock {times.get('claim', 'is unknown')}. From outside: {times.get('independent', 'none')}.",
            "the camera's claim, and the station's signature",
        ),
        (
            "Received by the station",
            bool(custody.get("holds")),
            f"{custody.get('station', 'no station')} read every byte back and signed the receipt."
            if custody.get("holds")
            else "No receipt that holds.",
            "the station's receipt",
        ),
        (
            "Nothing changed on export",
            credentials == "Trusted" and not report["exported"]["re_encoded"],
            f"Not encoded again; the export desk's Content Credentials (C2PA) are {credentials.lower()}.",
            "a C2PA reader with the agency's root",
        ),
    ]
    return [{"name": name, "holds": holds, "says": says, "judge": judge} for name, holds, says, judge in lines]
