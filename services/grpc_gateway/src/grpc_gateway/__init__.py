"""Serves the consolidated books to bots over gRPC."""

import os

# Read when gRPC is first imported. Its core otherwise writes a line for every handshake that
# fails, past every logger and as often as strangers like; the gateway counts and logs them itself.
os.environ.setdefault("GRPC_VERBOSITY", "NONE")
