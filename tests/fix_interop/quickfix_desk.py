"""QuickFIX as a customer that trades.

quickfix_desk.py PORT CA_FILE DICTIONARY FOLDER TOKEN

It does what its standard input says, a line each: `on`, `off` (the line is closed, its numbers
stay), or the type and the body of a message, with | between fields.
"""

from __future__ import annotations

import sys

import quickfix as fix
from quickfix_common import NAME, Application, say, settings_of

*place, folder, token = sys.argv[1:]
settings = settings_of("DRAGONFLY-OE", *place, folder, f"FileStorePath={folder}/quickfix-store")
desk, store = Application(token), fix.FileStoreFactory(settings)
session = fix.SessionID("FIX.4.4", NAME, "DRAGONFLY-OE")
initiator = None
for line in sys.stdin:
    word, _, body = line.strip().partition(" ")
    if word == "on":
        initiator = fix.ThreadedSSLSocketInitiator(desk, store, settings)
        initiator.start()
    elif word == "off" and initiator is not None:
        initiator.stop(True)  # without a Logout, as when a line breaks
        initiator = None
        say("off")
    else:
        order = fix.Message()
        order.getHeader().setField(fix.MsgType(word))
        for part in body.split("|"):
            tag, _, value = part.partition("=")
            order.setField(int(tag), value)
        order.setField(fix.TransactTime())
        fix.Session.sendToTarget(order, session)
