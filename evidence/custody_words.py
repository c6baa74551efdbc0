"""Entries of the custody ledger in plain sentences. Pure.

An entry that has no words here is told as it stands, never left out.
"""

from __future__ import annotations

import re
from typing import Any, Final

from evidence.custody_ledger import CustodyEntry

_HASH: Final = re.compile("[0-9a-f]{64}", re.ASCII)
_SENTENCES: Final[dict[str, str]] = {
    "received": "all {bytes} bytes have come in from {from}",
    "stored": "stored in {store} as {stored}, and read back with the same digest",
    "not_stored_whole": "stored in {store} as {stored}, but what was read back differs",
    "conflict": "another file of that name was there already; this one is kept as {stored}",
    "receipt": "receipt signed, verdict {verdict}, SHA-256 of the receipt {receipt}",
    "not_valid": "does not verify: {findings}",
    "timestamped": "the timestamp authority's token is beside it, SHA-256 {token}",
    "sent": "told to be in the store {store}, {bytes} bytes; nothing is deleted for that",
    "proof_wanted": "waits for the vault holder's proof that it opens ({why})",
    "proof_taken": "the vault's holder {holder} has proven that all {objects} objects open",
    "proof_given": "the camera's recorder has the vault proof {proof}",
    "proof_refused": "the camera's recorder refused the vault proof {proof}: {why}",
    "kept_on_camera": "the camera keeps it ({verdict}): {reason}",
    "aside_kept": "no evidence: an object beside it, {bytes} bytes, is kept as {kept_as}",
    "archived": "stored in the archive {store} as {stored}, and read back with the same digest, verdict {verdict}",
    "archive_differs": "the archive {store} gave back other bytes; they should have the digest {should_be}",
    "waits_for_archive": "in {store} as {stored}; its receipt waits for the archive {archive}",
    "archive_lost": "no longer in the archive {store} as {stored}; passed on again",
    "store_differs": "{why}",
    "own_copy_removed": "the station's own copy was removed; {archive} holds it as {archived_as}",
    "foreign_missing": "not in {store}, where the camera said it sent it",
    "foreign_differs": "{store} gave back something else than the camera said it sent: {why}",
    "hold": "put on hold ({kind}): {reason}",
    "released": "hold ended: {reason}",
    "hold_sent": "the camera has taken the order to keep it",
    "hold_refused": "the camera refused the order to keep it: {error}",
    "release_sent": "the camera has taken the word that the hold is over",
    "release_refused": "the camera refused the word that the hold is over: {error}",
    "labelled": "labelled, {what}: {value}",
    "accepted": "supervisor {supervisor} lets it leave the camera although it does not verify: {reason}",
    "quarantined": "taken into quarantine as {stored}: {findings}",
    "exported": "opened with the vault's key by {user} at {opened_at} ({verb}), {objects} objects, {outcome}",
    "handed_off": "handed off to {to}, manifest {manifest}",
    "checkout": "handed out to {officer}",
    "checkin": "given back by {officer}",
    "checkout_refused": "no camera was handed to {officer}: {why}",
    "checkout_expired": "the assignment to {officer} did not reach the camera in time: it is free again",
    "checkout_cancelled": "not taken by {officer} after all",
    "assigned": "the camera's recorder has {officer} signed in",
    "assign_refused": "the camera's recorder refused to sign {officer} in: {why}",
    "withheld": "kept back from checkout: {reason}",
    "put_back": "may be handed out again",
    "profile_given": "took policy profile version {version}",
    "profile_refused": "refused policy profile version {version}: {why}",
    "clock_off": "its clock is off by {offset_ms} ms, known to {uncertainty_ms} ms; allowed are {limit_ms} ms",
    "clock_good": "its clock is right again, off by {offset_ms} ms",
    "update_taken": "takes release {version}",
    "update_refused": "refused release {version}: {why}",
    "update_staged": "has release {version} whole and verified, ready to be installed",
    "update_installed": "installed release {version}, to be tried at the next restart in the dock",
    "update_confirmed": "runs release {version}, which has proven itself",
    "update_rolled_back": "went back from release {version}: {why}",
    "update_failed": "could not take release {version}: {why}",
    "command_handed": "{command} of {signer} waits for the camera",
    "people_changed": "the registry of people: {person} {what}",
    "retention": "kept until {until}",
    "lost": "the camera is reported lost: {reason}",
    "stolen": "the camera is reported stolen: {reason}",
    "found": "the camera is found and may be used again: {reason}",
    "reconciled": "the logs of {cameras} cameras were held against the store",
    "restored": "this station was restored from the backup of {backup_of}",
    "ledger_cut": "a write to this ledger was cut off: {bytes} bytes were set aside as {kept}",
    "ledger_broken": "this ledger was found damaged behind entry {after}, and goes on here: {why}",
    "ledger_behind": "this ledger ends before what was known of it: entries up to {known} are missing",
}


def sentence(entry: CustodyEntry) -> str:
    """What was done, without when and by whom."""
    form = _SENTENCES.get(entry.step)
    details: dict[str, str] = dict(entry.details)
    if form is not None:
        try:
            told = form.format_map({key: _short(value) for key, value in details.items()})
        except KeyError:
            told = entry.step.replace("_", " ")
        used = {key for key in details if "{" + key + "}" in form} if told != entry.step.replace("_", " ") else set()
    else:
        told, used = entry.step.replace("_", " "), set()
    rest = ", ".join(f"{key.replace('_', ' ')} {_short(value)}" for key, value in details.items() if key not in used)
    return f"{told} ({rest})" if rest else told


def _short(value: str) -> str:
    """A hash by its first digits; `values` has all of it."""
    return f"{value[:12]}…" if _HASH.fullmatch(value) else value


def line(entry: CustodyEntry) -> str:
    """One entry for a person: when, who, what."""
    about = entry.name or entry.serial or ""
    return f"{entry.at[:23].replace('T', ' ')}  {entry.who}  {about + ': ' if about else ''}{sentence(entry)}"


def values(entry: CustodyEntry, digest: str | None = None) -> dict[str, Any]:
    """One entry for programs."""
    found: dict[str, Any] = {
        "seq": entry.seq,
        "at": entry.at,
        "step": entry.step,
        "who": entry.who,
        "software": entry.software,
        "serial": entry.serial,
        "name": entry.name,
        "sha256": entry.sha256,
        "details": dict(entry.details),
        "sentence": sentence(entry),
    }
    return found if digest is None else {**found, "entry_sha256": digest}
