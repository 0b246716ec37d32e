"""`make screenshots`: the tabs, from a demo's shots and programme as they go on, as PNG files.

The few pictures of the documents, and every tab at four sizes, dark, light and on the wall, to be
looked at.

python -m tests.browser.screenshots docs/images var/screenshots
"""

import sys
import tempfile
from contextlib import suppress
from pathlib import Path

from playwright.sync_api import Locator, Page, expect
from tests.support.browser import Browser, address_of, live, shown
from tests.support.monitor import with_monitor
from tests.support.stack import Stack

from shotline.common.settings.config import packaged

SERVERS = ("CONTROL:1*2", "HEATING:1*2", "DAQ:1", "DAQ:2", "DAQ:3")
EXPECTED = ("CONTROL:1", "HEATING:1", "DAQ:1", "DAQ:2", "DAQ:3", "DAQ:4")
PHASES = ("INIT", "PULSE", "STORE")
SIZE = (1440, 900)
CURRENT = {"type": "number", "unit": "MA", "minimum": 0.1, "maximum": 2.0, "step": 0.1}
GAS = {"type": "text", "choices": ["D2", "H2", "He"], "default": "D2"}
KINDS = {
    "ohmic": {
        "description": "Ohmic plasma: gas, breakdown, ramp and flat top.",
        "experiment": "DEMO",
        "phases": [{"phase": phase} for phase in PHASES],
        "parameters": {"current": CURRENT, "gas": GAS},
        "fails_on": "none",  # its camera fails by design
    },
    "conditioning": {
        "description": "Glow discharge between pulses.",
        "experiment": "DEMO",
        "phases": [{"phase": "INIT"}],
        "parameters": {"minutes": {"type": "integer", "unit": "min", "default": 10}},
        "fails_on": "none",
    },
}
SIZES = {"1920": (1920, 1080), "1366": (1366, 768), "1024": (1024, 768), "telephone": (390, 844)}
VIEWS = {
    "servers": "servers",
    "heartbeat": "heartbeat",
    "windows": "windows",
    "server": "server/DAQ:1",
    "failures": "failures",
    "search": "search?words=damaged",
    "compare": "compare/DEMO%2F1%20DEMO%2F2?all=1",
    "trend": "trend/DEMO%20NBI:CONDITION",
    "shot": "shot/DEMO%2F1",
    "noted": "timeline?shot=1&tree=DEMO&range=shot&at=%5CDEMO::TOP:CAMERA:ARM",
    "records": "records",
}
READ = "() => !document.querySelector('main > :not([hidden])').innerText.includes('reading …')"
MOMENT_S = 10.0
SHOTS_BEFORE = 2  # so that usual durations are known


def whole_shot(stack: Stack, shot: int) -> None:
    """Run a whole shot of the demo; its camera fails by design."""
    with stack.supervisor() as shotline:
        shotline.create_pulse("DEMO", shot)
        shotline.build_tables("DEMO", shot)
        for phase in PHASES:
            shotline.do_phase(phase, "DEMO", shot, check=False)
        shotline.note("DEMO", shot, "the camera's fibre again", path="CAMERA:ARM")


def begun(stack: Stack, shot: int, phase: str) -> None:
    """Begin a phase."""
    with stack.supervisor() as shotline:
        shotline.do_phase(phase, "DEMO", shot, wait=False)


def programme(stack: Stack) -> None:
    """Let several people make a programme, and let it begin."""
    with stack.supervisor() as shotline:
        for number, user in enumerate(("anna", "anna", "ben", "anna", "clara", "ben"), 1):
            plan = {"kind": "ohmic", "parameters": {"current": number / 5}}
            shotline.queue_add([plan], user=user)
        shotline.queue_add([{"kind": "conditioning"}], position=0, user="anna")
        shotline.queue_add([{"type": "stop", "note": "lunch"}], position=4, user="anna")
        plan = {"kind": "ohmic", "parameters": {"current": 1.9}, "note": "density limit"}
        shotline.queue_propose([plan], user="dora")
        shotline.queue_start(user="anna")


def moment(where: Locator, text: str) -> None:
    """Wait a little for what a picture shows best; on a slow machine it is taken without it."""
    with suppress(AssertionError):
        expect(where).to_contain_text(text, timeout=MOMENT_S * 1000)


