"""`dragonfly simulator` and `dragonfly fault`."""

from __future__ import annotations

import http.client
import json
import ssl
import urllib.error
import urllib.request
from decimal import Decimal
from pathlib import Path
from typing import Final
from urllib.parse import urlencode

import click
from dragonfly_common.authorities import named_authority
from dragonfly_common.errors import ConfigError
from dragonfly_common.options import NumberRange, market_options
from dragonfly_common.printable import LONGEST_SENTENCE, printable
from dragonfly_common.runtime import RuntimeOptions, run_async, runtime_options
from dragonfly_common.types import MAX_DEPTH, normalise_instrument

from venue_simulator.control import HEADER
from venue_simulator.faults import MAX_SECONDS, FaultKind, parse_planned_fault
from venue_simulator.options import SimulatorOptions, trading_venues
from venue_simulator.private_side import TradingSetup
from venue_simulator.service import serve
from venue_simulator.trading.accounts_file import load_accounts
from venue_simulator.trading.delays import parse_delays
from venue_simulator.trading.desk import DEFAULT_RESILIENCE
from venue_simulator.truth import LOGGED_LEVELS
from venue_simulator.venues import VENUES

__all__ = ["fault", "simulator"]

CONTROL_TIMEOUT_S: Final = 5.0
MAX_REPLY_BYTES: Final = 64 * 1024

_WHERE: Final = (
    "what `up --simulated` shows at its start, or what a simulator's log calls `control`"
)
_NO_CONTROL: Final = f"{{}} is no control page: give --control {_WHERE}"


@click.command()
@click.option(
    "--venue",
    multiple=True,
    type=click.Choice(sorted(VENUES)),
    help="May be repeated.  [default: all]",
)
@click.option(
    "--instrument",
    multiple=True,
    metavar="BASE-QUOTE",
    help="Moves from the start, as ETH-BTC and BTC-USD do; may be repeated.",
)
@click.option("--host", default="127.0.0.1", show_default=True, help="Where to listen.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=0,
    help="One port for all venues, REST and control.  [default: any free one]",
)
@market_options
@click.option(
    "--paced",
    is_flag=True,
    help="Send what a venue sends at intervals (Binance's books: 100 ms) at those, and not each"
    " state at once.",
)
@click.option(
    "--captures",
    type=click.Path(path_type=Path),
    help="Play the recordings in this folder instead of the seeded market.",
)
@click.option(
    "--speed",
    type=NumberRange(0, min_open=True),
    default=1.0,
    show_default=True,
    help="Of the recordings; 2 is twice as fast.",
)
@click.option(
    "--truth-log",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Append every state of every book to this file, one JSON object a line.",
)
@click.option(
    "--truth-levels",
    type=click.IntRange(1, MAX_DEPTH),
    default=LOGGED_LEVELS,
    show_default=True,
    help="Levels a side of a state in that file: no fewer than the --depth that is judged by it.",
)
@click.option(
    "--accounts",
    type=click.Path(path_type=Path),
    help="TOML of who may place orders at which venue, with which keys and balances.",
)
@click.option(
    "--order-latency-ms",
    default="0,0,0,0",
    show_default=True,
    metavar="REQUEST,ENGINE,REPLY,STREAM",
    help="Median times of an order to the venue, its matching, the reply, and private events.",
)
@click.option(
    "--resilience",
    type=NumberRange(0, 1),
    default=float(DEFAULT_RESILIENCE),
    show_default=True,
    help="The share of what orders took that each update of a book gives back.",
)
@click.option("--tls-cert", type=click.Path(path_type=Path), help="PEM; needs --tls-key.")
@click.option("--tls-key", type=click.Path(path_type=Path), help="PEM; needs --tls-cert.")
@click.option(
    "--fix",
    metavar="HOST:PORT",
    help="Serve FIX here too, for venues that have it (Binance); over TLS with --tls-cert.",
)
@click.option(
    "--fix-keys",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="FOLDER",
    help="Who may log on: NAME.pem is the public key (Ed25519) of the API key NAME. An empty folder"
    " gets a pair.  [default: a temporary folder; the log names it]",
)
@runtime_options
def simulator(
    *,
    venue: tuple[str, ...],
    instrument: tuple[str, ...],
    host: str,
    port: int,
    rate: float,
    paced: bool,
    seed: int,
    captures: Path | None,
    speed: float,
    truth_log: Path | None,
    truth_levels: int,
    faults: tuple[str, ...],
    accounts: Path | None,
    order_latency_ms: str,
    resilience: float,
    tls_cert: Path | None,
    tls_key: Path | None,
    fix: str | None,
    fix_keys: Path | None,
    runtime: RuntimeOptions,
) -> None:
    """Simulate venues that speak the real protocols.

    \b
    Example:
      dragonfly simulator --port 9000 --rate 100 \\
          --fault "kraken silence at=5 for=3 every=20"
    """
    names = venue or tuple(VENUES)
    options = SimulatorOptions(
        venues=names,
        instruments=tuple(normalise_instrument(name) for name in instrument),
        host=host,
        port=port,
        rate=rate,
        paced=paced,
        seed=seed,
        captures=captures,
        speed=speed,
        truth_log=truth_log,
        truth_levels=truth_levels,
        faults=tuple(parse_planned_fault(text, names) for text in faults),
        trading=TradingSetup(
            () if accounts is None else load_accounts(accounts, trading_venues(names)),
            parse_delays(order_latency_ms),
            Decimal(str(resilience)),
            seed,
        ),
        tls_cert=tls_cert,
        tls_key=tls_key,
        fix=fix,
        fix_keys=fix_keys,
    )
    run_async("simulator", runtime, lambda process: serve(process, options))


