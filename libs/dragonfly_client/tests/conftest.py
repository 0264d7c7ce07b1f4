"""A gateway to talk to: in the test's own loop, or in a process of its own."""

from stub_gateway import gateway, stub_address

__all__ = ["gateway", "stub_address"]
