"""A server that answers mdsip clients with the recorded bytes of a real MDSplus 7.145.2 server.

    with ReplayServer(pace=1.0) as server:
        connection = mdsthin.Connection(server.url)

`recording.json` holds requests with the exact bytes that came back; `actions.json` holds what
native MDSplus read from the same tree. All that is kept between requests is each connection's last
request and the list of open trees: common to all connections, as in a real server, until one asks
for trees of its own.

What the recording does not have is answered as an unknown variable, and listed in `unrecorded`. Two
things are ours: an event with data is answered as the recorded event without; and `edit` makes a
list of numbers another one, as after an edit of the tree.
"""

import argparse
import base64
import json
import re
import socket
import struct
import threading
from collections import defaultdict
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

HERE = Path(__file__).parent
# msglen, status, length, nargs, index, message id, data type, client type, number of dimensions
HEADER = struct.Struct("<iihBBBBbB8i")
NUMBERS = {2: "B", 3: "H", 4: "I", 5: "Q", 6: "b", 7: "h", 8: "i", 9: "q", 52: "f", 53: "d"}
TEXT, NID = 14, 192
QUOTED = re.compile(r""""((?:[^"\\]|\\.)*)"|'((?:[^'\\]|\\.)*)'""")

Key = tuple[object, ...]


class Message(NamedTuple):
    """One message of a request: the expression, or an argument."""

    nargs: int
    position: int
    message_id: int
    dtype: int
    is_array: bool
    content: bytes

    @property
    def value(self) -> object:
        """Text as str, numbers as numbers, everything else as bytes."""
        if self.dtype == TEXT and not self.is_array:
            return self.content.decode("utf-8", "replace")
        code = "i" if self.dtype == NID else NUMBERS.get(self.dtype)
        if code is None or self.is_array:
            return self.content
        return struct.unpack("<" + code, self.content)[0]

    @property
    def key(self) -> object:
        """What tells arguments apart: a number by its value, whatever its width."""
        return (self.dtype == NID, self.value)


class Entry(NamedTuple):
    """One recorded exchange."""

    trees: Sequence[str] | None  # that may be on top; None: any
    after: str | None  # the request that must have come before
    answer: bytes
    seconds: float
    opens: str | None
    closes: str | None
    alone: bool | None  # whether the connection must have trees of its own; None: either
    parts: bool  # from now on it has


def normal(expression: str) -> str:
    """Return an expression as TDI compares it: no blanks and no case outside of quotes."""
    parts, end = [], 0
    for quoted in QUOTED.finditer(expression):
        text = quoted[1] if quoted[1] is not None else quoted[2]
        parts += ["".join(expression[end : quoted.start()].lower().split()), f"<{text}>"]
        end = quoted.end()
    return "".join([*parts, "".join(expression[end:].lower().split())])


class Recording:
    """The recorded exchanges, found by what was asked."""

    def __init__(self, file: Path = HERE / "recording.json") -> None:
        document = json.loads(file.read_text(encoding="utf-8"))
        self.logins = {
            name: base64.b64decode(login["response_base64"])
            for name, login in document["login"].items()
        }
        self._entries: dict[Key, list[Entry]] = defaultdict(list)
        for one in document["entries"]:
            effect = one.get("effect", {})
            entry = Entry(
                one.get("trees"),
                normal(one["after"]) if "after" in one else None,
                base64.b64decode(one["response_base64"]),
                one.get("seconds", 0.0),
                effect.get("open"),
                effect.get("close"),
                one.get("alone"),
                effect.get("alone", False),
            )
            if one.get("role") == "unrecorded":
                self.unknown = entry
            arguments = ((one["dtype"] == NID, one["value"]) for one in one["args"])
            self._entries[(normal(one["expression"]), *arguments)].append(entry)

    def find(self, request: list[Message], tree: str, client: "Client") -> Entry | None:
        """Return the exchange that answers a client's request while `tree` is on top."""
        expression = normal(str(request[0].value))
        arguments = [argument.key for argument in request[1:]]
        if expression == "setevent($,$)":
            expression, arguments = "setevent($)", arguments[:1]
        fitting = [
            entry
            for entry in self._entries.get((expression, *arguments), [])
            if (entry.trees is None or tree in entry.trees)
            and entry.after in (None, client.before)
            and entry.alone in (None, client.trees is not None)
        ]
        return max(fitting, key=lambda entry: entry.after is not None, default=None)


