"""Announcements between cameras, as values and seconds: own topic, freshness, rates, turns (R23)."""

from __future__ import annotations

import pytest

from dock.mqtt.peers import (
    ANNOUNCEMENT_BYTES,
    FRESH_S,
    RATE,
    RATE_S,
    SENT_WAITING,
    SERIALS,
    OwnStarts,
    PeerStarts,
    peers_topic,
)

SYSTEM = "test-pd"
pytestmark = pytest.mark.requirement("R23")


def peers() -> PeerStarts:
    return PeerStarts(SYSTEM, "SIM-0001")


def put(box: PeerStarts, serial: str, payload: bytes, now_s: float = 0.0, **more: bool) -> str | None:
    return box.put(peers_topic(SYSTEM, serial), payload, now_s, **more)


def test_a_system_of_any_name_has_a_topic_without_wildcards_or_levels_of_its_own() -> None:
    assert peers_topic("test pd", "SIM-0001") == "firsthand/test pd/peers/SIM-0001"
    assert peers_topic("a/b+#$c", "SIM-0001") == "firsthand/a%2Fb%2B%23%24c/peers/SIM-0001"


def test_an_announcement_is_sent_until_it_is_acknowledged_and_again_on_the_next_connection() -> None:
    own = OwnStarts()
    own.put(b"one", 0.0)
    ((number, data),) = own.to_send(1.0)
    assert data == b"one"
    own.sent(number, 7)
    assert own.to_send(2.0) == [], "it is under way"
    own.reconnected()
    assert own.to_send(3.0) == [(number, b"one")]
    own.sent(number, 1)
    assert own.acknowledged(1)
    own.reconnected()
    assert own.to_send(4.0) == []
    assert not own.acknowledged(1), "that message is somebody else's now"


def test_a_stale_announcement_is_never_sent() -> None:
    own = OwnStarts()
    own.put(b"old", 0.0)
    own.put(b"new", 10.0)
    assert [data for _, data in own.to_send(FRESH_S + 1)] == [b"new"]
    assert own.to_send(FRESH_S + 11) == []


def test_without_a_broker_only_the_newest_are_kept() -> None:
    own = OwnStarts()
    for n in range(SENT_WAITING + 5):
        own.put(bytes([n]), float(n) / 100)
    assert [data[0] for _, data in own.to_send(1.0)] == list(range(5, SENT_WAITING + 5))


@pytest.mark.parametrize(
    ("topic", "payload", "retained", "why"),
    [
        ("firsthand/test-pd/peers/SIM-0001", b"x", False, "own"),
        ("firsthand/test-pd/peers/SIM-0002", b"x", True, "retained"),
        ("firsthand/test-pd/peers/SIM-0002", b"", False, "size"),
        ("firsthand/test-pd/peers/SIM-0002", b"x" * (ANNOUNCEMENT_BYTES + 1), False, "size"),
        ("firsthand/test-pd/peers/", b"x", False, "topic"),
        ("firsthand/test-pd/peers/SIM-0002/more", b"x", False, "topic"),
        ("firsthand/other-pd/peers/SIM-0002", b"x", False, "topic"),
    ],
)
def test_what_is_no_announcement_of_a_peer_is_dropped_unread(
    topic: str, payload: bytes, retained: bool, why: str
) -> None:
    box = peers()
    assert box.put(topic, payload, 0.0, retained=retained) == why
    assert box.take(0.0) is None


def test_the_same_announcement_is_passed_on_once() -> None:
    box = peers()
    assert put(box, "SIM-0002", b"x") is None
    assert put(box, "SIM-0002", b"x", 1.0) == "again"
    assert box.take(1.0) == ("SIM-0002", 0.0, b"x")
    assert box.take(1.0) is None


def test_a_storm_of_one_camera_is_limited_and_delays_no_other_ones_start() -> None:
    box = peers()
    told = [put(box, "SIM-0666", bytes([n // 256, n % 256]), n / 100) for n in range(500)]
    assert told.count(None) == RATE
    assert set(told) == {None, "storm"}
    assert put(box, "SIM-0002", b"a start", 5.0) is None
    first, second = box.take(5.0), box.take(5.0)
    assert first is not None
    assert second is not None
    assert {first[0], second[0]} == {"SIM-0666", "SIM-0002"}, "each in its turn"
    assert put(box, "SIM-0666", b"later", RATE_S + 0.5) is None, "a camera is heard again after the storm"


def test_what_waited_too_long_for_the_recorder_is_dropped() -> None:
    box = peers()
    put(box, "SIM-0002", b"old", 0.0)
    put(box, "SIM-0003", b"new", 20.0)
    assert box.take(FRESH_S + 1) == ("SIM-0003", 20.0, b"new")
    assert box.take(FRESH_S + 1) is None


def test_any_number_of_cameras_needs_a_bounded_memory() -> None:
    box = peers()
    for n in range(2000):
        assert put(box, f"SIM-{n + 2}", n.to_bytes(4, "big"), float(n)) is None
        assert box.take(float(n)) is not None
    assert len(box._senders) <= SERIALS
