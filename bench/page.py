"""The page and the monitor under load: 2,000 changes a second through the whole chain.

    python -m bench.page

A dispatcher of few words (`bench.page_source`) publishes over a real broker; a real monitor shows
it to Chromium, and then to 200 WebSockets of which some sleep (`bench.page_clients`). Measured are
the intervals of the page's frames, how old a change is when it is in the page and when it is drawn,
the tab's memory, and the monitor's memory and processor time.
"""

import argparse
import asyncio
import json
import shutil
import socket
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psutil
from playwright.async_api import CDPSession, Page, async_playwright
from tornado.httpclient import AsyncHTTPClient

CHROMIUM: Final = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
START_WITHIN_S: Final = 60.0
SETTLE_S: Final = 3.0
MB: Final = 1e6
WATCHED: Final = """(milliseconds) => new Promise((done) => {
    const { app } = document.querySelector('tab-actions');
    const seen = { intervals: [], ages: [], drawn: [] };
    const begin = performance.now();
    let last = begin;
    let oldest = null;
    const told = Object.getPrototypeOf(app.shot).apply;
    app.shot.apply = function (message) {
        told.call(this, message);
        if (message.action) {
            seen.ages.push(Date.now() / 1000 - message.time);
            oldest ??= message.time;
        }
    };
    const tick = (now) => {
        seen.intervals.push(now - last);
        last = now;
        // This runs before or after the page's own drawing of the same frame.
        if (oldest !== null) seen.drawn.push(Date.now() / 1000 - oldest);
        oldest = null;
        if (now - begin < milliseconds) requestAnimationFrame(tick);
        else {
            delete app.shot.apply;
            seen.intervals.shift();
            done(seen);
        }
    };
    requestAnimationFrame(tick);
})"""
SHARES: Final = ("TaskDuration", "ScriptDuration", "LayoutDuration", "RecalcStyleDuration")


@dataclass(frozen=True, slots=True)
class Sizes:
    """What is run."""

    actions: int
    servers: int
    rate: int
    seconds: float
    clients: int
    asleep: int


@dataclass(frozen=True, slots=True)
class Chain:
    """The processes under measurement."""

    monitor: psutil.Process
    broker: psutil.Process
    source: psutil.Process
    port: int


@asynccontextmanager
async def process(*words: object) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run a Python module; end it afterwards."""
    found = await asyncio.create_subprocess_exec(
        sys.executable, "-m", *map(str, words), stdout=asyncio.subprocess.PIPE
    )
    try:
        yield found
    finally:
        if found.returncode is None:
            found.terminate()
        await found.wait()


@asynccontextmanager
async def chain(folder: Path, sizes: Sizes) -> AsyncIterator[Chain]:
    """Run broker, source and monitor; go on once the monitor has the whole shot."""
    clients, servers, events, port = free_ports(4)
    broker_at = f"tcp://127.0.0.1:{clients}"
    config = folder / "config.yaml"
    settings = {
        "data_folder": str(folder / "var"),
        "broker": {
            "clients": broker_at,
            "servers": f"tcp://127.0.0.1:{servers}",
            "events": f"tcp://127.0.0.1:{events}",
        },
        "monitor": {"port": port},
        "logging": {"level": "warning"},
    }
    config.write_text(json.dumps(settings), encoding="utf-8")
    async with AsyncExitStack() as stack:
        broker = await stack.enter_async_context(process("shotline.broker", "--config", config))
        source = await stack.enter_async_context(
            process("bench.page_source", broker_at, sizes.actions, sizes.servers, sizes.rate)
        )
        monitor = await stack.enter_async_context(process("shotline.monitor", "--config", config))
        await ready(port)
        yield Chain(*(psutil.Process(one.pid) for one in (monitor, broker, source)), port)


async def ready(port: int) -> None:
    """Return once the monitor shows the shot."""
    client = AsyncHTTPClient(force_instance=True)
    try:
        async with asyncio.timeout(START_WITHIN_S):
            while True:
                await asyncio.sleep(0.2)
                try:
                    answer = await client.fetch(f"http://127.0.0.1:{port}/api/monitor")
                except OSError:
                    continue
                found = json.loads(answer.body)
                if found["system"]["feed"] == "live" and any(
                    shot["counts"]["pending"] < shot["actions"] for shot in found["shots"]
                ):
                    return
    finally:
        client.close()


class Cost:
    """What a process takes from now on."""

    def __init__(self, one: psutil.Process) -> None:
        self._process = one
        self._at, self._used = time.monotonic(), self._cpu()

    def _cpu(self) -> float:
        times = self._process.cpu_times()
        return times.user + times.system

    @property
    def cpu(self) -> float:
        """Cores in use, as a share of one."""
        return (self._cpu() - self._used) / (time.monotonic() - self._at)

    @property
    def rss(self) -> float:
        """Resident memory, in megabytes."""
        return self._process.memory_info().rss / MB


def of(values: Sequence[float], share: float) -> float:
    """Return the value below which a share of them is."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def ms(values: Sequence[float]) -> str:
    """Return how seconds are distributed, in words."""
    middle, most, last = (of(values, share) * 1000 for share in (0.5, 0.95, 0.99))
    return f"{middle:.0f} ms (95 % {most:.0f}, 99 % {last:.0f})"


async def metrics(session: CDPSession) -> dict[str, float]:
    """Return Chromium's counters of this page."""
    found = await session.send("Performance.getMetrics")
    return {one["name"]: one["value"] for one in found["metrics"]}


def renderer_mb() -> float:
    """Return the memory that is the tab's process's own (unique set size)."""
    found = [
        one.memory_full_info().uss / MB
        for one in psutil.Process().children(recursive=True)
        if any("--type=renderer" in word for word in one.cmdline())
    ]
    return max(found, default=0.0)