@dataclass(eq=False)
class Client:
    """A connection: its last request, and its open trees where it has some of its own."""

    connection: socket.socket
    before: str = ""
    trees: list[str] | None = None


class ReplayServer:
    """Serves a recording on a free port of this machine, one thread for each connection.

    `pace` is the share of the recorded durations that answers take; 1.0 makes tasks as slow as they
    were. `drop_at` closes the connection at that request (counted from 1 over all connections)
    instead of answering; `truncate_at` does so after half of the answer. `hold` is a text: requests
    that contain it are answered only once `release` is set; `refuse` one that an MDSplus does not
    know in them. Used as a context manager.
    """

    def __init__(
        self,
        *,
        pace: float = 0.0,
        drop_at: int | None = None,
        truncate_at: int | None = None,
        refuse_login: bool = False,
        hold: str | None = None,
        refuse: str | None = None,
        port: int = 0,
    ) -> None:
        self.pace = pace
        self.drop_at = drop_at
        self.truncate_at = truncate_at
        self.refuse_login = refuse_login
        self.hold = hold
        self.refuse = refuse
        self.release = threading.Event()
        self.held = threading.Event()  # a request that is held has come
        self.requests: list[tuple[Any, ...]] = []
        self.unrecorded: list[tuple[Any, ...]] = []
        self.logins = 0
        self._edited: dict[str, bytes] = {}
        self._trees: list[str] = []  # open and common to all, the current one last
        self._port = port
        self._recording = Recording()
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._clients: set[Client] = set()
        self._threads: list[threading.Thread] = []
        self._listener: socket.socket | None = None

    @property
    def url(self) -> str:
        """Its address, as mdsthin takes it."""
        return f"127.0.0.1:{self._port}"

    @property
    def trees(self) -> list[str]:
        """All open trees: the common ones, then those that are one connection's."""
        with self._lock:
            return sum((one.trees or [] for one in self._clients), list(self._trees))

    def __enter__(self) -> "ReplayServer":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Listen; on the same port as before when it was stopped."""
        self._stopping.clear()
        self._listener = socket.create_server(("127.0.0.1", self._port))
        self._port = self._listener.getsockname()[1]
        self._run(self._accept, self._listener)

    def stop(self) -> None:
        """Close all connections, as when the server's process ends."""
        self._stopping.set()
        with self._lock:
            sockets, threads = [one.connection for one in self._clients], [*self._threads]
            self._threads.clear()
        if self._listener is not None:
            sockets.append(self._listener)
        for one in sockets:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        for thread in threads:
            thread.join(timeout=20)
        if self._listener is not None:
            self._listener.close()

    def asked(self, part: str) -> list[tuple[Any, ...]]:
        """Return the requests whose expression contains `part`."""
        with self._lock:
            return [request for request in self.requests if part in request[0]]

    def edit(self, item: str, code: str, numbers: Sequence[int]) -> None:
        """Let this be the item of all ACTION nodes, in the tree's order; `code` as in NUMBERS."""
        dtype = next(dtype for dtype, known in NUMBERS.items() if known == code)
        content = struct.pack(f"<{len(numbers)}{code}", *numbers)
        head = HEADER.pack(
            HEADER.size + len(content), 1, struct.calcsize(code), 0, 0, 0, dtype, 2, 1,
            len(numbers), *[0] * 7,
        )  # fmt: skip
        with self._lock:
            self._edited[normal(f'getnci("***","{item}","ACTION")')] = head + content

    def _run(self, target: Any, argument: object) -> None:
        thread = threading.Thread(target=target, args=(argument,), daemon=True)
        with self._lock:
            self._threads.append(thread)
        thread.start()

    def _accept(self, listener: socket.socket) -> None:
        while not self._stopping.is_set():
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            client = Client(connection)
            with self._lock:
                self._clients.add(client)
            self._run(self._serve, client)

    def _serve(self, client: Client) -> None:
        try:
            if not self._log_in(client.connection):
                return
            while not self._stopping.is_set():
                request = _receive_request(client.connection)
                if not self._answer(client, request):
                    return
                client.before = normal(str(request[0].value))
        except (EOFError, OSError):
            pass
        finally:
            with self._lock:
                self._clients.discard(client)
            client.connection.close()

    def _log_in(self, connection: socket.socket) -> bool:
        request = _receive(connection)
        with self._lock:
            self.logins += 1
        answer = self._recording.logins["refused" if self.refuse_login else "accepted"]
        connection.sendall(_with_id(answer, request.message_id))
        return not self.refuse_login

    def _answer(self, client: Client, request: list[Message]) -> bool:
        """Answer one request; False when the connection is to be closed."""
        seen = tuple(message.value for message in request)
        with self._lock:
            self.requests.append(seen)
            number = len(self.requests)
            trees = self._trees if client.trees is None else client.trees
            entry = self._recording.find(request, trees[-1] if trees else "", client)
            edited = self._edited.get(normal(str(seen[0])))
            if edited is not None and trees:
                entry = self._recording.unknown._replace(answer=edited)
            elif self.refuse is not None and self.refuse in str(seen[0]):
                entry = self._recording.unknown
            if entry is None:
                self.unrecorded.append(seen)
                entry = self._recording.unknown
        if number == self.drop_at:
            return False
        if self.hold is not None and self.hold in str(seen[0]):
            self.held.set()
            while not self.release.wait(0.05):
                if self._stopping.is_set():
                    return False
        if self._stopping.wait(self.pace * entry.seconds):
            return False
        answer = _with_id(entry.answer, request[0].message_id)
        if number == self.truncate_at:
            client.connection.sendall(answer[: len(answer) // 2])
            return False
        with self._lock:
            if entry.parts and client.trees is None:
                client.trees = []
            _apply(entry, self._trees if client.trees is None else client.trees)
        client.connection.sendall(answer)
        return True


def _apply(entry: Entry, trees: list[str]) -> None:
    for tree in (entry.opens, entry.closes):
        if tree in trees:
            trees.remove(tree)
    if entry.closes == "*":
        trees.clear()
    if entry.opens is not None:
        trees.append(entry.opens)


def _receive_exactly(connection: socket.socket, count: int) -> bytes:
    content = b""
    while len(content) < count:
        part = connection.recv(count - len(content))
        if not part:
            raise EOFError
        content += part
    return content


def _receive(connection: socket.socket) -> Message:
    header = HEADER.unpack(_receive_exactly(connection, HEADER.size))
    msglen, _, _, nargs, position, message_id, dtype, _, dimensions = header[:9]
    content = _receive_exactly(connection, msglen - HEADER.size)
    return Message(nargs, position, message_id, dtype, dimensions > 0, content)


def _receive_request(connection: socket.socket) -> list[Message]:
    request = [_receive(connection)]
    while len(request) < request[0].nargs:
        request.append(_receive(connection))
    return request


def _with_id(answer: bytes, message_id: int) -> bytes:
    fields = list(HEADER.unpack_from(answer))
    fields[5] = message_id
    return HEADER.pack(*fields) + answer[HEADER.size :]


def main() -> None:
    """Serve until the standard input is closed; the first line printed is the url."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--pace", type=float, default=0.0)
    parser.add_argument("--port", type=int, default=0)
    options = parser.parse_args()
    with ReplayServer(pace=options.pace, port=options.port) as server:
        print(server.url, flush=True)
        with suppress(EOFError, KeyboardInterrupt):
            input()


if __name__ == "__main__":
    main()
