"""Settings that gRPC's core reads when it is first imported; imported before anything else here."""

from __future__ import annotations

import os

# The core writes lost connections to stderr, past every logger; the client tells it as an event.
os.environ.setdefault("GRPC_VERBOSITY", "ERROR")
