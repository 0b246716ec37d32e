"""The bridge's shell: connections of clients, and what they ask for as commands to Shotline."""

import asyncio
import logging
import signal
import time
from collections import Counter, OrderedDict
from collections.abc import Iterable
from typing import Any, Final, TypeVar

import msgspec

from shotline.bridges.filterorchestrator import requests as q
from shotline.bridges.filterorchestrator.wire import Asked, NoRequest, Parser, answer
from shotline.client.errors import Nobody, Refused, SupervisorError
from shotline.client.supervisor import AsyncSupervisor
from shotline.common.binding import ADVICE, is_loopback
from shotline.common.errors import ConfigError
from shotline.common.keys.folder import own_key
from shotline.common.messages import Behalf, Via
from shotline.common.metrics import Metric, counters, gauge
from shotline.common.process.systemd import Systemd
from shotline.common.settings.config import Config
from shotline.common.volumes.views import LeaseView, TokenFate

log = logging.getLogger(__name__)

T = TypeVar("T")

CLIENTS: Final = Behalf(name="a client of the filter orchestrator", via=Via.BRIDGE)
BEAT_S: Final = 5.0
TOKENS_MAX: Final = 100_000
_Answer = tuple[int, dict[str, Any]]


class FilterorchestratorBridge:
    """The bridge. Made inside the running event loop. Raise ConfigError where it cannot serve."""

    def __init__(self, config: Config) -> None:
        self._settings = settings = config.filterorchestrator
        self._host, _, port = settings.address.rpartition(":")
        self._port = int(port)
        if not (is_loopback(self._host) or config.security.insecure):
            raise ConfigError(f"filterorchestrator.address: {self._host} {ADVICE}")
        self._supervisor = AsyncSupervisor(
            config.broker.clients,
            key=own_key(config.keys, "filterorchestrator"),
            on_behalf_of=CLIENTS,
        )
        self._groups: dict[q.RecordType, str] = {
            "TriggerRecord": settings.trigger_records,
            "TimeSlice": settings.time_slices,
        }
        self._memory = f"bridge-{time.time_ns():x}"
        self._number = 0
        # By type, run, number and sequence number: which lease it is, and whose.
        self._leases: OrderedDict[tuple[str, int, int, int], tuple[str, str]] = OrderedDict()
        self._asking: dict[str, float] = {}  # who has asked for records, and when last
        self._connections: set[asyncio.StreamWriter] = set()
        self.counts: Counter[str] = Counter()

    async def run(self, systemd: Systemd) -> int:
        """Serve until SIGTERM or SIGINT; return the exit code."""
        loop = asyncio.get_running_loop()
        stopping = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stopping.set)
        server = await asyncio.start_server(self._serve, self._host, self._port)
        log.info("answers at http://%s:%d", self._host, self._port)
        systemd.ready(f"answers at http://{self._host}:{self._port}")
        while not stopping.is_set():
            await self._beat()
            try:
                async with asyncio.timeout(BEAT_S):
                    await stopping.wait()
            except TimeoutError:
                pass
        systemd.stopping()
        server.close()
        for writer in list(self._connections):
            writer.close()
        self._supervisor.close()
        return 0

    async def _beat(self) -> None:
        """Say for clients, which do not, that they are there."""
        now = time.monotonic()
        for consumer, at in list(self._asking.items()):
            try:
                if now > at + self._settings.credit_s:
                    del self._asking[consumer]
                    await self._supervisor.records_leave(consumer)
                else:
                    await self._supervisor.records_renew(consumer)
            except SupervisorError as error:
                log.debug("%s: %s", consumer, error)

    # Connections

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer the requests of a connection, in their order; it stays open."""
        if len(self._connections) >= self._settings.connections_max:
            writer.close()
            return
        self._connections.add(writer)
        peer = str((writer.get_extra_info("peername") or ("?",))[0])
        parser, keeps = Parser(), True
        try:
            while keeps and (data := await reader.read(65_536)):
                parser.feed(data)
                while keeps and (asked := parser.next()) is not None:
                    keeps = asked.keeps
                    status, body = await self._answered(asked, peer)
                    writer.write(answer(status, body, keeps=keeps))
                    await writer.drain()
        except NoRequest as error:
            self.counts["bad"] += 1
            writer.write(answer(400, {"error": str(error)}, keeps=False))
        except ConnectionError as error:
            log.debug("a client at %s went: %s", peer, error)
        finally:
            self._connections.discard(writer)
            writer.close()

    async def _answered(self, asked: Asked, peer: str) -> _Answer:
        self.counts["requests"] += 1
        try:
            return await self._answer(asked, peer)
        except (msgspec.ValidationError, msgspec.DecodeError) as error:
            self.counts["bad"] += 1
            return 422, {"error": str(error)}
        except Refused as error:
            return 409, {"error": str(error)}
        except Nobody as error:
            return 503, {"error": str(error)}
        except SupervisorError as error:
            log.warning("%s %s: %s", asked.method, asked.path, error)
            return 500, {"error": str(error)}

    async def _answer(self, asked: Asked, peer: str) -> _Answer:
        path = asked.path.rstrip("/") or "/"
        match asked.method, path:
            case "GET", "/" | "/stats":
                return await self._stats()
            case "POST", "/new-file":
                return await self._new_file(_body(asked, q.NewFile))
            case "POST", "/remove-file":
                return await self._remove_file(_body(asked, q.RemoveFile))
            case "GET", _ if path in q.REQUEST:
                return await self._request(q.REQUEST[path], peer)
            case "GET" | "POST", _ if path in q.READ_NEXT:
                return await self._read_next(q.READ_NEXT[path], _body(asked, q.ReadNext), peer)
            case "POST", _ if path in q.COMPLETE:
                return await self._complete(_body(asked, q.Complete))
            case _:
                return 404, {"error": f"there is nothing at {asked.method} {path[:200]}"}

    # What they ask for

    async def _stats(self) -> _Answer:
        status = await self._supervisor.records_status()
        return 200, {
            "volumes": {one.volume: msgspec.to_builtins(one.counts) for one in status.volumes},
            "groups": {
                one.group: {"ready": one.ready, "leased": one.leased, "requests": one.credits}
                for one in status.groups
            },
        }

    async def _new_file(self, asked: q.NewFile) -> _Answer:
        self._number += 1
        told = await self._supervisor.records_announce(
            self._volume(),
            [asked.seen()],
            host=asked.host,
            folder="/",
            # Clients do not count: the same file, while it is held, is told by its generation.
            memory=f"{self._memory}-{self._number}",
            number=1,
            group=self._groups[asked.record_type],
        )
        return 200, {"records": told.records}

    async def _remove_file(self, asked: q.RemoveFile) -> _Answer:
        told = await self._supervisor.records_gone(self._volume(), [asked.path])
        return 200, {"records": told.records}

    def _volume(self) -> str:
        if self._settings.volume is None:
            raise Refused("files are announced by the watcher (filterorchestrator.volume is null)")
        return self._settings.volume

    async def _request(self, record_type: q.RecordType, peer: str) -> _Answer:
        consumer = f"filter at {peer}"
        self._asking[consumer] = time.monotonic()
        await self._supervisor.records_credit(self._groups[record_type], consumer)
        return 200, {}

    async def _read_next(self, record_type: q.RecordType, asked: q.ReadNext, peer: str) -> _Answer:
        consumer = f"dispatcher at {asked.host or peer}"
        found = await self._supervisor.records_lease(
            self._groups[record_type], consumer, host=asked.host
        )
        if not found.leases:
            no_credit = found.code == "no_credit"
            status = 429 if no_credit else 404
            return status, {"error": found.why or "no record is ready"}
        (lease,) = found.leases
        told = self._told(lease, record_type)
        self._leases[_key(told)] = (lease.token, consumer)
        while len(self._leases) > TOKENS_MAX:
            self._leases.popitem(last=False)
        return 200, told

    def _told(self, lease: LeaseView, record_type: q.RecordType) -> dict[str, Any]:
        return {
            "file": lease.fields.get("file") or lease.file,
            "run_number": lease.run or 0,
            "trigger_number": lease.part.number,
            "sequence_number": lease.part.sequence,
            "type": record_type,
        }

    async def _complete(self, asked: q.Complete) -> _Answer:
        for record_type in (asked.type,) if asked.type in self._groups else tuple(self._groups):
            key = (record_type, asked.run_number, asked.trigger_number, asked.sequence_number)
            found = self._leases.pop(key, None) or await self._leased(key)
            if found is None:
                continue
            token, consumer = found
            (told,) = (await self._supervisor.records_complete(consumer, [token])).answers
            if told.fate in (TokenFate.OK, TokenFate.LATE):
                return 200, {}
        return 404, {"error": "no such record is under way"}

    async def _leased(self, key: tuple[str, int, int, int]) -> tuple[str, str] | None:
        """Look for a lease that was given before this bridge's start."""
        group = self._groups[key[0]]  # type: ignore[index]  # one of these
        for one in (await self._supervisor.records_list(group=group, state="leased")).records:
            if (one.run or 0, one.part.number, one.part.sequence) == key[1:]:
                return one.token, one.consumer
        return None

    def metrics(self) -> Iterable[Metric]:
        """Return what it has counted."""
        yield gauge("bridge_connections", "Connections of clients.", len(self._connections))
        words = "Requests of clients; bad: those that were none."
        told = {(what,): self.counts[what] for what in ("requests", "bad")}
        yield counters("bridge_filter_requests", words, ("what",), told.items())


def _key(told: dict[str, Any]) -> tuple[str, int, int, int]:
    return told["type"], told["run_number"], told["trigger_number"], told["sequence_number"]


def _body(asked: Asked, kind: type[T]) -> T:
    """Return a request's body. Raise msgspec's errors."""
    return msgspec.json.decode(asked.body or b"{}", type=kind)
