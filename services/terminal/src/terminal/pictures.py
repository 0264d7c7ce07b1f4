"""Pictures of what a screen shows: SVG files."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dragonfly_client.errors import SettingError
from rich.console import Console, RenderableType

__all__ = ["check_picture", "leave_picture", "svg_of"]


def svg_of(drawn: RenderableType, title: str, width: int, height: int | None = None) -> str:
    """Return what is drawn as an SVG document."""
    canvas = Console(
        record=True,
        file=io.StringIO(),
        width=width,
        height=height,
        force_terminal=True,
        color_system="truecolor",
    )
    canvas.print(drawn)
    return canvas.export_svg(title=title)


def check_picture(svg: Path | None) -> None:
    """Find out now, and not at the end, whether a picture can be left there.

    Raises:
        SettingError: it cannot.
    """
    if svg is not None:
        with _leaving_at(svg):
            new = not svg.exists()
            svg.open("ab").close()
            if new:
                svg.unlink()


def leave_picture(svg: Path, document: str) -> None:
    """Leave an SVG document.

    Raises:
        SettingError: it cannot be left there.
    """
    with _leaving_at(svg):
        svg.write_text(document, encoding="utf-8")


@contextmanager
def _leaving_at(svg: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise SettingError(f"no picture can be left at {str(svg)!r}: {reason}") from None
