"""Who may do what at the broker: the parameters of the tests, and the table that is made of them.

`python -m tests.support.keys docs/security.md` writes the table anew between its marks.
"""

import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

import yaml
import zmq
from tests.support.ports import free_ports

from shotline.common.codec import BROKER, decode, encode, is_addressed
from shotline.common.keys.folder import KeysFolder, curve_in, curve_of
from shotline.common.keys.peers import PeerKey, PeerRole
from shotline.common.messages import (
    Claim,
    ClaimAccepted,
    Goodbye,
    Hello,
    Message,
    Outcome,
    Problem,
    Register,
    Registered,
    RegistrationRefused,
    Reply,
    Request,
    Welcome,
)
from shotline.common.process import interpreter
from shotline.common.transport import CurveClient, Dealer, Subscriber

BEGIN: Final = "<!-- The table of keys: written by `make schema` from the tests. -->\n"
END: Final = "<!-- The end of the table of keys. -->\n"
DEADLINE_S: Final = 30.0
ZContext = zmq.Context[zmq.Socket[bytes]]


class Deed(StrEnum):
    """What a peer tries."""

    LOOK = "look"
    COMMAND = "command"
    FEED = "event feed"
    SERVE_A = "server of class A"
    SERVE_B = "server of class B"
    DISPATCH = "dispatch"


class Result(StrEnum):
    """What comes of it."""

    YES = "yes"
    REFUSED = "refused"  # let in, and told why not that
    NOT_LET_IN = "–"  # by libzmq, at its handshake


LOOKING: Final = frozenset({Deed.LOOK, Deed.FEED})
NOTHING: Final[frozenset[Deed]] = frozenset()


@dataclass(frozen=True)
class Trier:
    """Somebody who tries: with which key, and what is possible."""

    name: str
    may: frozenset[Deed]
    key: str | None = None  # its name, None without one
    out: frozenset[Deed] = NOTHING  # of what the handshake keeps it away

    def expected(self, deed: Deed) -> Result:
        if deed in self.out:
            return Result.NOT_LET_IN
        return Result.YES if deed in self.may else Result.REFUSED


EVERYTHING: Final = frozenset(Deed)
NO_FEED: Final = frozenset({Deed.FEED})
TRIERS: Final = (
    Trier("nobody: no key", NOTHING, None, EVERYTHING),
    Trier("key that the broker does not know", NOTHING, "unknown", EVERYTHING),
    Trier("key for another broker", NOTHING, "elsewhere", EVERYTHING),
    Trier("key that was revoked", NOTHING, "revoked", EVERYTHING),
    Trier("server of class A", frozenset({Deed.SERVE_A}), "server", NO_FEED),
    Trier("dispatcher", frozenset({Deed.DISPATCH}), "dispatcher", NO_FEED),
    Trier("monitor", LOOKING | {Deed.COMMAND}, "monitor"),
    Trier("provider", LOOKING, "provider"),
    Trier("watcher", LOOKING, "watcher"),
    Trier("operator", LOOKING | {Deed.COMMAND}, "operator"),
    Trier("viewer", LOOKING, "viewer"),
)


