"""`python -m dragonflybot` is the command `dragonfly`, also where scripts are not on the path."""

from __future__ import annotations

from dragonfly_common.cli import main

main()
