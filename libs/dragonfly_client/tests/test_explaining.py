"""Why a venue is in a book or is not: what is put together of a gateway's answers."""

from __future__ import annotations

import pytest
from dragonfly_client import DragonflyClient, State
from dragonfly_client.explaining import Explanation, explain
from dragonfly_protos import market_data_pb2 as pb
from stub_gateway import StubGateway

LIVE, STALE, DOWN = pb.STATE_LIVE, pb.STATE_STALE, pb.STATE_DOWN


async def explained(
    feed: pb.State, venue: pb.Venue, standings: list[pb.FeedStanding]
) -> Explanation:
    """Return why kraken is in `feed` where the gateway says so much."""
    async with StubGateway() as stub:
        stub.venues = pb.Venues(venues=[venue])
        stub.feeds = standings
        stub.publish(
            pb.Bbo(instrument="ETH-BTC", venues=[pb.VenueFeed(venue="kraken", state=feed)])
        )
        async with DragonflyClient(stub.address) as client:
            (one,) = await explain(client, "ETH-BTC")
            return one


async def test_it_says_since_when_and_how_the_last_audit_ended() -> None:
    seen = pb.Venue(venue="kraken", state=LIVE, since=1)
    standing = pb.FeedStanding(
        venue="kraken", state=LIVE, since=2, audited_at=3, audit_agreed=False
    )
    one = await explained(LIVE, seen, [standing])
    assert (one.since, one.audited_at, one.audit_agreed) == (2, 3, False)


async def test_of_two_replicas_the_one_that_is_in_the_state_is_believed() -> None:
    seen = pb.Venue(venue="kraken", state=LIVE)
    standings = [
        pb.FeedStanding(venue="kraken", state=pb.STATE_SYNCING, since=2),
        pb.FeedStanding(venue="kraken", state=LIVE, since=3),
        pb.FeedStanding(venue="okx", state=LIVE, since=4),
    ]
    assert (await explained(LIVE, seen, standings)).since == 3


async def test_a_state_that_is_not_the_listeners_word_has_no_time_of_the_listeners() -> None:
    """The aggregator took out what the listener believes to be live."""
    standing = pb.FeedStanding(venue="kraken", state=LIVE, since=2, audited_at=3, audit_agreed=True)
    one = await explained(STALE, pb.Venue(venue="kraken", state=LIVE, since=1), [standing])
    assert (one.state, one.since, one.audited_at) == (State.STALE, None, 3)


async def test_a_venue_that_is_gone_took_its_instruments_with_it() -> None:
    assert (await explained(DOWN, pb.Venue(venue="kraken", state=DOWN, since=7), [])).since == 7


@pytest.mark.parametrize("state", [LIVE, STALE, DOWN])
async def test_where_nobody_tells_it_nothing_is_said(state: pb.State) -> None:
    one = await explained(state, pb.Venue(venue="kraken", state=state), [])
    assert (one.since, one.audited_at, one.audit_agreed) == (None, None, None)
