"""Gemini spot: whole tops of up to 20 levels every 100 ms, deeper books by changes."""

from dragonfly_venues.gemini.venue import Gemini

__all__ = ["Gemini"]
