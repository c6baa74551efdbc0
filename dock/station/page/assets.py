"""Style sheets, scripts and pictures of the page: read once, served under the digest of their content.

The address changes with the content, so a browser may keep each for a year and never has an old one.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

_DIRECTORY: Final = Path(__file__).resolve().parent / "assets"
_TYPES: Final = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}


@dataclass(frozen=True)
class Asset:
    """One file."""

    data: bytes
    media_type: str
    digest: str


class Assets:
    """All files below ``assets/`` of the known types. Raises OSError if they cannot be read."""

    def __init__(self) -> None:
        self._assets: dict[str, Asset] = {}
        for path in sorted(_DIRECTORY.rglob("*")):
            if path.suffix in _TYPES:
                data = path.read_bytes()
                digest = hashlib.sha256(data).hexdigest()[:16]
                self._assets[path.relative_to(_DIRECTORY).as_posix()] = Asset(data, _TYPES[path.suffix], digest)

    def url(self, name: str) -> str:
        """Where the page finds it. Raises KeyError for what is not there: a template's mistake."""
        return f"/assets/{self._assets[name].digest}/{name}"

    async def serve(self, request: Request) -> Response:
        """GET /assets/DIGEST/NAME. Only names that were there at the start are found."""
        asset = self._assets.get(request.path_params["name"])
        if asset is None or asset.digest != request.path_params["digest"]:
            raise HTTPException(404, "no such file")
        return Response(
            asset.data,
            media_type=asset.media_type,
            headers={"Cache-Control": "public, max-age=31536000, immutable"},
        )
