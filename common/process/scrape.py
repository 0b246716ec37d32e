"""The address at which Prometheus collects a daemon's metrics: a few lines of HTTP in its own loop.

No thread reads what the loop changes, and nothing is done unless somebody asks. There is no such
address unless the configuration names one (`metrics`).
"""

import logging
import socket
from collections.abc import Callable, Iterable
from functools import partial
from typing import Final

from shotline import __version__
from shotline.common.binding import permit
from shotline.common.errors import ConfigError
from shotline.common.metrics import Histogram, Metric
from shotline.common.settings.config import Config

log = logging.getLogger(__name__)

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
CONNECTIONS_MAX: Final = 8
_REQUEST_BYTES_MAX: Final = 16 * 1024
_SEND_BYTES: Final = 4 * 1024 * 1024  # what the kernel takes of an answer at once, if it may

Collect = Callable[[], Iterable[Metric]]


def text(metrics: Iterable[Metric]) -> bytes:
    """Return metrics, and those of the process, in Prometheus' text format."""
    # Only who is asked needs it: it takes a start some 50 ms.
    from prometheus_client import CollectorRegistry, ProcessCollector, core, generate_latest
    from prometheus_client.registry import Collector

    families: list[core.Metric] = []
    for kind, name, words, values, labels in metrics:
        if isinstance(values, Histogram):
            buckets = [(_bound(bound), number) for bound, number in values.at_most()]
            families.append(core.HistogramMetricFamily(name, words, buckets, values.total))
            continue
        made = core.CounterMetricFamily if kind == "counter" else core.GaugeMetricFamily
        family = made(name, words, labels=labels)
        for of, value in values:
            family.add_metric(of, float(value))
        families.append(family)

    class Told(Collector):
        def collect(self) -> Iterable[core.Metric]:
            return families

    registry = CollectorRegistry(auto_describe=False)
    registry.register(Told())
    ProcessCollector(registry=registry)
    return generate_latest(registry)


def _bound(bound: float) -> str:
    return "+Inf" if bound == float("inf") else str(bound)


class ScrapeAddress:
    """Answers whoever asks with a daemon's metrics. `watch` and `unwatch` are the loop's.

    Raise ConfigError when the address cannot be had, or strangers would reach it.
    """

    def __init__(
        self,
        address: tuple[str, int],
        collect: Collect,
        watch: Callable[[int, Callable[[], None]], object],
        unwatch: Callable[[int], object],
        *,
        insecure: bool,
    ) -> None:
        host, port = address
        permit(host, insecure=insecure)
        try:
            self._listening = socket.create_server(
                (host.strip("[]"), port),
                family=socket.AF_INET6 if ":" in host else socket.AF_INET,
                backlog=CONNECTIONS_MAX,
            )
        except OSError as error:
            words = f"metrics: {host}:{port} cannot be bound: {error.strerror}"
            raise ConfigError(words) from None
        self._listening.setblocking(False)
        self._listening.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BYTES)
        self._collect = collect
        self._watch, self._unwatch = watch, unwatch
        self._asking: dict[socket.socket, bytes] = {}  # what came of each request, oldest first
        watch(self._listening.fileno(), self._accept)

    def close(self) -> None:
        """Answer nobody any more."""
        for connection in list(self._asking):
            self._drop(connection)
        self._unwatch(self._listening.fileno())
        self._listening.close()

    def _accept(self) -> None:
        try:
            connection, _ = self._listening.accept()
        except OSError:  # gone already, or no descriptor is left: it may ask again
            return
        connection.setblocking(False)
        if len(self._asking) >= CONNECTIONS_MAX:
            self._drop(next(iter(self._asking)))
        self._asking[connection] = b""
        self._watch(connection.fileno(), partial(self._read, connection))

    def _read(self, connection: socket.socket) -> None:
        try:
            data = connection.recv(4096)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        asked = self._asking[connection] = self._asking[connection] + data
        if b"\r\n\r\n" in asked:
            self._answer(connection, asked)
        if b"\r\n\r\n" in asked or not data or len(asked) > _REQUEST_BYTES_MAX:
            self._drop(connection)

    def _answer(self, connection: socket.socket, asked: bytes) -> None:
        method, _, rest = asked.partition(b" ")
        if method != b"GET" or rest.split(b" ")[0].split(b"?")[0] not in (b"/", b"/metrics"):
            status, body = "404 Not Found", b"the metrics are at /metrics\n"
        else:
            try:
                status, body = "200 OK", text(self._collect())
            except Exception:  # no metric is worth a shot
                log.exception("the metrics cannot be told")
                status, body = "500 Internal Server Error", b"see the log\n"
        head = (
            f"HTTP/1.1 {status}\r\nContent-Type: {CONTENT_TYPE}\r\n"
            f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        )
        try:
            sent = connection.send(head.encode() + body)
        except OSError:
            return
        if sent < len(head) + len(body):
            log.warning("who asks for the metrics takes too little at once (%d bytes)", sent)

    def _drop(self, connection: socket.socket) -> None:
        del self._asking[connection]
        self._unwatch(connection.fileno())
        connection.close()


def open_address(
    config: Config,
    name: str,
    collect: Collect,
    watch: Callable[[int, Callable[[], None]], object],
    unwatch: Callable[[int], object],
) -> ScrapeAddress | None:
    """Open the address that the configuration names for a daemon; None where it names none."""
    address = config.metrics.address_of(name)
    if address is None:
        return None
    insecure = config.security.insecure
    opened = ScrapeAddress(
        address, lambda: [_about(name), *collect()], watch, unwatch, insecure=insecure
    )
    log.info("metrics at http://%s:%d/metrics", *address)
    return opened


def _about(name: str) -> Metric:
    labels = ("daemon", "version")
    words = "The daemon and its version."
    return Metric("gauge", "shotline_daemon_info", words, [((name, __version__), 1)], labels)
