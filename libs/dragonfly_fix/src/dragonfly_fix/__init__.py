"""FIX 4.4 for acceptors and initiators: codec, dictionary and session without I/O; a connection."""
