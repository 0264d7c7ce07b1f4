"""QuickFIX (C++, by quickfix-tls) as customers run it, in an environment of its own.

They print what every client here prints, a line each: `up`, `down`, `in MESSAGE`, and `bad MESSAGE`
for each one of its own that refuses one of ours.
"""

from __future__ import annotations

import sys
from pathlib import Path

import quickfix as fix

NAME = "quickfix"


def say(word: str, message: str = "") -> None:
    sys.stdout.write(f"{word} {message}".rstrip() + "\n")
    sys.stdout.flush()


class Application(fix.Application):  # type: ignore[misc]
    # An exception in a callback ends the process.

    def __init__(self, token: str) -> None:
        super().__init__()
        self._token = token

    def onCreate(self, session_id: fix.SessionID) -> None:
        pass

    def onLogon(self, session_id: fix.SessionID) -> None:
        say("up")

    def onLogout(self, session_id: fix.SessionID) -> None:
        say("down")

    def toAdmin(self, message: fix.Message, session_id: fix.SessionID) -> None:
        kind = message.getHeader().getField(35)
        if kind == "A":
            message.setField(553, NAME)
            message.setField(554, self._token)
        if kind == "3":
            say("bad", message.toString())

    def toApp(self, message: fix.Message, session_id: fix.SessionID) -> None:
        if message.getHeader().getField(35) == "j":
            say("bad", message.toString())

    def fromAdmin(self, message: fix.Message, session_id: fix.SessionID) -> None:
        pass

    def fromApp(self, message: fix.Message, session_id: fix.SessionID) -> None:
        say("in", message.toString())


def settings_of(
    target: str, port: str, ca_file: str, dictionary: str, folder: str, *more: str
) -> fix.SessionSettings:
    """Return the settings of a session with `target`; `more` are lines for it alone."""
    lines = (
        "[DEFAULT]",
        "ConnectionType=initiator",
        "ReconnectInterval=1",
        "StartTime=00:00:00",
        "EndTime=00:00:00",
        "HeartBtInt=5",
        f"DataDictionary={dictionary}",
        f"CertificationAuthoritiesFile={ca_file}",
        "CertificateVerifyLevel=1",
        "SocketConnectHost=127.0.0.1",
        f"SocketConnectPort={port}",
        *more,
        "[SESSION]",
        "BeginString=FIX.4.4",
        f"SenderCompID={NAME}",
        f"TargetCompID={target}",
    )
    file = Path(folder) / f"{target}.cfg"
    file.write_text("\n".join(lines) + "\n")
    return fix.SessionSettings(str(file))
