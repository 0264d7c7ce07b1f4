"""What holds for every test of the repository."""

from __future__ import annotations

import gc
import getpass
import os
import tempfile
from collections.abc import Generator, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import structlog
from hypothesis import HealthCheck, settings

SPANNING = Path(__file__).parent / "tests"
WAITING = {"test_acceptance.py", "test_cli.py", "test_conformance.py", "test_runtime.py"}
"""Tests of a package that start processes or wait for time, too."""

# Machines that run the tests may be slow: how long an example takes, or its making,
# says nothing about it.
for _name, _examples in (("short", 25), ("long", 400)):
    settings.register_profile(
        _name,
        max_examples=_examples,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow],
    )


# Everything here is on loopback, which gRPC and others would look for behind a developer's proxy.
for _name in [name for name in os.environ if name.lower().endswith("_proxy")]:
    del os.environ[_name]


# Nor is anything kept in the developer's home.
os.environ["XDG_STATE_HOME"] = os.devnull


# A process forces its own end when it takes long; a command called within a test must not end the
# tests. Far more than a suite takes, and a thread that waits for it is a daemon.
A_DAY_S = 86_400.0


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--long", action="store_true", help="run in full what is cut short otherwise")


def pytest_configure(config: pytest.Config) -> None:
    settings.load_profile("long" if config.getoption("--long") else "short")


def pytest_itemcollected(item: pytest.Item) -> None:
    """Mark what has a long form, before anybody chooses by it."""
    if "long" in getattr(item, "fixturenames", ()):
        item.add_marker("long")


@pytest.hookimpl(trylast=True)  # after the shuffling
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Offer no test of what is not here: most have neither our recordings nor kustomize.

    What spans processes, and mostly waits for them, comes first: the others fill the gaps.
    """
    lacking = [
        item
        for item in items
        if not all(mark.args[0].exists() for mark in item.iter_markers("needs"))
    ]
    if lacking:
        config.hook.pytest_deselected(items=lacking)
        items[:] = [item for item in items if item not in lacking]
    items.sort(key=lambda item: item.path.parent != SPANNING and item.path.name not in WAITING)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Leave all that is imported to the end: each look for cycles would pass through it anew."""
    gc.disable()
    collected = yield
    gc.freeze()
    gc.enable()
    return collected


def pytest_unconfigure() -> None:
    """Leave no empty folder of pytest's own."""
    with suppress(OSError):
        (Path(tempfile.gettempdir()) / f"pytest-of-{getpass.getuser()}").rmdir()


@pytest.fixture(scope="session")
def long(pytestconfig: pytest.Config) -> bool:
    """Return whether a test that has a long form is to take it."""
    return bool(pytestconfig.getoption("--long"))


@pytest.fixture(autouse=True)
def no_forced_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a command that a test calls in this very process end without a deadline."""
    monkeypatch.setattr("dragonfly_common.runtime.END_LIMIT_S", A_DAY_S, raising=False)


@pytest.fixture(autouse=True, scope="module")
def what_is_left_open_is_seen_here() -> Iterator[None]:
    """Collect what a file's tests left open: otherwise whichever test runs then fails for it."""
    yield
    gc.collect()


@pytest.fixture(autouse=True)
def log_of_its_own() -> Iterator[None]:
    """Undo what a test made of the log: a command's goes to a stream that ends with its test."""
    yield
    structlog.reset_defaults()
