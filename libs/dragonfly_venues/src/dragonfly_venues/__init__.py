"""Venues, one folder each: how they are listened to, and the decoding and transport they share."""
