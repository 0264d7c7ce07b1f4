"""The Python client of DragonflyBot's gateway, for bots.

    async with DragonflyClient("127.0.0.1:50051") as client:
        async for book in client.book("ETH-BTC"):
            print(book.best_bid, book.best_ask)

`dragonfly_client.sync.Client` is the same for code without an event loop.
"""

from dragonfly_client import _grpc_core  # noqa: F401  (its effect is wanted, before gRPC's)
from dragonfly_client.client import DEFAULT_TARGET, DragonflyClient
from dragonfly_client.errors import (
    AccessError,
    CertificateError,
    ClientError,
    DuplicateError,
    InvalidRequestError,
    LimitError,
    NotFoundError,
    NotReadyError,
    ProtocolError,
    RefusedError,
    SettingError,
    UnavailableError,
    UnknownOutcomeError,
    UnsupportedError,
)
from dragonfly_client.events import Disconnected, Event, Reconnected, Refused
from dragonfly_client.latest import Latest
from dragonfly_client.messages import (
    Bbo,
    Book,
    CcxtBook,
    Conversion,
    Executable,
    ExecutablePrice,
    FeedStanding,
    FeeSource,
    Hops,
    Instrument,
    Instruments,
    LeftOut,
    Level,
    Liquidity,
    Market,
    MergedLevel,
    Share,
    State,
    Venue,
    VenueFeed,
    VenuePart,
    View,
)
from dragonfly_client.orders import (
    CostEstimate,
    EngineState,
    OrderNews,
    Ticket,
    VenueFill,
    VenueOrder,
    WorkedOrder,
)
from dragonfly_client.tls import Tls

__all__ = [
    "DEFAULT_TARGET",
    "AccessError",
    "Bbo",
    "Book",
    "CcxtBook",
    "CertificateError",
    "ClientError",
    "Conversion",
    "CostEstimate",
    "Disconnected",
    "DragonflyClient",
    "DuplicateError",
    "EngineState",
    "Event",
    "Executable",
    "ExecutablePrice",
    "FeeSource",
    "FeedStanding",
    "Hops",
    "Instrument",
    "Instruments",
    "InvalidRequestError",
    "Latest",
    "LeftOut",
    "Level",
    "LimitError",
    "Liquidity",
    "Market",
    "MergedLevel",
    "NotFoundError",
    "NotReadyError",
    "OrderNews",
    "ProtocolError",
    "Reconnected",
    "Refused",
    "RefusedError",
    "SettingError",
    "Share",
    "State",
    "Ticket",
    "Tls",
    "UnavailableError",
    "UnknownOutcomeError",
    "UnsupportedError",
    "Venue",
    "VenueFeed",
    "VenueFill",
    "VenueOrder",
    "VenuePart",
    "View",
    "WorkedOrder",
]
