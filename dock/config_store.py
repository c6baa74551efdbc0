"""station.toml, tables of the stores: where evidence stays, and the archive behind the station."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from msgspec import Meta

from dock.config_base import Table, Text
from evidence.statements import Count, Name


class S3(Table, frozen=True, kw_only=True):
    """A bucket behind the S3 protocol. The secret stands in a file of its own, never here."""

    endpoint: Annotated[str, Meta(pattern=r"^https?://[A-Za-z0-9.\-\[\]:]{1,253}\Z")]
    """``https://HOST:PORT``; ``http`` only for a store on this machine."""
    bucket: Name
    """The bucket; it is made by the agency, with object lock if retention is to be enforced."""
    prefix: Annotated[str, Meta(pattern=r"^([A-Za-z0-9._-]{1,64}/){0,4}\Z")] = ""
    """Put before every name, with a slash at its end."""
    region: Text = "us-east-1"
    """The region that requests are signed for."""
    credentials: Path
    """A file of mode 0600 with two lines: the access key's id, and its secret."""
    ca: Path | None = None
    """PEM of the authority of the endpoint's certificate; without it the system's are consulted."""
    object_lock: Literal["off", "governance", "compliance"] = "off"
    """Retention that the store enforces, from the signed `retention_class`."""
    quota_bytes: Count = 0
    """What may lie below `prefix` in all, for a bucket that cannot say how full it is: beyond it the answer to cameras
    is 507. Counted at the start and each hour. 0 is no limit."""


class StoreSettings(Table, frozen=True, kw_only=True):
    """The station's own store."""

    kind: Literal["directory", "s3"] = "directory"
    """`directory` is ``store/`` below the station's directory; `s3` is the bucket in `s3`."""
    s3: S3 | None = None
    """The bucket, for `kind = "s3"`."""


class Archive(Table, frozen=True, kw_only=True):
    """The archive behind a station that only relays: files go on at the uplink's speed."""

    kind: Literal["directory", "s3"]
    """What the archive is."""
    name: Annotated[str, Meta(pattern=r"^[A-Za-z0-9._-]{1,100}\Z")]
    """How receipts call it, after its kind: `s3:NAME` or `directory:NAME`. A camera's signed profile can demand it
    (`deletion_stores`)."""
    directory: Path | None = None
    """For `kind = "directory"`: a mounted file system of its own, with a file `firsthand-archive` that holds its
    name."""
    s3: S3 | None = None
    """For `kind = "s3"`."""
    receipt_from: Literal["station", "archive"] = "archive"
    """Whose store a receipt for deletion names: with `archive` a camera waits until the archive has the file."""
    kbit_s: Annotated[int, Meta(ge=0, le=100_000_000)] = 0
    """Most kilobits a second on the uplink; 0 is no limit."""
    keep_days: Annotated[int, Meta(ge=0, le=36500)] | None = None
    """Days that the station's own copy stays once the archive has given every byte back. Without it, for good. What is
    on hold stays in any case."""


class Foreign(Table, frozen=True, kw_only=True):
    """A store that cameras upload to directly. Its word deletes nothing: this station reads everything back first."""

    name: Annotated[str, Meta(pattern=r"^[A-Za-z0-9._-]{1,100}\Z")]
    """What agent.toml calls it (`target.name`); receipts say `s3:NAME`."""
    s3: S3
    """Where it is, with credentials that may read. Objects are looked for as `PREFIX` + `SERIAL/NAME`."""
