"""What every camera that encodes by itself offers besides its frames: `ShowsPictures` and `AdjustsBitrate`."""

from __future__ import annotations

from hal.camera import SmallPicture


class PictureControls:
    """Keeps the newest small picture and the wanted share of the bit rate; the driver sets the one, reads the other."""

    _small: SmallPicture | None = None
    _bitrate_percent: int = 100

    def small_picture(self) -> SmallPicture | None:
        """The newest small picture, at most half a second older than the newest frame; None before the first."""
        return self._small

    def set_bitrate_percent(self, percent: int) -> None:
        """Share of the configured bit rate from about the next frame on. Raises ValueError out of 10..100."""
        if not 10 <= percent <= 100:
            raise ValueError(f"a bit rate of {percent} % is not 10 to 100 %")
        self._bitrate_percent = percent
