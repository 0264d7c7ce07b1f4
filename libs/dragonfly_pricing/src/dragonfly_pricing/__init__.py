"""Executable prices: what an order costs over several venues, net of fees. Pure."""
