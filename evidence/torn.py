"""What a power cut leaves of an append that nobody was told of, at the end of a file of signed statements.

A disk keeps of a write that was not flushed any of its sectors. The file may already have its new length, and where a
sector is missing it holds zeros (ext4 and XFS; measured with simulated power cuts, docs/design/power-cut.md). So the
end of the file may be the beginning of a statement, zeros, or statements with holes of zeros. No statement that was
written whole has such a hole, and nothing stands behind an append that was cut.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from evidence import der, durable
from evidence.durable import AppendFile
from evidence.errors import MalformedDer
from evidence.limits import SIGNED_DOCUMENT_BYTES

SECTOR: Final = 512
"""The least that a disk keeps or loses, in bytes."""
_READ_BYTES: Final = SIGNED_DOCUMENT_BYTES + 1
"""As much of the end of a file is enough to judge it, unless it is zeros."""


def is_torn_at(path: Path, offset: int, append_bytes: int = 0) -> bool:
    """Whether what stands in a file from `offset` on is torn (see `is_torn`). Raises OSError."""
    with path.open("rb") as file:
        file.seek(offset)
        rest = file.read(_READ_BYTES)
        if rest.strip(b"\0"):
            return is_torn(rest, offset, append_bytes)
        left = path.stat().st_size - offset - len(rest)
        while left > 0 and (more := file.read(min(left, _READ_BYTES))):
            if more.strip(b"\0"):
                return False  # whatever stands behind so many zeros was written after them
            left -= len(more)
    return True


def is_torn(rest: bytes, offset: int, append_bytes: int = 0) -> bool:
    """Whether a power cut can have left these last bytes of a file, which begin at `offset`, of one append.

    An append is one statement, or several of at most `append_bytes` together: what lies further back was made durable
    before, and is damaged.
    """
    if not rest.strip(b"\0"):
        return True
    size = _size(rest, offset)
    if size is not None and len(rest) < size <= SIGNED_DOCUMENT_BYTES:
        return True
    most = (append_bytes or SIGNED_DOCUMENT_BYTES) if size is None else max(size, append_bytes)
    return len(rest) <= most and _has_hole(rest, offset)


def _size(rest: bytes, offset: int) -> int | None:
    """Of the first statement, as its first bytes tell it; None if these were lost, or tell nothing."""
    head = rest[: der.MAX_HEADER_BYTES]
    if _has_hole(head, offset):
        return None
    try:
        found = der.read_header(head)
    except MalformedDer:
        return None
    return SIGNED_DOCUMENT_BYTES if found is None else found[1] + found[2]


def _has_hole(rest: bytes, offset: int) -> bool:
    """Whether what the bytes have of some sector is nothing but zeros."""
    begin = -(offset % SECTOR)
    pieces = (rest[max(0, at) : at + SECTOR] for at in range(begin, len(rest), SECTOR))
    return any(not piece.strip(b"\0") for piece in pieces)


def set_aside(file: AppendFile, size: int) -> tuple[str, bytes]:
    """Keep what stands behind the first `size` bytes in a file beside it, and cut it off, durably.

    The name of that file, and the bytes. Raises OSError.
    """
    with file.path.open("rb") as read:
        read.seek(size)
        rest = read.read()
    kept = f"{file.path.name}.cut-{size}"
    durable.replace(file.path.with_name(kept), rest)
    file.truncate(size)
    return kept, rest
