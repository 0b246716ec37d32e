"""How smooth the page is: frame intervals in Chromium while 2,000 actions change in each second.

    python -m bench.page

Messages come from here, as the monitor would send them, so that only the page is measured: 10,000
actions and 200 servers, frames of messages every 50 ms, in Actions (both tables) and in Timeline.
"""

import argparse
import asyncio
import itertools
import json
import shutil
import statistics
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import tornado.web
from playwright.async_api import Browser, CDPSession, Page, async_playwright
from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets
from tornado.websocket import WebSocketClosedError, WebSocketHandler

STATIC: Final = Path(__file__).resolve().parents[1] / "monitor" / "static"
CHROMIUM: Final = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
GATHER_S: Final = 0.05
SHOT: Final = "BENCH/1"
FRAMES: Final = """(milliseconds) => new Promise((done) => {
    const intervals = [];
    const begin = performance.now();
    let last = begin;
    const tick = (now) => {
        intervals.push(now - last);
        last = now;
        if (now - begin < milliseconds) requestAnimationFrame(tick);
        else done(intervals.slice(1));
    };
    requestAnimationFrame(tick);
})"""
SHARES: Final = ("ScriptDuration", "LayoutDuration", "RecalcStyleDuration", "TaskDuration")


class Source:
    """The state of a large shot, and its changes one after the other."""

    def __init__(self, actions: int, servers: int) -> None:
        self.actions, self.servers = actions, servers
        self.begun_at = time.time()
        self._seq = itertools.count(2)
        self._step = 0

    def whole(self, channel: str) -> dict[str, object]:
        """Return a channel's whole state."""
        head: dict[str, object] = {"command": "WHOLE", "seq": 1, "time": time.time()}
        if channel == SHOT:
            run = {"tree": "BENCH", "shot": 1, "run": 1, "kind": "phase", "phase": "INIT"}
            run |= {"state": "open", "opened_at": self.begun_at}
            shot = {"tree": "BENCH", "shot": 1, "phases": ["INIT"], "runs": [run]}
            actions = [self._view(number) for number in range(self.actions)]
            return head | {"shot": shot, "actions": actions, "medians": {}, "estimate": None}
        if channel == "servers":
            return head | {"servers": [self._server(one) for one in range(self.servers)]}
        system = {"feed": "live", "current": ["BENCH", 1], "role": "operator"}
        return head | {"system": system, "shots": []}

    def changes(self, count: int) -> Iterator[dict[str, object]]:
        """Yield changes: each action is sent, runs, and is done, again and again."""
        for _ in range(count):
            number, turn = self._step % self.actions, self._step // self.actions
            self._step += 1
            now = time.time()
            last: dict[str, object] = {"path": _path(number), "run": 1, "attempt": 1 + turn // 3}
            last |= {"server": f"S:{number % self.servers}", "dispatched_at": now, "time": now}
            if turn % 3 == 0:
                last["state"] = "DISPATCHED"
            elif turn % 3 == 1:
                last |= {"state": "DOING", "started_at": now}
            else:
                last |= {"state": "DONE", "cause": "result", "started_at": now - 0.5}
                last |= {"ended_at": now, "duration_s": 0.5}
                last["status"] = "Failure" if number % 50 == 0 else "Success"
            failed = last.get("status") == "Failure"
            command = "TASK" if "cause" in last else "ACTION"
            yield {
                "command": command,
                "seq": next(self._seq),
                "time": now,
                "task_id": last["path"],
                "failed": failed,
                "action": last,
            }

    def _view(self, number: int) -> dict[str, object]:
        return {
            "path": _path(number),
            "name": f"G{number // 100}:N{number}",
            "server_class": "S",
            "phase": "INIT",
            "number": number % 7,
            "when": str(number % 7),
            "last": {"state": "NOT_DISPATCHED", "path": _path(number)},
        }

    def _server(self, number: int) -> dict[str, object]:
        name = {"server": f"S:{number}", "server_class": "S", "server_id": str(number)}
        return name | {"liveness": "alive", "state": "ON", "slots": 4}


def _path(number: int) -> str:
    return f"\\BENCH::TOP:G{number // 100}:N{number}"


class Socket(WebSocketHandler):
    """What the page connects to."""

    def initialize(self, source: Source, rate: int) -> None:
        """Take the source and the changes in each second."""
        self._source, self._rate = source, rate

    async def on_message(self, message: str | bytes) -> None:
        """Answer a subscription; the shot's changes follow it."""
        channel = json.loads(message).get("subscribe")
        if not isinstance(channel, str):
            return
        self._send({"channel": channel, "subscribed": True, "seq": 0, "life": "bench"})
        if channel != "log":
            self._send({"channel": channel, "messages": [self._source.whole(channel)]})
        if channel == SHOT:
            self._changing = asyncio.create_task(self._changes())

    async def _changes(self) -> None:
        due, begun = 0, time.monotonic()
        while True:
            await asyncio.sleep(GATHER_S)
            count = int((time.monotonic() - begun) * self._rate) - due
            due += count
            self._send({"channel": SHOT, "messages": list(self._source.changes(count))})

    def _send(self, frame: dict[str, object]) -> None:
        try:
            self.write_message(json.dumps(frame))
        except WebSocketClosedError:
            self._changing.cancel()

    def on_close(self) -> None:
        """Stop what is sent."""
        if hasattr(self, "_changing"):
            self._changing.cancel()


class Index(tornado.web.RequestHandler):
    """The page."""

    def get(self) -> None:
        """Answer with the page."""
        self.finish((STATIC / "index.html").read_bytes())


async def metrics(session: CDPSession) -> dict[str, float]:
    """Return Chromium's counters of this page."""
    found = await session.send("Performance.getMetrics")
    return {one["name"]: one["value"] for one in found["metrics"]}


async def measure(page: Page, session: CDPSession, tab: str, seconds: float) -> None:
    """Measure one tab and print what was seen."""
    await page.evaluate("(hash) => { window.location.hash = hash; }", f"#/{tab}?show=both")
    await page.wait_for_selector(f"#tab-{tab}:not([hidden])")
    await page.evaluate(FRAMES, 1000)
    before = await metrics(session)
    intervals: list[float] = await page.evaluate(FRAMES, seconds * 1000)
    after = await metrics(session)
    intervals.sort()
    late = sum(one > 25 for one in intervals) / len(intervals)
    busy = {name: (after[name] - before[name]) / len(intervals) * 1000 for name in SHARES}
    heap = (await page.evaluate("performance.memory.usedJSHeapSize")) / 1e6
    print(
        f"{tab:<9} frame interval: median {statistics.median(intervals):.1f} ms, "
        f"95 % {intervals[int(len(intervals) * 0.95)]:.1f} ms, most {intervals[-1]:.1f} ms, "
        f"{late:.1%} over 25 ms; a frame's work {busy['TaskDuration']:.1f} ms (script "
        f"{busy['ScriptDuration']:.1f}, layout {busy['LayoutDuration']:.1f}, style "
        f"{busy['RecalcStyleDuration']:.1f}); heap {heap:.0f} MB"
    )


async def run(browser: Browser, port: int, seconds: float) -> None:
    """Open the page and measure its tabs."""
    page = await browser.new_page(viewport={"width": 1600, "height": 1000})
    await page.goto(f"http://127.0.0.1:{port}/#/actions?show=both")
    await page.wait_for_selector("#all .row")
    session = await page.context.new_cdp_session(page)
    await session.send("Performance.enable")
    for tab in ("actions", "timeline"):
        await measure(page, session, tab, seconds)


async def main() -> None:
    """Serve, open Chromium, measure."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--actions", type=int, default=10_000)
    parser.add_argument("--servers", type=int, default=200)
    parser.add_argument("--rate", type=int, default=2_000, help="changes in each second")
    parser.add_argument("--seconds", type=float, default=10.0)
    given = parser.parse_args()
    if CHROMIUM is None:
        print("the page was not measured: Chromium is not installed")
        return
    source = Source(given.actions, given.servers)
    routes = tornado.web.Application(
        [
            ("/", Index),
            ("/ws", Socket, {"source": source, "rate": given.rate}),
            ("/static/(.*)", tornado.web.StaticFileHandler, {"path": str(STATIC)}),
        ]
    )
    server = HTTPServer(routes)
    sockets = bind_sockets(0, "127.0.0.1")
    server.add_sockets(sockets)
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--enable-precise-memory-info"]
        )
        print(f"{given.actions} actions, {given.servers} servers, {given.rate} changes a second")
        await run(browser, sockets[0].getsockname()[1], given.seconds)
        await browser.close()
    server.stop()


if __name__ == "__main__":
    asyncio.run(main())
