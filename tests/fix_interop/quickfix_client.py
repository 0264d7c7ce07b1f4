"""QuickFIX as a customer that follows books.

quickfix_client.py PORT CA_FILE DICTIONARY FOLDER TOKEN REQUEST…
"""

from __future__ import annotations

import sys
import time

import quickfix as fix
from quickfix_common import Application, settings_of


class Customer(Application):
    def onLogon(self, session_id: fix.SessionID) -> None:
        super().onLogon(session_id)
        for text in REQUESTS:
            name, symbol, depth, update_type, aggregated = text.split(":")
            request = fix.Message()
            request.getHeader().setField(fix.MsgType("V"))
            request.setField(262, name)
            request.setField(263, "1")
            request.setField(264, depth)
            request.setField(265, update_type)
            request.setField(266, aggregated)
            for side in "01":
                entry = fix.Group(267, 269)
                entry.setField(269, side)
                request.addGroup(entry)
            instrument = fix.Group(146, 55)
            instrument.setField(55, symbol)
            request.addGroup(instrument)
            fix.Session.sendToTarget(request, session_id)


PORT, CA_FILE, DICTIONARY, FOLDER, TOKEN, *REQUESTS = sys.argv[1:]
settings = settings_of("DRAGONFLY-MD", PORT, CA_FILE, DICTIONARY, FOLDER, "ResetOnLogon=Y")
customer = Customer(TOKEN)
# The one without threads never comes back once a connection was refused.
initiator = fix.ThreadedSSLSocketInitiator(customer, fix.MemoryStoreFactory(), settings)
initiator.start()
while True:
    time.sleep(1)
