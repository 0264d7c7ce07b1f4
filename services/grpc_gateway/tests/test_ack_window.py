from __future__ import annotations

from grpc_gateway.ack_window import AckWindow


def test_without_acknowledgements_it_never_closes() -> None:
    window = AckWindow(2, limit_s=1.0)
    assert [window.number_next(0.0) for _ in range(5)] == [1, 2, 3, 4, 5]
    assert window.may_send()
    assert not window.overdue(100.0)


def test_the_first_acknowledgement_turns_it_on() -> None:
    window = AckWindow(2, limit_s=1.0)
    assert window.acknowledge(0, 0.0)
    window.number_next(0.0)
    assert window.may_send()
    window.number_next(0.0)
    assert not window.may_send()
    window.acknowledge(1, 0.0)
    assert window.may_send()


def test_an_acknowledgement_of_what_was_never_sent_is_refused() -> None:
    window = AckWindow(2, limit_s=1.0)
    window.number_next(0.0)
    assert not window.acknowledge(2, 0.0)
    assert window.acknowledge(1, 0.0)


def test_an_earlier_acknowledgement_changes_nothing() -> None:
    window = AckWindow(2, limit_s=1.0)
    for _ in range(3):
        window.number_next(0.0)
    window.acknowledge(3, 0.0)
    window.number_next(0.0)
    window.acknowledge(1, 0.0)
    assert window.may_send()


def test_overdue_counts_from_the_first_update_in_flight() -> None:
    window = AckWindow(4, limit_s=1.0)
    window.acknowledge(0, 0.0)
    window.number_next(50.0)
    window.number_next(50.9)
    assert not window.overdue(51.0)
    assert window.overdue(51.1)


def test_each_acknowledgement_is_proof_of_life() -> None:
    window = AckWindow(4, limit_s=1.0)
    window.acknowledge(0, 0.0)
    for _ in range(3):
        window.number_next(0.0)
    window.acknowledge(1, 0.9)
    assert not window.overdue(1.8)
    assert window.overdue(2.0)


def test_nothing_in_flight_is_never_overdue() -> None:
    window = AckWindow(4, limit_s=1.0)
    window.number_next(0.0)
    window.acknowledge(1, 0.0)
    assert not window.overdue(100.0)


def test_a_held_window_expects_nothing_until_released() -> None:
    window = AckWindow(4, limit_s=1.0)
    window.acknowledge(0, 0.0)
    window.number_next(0.0)
    window.hold()
    assert not window.overdue(5.0)
    window.release(5.0)
    assert not window.overdue(5.9)
    assert window.overdue(6.1)
