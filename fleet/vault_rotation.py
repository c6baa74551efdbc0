"""Changing the vaults of a camera without losing a recording: first beside the old one, then without it (R34, R41).

1. A vault is added only after its key has opened a fresh object.
2. One is taken out only if every one that stays opens, and two independent ones stay.
3. Only the list `keys.vault` of device.toml is changed, in one durable step, and only if nothing else in the file
   changes its meaning.
4. The old key is kept: it opens what was sealed to it, for as long as that is kept.
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any, Final

from evidence import durable
from evidence.errors import BadKey
from evidence.keys import load_certificates
from evidence.limits import RECIPIENTS
from evidence.settings import BadSettings, read_toml
from fleet import escrow
from fleet.authority_store import fingerprint, toml_string
from fleet.errors import KeyAtRisk

_LIST: Final = re.compile(r"(?P<before>(?:^|[\s,{.])vault\s*=\s*)\[[^\[\]]*\]", re.MULTILINE)


def add(config: Path, certificate: Path, keys: list[str], passphrase: bytes | None) -> None:
    """Seal to one more vault from the next start on. Raises `FleetError`, `EvidenceError`, OSError."""
    paths = escrow.recipients_of(config)
    (mine,) = escrow.check([certificate], keys, passphrase)
    if mine.proven is None:
        raise KeyAtRisk(f"the key of {certificate} did not open a fresh object: nothing is sealed to it before it does")
    if any(_same(path, certificate) for path in paths):
        raise BadKey(f"{config} names {certificate} already")
    if len(paths) >= RECIPIENTS:
        raise BadKey(f"{config} names {RECIPIENTS} vaults already: retire one first")
    _write(config, [*_names(config), _relative(config, certificate)])


def retire(
    config: Path,
    certificate: Path,
    keys: list[str],
    passphrase: bytes | None,
    *,
    codes: list[str],
    challenge: Path | None,
    accepted: bool,
) -> None:
    """Seal to one vault less from the next start on. Raises `FleetError`, `EvidenceError`, OSError."""
    paths = escrow.recipients_of(config)
    stay = [path for path in paths if not _same(path, certificate)]
    if len(stay) == len(paths):
        raise BadKey(f"{config} does not name {certificate}")
    wrong = (
        escrow.sentences(escrow.check(stay, keys, passphrase, codes, challenge)) if stay else ["no vault would stay"]
    )
    if wrong and not (accepted and stay and all(word.startswith("only 1") for word in wrong)):
        raise KeyAtRisk("not retired, evidence would be at risk: " + "; ".join(wrong))
    names = [name for name, path in zip(_names(config), paths, strict=True) if path in stay]
    _write(config, names)


def _same(one: Path, other: Path) -> bool:
    return fingerprint(load_certificates(one)[0]) == fingerprint(load_certificates(other)[0])


def _names(config: Path) -> list[str]:
    names: list[str] = read_toml(config)["keys"]["vault"]
    return names


def _relative(config: Path, path: Path) -> str:
    base, there = config.resolve().parent, path.resolve()
    return str(there.relative_to(base)) if there.is_relative_to(base) else str(there)


def _write(config: Path, names: list[str]) -> None:
    text = config.read_text("utf-8")
    wanted: dict[str, Any] = read_toml(config)
    wanted["keys"]["vault"] = names
    array = "[" + ", ".join(toml_string(name) for name in names) + "]"
    for found in _LIST.finditer(text):
        changed = text[: found.start()] + found["before"] + array + text[found.end() :]
        try:
            fits = tomllib.loads(changed) == wanted
        except tomllib.TOMLDecodeError:
            continue
        if fits:
            durable.replace(config, changed.encode(), mode=config.stat().st_mode & 0o777)
            return
    raise BadSettings(f"{config}: write keys.vault = {array} into it by hand: its form is too unusual for this tool")
