"""The health of a process on this machine: fresh data or none, for those who watch over it.

`dragonfly health` is for people; `dragonfly-health` does the same at a fraction of the cost, as an
orchestrator runs it every two seconds in every container: it imports next to nothing.
"""

from __future__ import annotations

import os
import socket
import sys

from dragonfly_common.printable import LONGEST_SENTENCE, printable

__all__ = ["ask", "main"]

DEFAULT_STATUS = "127.0.0.1:9100"
TIMEOUT_S = 1.0
LONGEST_REPLY_BYTES = 65536


def ask(status_address: str) -> str | None:
    """Return why the process whose status page is at `status_address` is not ready, or None."""
    host, colon, port = status_address.rpartition(":")
    if not (host and colon and port.isdecimal()):
        return (
            f"{status_address!r} is not an address: write HOST:PORT, for example {DEFAULT_STATUS}"
        )
    try:
        head, _, text = _get(host.strip("[]"), int(port)).partition("\r\n\r\n")
    except (OSError, OverflowError) as error:
        return f"nothing answers at {status_address}: {getattr(error, 'strerror', None) or error}"
    if head.partition("\r\n")[0].split(" ")[1:2] == ["200"]:
        return None
    return printable(text.strip(), LONGEST_SENTENCE) or f"no sensible answer from {status_address}"


def main() -> None:
    """Exit with 0 when the process is ready, else with 1 and the reason in one line."""
    reason = ask(os.environ.get("DRAGONFLY_HEALTH_STATUS", DEFAULT_STATUS))
    if reason is not None:
        sys.stdout.write(f"{reason}\n")
        sys.exit(1)


def _get(host: str, port: int) -> str:
    with socket.create_connection((host, port), TIMEOUT_S) as connection:
        connection.sendall(b"GET /readyz HTTP/1.0\r\n\r\n")
        received = bytearray()
        while len(received) < LONGEST_REPLY_BYTES and (part := connection.recv(4096)):
            received += part
    return received.decode(errors="replace")


if __name__ == "__main__":
    main()
