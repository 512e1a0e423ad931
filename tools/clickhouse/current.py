#!/usr/bin/env python3
"""The current engine of ClickHouse, as PyPI's chdb has it, behind as much of its HTTP interface as the program
uses: statements and settings in, RowBinary out. For tests on one machine only.

    current.py DIRECTORY [PORT]
"""

import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlsplit

from chdb import session

ENGINE = None
LOCK = threading.Lock()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        parts = urlsplit(self.path)
        if parts.path == "/ping":
            return self.answer(200, b"Ok.\n")
        return self.query(dict(parse_qsl(parts.query)), b"")

    def do_POST(self):
        parameters = dict(parse_qsl(urlsplit(self.path).query))
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            body = b"".join(iter(self.chunk, b""))
        else:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.query(parameters, body)

    def chunk(self):
        size = int(self.rfile.readline().split(b";")[0], 16)
        data = self.rfile.read(size)
        self.rfile.readline()
        return data

    def query(self, parameters, body):
        form = parameters.pop("default_format", "TabSeparated")
        statement = parameters.pop("query", "")
        if statement.upper().startswith("INSERT"):
            # The engine inside this process takes rows from a file.
            with open(FOLDER + ".rows", "wb") as rows:
                rows.write(body)
            head = statement.rsplit(" FORMAT ", 1)[0]
            statement = f"{head} FROM INFILE '{FOLDER}.rows' FORMAT RowBinary"
        else:
            statement = statement or body.decode()
        settings = ", ".join(
            f"{name} = '{value}'" for name, value in parameters.items() if name not in OF_HTTP
        )
        try:
            with LOCK:
                if settings:
                    ENGINE.query(f"SET {settings}")
                result = ENGINE.query(statement, form)
                data = result.bytes() if result is not None else b""
            self.answer(200, bytes(data or b""))
        except Exception as error:  # Whatever the engine says is an answer.
            self.answer(500, str(error).encode())

    def answer(self, status, body):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


# Settings of the interface itself, and of clusters, of which there is none.
OF_HTTP = {"database", "wait_end_of_query", "query_id", "user", "password", "session_id"}

FOLDER = sys.argv[1]
PORT = int(sys.argv[2]) if len(sys.argv) > 2 else 18190
ENGINE = session.Session(FOLDER)
ThreadingHTTPServer(("127.0.0.1", PORT), Handler).serve_forever()
