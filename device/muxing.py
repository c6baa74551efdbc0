"""Turn a fragment into the parts of one fMP4 media object, sound beside picture (R3), the picture signed (design).

Runs on the writer thread. Pictures are never re-encoded and never copied; a frame that is not valid H.264 is left out
and counted, and the rest goes on (invariant 1).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from device.fragments import FRAGMENT_NS, Fragment
from evidence.errors import BadKey, MediaError, SigningFailed
from evidence.fmp4 import (
    AudioSample,
    AudioTrack,
    GpsSample,
    VideoSample,
    VideoTrack,
    init_segment,
    media_fragment,
)
from evidence.gpmf import GpsPoint, gps_sample
from evidence.media_signing import MediaSigner
from evidence.nal import Buffer, is_slice, parameter_sets, split_annexb, to_avcc_parts
from evidence.statements import MediaFacts, encode_canonical
from hal.camera import EncodedFrame, VideoFormat
from hal.gps import GpsEpoch
from hal.microphone import AudioFormat, EncodedSound

VIDEO_TIMESCALE: Final = 90_000
SOUND_SLACK_S: Final = 0.03
"""Sound stays on its own sample count unless it is off its capture time by more than this."""
MAX_SENTENCES: Final = 256
MAX_POINTS: Final = 64


@dataclass(frozen=True, slots=True)
class Muxed:
    """One media object before sealing."""

    parts: list[Buffer]
    facts: MediaFacts
    refused_frames: int
    """Frames that were not valid H.264 and are not in it."""


class Muxer:
    """The tracks of one recording. Its clock zero is the capture time of the first frame."""

    def __init__(
        self,
        video: Callable[[], VideoFormat | None],
        audio: AudioFormat | None,
        signer: MediaSigner,
        utc_ns_at: Callable[[int], int],
        *,
        recording: str,
        device_name: str,
    ) -> None:
        self._video = video
        self._audio = audio
        self._signer = signer
        self._utc_ns_at = utc_ns_at
        self._recording = recording
        self._device_name = device_name
        self._frame_rate = 30.0
        self._zero_ns: int | None = None
        self._sequence = 0
        self._next_sound_dts = 0
        self._last_fix: GpsEpoch | None = None
        self._owed = False
        """The key failed at the end of a group; its message follows without a signature."""

    @property
    def started(self) -> bool:
        """True once `init` has been made."""
        return self._zero_ns is not None

    def init(self, first: EncodedFrame) -> list[Buffer]:
        """The init segment for a recording whose first key frame is `first`. Raises `MediaError`."""
        sets = parameter_sets(split_annexb(first.data))
        if sets is None:
            raise MediaError("the first key frame carries no SPS and PPS")
        shown = self._video()
        if shown is None:
            raise MediaError("there is no camera")
        self._frame_rate = shown.frame_rate
        video = VideoTrack(shown.width, shown.height, bytes(sets.sps), bytes(sets.pps), VIDEO_TIMESCALE)
        audio = None
        if self._audio is not None:
            audio = AudioTrack(self._audio.sample_rate, self._audio.channels, self._audio.config)
        segment = init_segment(video, audio, gps=True)
        self._zero_ns = first.captured_ns
        return [segment]

    def mux(self, fragment: Fragment) -> Muxed | None:
        """One media object; None if no frame of it was usable."""
        frames, sounds, epochs, final = fragment.frames, fragment.sounds, fragment.epochs, fragment.final
        for epoch in epochs:
            if epoch.fix:
                self._last_fix = epoch
        pictures = self._pictures(fragment)
        if not pictures:
            return None
        first, last = pictures[0][0], pictures[-1][0]
        end_ns = self._end_ns(first, last, fragment.end_ns, final=final)
        starts = [self._ticks(frame.captured_ns) for frame, _ in pictures]
        ends = [*starts[1:], max(starts[-1] + 1, self._ticks(end_ns))]
        video = [
            VideoSample(to_avcc_parts(nals), start, end - start, frame.keyframe)
            for (frame, nals), start, end in zip(pictures, starts, ends, strict=True)
        ]
        points = [_point(epoch) for epoch in epochs if epoch.fix][-MAX_POINTS:]
        sentences = [sentence for epoch in epochs for sentence in epoch.sentences][-MAX_SENTENCES:]
        gps = GpsSample(gps_sample(points, sentences, self._device_name), starts[0], ends[-1] - starts[0])
        audio, offset_us = self._sounds(sounds)
        self._sequence += 1
        facts = MediaFacts(
            start_ns=first.captured_ns,
            duration_ns=end_ns - first.captured_ns,
            frames=len(pictures),
            first_frame=first.sequence,
            sound_frames=len(audio),
            gps_fixes=len(points),
            sound_offset_us=offset_us,
        )
        return Muxed(media_fragment(self._sequence, video, audio, [gps]), facts, len(frames) - len(pictures))

    def _end_ns(self, first: EncodedFrame, last: EncodedFrame, end_ns: int | None, *, final: bool) -> int:
        """When the last frame ends: at the next one, or after its nominal time; a stalled one lasts a moment only."""
        if end_ns is not None:
            return end_ns
        wanted_ns = last.captured_ns + (round(1e9 / self._frame_rate) if final else 1_000_000)
        return max(last.captured_ns + 1, min(wanted_ns, first.captured_ns + FRAGMENT_NS))

    def _ticks(self, at_ns: int) -> int:
        assert self._zero_ns is not None
        return (at_ns - self._zero_ns) * VIDEO_TIMESCALE // 1_000_000_000

    def _pictures(self, fragment: Fragment) -> list[tuple[EncodedFrame, list[Buffer]]]:
        """The usable access units with their signatures; a group's own stands behind its last slice.

        Of joined fragments (a slow key) only the last group's message is signed, and covers the groups before it.
        """
        pictures: list[tuple[EncodedFrame, list[Buffer]]] = []
        for frame in fragment.frames:
            try:
                nals = split_annexb(frame.data)
                signed = self._sign(nals, frame, joined=bool(pictures))
            except MediaError:
                continue
            pictures.append((frame, signed))
        if pictures and (fragment.final or fragment.group_ends):
            last = pictures[-1][1]
            after = max(index for index, nal in enumerate(last) if is_slice(nal)) + 1
            try:
                last.insert(after, self._signer.finish() if fragment.final else self._signer.end_group())
            except (SigningFailed, BadKey):
                self._owed = True
        return pictures

    def _sign(self, nals: Sequence[Buffer], frame: EncodedFrame, *, joined: bool) -> list[Buffer]:
        """The access unit with the message of the group before it, if one is due.

        A key that fails is asked once for each group: the message then has no signature, and the next one covers it.
        """
        utc_ns = self._utc_ns_at(frame.captured_ns)
        sign = not (frame.keyframe and (self._owed or joined))
        try:
            signed = self._signer.process(nals, frame.keyframe, utc_ns, self._claim(), sign=sign)
        except (SigningFailed, BadKey):
            signed = self._signer.process(nals, frame.keyframe, utc_ns, self._claim(), sign=False)
        self._owed &= not frame.keyframe
        return signed

    def _claim(self) -> bytes:
        """The arbitrary data that is signed with the picture: whose recording it is, and where the last fix was."""
        claim: dict[str, object] = {"recording": self._recording}
        fix = self._last_fix
        if fix is not None:
            claim |= {"lat_nd": fix.latitude_nd, "lon_nd": fix.longitude_nd, "fix_ns": fix.received_ns}
            if fix.utc_ns is not None:
                claim["fix_utc_ns"] = fix.utc_ns
        return encode_canonical(claim)

    def _sounds(self, sounds: Sequence[EncodedSound]) -> tuple[list[AudioSample], int | None]:
        """Sound on its own sample count, and how far the first of it is off its capture time (`MediaFacts`)."""
        if self._audio is None:
            return [], None
        assert self._zero_ns is not None
        rate, size = self._audio.sample_rate, self._audio.samples_per_frame
        samples: list[AudioSample] = []
        offset_us: int | None = None
        for sound in sounds:
            wanted = (sound.captured_ns - self._zero_ns) * rate // 1_000_000_000
            dts = self._next_sound_dts
            if wanted > dts + SOUND_SLACK_S * rate:
                dts = wanted
            if wanted < 0:
                continue
            if offset_us is None:
                plays_ns = self._zero_ns + dts * 1_000_000_000 // rate
                offset_us = (sound.captured_ns - plays_ns) // 1000
            samples.append(AudioSample(sound.data, dts, size))
            self._next_sound_dts = dts + size
        return samples, offset_us


def _point(epoch: GpsEpoch) -> GpsPoint:
    assert epoch.latitude_nd is not None
    assert epoch.longitude_nd is not None
    return GpsPoint(
        latitude_nd=epoch.latitude_nd,
        longitude_nd=epoch.longitude_nd,
        altitude_mm=epoch.altitude_mm,
        speed_mm_s=epoch.speed_mm_s,
        course_mdeg=epoch.course_mdeg,
        utc_ns=epoch.utc_ns,
        received_ns=epoch.received_ns,
        hdop_centi=epoch.hdop_centi,
        dimensions=epoch.dimensions,
        satellites=epoch.satellites,
    )
