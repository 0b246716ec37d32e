"""Action servers that have nothing to do but say that they are alive, all in one process.

    python -m bench.idle ADDRESS COUNT    says `ready` once all are registered

Each is the machine of a real server, with its messages over a socket of its own.
"""

import sys
import time
from collections.abc import Iterable

from bench.bare import BEAT_S, Context, Peer, live
from shotline.action_server.events import Connected, Effect, Event, Send, StartWorker, WorkerReady
from shotline.action_server.machine import ActionServer
from shotline.common.codec import decode_all, encode
from shotline.common.machine import Instant, Tick
from shotline.common.messages import Register
from shotline.common.settings.sections.action_server import ActionServerSection
from shotline.common.settings.sections.broker import BrokerSection
from shotline.common.transport import Dealer


class Server(Peer):
    """The machine of a real server whose workers are always ready."""

    def __init__(self, context: Context, address: str, number: int) -> None:
        identity = Register(
            server_class="IDLE",
            server_id=str(number),
            incarnation=f"life{number}",
            epoch=0,
            slots=1,
            host="bench",
            pid=number + 1,
        )
        self._machine = ActionServer(identity, ActionServerSection(), BrokerSection())
        self._dealer = Dealer(context, address)
        self.sockets = (self._dealer.socket, self._dealer.connection_socket)
        self._has_begun = False

    def beat(self) -> None:
        """Begin, or do what is due."""
        if self._has_begun:
            self._tell(Tick())
        else:
            self._has_begun = True
            self._carry_out(self._machine.begin(_now()))

    def take(self) -> None:
        """Hand all to the machine."""
        if not self._has_begun:
            return
        if any(self._dealer.connection()):
            self._tell(Connected())
        for frames in self._dealer.receive_all():
            self._tell(*decode_all(frames))
            self.is_answered = self._machine.is_registered

    def _tell(self, *events: Event) -> None:
        self._carry_out(self._machine.handle(_now(), *events))

    def _carry_out(self, effects: Iterable[Effect]) -> None:
        said = [effect.message for effect in effects if isinstance(effect, Send)]
        if said:
            self._dealer.send([encode(said)])
        self.due = self._machine.wake_at() or time.monotonic() + BEAT_S
        for effect in effects:
            if isinstance(effect, StartWorker):
                self._tell(WorkerReady(effect.slot, 1))


def _now() -> Instant:
    return Instant(time.monotonic(), time.time())


if __name__ == "__main__":
    at, count = sys.argv[1:]
    live(int(count), lambda context, number: Server(context, at, number))
