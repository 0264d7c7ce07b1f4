"""Consolidated views as any gateway reads and relays them: gRPC's, and others beside it."""
