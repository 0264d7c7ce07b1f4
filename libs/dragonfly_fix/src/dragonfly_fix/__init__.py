"""FIX 4.4 without I/O: codec, dictionary and session, for acceptors and initiators."""
