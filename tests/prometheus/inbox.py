"""The far ends of notifications: what receives a webhook, a chat message or a mail, and keeps it."""

import json
import socketserver
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Inbox:
    """The far ends: an HTTP server for everything that is a webhook, and a mail server."""

    def __init__(self):
        self.arrived = {}
        self.changed = threading.Condition()
        inbox = self

        class Web(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                inbox.take(self.path, json.loads(body), self.headers.get("Authorization"))
                answer = {
                    "ok": True,
                    "result": {"message_id": 1, "date": 1, "chat": {"id": 1, "type": "group"}},
                }
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.end_headers()
                self.wfile.write(json.dumps(answer).encode())

            def log_message(self, *_):
                pass

        class Mail(socketserver.StreamRequestHandler):
            def handle(self):
                self.wfile.write(b"220 ready\r\n")
                while command := self.rfile.readline().strip().upper():
                    if command.startswith(b"EHLO"):
                        self.wfile.write(b"250 localhost\r\n")
                    elif command == b"DATA":
                        self.wfile.write(b"354 go on\r\n")
                        lines = []
                        while (line := self.rfile.readline()) not in (b".\r\n", b""):
                            lines.append(line)
                        if not line:
                            # Whoever sent it was stopped meanwhile.
                            return
                        inbox.take("/mail", b"".join(lines).decode(), None)
                        self.wfile.write(b"250 ok\r\n")
                    elif command == b"QUIT":
                        self.wfile.write(b"221 bye\r\n")
                        return
                    else:
                        self.wfile.write(b"250 ok\r\n")

        self.servers = [
            ThreadingHTTPServer(("127.0.0.1", 0), Web),
            socketserver.ThreadingTCPServer(("127.0.0.1", 0), Mail),
        ]
        self.web, self.mail = (server.server_address[1] for server in self.servers)
        self.threads = [
            threading.Thread(target=server.serve_forever, args=(0.05,)) for server in self.servers
        ]
        for thread in self.threads:
            thread.start()

    def take(self, path, body, authorization):
        with self.changed:
            self.arrived.setdefault(path, []).append((body, authorization))
            self.changed.notify_all()

    def wait(self, path, accept, timeout=20.0):
        def found():
            return next((one for one in self.arrived.get(path, []) if accept(one[0])), None)

        with self.changed:
            assert self.changed.wait_for(found, timeout), f"nothing fitting came to {path}: {self.arrived}"
            return found()

    def close(self):
        for server, thread in zip(self.servers, self.threads, strict=True):
            server.shutdown()
            server.server_close()
            thread.join()
