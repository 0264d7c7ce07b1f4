"""Deribit Spot over JSON-RPC: whole tops every 100 ms, or changes that name the one they follow."""

from dragonfly_venues.deribit.venue import Deribit

__all__ = ["Deribit"]
