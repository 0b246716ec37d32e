"""What servers have told of themselves and of their hosts, as metrics. Pure."""

from collections.abc import Callable, Iterable, Iterator
from typing import Final

from shotline.common.fleet.facts import HostFacts, ServerFacts
from shotline.common.metrics import Metric, counters, gauges
from shotline.dispatcher.fleet import Server

_OF_SERVER: Final[tuple[tuple[str, str, Callable[[ServerFacts], float]], ...]] = (
    ("ended", "Actions that have ended on a server.", lambda one: one.done),
    ("unsuccessful", "Of them those that did not succeed.", lambda one: one.failed),
    ("cpu_seconds", "Processor time of a server's actions.", lambda one: one.cpu_time_s),
)
_OF_HOST: Final[tuple[tuple[str, str, Callable[[HostFacts], float | None]], ...]] = (
    ("cpus", "CPUs of a host.", lambda one: one.cpus),
    ("cpu_used_ratio", "Part of them that is used.", lambda one: one.cpu_percent / 100),
    ("load1", "Processes that run or wait, over a minute.", lambda one: one.load_1),
    ("memory_bytes", "Memory of a host.", lambda one: one.memory_total_b),
    ("memory_used_bytes", "Memory that is not to be had.", lambda one: one.memory_used_b),
    ("swap_used_bytes", "Swap space that is used.", lambda one: one.swap_used_b),
    ("temperature_celsius", "Its hottest sensor.", lambda one: one.temperature_c),
    ("clock_offset_seconds", "Ahead of the broker's.", lambda one: one.clock_offset_s),
)


def fleet_metrics(servers: Iterable[Server]) -> Iterator[Metric]:
    """Yield the facts of servers that are there, and of their hosts."""
    told: dict[str, ServerFacts] = {}
    hosts: dict[str, HostFacts] = {}  # as one of its servers has measured it
    for server in servers:
        if server.facts is not None:
            told[server.name] = server.facts
            if server.facts.host is not None:
                hosts[server.register.host] = server.facts.host
    for name, words, count in _OF_SERVER:
        counts = [((server,), count(facts)) for server, facts in told.items()]
        yield counters(f"server_{name}", words, ("server",), counts)
    for name, words, value in _OF_HOST:
        values = [((host,), value(facts)) for host, facts in hosts.items()]
        there = [(labels, number) for labels, number in values if number is not None]
        yield gauges(f"host_{name}", words, ("host",), there)
    disks = {(host, one.path): one for host, f in hosts.items() for one in f.disks}
    words, folder = "What is free on the file system of a folder.", ("host", "folder")
    free = [(of, float(one.free_b)) for of, one in disks.items()]
    yield gauges("host_disk_free_bytes", words, folder, free)
    whole = [(of, float(one.total_b)) for of, one in disks.items()]
    yield gauges("host_disk_bytes", "How large it is.", folder, whole)
