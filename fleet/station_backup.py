"""A docking station's memory, saved and brought back onto another machine (R38, R40; docs/keys/station.md).

In it: station.toml with every file that it names (keys too), custody ledger, witnesses, greetings, people, holds,
proofs, labels, and the receipts and timestamps of its store. *Not* in it: evidence; the store has a backup, a bucket or
an archive of its own.

1. It is sealed to the vaults and signed by the station's receipt key (`fleet.sealed_archive`).
2. **No receipt comes back into the store.** A receipt says "I have it"; a store that lost the file must not say so, or
   the camera would delete the last copy (invariant 8). Old receipts are laid aside, as the proofs of time that they
   are. The station reads what its store really holds, and signs anew.
3. Everything comes into one new directory; nothing is overwritten. The station enters the restoration into its custody
   ledger at its first start (``restored.json``).
"""

from __future__ import annotations

import io
import json
import re
import sqlite3
import tarfile
import tempfile
import tomllib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any, Final

from evidence import durable
from evidence.keys import VaultKey, load_certificates, load_signer
from evidence.sealed import Recipient
from evidence.settings import read_toml
from evidence.trust import Trust
from fleet.authority_store import toml_string
from fleet.errors import BadBackup
from fleet.sealed_archive import Archived, ArchiveWriter, open_archive

_PAPERS: Final = (".p7s", ".tsr")
_LEFT_OUT: Final = frozenset({"incoming", "quarantine", "store", "archive", "multipart.db", "relay.db"})
"""Evidence, uploads under way, and tables about files that another machine may not have."""
_MADE_ANEW: Final = frozenset({"recordings.sqlite", "index.sqlite"})
_FILE_BYTES: Final = 1024 * 1024
"""Largest file that station.toml names and the backup takes."""
_SQLITE: Final = b"SQLite format 3\0"
_DIRECTORY: Final = re.compile(r"""(?m)^(directory\s*=\s*)(?:"[^"\n]*"|'[^'\n]*')""")
_MOST_FILES: Final = 5_000_000


def back_up(config: Path, recipients: list[Path], out: Path) -> Archived:
    """Save a station, running or not. Durable. Raises `FleetError`, `EvidenceError`, OSError."""
    values = read_toml(config)
    base = config.resolve().parent
    try:
        signer = load_signer(str(base / values["receipts"]["key"]), base / values["receipts"]["certificate"])
        directory, names = base / values["directory"], (values["station"], values["system_id"])
    except (KeyError, TypeError) as error:
        raise BadBackup(f"{config} is no station.toml: {error} is missing") from error
    sealed_to = [Recipient.of(load_certificates(path)[0]) for path in recipients]
    aside = out.with_name(f".{out.name}.part")
    if out.exists():
        raise BadBackup(f"{out} exists, and backups are never overwritten")
    aside.unlink(missing_ok=True)  # of a run that was cut off
    with ArchiveWriter(aside, sealed_to) as writer:
        sink: Any = writer  # tarfile asks only for write()
        with tarfile.open(fileobj=sink, mode="w|gz") as tar, tempfile.TemporaryDirectory(dir=out.parent) as scratch:
            _add(tar, "station.toml", config.read_bytes())
            named = dict(enumerate(sorted(_files_named(values, base, directory))))
            _add(tar, "named.json", json.dumps({str(number): name for number, name in named.items()}).encode())
            for number, name in named.items():
                _add(tar, f"named/{number}", (base / name).read_bytes())
            for path in _memory(directory):
                _add_path(tar, f"directory/{path.relative_to(directory)}", path, Path(scratch))
        said = writer.finish(signer, *names)
    durable.rename(aside, out)
    return said


def _files_named(values: Any, base: Path, directory: Path) -> Iterator[str]:
    """Strings in the settings that are files of this machine: certificates, keys, credentials, lists."""
    if isinstance(values, dict):
        values = list(values.values())
    if isinstance(values, list):
        for one in values:
            yield from _files_named(one, base, directory)
    elif isinstance(values, str) and values and "\0" not in values and len(values) < 4096:
        path = base / values
        if path.is_file() and path.stat().st_size <= _FILE_BYTES and not path.is_relative_to(directory):
            yield values


def _memory(directory: Path) -> Iterator[Path]:
    """Files of the station's directory that are no evidence."""
    for path in sorted(directory.rglob("*")):
        top = path.relative_to(directory).parts[0]
        paper = top == "store" and path.name.endswith(_PAPERS)
        if path.is_symlink() or not path.is_file() or (top in _LEFT_OUT and not paper):
            continue
        if path.name in _MADE_ANEW or path.name.endswith((".lock", "-wal", "-shm", ".tmp")):
            continue
        yield path