@click.command(
    epilog="Kinds: " + ", ".join(FaultKind) + ".",
)
@click.option(
    "--control",
    required=True,
    metavar="URL",
    help=f"Where a simulator is told: {_WHERE}.",
)
@click.option("--instrument", metavar="BASE-QUOTE", help="Only this one.  [default: all]")
@click.option(
    "--seconds",
    type=NumberRange(0, MAX_SECONDS),
    help="How long it lasts.  [default: the next frame alone, or 3 s where it is a state]",
)
@click.option(
    "--clear",
    is_flag=True,
    help="End what goes wrong, and forget what is planned: of KIND at VENUE, of all kinds at VENUE,"
    " or all there is.",
)
@click.option(
    "--ca-file",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="PEM of the authority of a simulator with TLS.",
)
@click.argument("venue", required=False)
@click.argument("kind", required=False)
def fault(
    *,
    control: str,
    instrument: str | None,
    seconds: float | None,
    clear: bool,
    ca_file: Path | None,
    venue: str | None,
    kind: str | None,
) -> None:
    """Let KIND go wrong at VENUE of a running simulator, or end it.

    \b
    Example:
      dragonfly fault --control http://127.0.0.1:9000/control kraken silence --seconds 60
      dragonfly fault --control http://127.0.0.1:9000/control kraken --clear
    """
    if clear and seconds is not None:
        raise click.UsageError("--clear ends a fault at once: leave out --seconds")
    if not clear and kind is None:
        raise click.UsageError(f"Missing argument '{'KIND' if venue else 'VENUE'}'.")
    query = {"venue": venue, "kind": kind, "instrument": instrument, "seconds": seconds}
    given = {name: value for name, value in query.items() if value is not None}
    what = "clear" if clear else "fault"
    asked = urlencode(given, errors="replace")  # bytes that are no text are in no name
    reply = _post(f"{control.rstrip('/')}/{what}?{asked}", control, ca_file)
    click.echo(printable(reply, LONGEST_SENTENCE))


def _post(url: str, control: str, ca_file: Path | None) -> str:
    """Return the reply of a simulator's control page.

    Raises:
        ConfigError: nobody is there, or the simulator refuses; the message says why.
    """
    if not url.startswith(("http://", "https://")):
        raise ConfigError(_NO_CONTROL.format(control))
    try:
        tls = named_authority(ca_file) if ca_file else ssl.create_default_context()
        opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=tls)
        )
        request = urllib.request.Request(url, b"", {HEADER: "1"})  # noqa: S310 - checked above
        with opener.open(request, timeout=CONTROL_TIMEOUT_S) as reply:
            if HEADER not in reply.headers:
                raise ConfigError(_NO_CONTROL.format(control))
            return str(reply.read(MAX_REPLY_BYTES).decode())
    except urllib.error.HTTPError as refusal:
        raise ConfigError(_reason(refusal, control)) from None
    except http.client.BadStatusLine:  # who answers speaks something else
        raise ConfigError(_NO_CONTROL.format(control)) from None
    except (OSError, ValueError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", error)
        raise ConfigError(
            f"no simulator answers at {control}: {reason}; give --control {_WHERE}"
        ) from None


def _reason(refusal: urllib.error.HTTPError, control: str) -> str:
    with refusal:
        try:
            if HEADER in refusal.headers:
                said = json.loads(refusal.read(MAX_REPLY_BYTES))["error"]
                return printable(said, LONGEST_SENTENCE)
        except (OSError, ValueError, KeyError, TypeError, http.client.HTTPException):
            pass
    return _NO_CONTROL.format(control)