async def measure_tab(
    page: Page, session: CDPSession, tab: str, sizes: Sizes, running: Chain
) -> None:
    """Measure one tab and print what was seen."""
    await page.evaluate("(hash) => { window.location.hash = hash; }", f"#/{tab}?show=both")
    await page.wait_for_selector(f"#tab-{tab}:not([hidden])")
    await page.evaluate(WATCHED, SETTLE_S * 1000)
    cost, before = Cost(running.monitor), await metrics(session)
    seen: dict[str, list[float]] = await page.evaluate(WATCHED, sizes.seconds * 1000)
    after, intervals = await metrics(session), seen["intervals"]
    busy = {name: (after[name] - before[name]) / len(intervals) * 1000 for name in SHARES}
    late = sum(one > 25 for one in intervals) / len(intervals)
    heap = (await page.evaluate("performance.memory.usedJSHeapSize")) / MB
    memory = renderer_mb()
    await session.send("HeapProfiler.collectGarbage")
    print(
        f"{tab:<9} frame interval: median {statistics.median(intervals):.1f} ms, "
        f"95 % {of(intervals, 0.95):.1f} ms, most {max(intervals):.1f} ms, {late:.1%} over 25 ms\n"
        f"          a frame's work {busy['TaskDuration']:.1f} ms (script "
        f"{busy['ScriptDuration']:.1f}, layout {busy['LayoutDuration']:.1f}, style "
        f"{busy['RecalcStyleDuration']:.1f}); heap {heap:.0f} MB, the tab's process "
        f"{memory:.0f} MB, {renderer_mb():.0f} MB without garbage"
    )
    if seen["ages"]:
        rate = len(seen["ages"]) / sizes.seconds
        print(
            f"          {rate:.0f} changes a second; one is in the page after {ms(seen['ages'])}\n"
            f"          the oldest of a frame is drawn after {ms(seen['drawn'])}\n"
            f"          monitor: {cost.cpu:.0%} of a core, {cost.rss:.0f} MB"
        )


async def measure_page(sizes: Sizes, running: Chain) -> None:
    """Open the page and measure its tabs."""
    if CHROMIUM is None:
        print("the page was not measured: Chromium is not installed")
        return
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--enable-precise-memory-info"]
        )
        page = await browser.new_page(viewport={"width": 1600, "height": 1000})
        await page.goto(f"http://127.0.0.1:{running.port}/#/actions?show=both")
        await page.wait_for_selector("#all .row")
        session = await page.context.new_cdp_session(page)
        await session.send("Performance.enable")
        for tab in ("actions", "timeline", "servers"):
            await measure_tab(page, session, tab, sizes, running)
        await browser.close()


async def measure_clients(sizes: Sizes, running: Chain) -> None:
    """Let many read, and some sleep; print what it costs the monitor."""
    before = Cost(running.monitor).rss
    awake = sizes.clients - sizes.asleep
    words = ("bench.page_clients", running.port, awake, sizes.asleep, sizes.seconds)
    most = before
    async with process(*words) as clients:
        assert clients.stdout is not None
        assert await clients.stdout.readline() == b"connected\n"
        cost = Cost(running.monitor)
        reading = asyncio.ensure_future(clients.stdout.readline())
        while not reading.done():
            most = max(most, cost.rss)
            await asyncio.wait([reading], timeout=0.2)
        cpu = cost.cpu
        told = json.loads(await clients.stdout.readline())
    await asyncio.sleep(SETTLE_S)
    print(
        f"{sizes.clients} WebSockets, {sizes.asleep} asleep: monitor {cpu:.0%} of a core, "
        f"{before:.0f} MB before, {most:.0f} MB at most, {cost.rss:.0f} MB after\n"
        f"          {told['bytes'] / sizes.seconds / MB:.0f} MB sent a second; a change arrives "
        f"after {told['age_p50_s'] * 1000:.0f} ms (99 % {told['age_p99_s'] * 1000:.0f}); "
        f"{told['closed']} were closed\n"
        f"          woken up {told['woken']} of {sizes.asleep}, each after "
        f"{told['woken_bytes'] / max(1, sizes.asleep) / MB:.1f} MB"
    )


def free_ports(count: int) -> list[int]:
    """Return ports that were free a moment ago, all different."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


async def main() -> None:
    """Run the chain, measure the page and the clients."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--actions", type=int, default=10_000)
    parser.add_argument("--servers", type=int, default=200)
    parser.add_argument("--rate", type=int, default=2_000, help="changes in each second")
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--clients", type=int, default=200, help="WebSockets; 0: none")
    parser.add_argument("--asleep", type=int, default=50, help="how many of them do not read")
    parser.add_argument("--no-page", action="store_true", help="only the WebSockets")
    given = parser.parse_args()
    sizes = Sizes(
        given.actions, given.servers, given.rate, given.seconds, given.clients, given.asleep
    )
    print(f"{sizes.actions} actions, {sizes.servers} servers, {sizes.rate} changes a second")
    with tempfile.TemporaryDirectory() as folder:
        async with chain(Path(folder), sizes) as running:
            cost, broker = Cost(running.monitor), Cost(running.broker)
            source = Cost(running.source)
            await asyncio.sleep(sizes.seconds)
            print(
                f"nobody   monitor {cost.cpu:.0%} of a core, {cost.rss:.0f} MB; broker "
                f"{broker.cpu:.0%}, the source of the changes {source.cpu:.0%}"
            )
            if not given.no_page:
                await measure_page(sizes, running)
            if sizes.clients:
                await measure_clients(sizes, running)


if __name__ == "__main__":
    asyncio.run(main())
