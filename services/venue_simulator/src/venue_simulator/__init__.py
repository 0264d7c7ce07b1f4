"""Fake venues that speak the real protocols, with faults on demand."""
