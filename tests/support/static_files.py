"""The page's files over HTTP, for pages whose monitor is played: a browser asks for a hundred."""

import functools
import threading
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Final, Self

from shotline import monitor
from shotline.monitor.http.pages import policy

FOLDER: Final = Path(monitor.__file__).parent
"""`static` is in it, as in the addresses."""


class StaticFiles:
    """Serves them on a port of this machine, in a thread."""

    def __init__(self) -> None:
        handler = functools.partial(_Handler, directory=str(FOLDER))
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.port = int(self._server.server_address[1])
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Handler(SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Answer with a file; the page itself has the headers that the monitor gives it."""
        if self.path.partition("?")[0] != "/":
            super().do_GET()
            return
        page = (FOLDER / "static/index.html").read_bytes()
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(page)))
        self.send_header("Content-Security-Policy", policy(self.headers["Host"]))
        self.send_header("Set-Cookie", "_xsrf=token; Path=/")
        self.end_headers()
        self.wfile.write(page)

    def log_message(self, *_: object) -> None:
        """Say nothing."""