def take(page: Page, folder: Path, name: str) -> None:
    """Write what the page shows to a file."""
    page.screenshot(path=folder / f"{name}.png")


def every_tab(stack: Stack, browser: Browser, folder: Path) -> None:
    """Write every tab at four sizes, dark and light, and what is on the wall."""
    folder.mkdir(parents=True, exist_ok=True)
    for size, (width, height) in SIZES.items():
        for scheme in ("dark", "light"):
            page = browser.open(stack, "#/actions", browser.new_page(width, height, scheme=scheme))
            links = page.locator("nav[aria-label=tabs] a:visible")
            tabs = links.evaluate_all("(all) => all.map((one) => one.dataset.tab)")
            for name, view in (dict.fromkeys(tabs) | VIEWS).items():
                page.goto(f"{address_of(stack)}/#/{view or name}")
                live(page)
                page.wait_for_function(READ)
                page.wait_for_function("() => new Promise(requestAnimationFrame)")
                take(page, folder, f"{size}-{scheme}-{name}")
            page.close()
    for tab in ("actions", "timeline", "queue", "fleet"):
        page = browser.open(stack, f"?wall#/{tab}", browser.new_page(*SIZES["1920"]))
        take(page, folder, f"wall-{tab}")
        page.close()


def screenshots(folder: Path, every: Path, work: Path) -> None:
    """Write all of them."""
    folder.mkdir(parents=True, exist_ok=True)
    demo = Path(str(packaged("experiments/demo.yaml")))
    settings = {"expected_servers": list(EXPECTED)}
    kinds = {"queue": {"kinds": KINDS}}
    with (
        with_monitor(work, SERVERS, {"DEMO": demo}, settings, kinds) as stack,
        Browser() as browser,
    ):
        for shot in range(1, SHOTS_BEFORE + 1):
            whole_shot(stack, shot)
        number = SHOTS_BEFORE + 1
        with stack.supervisor() as shotline:
            shotline.create_pulse("DEMO", number)
            shotline.build_tables("DEMO", number)
        page = browser.open(stack, "#/actions", browser.new_page(*SIZE))
        begun(stack, number, "INIT")
        failed = page.locator("#active .row.red, #all .row.red").first
        shown(failed).to_be_visible()
        take(page, folder, "actions")
        page.goto(f"{address_of(stack)}/#/timeline")
        live(page)
        page.locator(".timeline-scroll").focus()
        page.keyboard.press("n")
        moment(page.locator("tab-timeline .run-left"), "left")
        take(page, folder, "timeline")
        shown(page.locator("tab-timeline .run-state")).to_contain_text("completed")
        begun(stack, number, "PULSE")
        with stack.supervisor() as shotline:
            shotline.fleet_slots(1, servers="HEATING:1", reason="one gyrotron only")
            shotline.fleet_drain(within_s=1200.0, servers="DAQ:3", reason="new disk")
        page.locator("a[data-tab=fleet]").click()
        moment(page.locator("fleet-table"), "ACQUIRE")
        take(page, folder, "fleet")
        page.locator("fleet-table .grid-link").first.click()
        shown(page.locator("server-page .server-ran button").first).to_be_visible()
        take(page, folder, "server")
        page.locator("a[data-view=servers]").click()
        moment(page.locator("tab-servers"), "ACQUIRE")
        take(page, folder, "servers")
        page.locator("a[data-view=heartbeat]").click()
        shown(page.locator("tab-heartbeat tbody tr")).to_have_count(len(EXPECTED))
        take(page, folder, "heartbeat")
        page.locator("a[data-tab=queue]").click()
        with stack.supervisor() as shotline:
            shotline.fleet_resume(servers="DAQ:3")
            shotline.wait("DEMO", number, 2, check=False)  # which may be over
        programme(stack)
        shown(page.locator("queue-history .history-row:not([hidden])").first).to_be_visible()
        moment(page.locator("queue-running .running-phases .now"), "PULSE")
        moment(page.locator("queue-running"), "2 of")
        take(page, folder, "queue")
        page.locator("a[data-tab=log]").click()
        shown(page.locator(".log-line:not([hidden])").first).to_be_visible()
        take(page, folder, "log")
        every_tab(stack, browser, every)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as scratch:
        screenshots(Path(sys.argv[1]), Path(sys.argv[2]), Path(scratch))
