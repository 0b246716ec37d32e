"""A dispatcher of few words for the monitor: it claims its term, answers, and publishes changes.

    python -m bench.page_source BROKER ACTIONS SERVERS RATE

One shot with an open run: each action is sent, runs and is done, again and again. Messages, events
and their numbers are those of the real dispatcher; nothing is decided or journalled.
"""

import itertools
import os
import sys
import time
from collections.abc import Iterator
from typing import Final

import zmq
from msgspec import structs

from shotline.common import commands as c
from shotline.common import views as v
from shotline.common.actions import ActionState, Cause, Status
from shotline.common.base import to_json
from shotline.common.channels import SERVERS, shot_channel
from shotline.common.codec import BROKER, PUBLISH, addressed, decode, encode
from shotline.common.messages import Claim, Message, Outcome, Ping, Reply, Request
from shotline.common.records import Counts, RunKind, ShotKey, Transition, encode_records
from shotline.common.transport import Dealer
from shotline.dispatcher.effects import Publish
from shotline.dispatcher.event_feed import EventFeed

KEY: Final = ShotKey("BENCH", 1)
TERM: Final = 1
TURN_S: Final = 0.01  # changes are published so often, as one commit's are
BEAT_S: Final = 1.0
SERVERS_S: Final = 0.1
DURATION_S: Final = 0.5
BEHIND_S_MAX: Final = 1.0  # what was not published in so long a stop is not caught up


class Source:
    """The shot, the servers, and their changes. Times are wall clock seconds."""

    def __init__(self, actions: int, servers: int) -> None:
        self.feed = EventFeed(TERM)
        self.last = [_pending(number) for number in range(actions)]
        self._servers = [_server(number) for number in range(servers)]
        self._opened_at = time.time()
        self._steps = itertools.count()
        self._beats = itertools.count()

    def changes(self, count: int) -> Publish:
        """Return one event with the next changes."""
        records = list(itertools.islice(self._changes(), count))
        body = b'{"records":%s}' % encode_records(records)
        return self.feed.publish(shot_channel(KEY), time.time(), body)

    def _changes(self) -> Iterator[Transition]:
        while True:
            turn, number = divmod(next(self._steps), len(self.last))
            now = time.time()
            sent = structs.replace(
                _pending(number),
                time=now,
                server=f"S:{number % len(self._servers)}",
                run=1,
                attempt=1 + turn // 3,
                state=ActionState.DISPATCHED,
                dispatched_at=now,
            )
            match turn % 3:
                case 0:
                    made = sent
                case 1:
                    made = structs.replace(sent, state=ActionState.DOING, started_at=now)
                case _:
                    failed = number % 50 == 0
                    made = structs.replace(
                        sent,
                        state=ActionState.DONE,
                        cause=Cause.RESULT,
                        status=Status.FAILURE if failed else Status.SUCCESS,
                        reason="no pressure" if failed else "",
                        started_at=now - DURATION_S,
                        ended_at=now,
                        duration_s=DURATION_S,
                    )
            self.last[number] = made
            yield made

    def beats(self, count: int) -> Publish:
        """Return one event with the next servers' heartbeats."""
        now = time.time()
        changed = []
        for _ in range(count):
            number = next(self._beats) % len(self._servers)
            self._servers[number] = one = structs.replace(
                self._servers[number], last_seen_at=now, round_trip_s=0.0005 + number % 7 * 0.0001
            )
            changed.append(one)
        payload = to_json(v.ServersEvent(servers=tuple(changed)))
        return self.feed.publish(SERVERS, now, payload)

    def answer(self, request: Request) -> Reply:
        """Return the reply to a command."""
        command = c.decode_command(request.command)
        match command:
            case c.Snapshot(channel=channel):
                result: v.AnyResult = self._snapshot(channel)
            case c.SystemStatus():
                result = v.StatusResult(
                    term=TERM,
                    dispatcher="bench",
                    started_at=self._opened_at,
                    journal=v.JournalState.OK,
                    current=(KEY.tree, KEY.shot),
                    shots=(self._shot(),),
                )
            case c.Shots():
                result = v.ShotsResult(shots=(self._shot(),))
            case c.Actions():
                result = v.ActionsResult(shots=(self._shot(),), actions=self._actions())
            case _:
                return Reply(id=request.id, outcome=Outcome.REFUSED, message="not here")
        body = v.encode_result(result)
        return Reply(id=request.id, outcome=Outcome.OK, message="", result=body)

    def _snapshot(self, channel: str) -> v.SnapshotResult:
        of_shot = channel == shot_channel(KEY)
        return v.SnapshotResult(
            channel=channel,
            term=TERM,
            seq=self.feed.last(channel),
            shot=self._shot() if of_shot else None,
            actions=self._actions() if of_shot else (),
            servers=tuple(self._servers) if channel == SERVERS else (),
        )

    def _shot(self) -> v.ShotView:
        run = v.RunView(
            tree=KEY.tree,
            shot=KEY.shot,
            run=1,
            kind=RunKind.PHASE,
            phase="INIT",
            state="open",
            opened_at=self._opened_at,
            counts=Counts(),
        )
        return v.ShotView(
            tree=KEY.tree,
            shot=KEY.shot,
            built_at=self._opened_at,
            phases=("INIT",),
            actions=len(self.last),
            runs=(run,),
            current=True,
        )

    def _actions(self) -> tuple[v.ActionView, ...]:
        return tuple(
            v.ActionView(
                path=last.path,
                name=last.path.partition(":")[2].removeprefix(":TOP:"),
                server_class="S",
                phase="INIT",
                when=str(1 + number % 7),
                number=1 + number % 7,
                last=last,
            )
            for number, last in enumerate(self.last)
        )