class Site:
    """A broker with keys, as a process."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        clients, servers, events = (f"tcp://127.0.0.1:{port}" for port in free_ports(3))
        self.addresses = {"clients": clients, "servers": servers, "events": events}
        self.config = folder / "config.yaml"
        settings = {"data_folder": str(folder / "var"), "broker": self.addresses}
        self.config.write_text(yaml.safe_dump(settings))
        self.log = folder / "broker.log"
        self.keys = KeysFolder(folder / "var" / "keys")
        (folder / "var").mkdir()
        self.keys.make()
        for role in PeerRole:
            self.keys.new(role, role, "A" if role is PeerRole.SERVER else "")
        revoked = self.keys.new("revoked", PeerRole.OPERATOR)
        self.keys.revoke("revoked")
        elsewhere = KeysFolder(folder / "elsewhere")
        elsewhere.make()
        stranger = elsewhere.new("unknown", PeerRole.OPERATOR)
        self._others = {
            "revoked": curve_of(revoked),
            "unknown": curve_of(_with_broker(stranger, revoked.broker)),
            "elsewhere": curve_of(_with_broker(self.keys.key("operator"), stranger.broker)),
        }
        self.process = self.start()

    def start(self) -> "subprocess.Popen[bytes]":
        with self.log.open("ab") as log:
            return subprocess.Popen(
                interpreter.python("shotline.broker", "--config", str(self.config)),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def curve(self, name: str | None) -> CurveClient | None:
        """Return a key by its name."""
        if name is None:
            return None
        return self._others.get(name) or curve_of(self.keys.key(name))

    def stop(self) -> None:
        self.process.terminate()
        assert self.process.wait(DEADLINE_S) == 0, self.log.read_text()
        assert "Traceback" not in self.log.read_text()


def _with_broker(key: PeerKey, broker: str) -> PeerKey:
    return PeerKey(
        name=key.name, role=key.role, public=key.public, secret=key.secret, broker=broker
    )


@contextmanager
def site(folder: Path) -> Iterator[Site]:
    running = Site(folder)
    try:
        yield running
        running.stop()
    finally:
        running.process.kill()
        running.process.wait()


class Connected:
    """A peer with a key, on one of the broker's two links."""

    def __init__(
        self, context: ZContext, running: Site, curve: CurveClient | None, link: str = "clients"
    ) -> None:
        self.dealer = Dealer(context, running.addresses[link], curve=curve)
        self.inbox: list[Message] = []
        self.lost = False

    @property
    def is_let_in(self) -> bool:
        """Wait for the broker's decision."""
        self.until(lambda: self._made or bool(self.dealer.refusal))
        return not self.dealer.refusal

    _made = False

    def until(self, done: Callable[[], bool], deadline_s: float = DEADLINE_S) -> None:
        deadline = time.monotonic() + deadline_s
        poller = zmq.Poller()
        for socket in (self.dealer.socket, self.dealer.connection_socket):
            poller.register(socket, zmq.POLLIN)
        self.read()
        while not done():
            assert time.monotonic() < deadline, "it did not happen in time"
            poller.poll(50)
            self.read()

    def read(self) -> None:
        for made in self.dealer.connection():
            self._made, self.lost = made, not made
        for frames in self.dealer.receive_all():
            for batch in frames[1::2] if is_addressed(frames) else frames:
                self.inbox += decode(batch)

    def say(self, *messages: Message, target: bytes | None = None) -> None:
        frames = [encode(messages)] if target is None else [target, encode(messages)]
        self.until(lambda: self.dealer.send(frames))

    def get(self, *kinds: type[Message]) -> Message:
        """Return the next message of these kinds; what came before it is dropped."""
        found: list[Message] = []

        def look() -> bool:
            while self.inbox and not found:
                message = self.inbox.pop(0)
                if isinstance(message, kinds):
                    found.append(message)
            return bool(found)

        self.until(look)
        return found[0]

    def ask(self, verb: str, id_: str = "request-1") -> Reply | Problem:
        """Give a command that never expires; return what is answered."""
        request = Request(id=id_, verb=verb, deadline_s=1e9, command=b"{}")
        self.say(request)
        answer = self.get(Reply, Problem)
        assert isinstance(answer, Reply | Problem)
        return answer

    def close(self) -> None:
        self.dealer.close()


@contextmanager
def connected(
    running: Site,
    key: str | None,
    link: str = "clients",
    *,
    context: ZContext | None = None,
    file: Path | None = None,
    curve: CurveClient | None = None,
) -> Iterator[Connected]:
    """A peer with a key of the site's, or the one in a file, or another."""
    own: ZContext = zmq.Context() if context is None else context
    if curve is None:
        curve = running.curve(key) if file is None else curve_in(file)
    peer = Connected(own, running, curve, link)
    try:
        yield peer
    finally:
        peer.close()
        if context is None:
            own.term()


