"""A bot that shows what it receives: a live ladder in a terminal, lines anywhere else."""

from dragonfly_client.watch.latency import LatencyScreen, as_json
from dragonfly_client.watch.run import check_picture, run_watch
from dragonfly_client.watch.statistics import Summary

__all__ = ["LatencyScreen", "Summary", "as_json", "check_picture", "run_watch"]
