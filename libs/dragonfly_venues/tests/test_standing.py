"""What a host has told us, and how soon one that has served before is tried again."""

from __future__ import annotations

from pathlib import Path

import pytest
from dragonfly_common.clock import ManualClock
from dragonfly_venues.transport import (
    BannedError,
    RejectedError,
    Standing,
    TransportError,
    UnforeseenError,
    VenueCertificateError,
)
from dragonfly_venues.transport.errors import LONGEST_RETRY_AFTER_S, PATIENT_RETRY_S

LIST = "https://venue.example/list"
BOOK = "https://venue.example:443/book"
ELSEWHERE = "wss://stream.example"


def fail(standing: Standing, url: str, error: Exception) -> TransportError:
    with pytest.raises(TransportError) as failed, standing.attempt(url):
        raise error
    return failed.value


def serve(standing: Standing, url: str) -> None:
    with standing.attempt(url):
        pass


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.mark.parametrize(
    ("status", "retry_after", "lasts_s"),
    [
        (418, "3600", 3600.0),
        (429, "7", 7.0),
        (418, None, 120.0),
        (429, None, PATIENT_RETRY_S),
        (503, "60", 60.0),
        (418, str(10**9), LONGEST_RETRY_AFTER_S),
    ],
)
def test_a_ban_is_of_all_that_a_host_serves_until_it_is_over(
    clock: ManualClock, status: int, retry_after: str | None, lasts_s: float
) -> None:
    standing = Standing(clock)
    told = fail(standing, LIST, RejectedError(LIST, status, retry_after))
    clock.advance(lasts_s - 1.0)
    for url in (LIST, BOOK):
        banned = fail(standing, url, AssertionError("it is not asked"))
        assert isinstance(banned, BannedError)
        assert str(banned) == str(told)
        assert banned.retry_after_s == pytest.approx(1.0)
    serve(standing, ELSEWHERE)
    clock.advance(1.1)
    serve(standing, BOOK)


@pytest.mark.parametrize("status", [401, 403, 404, 451, 500, 503])
def test_what_is_refused_without_a_time_is_no_ban(clock: ManualClock, status: int) -> None:
    standing = Standing(clock)
    fail(standing, LIST, RejectedError(LIST, status))
    serve(standing, BOOK)


@pytest.mark.parametrize("error", [RejectedError(LIST, 404), VenueCertificateError("expired")])
def test_what_has_served_before_is_tried_again_within_seconds_at_first(
    clock: ManualClock, error: TransportError
) -> None:
    standing = Standing(clock)
    assert fail(standing, LIST, error).retry_after_s == PATIENT_RETRY_S
    serve(standing, LIST)
    waits = []
    for _ in range(8):
        error.retry_after_s = PATIENT_RETRY_S
        waits.append(fail(standing, LIST, error).retry_after_s)
        clock.advance(waits[-1])
    assert waits == [1.0, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0]
    serve(standing, LIST)
    error.retry_after_s = PATIENT_RETRY_S
    assert fail(standing, LIST, error).retry_after_s == 1.0


def test_what_is_asked_of_an_address_does_not_matter(clock: ManualClock) -> None:
    standing = Standing(clock)
    serve(standing, f"{LIST}?of=one")
    error = RejectedError(LIST, 404)
    assert fail(standing, f"{LIST}?of=another", error).retry_after_s == 1.0


def test_a_bug_is_a_failure_that_carries_it(clock: ManualClock) -> None:
    bug = KeyError("name")
    failure = fail(Standing(clock), LIST, bug)
    assert isinstance(failure, UnforeseenError)
    assert failure.bug is bug


def test_a_ban_outlives_the_process_where_it_is_kept(clock: ManualClock, tmp_path: Path) -> None:
    file = tmp_path / "made" / "venue.json"
    before = Standing(clock, file)
    beside = Standing(clock, file)
    fail(before, LIST, RejectedError(LIST, 418, "3600"))
    clock.advance(600.0)
    for other in (beside, Standing(clock, file)):
        banned = fail(other, BOOK, AssertionError("it is not asked"))
        assert banned.retry_after_s == pytest.approx(3000.0)
        assert str(file) in str(banned)
    fail(beside, ELSEWHERE, RejectedError(ELSEWHERE, 429, "60"))
    assert isinstance(fail(before, ELSEWHERE, AssertionError()), BannedError)
    clock.advance(3000.1)
    serve(Standing(clock, file), LIST)
    assert [path.name for path in file.parent.iterdir()] == [file.name]


@pytest.mark.parametrize("content", [b"", b"no json", b"[1]", b"\xff\xff", b'{"venue.example": 3}'])
def test_a_file_that_means_nothing_bans_nobody(
    clock: ManualClock, tmp_path: Path, content: bytes
) -> None:
    file = tmp_path / "venue.json"
    file.write_bytes(content)
    standing = Standing(clock, file)
    serve(standing, LIST)
    fail(standing, LIST, RejectedError(LIST, 418, "3600"))
    assert isinstance(fail(Standing(clock, file), LIST, AssertionError()), BannedError)


def test_where_nothing_can_be_kept_bans_are_obeyed(clock: ManualClock, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    standing = Standing(clock, tmp_path / "file" / "venue.json")
    fail(standing, LIST, RejectedError(LIST, 418, "3600"))
    assert isinstance(fail(standing, LIST, AssertionError()), BannedError)
