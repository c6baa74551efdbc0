"""The words of `firsthand-device`: its verbs, their arguments, and the request that each sends to the daemon.

No verb plays, exports or deletes evidence: there is no request for it either (R1, R39).
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Final

from device.board_verbs import add_board_verbs
from device.errors import DeviceError
from evidence.limits import COMMAND_BYTES
from evidence.requests import (
    CategoryRequest,
    CommandRequest,
    EventsRequest,
    FactsRequest,
    LabelRequest,
    MarkRequest,
    ReportRequest,
    Request,
    SelfTestRequest,
    StatusRequest,
    StopReasonRequest,
    TriggerRequest,
)
from evidence.usage import UsageParser

USUAL_SOCKET: Final = "/run/firsthand/device.sock"
FACTS: Final = {
    "usage": "show this shift in numbers: recordings, triggers, mutes, gaps, late starts",
    "queue": "show what waits for a supervisor: malfunctions, failures to record",
    "power": "show battery and heat, as the camera judges them",
    "storage": "show the card: room, hours left, what waits for a receipt",
}


def parser_of() -> UsageParser:
    """The whole command line."""
    parser = UsageParser(
        prog="firsthand-device",
        description="The camera daemon: self-test, triggers, and signed, sealed recordings.",
        epilog="Example: firsthand-device run --config /etc/firsthand/device.toml",
    )
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB", parser_class=UsageParser)
    run = verbs.add_parser("run", help="run the daemon until SIGTERM")
    check = verbs.add_parser("check-config", help="check device.toml and the policy profile, and say what is wrong")
    for one in (run, check):
        one.add_argument("--config", type=Path, required=True, metavar="FILE", help="device.toml")
        one.add_argument(
            "--allow-simulated",
            action="store_true",
            help="allow drivers of the simulator; needs a simulated certificate, and nothing it records is evidence",
        )
    check.add_argument("--draft", type=Path, metavar="FILE.toml", help="a profile to check before it is signed")
    check.add_argument("--json", action="store_true", help="machine-readable output")
    run.add_argument("--log-level", choices=("debug", "info", "warning", "error"), default="info")
    _add_asking(verbs)
    _add_telling(verbs)
    add_board_verbs(verbs)
    doctor = verbs.add_parser("doctor", help="pack a support bundle: no evidence, no position, no key, no officer")
    doctor.add_argument("--config", type=Path, required=True, metavar="FILE", help="device.toml")
    doctor.add_argument("--out", type=Path, required=True, metavar="FILE.tar.gz", help="a new file")
    return parser


def _verb(verbs: argparse._SubParsersAction[UsageParser], name: str, text: str) -> UsageParser:
    verb = verbs.add_parser(name, help=text)
    socket = Path(os.environ.get("FIRSTHAND_SOCKET", USUAL_SOCKET))
    said = f"the daemon's Unix socket (default: $FIRSTHAND_SOCKET, else {USUAL_SOCKET})"
    verb.add_argument("--socket", type=Path, default=socket, metavar="PATH", help=said)
    verb.add_argument("--json", action="store_true", help="machine-readable output")
    return verb


def _add_asking(verbs: argparse._SubParsersAction[UsageParser]) -> None:
    _verb(verbs, "status", "show what the camera is doing")
    test = _verb(verbs, "selftest", "run the self-test and show each check; exit code 2 if it blocks the camera")
    test.add_argument(
        "--clip", action="store_true", help="with the test clip, in which the officer says name and badge"
    )
    test.add_argument(
        "--extended", action="store_true", help="the supervisor's inspection: asks for each line and lamp"
    )
    test.add_argument("--supervisor", metavar="NAME", help="who inspects; needed with --extended")
    events = _verb(verbs, "events", "follow what happens until Ctrl-C; with --json a JSON line each")
    events.add_argument("--follow", action="store_true", help="as without it: events are always followed")
    for name, text in FACTS.items():
        _verb(verbs, name, text)


def _add_telling(verbs: argparse._SubParsersAction[UsageParser]) -> None:
    trigger = _verb(verbs, "trigger", "pull a message trigger, as a weapon's radio or a peer does")
    trigger.add_argument("name", help="an input whose source is `message` in device.toml")
    trigger.add_argument("--incident", metavar="ID", help="the incident of the peer that announced its start")
    _verb(verbs, "mark", "put a marker into the running recording")
    reason = _verb(verbs, "stop-reason", "say why the officer stops, while the camera waits for it")
    reason.add_argument("code", help="one of the ten codes of D.3.a, for instance `private_conversation`")
    reason.add_argument("--supervisor", choices=("consulted", "not_possible"), help="was a supervisor consulted?")
    category = _verb(verbs, "category", "give a recording a category; it is appended, never an edit")
    category.add_argument("category", help="a category of the profile, for instance `use_of_force`")
    label = _verb(verbs, "label", "append a case or CAD number, a note, or a hold to a recording")
    label.add_argument("label", choices=("case", "cad", "note", "hold"))
    label.add_argument("text", help="the number, the note, or why it is held")
    for one in (category, label):
        one.add_argument(
            "--recording", metavar="STEM", help="a closed recording, SIM-0001-000001 say; default: running"
        )
    report = _verb(verbs, "report", "report a malfunction, damage or loss to the supervisor")
    report.add_argument("component", help="what it is about: `microphone`, `lens`, `mount` …")
    report.add_argument("symptom", help="what you saw, in a sentence")
    command = _verb(verbs, "command", "hand over a signed command (firsthand-fleet sign-command)")
    command.add_argument("file", type=Path, metavar="FILE.p7s")


def request_of(arguments: argparse.Namespace) -> Request:
    """The request that a verb sends. Raises `DeviceError` if what the person gave cannot be sent."""
    match arguments.verb:
        case "status":
            return StatusRequest()
        case "selftest":
            return SelfTestRequest(clip=arguments.clip, extended=arguments.extended, supervisor=arguments.supervisor)
        case "events":
            return EventsRequest()
        case "mark":
            return MarkRequest()
        case "trigger":
            return TriggerRequest(name=arguments.name, incident=arguments.incident)
        case "stop-reason":
            return StopReasonRequest(code=_word(arguments.code), supervisor=arguments.supervisor)
        case "category":
            return CategoryRequest(category=_word(arguments.category), recording=arguments.recording)
        case "label":
            return LabelRequest(label=arguments.label, text=arguments.text, recording=arguments.recording)
        case "report":
            return ReportRequest(component=_word(arguments.component), symptom=arguments.symptom)
        case "command":
            return CommandRequest(command=_document(arguments.file))
        case _:
            return FactsRequest(about=arguments.verb)


def _word(text: str) -> str:
    """What a person types, "Use of force" say, as the format's word."""
    return "_".join(text.lower().replace("-", " ").split())


def _document(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(COMMAND_BYTES + 1)
    except OSError as error:
        raise DeviceError(f"{path}: cannot be read: {error.strerror}") from error
    if len(data) > COMMAND_BYTES:
        raise DeviceError(f"{path}: larger than a command can be")
    return data
