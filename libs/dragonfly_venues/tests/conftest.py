"""A venue to connect to, in the test's own loop."""

from __future__ import annotations

from fake_venue import pki, server, tls_server

__all__ = ["pki", "server", "tls_server"]
