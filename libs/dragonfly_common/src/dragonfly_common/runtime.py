"""A process's life: options, signals, readiness, watchdog, status page, and one exit path.

A service hands its main function to `run_async` or `run_loop` and never returns from there: the
process ends with an `ExitCode` that its supervisor understands. It ends in one of four ways: it was
asked to stop (SIGTERM, SIGINT), a person's mistake (one sentence), a bug (a traceback on the log),
or the watchdog found that its main loop stood still. Once it has begun to end nothing holds it up,
neither a thread that hangs nor a log that nobody reads: the watchdog sees to that too.
"""

from __future__ import annotations

import asyncio
import functools
import gc
import math
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Coroutine
from contextlib import suppress
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any, Final, NoReturn, ParamSpec, TypeVar, cast

import click
import structlog

from dragonfly_common import counters, log
from dragonfly_common.clock import Clock, SystemClock
from dragonfly_common.discovery import is_loopback
from dragonfly_common.errors import ConfigError, ExitCode, UserError
from dragonfly_common.memory import give_back, settle_collector
from dragonfly_common.staleness import PauseDetector
from dragonfly_common.status import StatusServer
from dragonfly_common.wording import as_given

__all__ = [
    "SUPERVISED",
    "Gathered",
    "Runtime",
    "RuntimeOptions",
    "gather",
    "open_option",
    "run_async",
    "run_loop",
    "runtime_options",
]

WATCHDOG_LIMIT_S: Final = 10.0
WATCHDOG_TICK_S: Final = 1.0
GIVE_BACK_INTERVAL_S: Final = 30.0
COLLECT_INTERVAL_S: Final = 30.0
PAUSE_S: Final = 1.0

END_LIMIT_S: Final = 1.8
"""From the signal to the end; two seconds are promised."""
LAST_WORDS_S: Final = 0.1
LONGEST_ID: Final = 100

SUPERVISED: Final = "DRAGONFLY_SUPERVISED"
"""Set in the environment by a supervisor whose end, seen as the end of standard input, is ours.

Its value may be a folder of sockets, which the last process that outlives the supervisor removes.
"""

P = ParamSpec("P")
R = TypeVar("R")
AsyncMain = Callable[["Runtime"], Coroutine[Any, Any, None]]

_gathering: ContextVar[bool] = ContextVar("gathering", default=False)
"""Services are to be run beside others, by a caller that gathers them."""

logger = structlog.get_logger()


@dataclass(frozen=True)
class RuntimeOptions:
    """The options that every service's command line offers."""

    instance: str | None = None
    log_level: str = "info"
    log_format: str = "auto"
    status_address: str | None = None
    open: bool = False
    """It is meant that other machines reach what nothing protects."""


open_option: Final = click.option(
    "--open",
    "open_",
    is_flag=True,
    help="Warn of nothing that other machines reach without keys, TLS or tokens: it is meant, as in"
    " a network that nobody else is in.",
)


def runtime_options(command: Callable[..., R]) -> Callable[..., R]:
    """Add the options of `RuntimeOptions` to a click command, which gets them as `runtime`."""

    @click.option(
        "--id",
        "instance",
        metavar="NAME",
        callback=_check_id,
        help="This process's name on the bus; must be its own.  [default: service@host]",
    )
    @click.option(
        "--log-level", type=click.Choice(log.LOG_LEVELS), default="info", show_default=True
    )
    @click.option(
        "--log-format",
        type=click.Choice(log.LOG_FORMATS),
        default="auto",
        show_default=True,
        help="auto is console on a terminal and json elsewhere.",
    )
    @click.option(
        "--status",
        "status_address",
        metavar="HOST:PORT",
        help="Serve /metrics, /healthz and /readyz here.  [default: not served]",
    )
    @open_option
    @functools.wraps(command)
    def with_runtime(
        *args: Any,
        instance: str | None,
        log_level: str,
        log_format: str,
        status_address: str | None,
        open_: bool,
        **options: Any,
    ) -> R:
        runtime = RuntimeOptions(instance, log_level, log_format, status_address, open_)
        return command(*args, runtime=runtime, **options)

    return with_runtime


def _check_id(ctx: click.Context, option: click.Parameter, name: str | None) -> str | None:
    if name is not None and not (0 < len(name) <= LONGEST_ID and name.isprintable()):
        raise click.BadParameter(
            f"{name[:LONGEST_ID]!r} is not a name: write 1 to {LONGEST_ID} printable characters"
        )
    return name


