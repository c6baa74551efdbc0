"""A Raspberry Pi's own camera (CSI), through libcamera and picamera2.

Pictures get their text in the camera's buffer, go to the board's H.264 encoder or to x264, and reach us over an output
of our own. A camera that is missing, falls silent or fails is one sentence to `on_fault`; it is closed, and opened
again until it works. picamera2 is imported by the first session: without it this module still loads.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, Final, Literal

from hal import program_time, small_pictures, v4l2
from hal.annexb import ParameterSets
from hal.camera import EncodedFrame, SmallPicture
from hal.caption import Caption, checked_label, utc_of_capture_ns
from hal.driver_options import flag, silence_ns, whole_number
from hal.errors import BadDriverOption, DeviceLost, HalError
from hal.recovering_camera import RecoveringCamera

ENCODER_DEVICE: Final = "/dev/video11"
LORES_WIDTH: Final = 128
BUFFERS: Final = 6
LOOK_S: Final = 0.25
CLOSE_WITHIN_S: Final = 10.0
Encoders = Literal["auto", "hardware", "libav"]

_opening = threading.Lock()
"""libcamera's manager is one for all cameras of this process: they are opened and closed one after the other."""


class Picamera2Camera(RecoveringCamera):
    """A `hal.camera.Camera`, `ShowsPictures` and `AdjustsBitrate` on libcamera.

    `camera` is libcamera's number of it, from 0. `width` and `height` (even), `frame_rate`, `bitrate_kbit` per second.
    `encoder`: ``hardware`` (boards before the Pi 5), ``libav`` (x264), or ``auto``. `overlay`: burn in `label` (a
    serial, say) and UTC. `upside_down`: the sensor is mounted so. After `silence_s` without a picture the camera is
    closed and opened again. `open_camera` is for tests: what makes a Picamera2 of a number.
    Raises `hal.errors.BadDriverOption`. A camera that is not there is not an error here.
    """

    def __init__(
        self,
        camera: int = 0,
        width: int = 1280,
        height: int = 720,
        frame_rate: int = 30,
        bitrate_kbit: int = 4000,
        encoder: str = "auto",
        overlay: bool = True,
        label: str = "",
        upside_down: bool = False,
        silence_s: float = 3.0,
        *,
        open_camera: Callable[[int], Any] | None = None,
    ) -> None:
        self._number = whole_number("camera", camera, 0, 15)
        super().__init__(
            "picamera2",
            f"camera {self._number}",
            whole_number("width", width, 128, 1920, even=True),
            whole_number("height", height, 96, 1088, even=True),
            whole_number("frame_rate", frame_rate, 1, 60),
        )
        self._bitrate = 1000 * whole_number("bitrate_kbit", bitrate_kbit, 50, 25_000)
        if encoder not in ("auto", "hardware", "libav"):
            raise BadDriverOption(f"encoder = {encoder!r}: give auto, hardware or libav")
        self._encoder_choice = encoder
        self._overlay = flag("overlay", overlay)
        self._label = checked_label(label)
        self._upside_down = flag("upside_down", upside_down)
        self._silence_ns = silence_ns("silence_s", silence_s)
        self._open_camera = open_camera or _picamera2

    def _session(self, stopping: threading.Event, frames_come: Callable[[], None]) -> None:
        with _opening:
            try:
                camera = self._open_camera(self._number)
            except HalError:
                raise
            except Exception as error:  # libcamera and picamera2 raise whatever they like
                raise DeviceLost(
                    f"camera {self._number} cannot be opened ({_first_line(error)}): end other programs that use it, "
                    "and check its cable"
                ) from error
        session = _Session(self, camera, stopping, frames_come)
        try:
            session.run()
        except HalError:
            raise
        except Exception as error:  # see above
            raise DeviceLost(f"camera {self._number} failed ({_first_line(error)}) and is restarted") from error
        finally:
            session.close()


