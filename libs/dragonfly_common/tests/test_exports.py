"""What a module offers is what it lists, and what the bus offers is what it says."""

from __future__ import annotations

import importlib
import pkgutil
from types import ModuleType

import dragonfly_common
import pytest
from dragonfly_common import counters
from dragonfly_common.errors import DragonflyError, ExitCode, UserError
from dragonfly_common.hot_counters import Delays, Tallies, Tally
from prometheus_client.metrics import MetricWrapperBase

MODULES = [
    importlib.import_module(found.name)
    for found in pkgutil.walk_packages(dragonfly_common.__path__, "dragonfly_common.")
]


@pytest.mark.parametrize("module", MODULES, ids=lambda module: str(module.__name__))
def test_every_name_that_is_listed_is_there(module: ModuleType) -> None:
    for name in module.__all__:
        assert hasattr(module, name)
    assert module.__doc__


def test_every_metric_is_exported_and_named_after_the_project() -> None:
    metrics = {
        name: value
        for name, value in vars(counters).items()
        if isinstance(value, MetricWrapperBase | Tally | Tallies | Delays)
    }
    assert metrics.keys() == set(counters.__all__)
    for metric in metrics.values():
        (described,) = metric.collect()
        assert described.name.startswith("dragonfly_")
        assert described.documentation.endswith(".")


def test_every_mistake_has_an_exit_code_that_is_no_success() -> None:
    def kinds(parent: type[UserError]) -> list[type[UserError]]:
        return [parent, *(kind for child in parent.__subclasses__() for kind in kinds(child))]

    for kind in kinds(UserError):
        assert issubclass(kind, DragonflyError)
        assert kind.exit_code not in {ExitCode.STOPPED, ExitCode.BUG, ExitCode.WATCHDOG}
