"""Uploads one file with aiotus, as somebody else's program would: URL FILE CLOSE_HASH PKI STATE.

aiotus keeps no addresses: a restarted one announces the file again, and is given the same upload.
"""

import asyncio
import ssl
import sys
from pathlib import Path

import aiohttp
import aiotus.core
import aiotus.creation
import yarl

url, path, close_hash, pki, _ = sys.argv[1:]


async def upload() -> None:
    context = ssl.create_default_context(cafile=f"{pki}/tls-ca.pem")
    context.load_cert_chain(f"{pki}/camera-tls.pem", f"{pki}/camera-tls.key")
    metadata: dict[str, bytes | None] = {"filename": Path(path).name.encode(), "close_hash": close_hash.encode()}
    async with aiohttp.ClientSession() as session:
        with Path(path).open("rb") as file:  # noqa: ASYNC230 - nothing else runs here
            place = await aiotus.creation.create(session, yarl.URL(url), file, metadata, ssl=context)
            place = yarl.URL(url).join(place)
            await aiotus.core.upload_buffer(session, place, file, ssl=context, chunksize=131072)


asyncio.run(upload())