class _Session:
    """One opening of the camera. Pictures pass on picamera2's thread; `run` is on the driver's and watches."""

    def __init__(
        self, driver: Picamera2Camera, camera: Any, stopping: threading.Event, frames_come: Callable[[], None]
    ) -> None:
        self._driver, self._camera, self._stopping, self._frames_come = driver, camera, stopping, frames_come
        self._caption: Caption | None = None
        self._sets = ParameterSets()
        self._newest_ns = 0
        self._encoder: Any = None
        self._stamps: Any = None
        self._size = (0, 0)
        self._small_size = (0, 0)
        self._bitrate_refused = False

    def run(self) -> None:
        """Configure, start, and look after it. Raises when it is over."""
        from hal import picamera2_encoding as encoding

        driver = self._driver
        self._configure(encoding.PIXELS)
        driver._sensor = str(self._camera.camera_properties.get("Model", f"camera {driver._number}"))[:128]
        driver._count.opened_again()
        bitrate = driver._bitrate * driver._bitrate_percent // 100
        self._stamps = encoding.Stamps(boottime_of_sensor_ns)
        made = encoding.HardwareEncoder if self._hardware() else encoding.SoftwareEncoder
        self._encoder = made(driver._frame_rate, bitrate, self._stamps.stamp)
        self._camera.pre_callback = self._look_and_write
        self._newest_ns = program_time.boottime_ns()
        self._camera.start_encoder(self._encoder, encoding.DirectOutput(self._deliver), name="main")
        self._camera.start()
        while not program_time.wait(self._stopping, LOOK_S):
            self._follow_bitrate()
            silent_ns = program_time.boottime_ns() - self._newest_ns
            if silent_ns >= driver._silence_ns:
                raise DeviceLost(
                    f"camera {driver._number} ({driver._sensor}) has delivered no picture for "
                    f"{driver._silence_ns / 1e9:g} s and is restarted: check its ribbon cable"
                )

    def _follow_bitrate(self) -> None:
        """An encoder that refuses is said, and goes on as it is: too many bits are better than no pictures."""
        driver = self._driver
        if self._bitrate_refused:
            return
        try:
            self._encoder.set_bitrate(driver._bitrate * driver._bitrate_percent // 100)
        except OSError as error:
            self._bitrate_refused = True
            if driver._on_fault is not None:
                driver._on_fault(f"the encoder keeps its bit rate ({error.strerror}): recordings last less long")

    def _configure(self, pixels: dict[str, str]) -> None:
        driver, wanted = self._driver, {}
        if driver._upside_down:
            import libcamera

            wanted["transform"] = libcamera.Transform(hflip=1, vflip=1)
        lines = max(2, round(LORES_WIDTH * driver._height / driver._width / 2) * 2)
        config = self._camera.create_video_configuration(
            main={"format": "YUV420", "size": (driver._width, driver._height)},
            lores={"format": "YUV420", "size": (LORES_WIDTH, lines)},
            buffer_count=BUFFERS,
            controls={"FrameRate": driver._frame_rate},
            **wanted,
        )
        self._camera.configure(config)
        got = self._camera.camera_configuration()
        if got["main"]["format"] not in pixels:
            raise DeviceLost(
                f"camera {driver._number} delivers {got['main']['format']}: for a USB camera use the driver v4l2"
            )
        self._size, self._small_size = got["main"]["size"], got["lores"]["size"]
        if self._size != (driver._width, driver._height):
            raise DeviceLost(
                f"camera {driver._number} delivers {self._size[0]}x{self._size[1]}, not {driver._width}x"
                f"{driver._height}: set width and height to a size that it has"
            )
        if driver._overlay:
            self._caption = Caption(*self._size, driver._label)

    def _hardware(self) -> bool:
        there = v4l2.card_of(ENCODER_DEVICE)
        has = there is not None and there.startswith("bcm2835-codec")
        if self._driver._encoder_choice == "hardware" and not has:
            raise DeviceLost(f'this board has no H.264 encoder ({ENCODER_DEVICE}): set encoder = "libav" or "auto"')
        return has and self._driver._encoder_choice != "libav"

    def _look_and_write(self, request: Any) -> None:
        """Before a picture is encoded, on picamera2's thread: the small one first, then the text."""
        from picamera2 import MappedArray

        from hal.picamera2_encoding import sensor_stamp_ns

        now_ns = program_time.boottime_ns()
        captured_ns = boottime_of_sensor_ns(sensor_stamp_ns(request))
        small = self._driver._small
        if small is None or now_ns - small.captured_ns >= small_pictures.EVERY_NS or captured_ns < small.captured_ns:
            with MappedArray(request, "lores", write=False) as mapped:
                luma = mapped.array[: self._small_size[1], : self._small_size[0]]
                if self._small_size[0] == LORES_WIDTH:
                    self._driver._small = SmallPicture(*self._small_size, luma.tobytes(), captured_ns)
                else:  # a pipeline that has no such size
                    self._driver._small = small_pictures.small_picture(luma, captured_ns)
        if self._caption is not None:
            with MappedArray(request, "main") as mapped:
                luma = mapped.array[: self._size[1], : self._size[0]]
                self._caption.draw(luma, utc_of_capture_ns(captured_ns))

    def _deliver(self, data: bytes, stamp_us: int) -> None:
        """One access unit, on the encoder's thread."""
        captured_ns, source = self._stamps.taken(stamp_us)
        whole = self._sets.whole(data)
        on_frame = self._driver._on_frame
        if whole is None or on_frame is None or self._stopping.is_set():
            return
        placed = self._driver._count.place(source, captured_ns)
        if placed is None:
            return
        self._newest_ns = program_time.boottime_ns()
        on_frame(EncodedFrame(whole[0], whole[1], placed[1], placed[0]))
        self._frames_come()

    def close(self) -> None:
        """Give the camera back. Raises `DeviceLost` if it does not let go: then this thread goes on without it."""
        closing = threading.Thread(target=self._close, name="camera-close", daemon=True)
        closing.start()
        closing.join(CLOSE_WITHIN_S)
        if closing.is_alive():
            raise DeviceLost(f"camera {self._driver._number} does not stop: switch this camera off and on again")

    def _close(self) -> None:
        steps: list[Callable[[], Any]] = [self._camera.stop_preview, self._camera.stop]
        if self._encoder is not None:
            steps.append(self._camera.stop_encoder)
        # The event loop first: what follows would wait for it, and it may have died of an exception.
        with _opening:
            for step in [*steps, self._camera.close]:
                try:
                    step()
                except Exception:  # noqa: BLE001, S112  # each step must be tried, whatever the one before said
                    continue


def boottime_of_sensor_ns(stamped_ns: int) -> int:
    """CLOCK_BOOTTIME of a SensorTimestamp.

    libcamera documents it as CLOCK_BOOTTIME; the Raspberry Pi's pipeline hands on the kernel's CLOCK_MONOTONIC. They
    differ by the time that the board slept. A stamp that would lie in the future if it were the latter is the former.
    """
    if stamped_ns <= 0:
        return program_time.boottime_ns()
    # Two clocks cannot be read at once: on a busy board something comes between. The least of a few readings is theirs.
    slept_ns = min(-program_time.monotonic_ns() + program_time.boottime_ns() for _ in range(3))
    boottime_ns = program_time.boottime_ns()
    return min(stamped_ns + slept_ns if stamped_ns + slept_ns <= boottime_ns else stamped_ns, boottime_ns)


def _picamera2(number: int) -> Any:
    """Open a camera. Raises `DeviceLost` with what to do, or whatever picamera2 raises."""
    try:
        from picamera2 import Picamera2
    except ImportError as error:
        raise DeviceLost(f"picamera2 cannot be loaded ({error}): sudo apt install python3-picamera2") from error
    if not Picamera2._cm.cameras:
        Picamera2._cm.reset()  # else libcamera remembers what it saw when it was asked first
    there = Picamera2.global_camera_info()
    if number >= len(there):
        models = ", ".join(str(one.get("Model")) for one in there) or "none"
        raise DeviceLost(
            f"libcamera finds no camera {number} (it finds: {models}): check the ribbon cable at both ends, and "
            "camera_auto_detect or dtoverlay in config.txt"
        )
    return Picamera2(number)


def _first_line(error: Exception) -> str:
    text = str(error).strip().splitlines()
    return (text[0] if text else type(error).__name__)[:200]
