"""Shared by every DragonflyBot process: types, messages, codec, bus, runtime, command group."""