def _pending(number: int) -> Transition:
    path = f"\\BENCH::TOP:G{number // 100}:N{number}"
    return Transition(time=time.time(), path=path, state=ActionState.NOT_DISPATCHED)


def _server(number: int) -> v.ServerView:
    return v.ServerView(
        server=f"S:{number}",
        server_class="S",
        server_id=str(number),
        liveness="alive",
        host=f"host{number // 4}",
        address=f"10.0.{number // 200}.{number % 200}",
        pid=1000 + number,
        slots=4,
        last_seen_at=time.time(),
    )


class Link:
    """The connection to the broker."""

    def __init__(self, address: str) -> None:
        self._dealer = Dealer(zmq.Context(), address)
        while not self._dealer.connection():
            self._dealer.connection_socket.poll(100)
        self.say(Claim(term=TERM, name="bench", host="bench", pid=os.getpid()))

    def say(self, message: Message, target: bytes = BROKER) -> None:
        """Send one message."""
        self._dealer.send([target, encode([message])])

    def publish(self, made: Publish) -> None:
        """Publish one event."""
        event = made.event
        self._dealer.send([PUBLISH + event.channel.encode(), encode([event])])

    def serve(self, source: Source, timeout_s: float) -> None:
        """Answer what comes within this time."""
        self._dealer.socket.poll(max(0, round(timeout_s * 1000)))
        for frames in self._dealer.receive_all():
            for client, batch in addressed(frames):
                for message in decode(batch):
                    if isinstance(message, Request):
                        self.say(source.answer(message), target=client)


def main(address: str, actions: int, servers: int, rate: int) -> None:
    """Publish until the end."""
    source, link = Source(actions, servers), Link(address)
    begun = told_at = beat_at = time.monotonic()
    told = beats = 0
    while True:
        now = time.monotonic()
        if now - told_at > BEHIND_S_MAX:
            begun, told, beats = now, 0, 0
        told_at = now
        due = int((now - begun) * rate) - told
        if due:
            told += due
            link.publish(source.changes(due))
        due = int((now - begun) * servers) - beats
        if due >= servers * SERVERS_S:
            beats += due
            link.publish(source.beats(due))
        if now >= beat_at:
            beat_at = now + BEAT_S
            for beat in source.feed.beat(time.time(), v.JournalState.OK):
                link.publish(beat)
            link.say(Ping(sent_s=now, term=TERM))
        link.serve(source, now + TURN_S - time.monotonic())


if __name__ == "__main__":
    main(sys.argv[1], *(int(one) for one in sys.argv[2:5]))