class Runtime:
    """The process that a service runs in, as its main function asks of it and tells it."""

    def __init__(self, service: str, options: RuntimeOptions, clock: Clock | None = None) -> None:
        self.service = service
        self.instance = options.instance or f"{service}@{socket.gethostname()}"
        self.clock: Clock = clock or SystemClock()
        self.stopping = False
        self.stopped_by: str | None = None
        self.orphaned = False
        self.on_stop: Callable[[Callable[[], object]], object] = lambda end: end()
        """Called once where a signal asks an asyncio service to stop, with what ends it: so that it
        may finish something first. The limit for its end holds all the same."""
        self._ending = threading.Event()
        self._ended = threading.Event()
        self._code = ExitCode.STOPPED
        self._unready: str | None = "starting"
        self._said_ready = False
        now = self.clock.monotonic()
        # A beat at the second is in time.
        self._pauses = PauseDetector(math.nextafter(PAUSE_S, math.inf), now)
        self._collect_at = now + COLLECT_INTERVAL_S
        log.configure(
            options.log_level, cast("log.LogFormat", options.log_format), service, self.instance
        )
        self._open = options.open
        self._status = (
            StatusServer(options.status_address, lambda: self._unready)
            if options.status_address
            else None
        )
        if self._status:
            self.warn_if_open(
                self._status.address,
                "everybody who reaches it can read this process's metrics",
                "serve --status on 127.0.0.1",
            )

    def ready(self, **facts: object) -> None:
        """Turn `/readyz` to 200; the first time, log `ready` with the facts that others need."""
        self._unready = None
        counters.READY.set(1)
        if not self._said_ready:
            self._said_ready = True
            if self._status:
                facts["status"] = self._status.address
            logger.info("ready", **facts)

    def warn_if_open(self, address: str, risk: str, remedy: str) -> None:
        """Say so where other machines reach `address`, unless --open said that it is meant."""
        if not self._open and not is_loopback(address):
            logger.warning(
                "open to other machines",
                address=address,
                reason=risk,
                remedy=f"{remedy}, or say with --open that it is meant",
            )

    def warn_if_bus_is_open(self, bind: str, *, secured: bool) -> None:
        """Say so where other machines reach the bus at `bind`, and keys are asked of nobody."""
        if not secured:
            risk = "everybody who reaches it can read all books and ask for any"
            self.warn_if_open(bind, risk, "give --curve-key and --curve-trust")

    def not_ready(self, reason: str) -> None:
        """Turn `/readyz` to 503 with `reason`."""
        self._unready = reason
        counters.READY.set(0)

    def beat(self) -> None:
        """Feed the watchdog. Call it at least once a second.

        Longer without one means that the process stood still (stopped, starved, suspended), which
        is counted and logged.
        """
        now = self.clock.monotonic()
        if stood_still_s := self._pauses.beat(now):
            counters.PAUSES.inc()
            logger.warning("process paused", seconds=round(stood_still_s, 3))
        if now >= self._collect_at:
            self._collect_at = now + COLLECT_INTERVAL_S
            gc.collect()

    def stop(self, number: int) -> None:
        """Begin to end because of a signal.

        Logs nothing: the signal may have interrupted a log line, whose lock is held.
        """
        if not self.stopping:
            self.stopped_by = signal.Signals(number).name
            self.end(ExitCode.STOPPED)

    def end(self, code: ExitCode) -> None:
        """Begin to end: from now on it may take `END_LIMIT_S`."""
        self.stopping = True
        self._code = code
        self._ending.set()

    def close(self) -> None:
        if self._status:
            self._status.close()

    def release(self) -> None:
        """Force no end where nothing is left to hold it up: the program may go on."""
        if not _unended_threads():
            self._ended.set()

    def start_watchdog(self) -> None:
        """Watch from a thread that the main loop beats, that the end is one, and memory."""
        threading.Thread(target=self._watch, name="watchdog", daemon=True).start()

    def _watch(self) -> None:
        give_back_at = 0.0
        while not self._ending.is_set():
            before = self.clock.monotonic()
            if before >= give_back_at:
                give_back_at = before + GIVE_BACK_INTERVAL_S
                give_back()
            self._ending.wait(WATCHDOG_TICK_S)
            now = self.clock.monotonic()
            # When this thread itself overslept, the whole process stood still: no one's fault.
            overslept = now - before > 2 * WATCHDOG_TICK_S
            if not overslept and now - self._pauses.beat_at > WATCHDOG_LIMIT_S:
                _say_briefly(logger.critical, "watchdog expired", limit_s=WATCHDOG_LIMIT_S)
                os._exit(ExitCode.WATCHDOG)
        if not self._ended.wait(END_LIMIT_S):
            threads = [thread.name for thread in _unended_threads()]
            _say_briefly(logger.warning, "end forced", limit_s=END_LIMIT_S, threads=threads)
            os._exit(self._code)


