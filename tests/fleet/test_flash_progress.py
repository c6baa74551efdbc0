"""What a technician sees while cards are written: bar, rate and time left; a few lines where there is no terminal."""

from __future__ import annotations

import io
import threading

from fleet.flash.progress import CardProgress, ProgressPage

MB = 10**6


def card(done: int = 0) -> CardProgress:
    made = CardProgress("CAM-0042 sdb")
    made.begin("write", 100 * MB)
    made.since_s = 0.0
    made.tell(done)
    return made


def test_a_line_tells_share_rate_and_time_left() -> None:
    line = card(25 * MB).line(now_s=2.5)
    assert line.split() == ["CAM-0042", "sdb", "write", "[####", "]", "25%", "10.0", "MB/s", "0:08", "left"]
    assert len(line) < 80


def test_before_the_first_byte_no_time_is_promised() -> None:
    assert "left" not in card().line(now_s=1.0)
    assert CardProgress("CAM-0042 sdb").line(now_s=1.0).endswith("waits")


def test_the_end_replaces_the_bar() -> None:
    one = card(100 * MB)
    one.end("ready")
    assert one.line(now_s=9.0).split() == ["CAM-0042", "sdb", "ready"]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_is_drawn_over_and_never_wrapped() -> None:
    out, long = Terminal(), CardProgress("W" * 200)
    page = ProgressPage([card(), long], out)
    page.draw()
    page.draw()
    drawn = out.getvalue().split("\x1b[2A")
    assert len(drawn) == 2
    assert all(len(line.removeprefix("\x1b[2K")) < 200 for line in drawn[1].splitlines())


def test_a_file_gets_a_line_for_each_quarter_only() -> None:
    out, one = io.StringIO(), card()
    page = ProgressPage([one], out)
    for _ in range(100):
        one.tell(MB)
        page.draw()
    assert len(out.getvalue().splitlines()) == 5
    assert "\x1b" not in out.getvalue()


def test_it_draws_until_every_card_is_left() -> None:
    ended, out = [threading.Event(), threading.Event()], io.StringIO()
    for one in ended:
        threading.Timer(0.05, one.set).start()
    ProgressPage([card()], out).follow(ended)
    assert all(one.is_set() for one in ended)
    assert out.getvalue().startswith("CAM-0042 sdb")
