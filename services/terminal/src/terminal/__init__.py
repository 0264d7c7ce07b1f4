"""The commands for people at a terminal: the live ladder, and the latency of quotes by hop."""
