"""The range of numbers that an option takes."""

from __future__ import annotations

import math
from typing import Any, Final

import click

__all__ = ["NumberRange"]


MOST: Final = 1e9
"""What no number of an option exceeds; as seconds, 31 years: no timer of any library overflows."""


class NumberRange(click.FloatRange):
    """A `FloatRange` of numbers up to `MOST`; `nan` is neither below a bound nor above."""

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        number = float(super().convert(value, param, ctx))
        if math.isnan(number):
            self.fail(f"{value!r} is not a number.", param, ctx)
        if number > MOST:
            self.fail(f"{value!r} is more than {MOST:g}.", param, ctx)
        return number
