from __future__ import annotations

from dragonfly_common.clock import ManualClock
from grpc_gateway import counters
from grpc_gateway.handshakes import CALL_WITHIN_S, MOST_CONNECTIONS, SAY_AGAIN_AFTER_S, Handshakes
from structlog.testing import capture_logs


def test_a_handshake_that_no_call_follows_is_counted_and_said_now_and_then() -> None:
    clock = ManualClock()
    handshakes = Handshakes(clock.monotonic)
    counter = counters.HANDSHAKES_REFUSED._value
    before = counter.get()
    for peer in ("one", "", "two", "", ""):
        handshakes.begun()
        if peer:
            handshakes.called(peer)
    with capture_logs() as said:
        clock.advance(CALL_WITHIN_S)
        handshakes.look()
        assert counter.get() == before
        clock.advance(0.1)
        handshakes.look()
        handshakes.begun()
        clock.advance(CALL_WITHIN_S + 0.1)
        handshakes.look()
    assert counter.get() == before + 4
    assert [line["count"] for line in said] == [3, 1]
    assert CALL_WITHIN_S >= SAY_AGAIN_AFTER_S


def test_later_calls_of_a_connection_explain_nothing() -> None:
    clock = ManualClock()
    handshakes = Handshakes(clock.monotonic)
    before = counters.HANDSHAKES_REFUSED._value.get()
    for _ in range(2):
        handshakes.begun()
    for _ in range(3):
        handshakes.called("one")
    clock.advance(CALL_WITHIN_S + 0.1)
    handshakes.look()
    assert counters.HANDSHAKES_REFUSED._value.get() == before + 1


def test_connections_are_forgotten_in_the_end() -> None:
    handshakes = Handshakes(ManualClock().monotonic)
    for peer in range(2 * MOST_CONNECTIONS):
        handshakes.called(str(peer))
    assert len(handshakes._connections) == MOST_CONNECTIONS
