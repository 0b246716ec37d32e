"""A fleet for tests of the page: servers as they tell of themselves, and what is beside them."""

import time
from typing import Final

import msgspec
from tests.support.mock_monitor import MockMonitor, server

from shotline.client.observer import News
from shotline.common.fleet.views import FleetView
from shotline.common.views import ServersEvent, ServerView

Json = dict[str, object]
GIB: Final = 1024**3
CLASSES: Final = ("CONTROL", "HEATING", "CAMERA", "DAQ")


def facts(number: int = 0, *, wave: float = 0.0, **fields: object) -> Json:
    """Return what a server tells of itself and of its host."""
    host: Json = {
        "cpus": 16,
        "cpu_percent": min(100.0, max(0.0, (7 * number) % 60 + 5 + wave)),
        "load_1": 0.25 * (number % 13),
        "memory_total_b": 64 * GIB,
        "memory_used_b": (5 + (11 * number) % 56) * GIB,
        "swap_total_b": 8 * GIB,
        "swap_used_b": number % 3 * GIB,
        "disks": [{"path": "/data", "total_b": 4000 * GIB, "free_b": (300 + 17 * number) * GIB}],
        "temperature_c": 40 + number % 30,
        "clock_offset_s": 0.0004 * (number % 9 - 4),
    }
    made: Json = {
        "python": "3.11.2",
        "mdsplus": "7.140.75",
        "config_hash": "5e0c1a9b",
        "done": 40 * number,
        "failed": number % 4,
        "cpu_time_s": 12.5 * number,
        "heartbeat_s": 1.0,
        "host": host,
    }
    return made | fields


def one(name: str, number: int = 0, **fields: object) -> ServerView:
    """Return a server that is as it should be."""
    about: Json = {
        "host": f"node{number % 8 + 1}.site.org",
        "address": f"10.0.0.{number % 250 + 1}",
        "pid": 2000 + number,
        "version": "1.4.0",
        "slots": 4,
        "usable": 4,
        "labels": ["gpu"] if number % 3 == 0 else ["fast", "east"][: number % 3],
        "started_at": time.time() - 86_400,
        "round_trip_s": 0.0004 + number % 5 / 10_000,
        "facts": facts(number),
    }
    return server(name, **about | fields)


def flag(kind: str, reason: str = "", by: str = "", **fields: object) -> Json:
    """Return a flag that somebody has set a while ago."""
    return {"kind": kind, "reason": reason, "by": by, "at": time.time() - 600} | fields


def mixed() -> tuple[ServerView, ...]:
    """Return servers of which each is in another way not as it should be."""
    gone = time.time() - 900
    limits = {"slots": 2, "hours": {"start": "07:00", "stop": "18:00", "zone": "Europe/Berlin"}}
    return (
        one("CONTROL:1", 1, busy=("DEMO/7 CTRL:PLASMA", "DEMO/7 CTRL:DENSITY")),
        one(
            "CONTROL:2",
            2,
            usable=2,
            settings=limits,
            flags=[flag("limited", "2 slots", "ben")],
        ),
        one(
            "HEATING:1",
            3,
            usable=0,
            draining=True,
            busy=("DEMO/7 HEAT:GYROTRON_1",),
            settings={"drain": {"mode": "finish", "deadline": time.time() + 1200, "then": "quit"}},
            flags=[flag("draining", "new bearings", "anna", until=time.time() + 1200)],
        ),
        one("HEATING:2", 4, usable=0, flags=[flag("out_of_hours", "works from 07:00 on")]),
        one(
            "CAMERA:1",
            5,
            usable=0,
            flags=[
                flag("failing", "/data is read-only"),
                flag("differs", "version 1.3.9, not 1.4.0"),
            ],
            version="1.3.9",
        ),
        one("CAMERA:2", 6, stuck=1, usable=3, flags=[flag("stuck", "1 slot: nfs is away")]),
        one("DAQ:1", 7, liveness="suspect", why="it is silent", last_seen_at=time.time() - 5),
        one("DAQ:2", 8, liveness="lost", why="it said goodbye", usable=0, last_seen_at=gone),
        server("DAQ:3", "absent", why="expected, and never seen"),
        one("DAQ:10", 10, flags=[flag("leaving", "ends after 3 more actions", "anna")]),
    )


def beside(**fields: object) -> FleetView:
    """Return what there is beside the servers."""
    now = time.time()
    window: Json = {
        "id": "cryo",
        "select": {"classes": ["HEATING"]},
        "begins_at": now + 3600,
        "duration_s": 5400,
        "repeat": "weekly",
        "zone": "Europe/Berlin",
        "reason": "cryopumps regenerate",
        "by": "clara",
        "at": now - 9000,
    }
    made: Json = {
        "windows": [
            {"window": window, "next_at": now + 3600, "servers": ["HEATING:1", "HEATING:2"]},
            {
                "window": window | {"id": "cables", "repeat": "once", "begins_at": now - 60},
                "is_open": True,
                "next_at": now - 60,
                "next_until": now + 5340,
            },
        ],
        "expected_missing": ["DAQ:3"],
        "alerts": [
            {"kind": "failing", "about": "CAMERA:1", "text": "/data is read-only", "at": now - 600},
            {"kind": "lost", "about": "DAQ:2", "text": "it said goodbye", "at": now - 900},
            {"kind": "missing", "about": "DAQ:3", "text": "expected, and not there", "at": now},
            {"kind": "differs", "about": "CAMERA:1", "text": "version 1.3.9, not 1.4.0"},
            {"kind": "window", "about": "cryo", "text": "ohmic is planned then", "at": now},
        ],
        "starting": [
            {"server_class": "ANALYSIS", "pilots": 2, "reason": "Resources", "since": now - 90}
        ],
    }
    return msgspec.convert(made | fields, FleetView)


def tell(monitor: MockMonitor, *servers: ServerView, fleet: FleetView | None = None) -> None:
    """Let the dispatcher tell of servers, and of what there is beside them."""
    monitor.take(News("servers", time.time(), ServersEvent(servers=servers, fleet=fleet)))


def many(count: int) -> tuple[ServerView, ...]:
    """Return a large fleet."""
    return tuple(
        one(f"{CLASSES[number % len(CLASSES)]}:{number // len(CLASSES) + 1}", number)
        for number in range(count)
    )
