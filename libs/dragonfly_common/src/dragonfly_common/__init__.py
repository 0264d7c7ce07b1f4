"""What every DragonflyBot process shares: types, messages, codec, bus, runtime, command group."""
