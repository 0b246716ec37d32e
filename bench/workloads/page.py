"""The page in Chromium while much changes: its frames, how old a change is, memory."""

import shutil
import statistics
import time
from typing import TYPE_CHECKING, ClassVar, Final

import psutil

from bench.harness import Measurement, Round
from bench.machine import MB
from bench.monitored import RATE, Monitored
from bench.results import Goal, quantile

if TYPE_CHECKING:
    from playwright.sync_api import CDPSession, Page

CHROMIUM: Final = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
TABS: Final = ("actions", "timeline", "servers")
SETTLE_S: Final = 3.0
LATE_MS: Final = 25.0
SMOOTH: Final = Goal(17, of_value=True)
SOON: Final = Goal(100, of_value=True)
SMALL: Final = Goal(150, of_value=True)
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
SHARES: Final = {"TaskDuration": "work", "ScriptDuration": "scripts"}


class PageInBrowser(Measurement):
    """A change is in the page when its row has been told, drawn with the next animation frame."""

    name: ClassVar = "page"
    title: ClassVar = f"the page in Chromium, {RATE:,} changes a second"
    rounds_max: ClassVar = 1

    def measure(self, of: Round) -> None:
        """Measure each tab."""
        if CHROMIUM is None:
            print("the page is not measured: Chromium is not installed")
            return
        # All others are measured without it.
        from playwright.sync_api import sync_playwright

        with Monitored(of.folder / "monitored") as monitored, sync_playwright() as playwright:
            browser = playwright.chromium.launch(
                executable_path=CHROMIUM, args=["--no-sandbox", "--enable-precise-memory-info"]
            )
            page = browser.new_page(viewport={"width": 1600, "height": 1000})
            page.goto(f"http://127.0.0.1:{monitored.port}/#/actions?show=both")
            page.wait_for_selector("#all .row")
            session = page.context.new_cdp_session(page)
            session.send("Performance.enable")
            for tab in TABS:
                _measure(of, page, session, tab)
            browser.close()


def _measure(of: Round, page: "Page", session: "CDPSession", tab: str) -> None:
    """Measure one tab."""
    page.evaluate("(hash) => { window.location.hash = hash; }", f"#/{tab}?show=both")
    page.wait_for_selector(f"#tab-{tab}:not([hidden])")
    page.evaluate(WATCHED, SETTLE_S * 1000)
    before = _metrics(session)
    seen: dict[str, list[float]] = page.evaluate(WATCHED, of.sizes.seconds * 1000)
    after, intervals = _metrics(session), seen["intervals"]
    memory = _renderer_mb()
    session.send("HeapProfiler.collectGarbage")
    time.sleep(1)

    def add(what: str, value: float, unit: str, goal: Goal | None = None) -> None:
        of.results.add(what, tab, value, unit, goal=goal)

    add("interval of frames, median", statistics.median(intervals), "ms", SMOOTH)
    add("interval of frames, 95 %", quantile(intervals, 0.95), "ms")
    add("frames over 25 ms", sum(one > LATE_MS for one in intervals) / len(intervals) * 100, "%")
    for name, what in SHARES.items():
        add(f"a frame's {what}", (after[name] - before[name]) / len(intervals) * 1e3, "ms")
    for share in (0.5, 0.95, 0.99):
        if seen["ages"]:
            in_page, drawn = (quantile(seen[name], share) * 1e3 for name in ("ages", "drawn"))
            add(f"a change is in the page, {share * 100:g} %", in_page, "ms", SOON)
            add(f"a change is drawn, {share * 100:g} %", drawn, "ms")
    add("the tab's process", memory, "MB", SMALL)
    add("the tab's process without garbage", _renderer_mb(), "MB")


def _metrics(session: "CDPSession") -> dict[str, float]:
    """Return Chromium's counters of this page."""
    found = session.send("Performance.getMetrics")
    return {one["name"]: one["value"] for one in found["metrics"]}


def _renderer_mb() -> float:
    """Return the memory that is the tab's process's own (unique set size)."""
    found = [
        one.memory_full_info().uss / MB
        for one in psutil.Process().children(recursive=True)
        if any("--type=renderer" in word for word in one.cmdline())
    ]
    return max(found, default=0.0)