def _add(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    info = tarfile.TarInfo(name)
    info.size, info.mode = len(data), 0o600
    tar.addfile(info, io.BytesIO(data))


def _add_path(tar: tarfile.TarFile, name: str, path: Path, scratch: Path) -> None:
    """One file as it is now: a database as one state of it, a growing file up to where it reached."""
    try:
        with path.open("rb") as file:
            if file.read(len(_SQLITE)) == _SQLITE:
                path = _snapshot(path, scratch / "copy.sqlite")
        with path.open("rb") as file:
            info = tarfile.TarInfo(name)
            info.size, info.mode, info.mtime = path.stat().st_size, 0o600, int(path.stat().st_mtime)
            tar.addfile(info, file)
    except FileNotFoundError:  # the station took it away meanwhile: an old greeting, say
        return


def _snapshot(path: Path, copy: Path) -> Path:
    copy.unlink(missing_ok=True)
    source = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=30)
    target = sqlite3.connect(copy)
    try:
        source.backup(target)
        target.execute("PRAGMA journal_mode=DELETE")
    except sqlite3.Error as error:
        raise BadBackup(f"{path} cannot be copied: {error}") from error
    finally:
        target.close()
        source.close()
    return copy


def restore(backup: Path, out: Path, vault: Path, key: VaultKey, root: Path) -> Archived:
    """Bring a station into a new directory. Raises `FleetError`, `EvidenceError`, OSError."""
    if out.exists() and any(out.iterdir()):
        raise BadBackup(f"{out} is not empty, and nothing is overwritten: give a new directory")
    out.mkdir(parents=True, exist_ok=True, mode=0o700)
    with tempfile.TemporaryFile(dir=out) as plain:
        said = open_archive(backup, plain, load_certificates(vault)[0], key, Trust.load(root))
        plain.seek(0)
        try:
            _unpack(plain, out)
        except tarfile.TarError as error:
            raise BadBackup(f"{backup} cannot be unpacked: {error}") from error
    _settle(out, said)
    return said


def _unpack(plain: Any, out: Path) -> None:
    with tarfile.open(fileobj=plain, mode="r|gz") as tar:
        for count, info in enumerate(tar):
            name = PurePosixPath(info.name)
            if not info.isreg() or name.is_absolute() or ".." in name.parts or count > _MOST_FILES:
                raise BadBackup(f"the backup holds {info.name!r}, which no station saves")
            if name.parts[:2] == ("directory", "store"):  # rule 2
                name = PurePosixPath("directory", "restored-papers", *name.parts[2:])
            path = out / name
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            file = tar.extractfile(info)
            assert file is not None
            with durable.AppendFile.create(path, mode=0o600) as target:
                while block := file.read(2**20):
                    target.append([block])


def _settle(out: Path, said: Archived) -> None:
    """station.toml with the new places, and what the station shall enter into its ledger."""
    named: dict[str, str] = json.loads((out / "named.json").read_bytes())
    text = (out / "station.toml").read_text("utf-8")
    wanted = tomllib.loads(text)
    places = {name: str((out / "named" / number).resolve()) for number, name in named.items()}
    directory = str((out / "directory").resolve())
    for name, place in places.items():
        for quoted in (toml_string(name), f"'{name}'"):
            text = text.replace(quoted, toml_string(place))
    text = _DIRECTORY.sub(lambda found: found[1] + toml_string(directory), text, count=1)
    if tomllib.loads(text) != _moved(wanted, places) | {"directory": directory}:
        raise BadBackup(f"{out / 'station.toml'}: write the new places into it by hand: {places}")
    (out / "directory").mkdir(exist_ok=True, mode=0o700)
    told = {"backup_of": said.at, "sha256": said.sha256, "station": said.station}
    durable.write_new(out / "directory" / "restored.json", json.dumps(told).encode(), mode=0o600)
    durable.replace(out / "station.toml", text.encode(), mode=0o600)


def _moved(values: Any, places: dict[str, str]) -> Any:
    if isinstance(values, dict):
        return {key: _moved(one, places) for key, one in values.items()}
    if isinstance(values, list):
        return [_moved(one, places) for one in values]
    return places.get(values, values) if isinstance(values, str) else values