class Gathered(Exception):  # noqa: N818 - not an error: a service that was not run yet
    """A service that is to run beside others in one process."""

    def __init__(self, service: str, options: RuntimeOptions, main: AsyncMain) -> None:
        super().__init__(service)
        self.service = service
        self.options = options
        self.main = main


def gather(call: Callable[[], object]) -> Gathered:
    """Return the service that `call` would run.

    Raises:
        ConfigError: it runs none.
    """
    token = _gathering.set(True)
    try:
        call()
    except Gathered as found:
        return found
    finally:
        _gathering.reset(token)
    raise ConfigError("a command that runs no service cannot run beside others")


def run_async(
    service: str,
    options: RuntimeOptions,
    main: AsyncMain,
) -> NoReturn:
    """Run `main` on uvloop until it ends or a signal cancels it; end the process."""
    if _gathering.get():
        raise Gathered(service, options, main)
    import uvloop  # noqa: PLC0415 - the aggregator never needs it

    async def supervised(runtime: Runtime) -> None:
        task = asyncio.ensure_future(main(runtime))
        loop = asyncio.get_running_loop()

        def stop(number: int) -> None:
            # Once: a second signal must not cut short what the first one began.
            if not runtime.stopping:
                runtime.stop(number)
                runtime.on_stop(task.cancel)

        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop, number)
        try:
            await task
        except asyncio.CancelledError:
            if not runtime.stopping:
                raise

    def start(runtime: Runtime) -> None:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(supervised(runtime))

    _run(service, options, start)


def run_loop(
    service: str,
    options: RuntimeOptions,
    main: Callable[[Runtime], None],
    beside: AsyncMain | None = None,
) -> NoReturn:
    """Run a plain loop, which ends itself once `runtime.stopping`; end the process.

    `beside` does the same where other services share the process.
    """
    if _gathering.get() and beside is not None:
        raise Gathered(service, options, beside)

    def start(runtime: Runtime) -> None:
        def stop(number: int, frame: FrameType | None) -> None:
            runtime.stop(number)

        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, stop)
        main(runtime)

    _run(service, options, start)


def _run(service: str, options: RuntimeOptions, start: Callable[[Runtime], None]) -> NoReturn:
    try:
        runtime = Runtime(service, options)
    except UserError as error:
        sys.exit(_code_of_mistake(error))
    settle_collector()
    runtime.start_watchdog()
    if os.environ.get(SUPERVISED):
        threading.Thread(target=_end_with_supervisor, args=(runtime,), daemon=True).start()
    code = ExitCode.BUG
    try:
        start(runtime)
        code = ExitCode.STOPPED
    except UserError as error:
        code = _code_of_mistake(error)
    except BaseExceptionGroup as group:
        code = _code_of_group(group)
    except Exception:
        logger.exception("process failed")
    finally:
        runtime.end(code)
        runtime.close()
        if runtime.orphaned:
            with suppress(OSError):  # others have their sockets in it, or it is gone
                Path(os.environ[SUPERVISED]).rmdir()
    logger.info("process ended", code=int(code), signal=runtime.stopped_by)
    runtime.release()
    sys.exit(code)


def _code_of_mistake(error: UserError) -> ExitCode:
    sentence = str(error)
    if (context := click.get_current_context(silent=True)) is not None:
        sentence = as_given(sentence, context.command, sys.argv)
    click.echo(f"Error: {sentence}", err=True)
    return error.exit_code


def _code_of_group(group: BaseExceptionGroup[BaseException]) -> ExitCode:
    """Say a person's mistake as one sentence even where a task group wrapped it."""
    mistakes, rest = group.split(UserError)
    if mistakes and not rest:
        error: BaseException = mistakes
        while isinstance(error, BaseExceptionGroup):
            error = error.exceptions[0]
        return _code_of_mistake(cast("UserError", error))
    logger.error("process failed", exc_info=group)
    return ExitCode.BUG


def _end_with_supervisor(runtime: Runtime) -> None:
    with suppress(OSError):
        while os.read(0, 1024):
            pass
    runtime.orphaned = True
    os.kill(os.getpid(), signal.SIGTERM)


def _unended_threads() -> list[threading.Thread]:
    """Return the threads that the interpreter waits for before it ends."""
    main = threading.main_thread()
    return [thread for thread in threading.enumerate() if not thread.daemon and thread is not main]


def _say_briefly(say: Callable[..., object], event: str, **facts: object) -> None:
    """Log an event if the log takes it; what is stuck may be the log itself."""
    words = threading.Thread(target=say, args=(event,), kwargs=facts, daemon=True)
    with suppress(RuntimeError):  # the interpreter is too far gone to start a thread
        words.start()
        words.join(LAST_WORDS_S)
