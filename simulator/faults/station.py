"""Faults of the docking station: it refuses, is silent, lies, forgets, or dies while it stores (R6, R30, R34, R38)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from simulator.faults.fault import Amount, Fault
from simulator.lies import Wrong

if TYPE_CHECKING:
    from simulator.world import World

_KEEP: Final = "delete nothing and keep the file, tell the fleet, try again later; other files do not wait"
_WHOLE: Final = "delete nothing, keep all files, end the visit and tell the fleet; come back later"
_FORGED: Final = "refuse the receipt, delete nothing and tell the fleet"
_STRANGER: Final = "send it not one byte of evidence, tell the fleet, and try again later"


def _lie(name: str, requirement: str, does: str, must: str, what: Wrong, **more: Any) -> Fault:
    """A lie that lasts; several may last beside each other, the first that fits is told."""
    name = f"station.{name}"

    def begin(world: World, _: float | None) -> None:
        world.station.lie(what, label=name, **more)

    def end(world: World) -> None:
        world.station.honest(name)

    return Fault(name, requirement, does, must, begin, end)


def _refusal(status: int, does: str, must: str) -> Fault:
    return _lie(f"status_{status}", "R30", f"{does} ({status})", must, "status", status=status)


def _busy(world: World, amount: float | None) -> None:
    world.station.lie("status", status=503, retry_after_s=round(amount or 0), label="station.status_503")


def _not_busy(world: World) -> None:
    world.station.honest("station.status_503")


def _dies(world: World, _: float | None) -> None:
    world.station.lie("killed", times=1)


FAULTS: Final = (
    _refusal(400, "it calls every announced file nonsense",
             "tell the fleet once, keep the file, leave the station in peace"),
    _refusal(401, "it knows nobody", _WHOLE),
    _refusal(402, "it wants to be paid", _WHOLE),
    _refusal(403, "it forbids every announced file", _WHOLE),
    _refusal(404, "it knows no uploads", _WHOLE),
    _refusal(500, "it fails at every announced file", _WHOLE),
    Fault(
        "station.status_503", "R30", "it has no time, and says when to come again (503)",
        "leave it alone for so long, keep all files and count none as failed", _busy, _not_busy,
        Amount("s", 1, 0, 3600),
    ),
    _lie("status_507", "R30", "its disk is full in the middle of an upload (507)",
         "delete nothing, tell the fleet, wait, and go on where it stood when there is room",
         "status", status=507, at="bytes"),
    _lie("time_out", "R30", "it takes every announcement and never answers",
         "give it up after the agent's time-out, keep all files, try again later", "silent"),
    _lie("torn_receipt", "R38", "every receipt breaks off in the middle", _WHOLE, "torn", at="receipt"),
    _lie("redirect", "R6", "it sends the camera's bytes to another address",
         "follow no redirect, delete nothing and tell the fleet", "redirect", at="bytes"),
    _lie("early_200", "R38", "it says 200 to an announcement and takes nothing", _WHOLE, "status", status=200),
    _lie("ack_lost", "R38", "it acknowledges bytes and loses them",
         "ask how much is there, and send the lost bytes again", "ack_lost"),
    _lie("incomplete", "R38", "it confirms whole files whose end it does not have (Nashville)", _FORGED, "incomplete"),
    _lie("no_receipt", "R34", "it stores, and never gives a receipt", _KEEP, "status", status=404, at="receipt"),
    _lie("wrong_hash", "R38", "its receipts name another digest than the file's", _FORGED, "wrong_hash"),
    _lie("wrong_length", "R38", "its receipts name a file that is one byte shorter", _FORGED, "wrong_length"),
    _lie("other_camera", "R38", "its receipts name another camera", _FORGED, "other_camera"),
    _lie("replayed", "R38", "its receipts are those of an earlier file", _FORGED, "replayed"),
    _lie("garbage", "R38", "its receipts are no receipts", _FORGED, "garbage", at="receipt"),
    _lie("expired", "R38", "its receipts are signed with a key whose certificate has run out", _FORGED, "expired"),
    _lie("other_agency", "R38", "its receipts are signed by another agency's station", _FORGED, "other_agency"),
    _lie("other_role", "R38", "its receipts are signed with a key that may not sign receipts", _FORGED, "other_role"),
    _lie("not_valid", "R38", "it finds every file not valid, and says so in a signed receipt",
         "keep the file, tell the fleet once that somebody must look, leave the station in peace", "not_valid"),
    _lie("wrong_system", "R6", "its greeting names another evidence system", _STRANGER, "wrong_system"),
    _lie("greeting_expired", "R6", "its greeting is signed with a certificate that has run out", _STRANGER,
         "greeting_expired"),
    _lie("greeting_foreign", "R6", "its greeting is signed by another agency's station", _STRANGER, "greeting_foreign"),
    Fault(
        "station.killed_storing", "R38", "it is killed when the last byte of a file has come, and started again",
        "delete nothing; greet it again, and get a receipt for every byte", _dies,
    ),
)  # fmt: skip
"""Every fault of the station."""
