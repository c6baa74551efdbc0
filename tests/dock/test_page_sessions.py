"""Sessions and tries to log in, on an injected clock (R33)."""

from __future__ import annotations

from dock.station.page.sessions import SESSIONS_OF_ONE, Sessions
from dock.station.page.throttle import ADDRESSES_MOST, Throttle


class Clock:
    now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


def test_a_session_without_a_click_ends() -> None:
    clock = Clock()
    sessions = Sessions(clock, idle_s=1800, most_s=43200)
    token = sessions.open("ofc1", "10.0.0.9")
    clock.now_s += 1799
    session = sessions.find(token)
    assert session is not None
    sessions.touch(session)
    clock.now_s += 1799
    assert sessions.find(token) is session
    clock.now_s += 1
    assert sessions.find(token) is None
    assert not sessions.alive(session)


def test_clicks_do_not_keep_a_session_alive_for_ever() -> None:
    clock = Clock()
    sessions = Sessions(clock, idle_s=1800, most_s=3600)
    token = sessions.open("ofc1", "10.0.0.9")
    for _ in range(3):
        clock.now_s += 1100
        session = sessions.find(token)
        assert session is not None
        sessions.touch(session)
    clock.now_s += 300
    assert sessions.find(token) is None


def test_the_token_itself_is_kept_nowhere() -> None:
    sessions = Sessions(Clock(), idle_s=60, most_s=60)
    token = sessions.open("ofc1", "10.0.0.9")
    assert len(token) >= 43
    assert token not in str(vars(sessions))
    assert sessions.find(token + "x") is None
    assert sessions.find(None) is None
    assert sessions.find("x" * 5000) is None


def test_one_person_cannot_fill_the_memory_with_sessions() -> None:
    sessions = Sessions(Clock(), idle_s=60, most_s=60)
    tokens = [sessions.open("ofc1", "10.0.0.9") for _ in range(SESSIONS_OF_ONE + 3)]
    assert len(sessions) == SESSIONS_OF_ONE
    assert sessions.find(tokens[0]) is None
    assert sessions.find(tokens[-1]) is not None


def test_logout_and_leaving_the_registry_end_sessions() -> None:
    sessions = Sessions(Clock(), idle_s=60, most_s=60)
    one, two = sessions.open("ofc1", "a"), sessions.open("ofc1", "b")
    sessions.close(one)
    assert sessions.find(one) is None
    assert sessions.find(two) is not None
    sessions.close_all("ofc1")
    assert sessions.find(two) is None


def test_an_address_may_try_a_few_times_and_then_slowly() -> None:
    clock = Clock()
    throttle = Throttle(clock, burst=3, every_s=10)
    assert [throttle.wait_s("a") for _ in range(3)] == [0, 0, 0]
    assert throttle.wait_s("a") == 10
    assert throttle.wait_s("b") == 0
    clock.now_s += 10
    assert throttle.wait_s("a") == 0
    assert throttle.wait_s("a") == 10


def test_addresses_are_remembered_within_bounds() -> None:
    throttle = Throttle(Clock(), burst=1, every_s=10)
    for number in range(ADDRESSES_MOST + 10):
        throttle.wait_s(str(number))
    assert throttle.wait_s("0") == 0
    assert throttle.wait_s(str(ADDRESSES_MOST + 9)) > 0
