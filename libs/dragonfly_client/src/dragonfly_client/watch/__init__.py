"""A bot that shows what it receives: a live ladder in a terminal, lines anywhere else."""

from dragonfly_client.watch.run import run_watch
from dragonfly_client.watch.statistics import Summary

__all__ = ["Summary", "run_watch"]
