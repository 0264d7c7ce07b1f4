"""Print each alert that Alertmanager tells, and each end of one: put your chat or pager here.

python3 deploy/prometheus/webhook.py [PORT]
"""

from __future__ import annotations

import json
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer

USUAL_PORT = 9099
MOST_BYTES = 1_000_000


class Receiver(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        told = json.loads(self.rfile.read(min(int(self.headers["Content-Length"]), MOST_BYTES)))
        for alert in told["alerts"]:
            labels, said = alert["labels"], alert["annotations"]
            print(
                f"{alert['status']} {labels['alertname']} ({labels['severity']}):"
                f" {said['summary']}; {said['action']}",
                flush=True,
            )
        self.send_response(200)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        """Say nothing else."""


if __name__ == "__main__":
    server = HTTPServer(("127.0.0.1", int(sys.argv[1]) if sys.argv[1:] else USUAL_PORT), Receiver)
    print(f"alerts are received at http://127.0.0.1:{server.server_port}/", flush=True)
    server.serve_forever()
