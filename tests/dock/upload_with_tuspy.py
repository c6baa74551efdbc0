"""Uploads one file with tuspy, as somebody else's program would: URL FILE CLOSE_HASH PKI STATE."""

import hashlib
import os
import sys
from typing import Any

url, path, close_hash, pki, state = sys.argv[1:]
os.environ["REQUESTS_CA_BUNDLE"] = f"{pki}/tls-ca.pem"

from tusclient.client import TusClient  # noqa: E402
from tusclient.storage.filestorage import FileStorage  # noqa: E402
from tusclient.uploader import Uploader  # noqa: E402


class Sha256Uploader(Uploader):
    """tuspy speaks SHA-1; its own place for another algorithm."""

    CHECKSUM_ALGORITHM_PAIR: Any = ("sha256", hashlib.sha256)


uploader = Sha256Uploader(
    path,
    client=TusClient(url, client_cert=(f"{pki}/camera-tls.pem", f"{pki}/camera-tls.key")),
    chunk_size=131072,
    metadata={"filename": os.path.basename(path), "close_hash": close_hash},  # noqa: PTH119
    store_url=True,
    url_storage=FileStorage(state),
    upload_checksum=True,
)
uploader.upload()
