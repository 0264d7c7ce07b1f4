"""Decoding that venues share: frames into tops of book and other events."""