def registration(server: str, incarnation: str = "x", epoch: int = 1) -> Register:
    server_class, _, server_id = server.partition(":")
    return Register(
        server_class=server_class,
        server_id=server_id,
        incarnation=incarnation,
        epoch=epoch,
        slots=1,
        host="here",
    )


def tried(running: Site, trier: Trier, deed: Deed, term: int) -> Result:
    """Try something with a real socket; return what has come of it."""
    if deed is Deed.FEED:
        return _observed(running, trier.key)
    link = "servers" if deed in (Deed.SERVE_A, Deed.SERVE_B) else "clients"
    with connected(running, trier.key, link) as peer:
        if not peer.is_let_in:
            return Result.NOT_LET_IN
        if deed in (Deed.LOOK, Deed.COMMAND):
            peer.say(Hello(name="test"))
            peer.get(Welcome, Problem)
            answer = peer.ask("status" if deed is Deed.LOOK else "abort")
            good = isinstance(answer, Reply) and answer.outcome is not Outcome.REFUSED
        elif deed is Deed.DISPATCH:
            peer.say(Claim(term=term, name="test"), target=BROKER)
            good = isinstance(peer.get(ClaimAccepted, Problem), ClaimAccepted)
            peer.say(Goodbye(), target=BROKER)
        else:
            server_class = deed.value[-1]
            peer.say(registration(f"{server_class}:{term}", f"life{term}"))
            answered = peer.get(Registered, RegistrationRefused, Problem)
            good = isinstance(answered, Registered)
            peer.say(Goodbye())
        return Result.YES if good else Result.REFUSED


def _observed(running: Site, key: str | None) -> Result:
    context: ZContext = zmq.Context()
    observer = Subscriber(context, running.addresses["events"], curve=running.curve(key))
    try:
        return Result.YES if is_let_in(observer.socket) else Result.NOT_LET_IN
    finally:
        observer.socket.disable_monitor()
        observer.close()
        context.term()


def is_let_in(socket: "zmq.Socket[bytes]") -> bool:
    """Wait until a handshake of a connected socket has succeeded, or has failed twice."""
    failures = (
        zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL,
        zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL,
        zmq.EVENT_HANDSHAKE_FAILED_AUTH,
    )
    with socket.get_monitor_socket(zmq.EVENT_HANDSHAKE_SUCCEEDED | sum(failures)) as monitor:
        address = socket.getsockopt(zmq.LAST_ENDPOINT)
        assert isinstance(address, bytes)
        socket.disconnect(address)
        socket.connect(address.rstrip(b"\0").decode())
        failed = 0
        while failed < 2:
            assert monitor.poll(1000 * DEADLINE_S)
            event = int.from_bytes(monitor.recv_multipart()[0][:2], "little")
            if event == zmq.EVENT_HANDSHAKE_SUCCEEDED:
                return True
            failed += 2 if event == zmq.EVENT_HANDSHAKE_FAILED_AUTH else 1
    return False


def table(triers: Sequence[Trier] = TRIERS) -> str:
    """Return the table: who tries, and what comes of it."""
    lines = [
        "| key of | " + " | ".join(Deed) + " |",
        "| --- |" + " --- |" * len(Deed),
    ]
    for trier in triers:
        cells = " | ".join(trier.expected(deed) for deed in Deed)
        lines.append(f"| {trier.name} | {cells} |")
    return "\n".join(lines) + "\n"


def written(document: str) -> str:
    """Return the document with its table as the tests are now. Raise ValueError."""
    before, begin, rest = document.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError("the document lacks the marks between which the table stands")
    return f"{before}{BEGIN}\n{table()}\n{END}{after}"


if __name__ == "__main__":
    page = Path(sys.argv[1])
    page.write_text(written(page.read_text(encoding="utf-8")), encoding="utf-8")
