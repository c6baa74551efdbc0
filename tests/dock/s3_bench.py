"""A station whose store is a bucket, on the bench; and a store alone."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from dock_bench import TUS, Client, poll_until, write_station
from weed import Weed, s3_table, write_credentials

from dock.config import S3
from dock.station.store_s3 import S3Store
from evidence import cms
from evidence.handover import Receipt, decode_receipt
from evidence.trust import Trust


def write_s3_station(
    directory: Path, pki: Path, weed: Weed, bucket: str, *, lock: str = "off", prefix: str = ""
) -> Path:
    """A station whose store is a bucket, with thirty days for the class `standard`."""
    path = write_station(directory, pki)
    table = s3_table(weed, bucket, write_credentials(directory), lock=lock, prefix=prefix)
    path.write_text(f'{path.read_text()}\n[store]\nkind = "s3"\ns3 = {table}\n[retention_days]\nstandard = 30\n')
    return path


def send(client: Client, name: str, data: bytes, **more: str) -> str:
    _, headers, _ = client.create(name, len(data), **more)
    where = headers["location"]
    for start in range(client.offset(where), len(data), 4_000_000):
        assert client.patch(where, start, data[start : start + 4_000_000])[0] == 204
    return where


def receipt_of(client: Client, upload: str, pki: Path) -> Receipt:
    where = poll_until(lambda: client("HEAD", upload, TUS)[1].get("firsthand-receipt"), seconds=120)
    message = cms.parse_signed(client("GET", where)[2])
    Trust.load(pki / "root.pem").check(message, role="receipt")
    return decode_receipt(message.payload)


def open_store(directory: Path, weed: Weed, bucket: str, *, ahead_s: int = 0, **more: Any) -> S3Store:
    """The store alone, its clock ahead by so much."""
    endpoint = more.pop("endpoint", weed.endpoint)
    settings = S3(endpoint=endpoint, bucket=bucket, credentials=write_credentials(directory), **more)
    return S3Store(settings, "s3:test", directory / "s3", utc_ns=lambda: time.time_ns() + ahead_s * 10**9)
