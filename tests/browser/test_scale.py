"""Ten thousand actions in a real browser, and a browser that does not read."""

import re
from collections.abc import Iterator

import pytest
from tests.support.browser import Browser, count, row, shown
from tests.support.monitor import with_monitor
from tests.support.stack import Stack

ACTIONS = 10_000
HEAP_BYTES_MAX = 150_000_000
ROWS_MAX = 300  # both tables: what is seen, and a few above and below


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    folder = tmp_path_factory.mktemp("scale")
    lines = ["experiment: BIG", "phases: {INIT: 1, PULSE: 2}", "actions:"]
    lines += [
        f"  - {{path: 'G{number // 100}:N{number}', server_class: NONE, phase: INIT, "
        f"when: {1 + number % 7}, task: {{sleep: 0}}}}"
        for number in range(ACTIONS - 1)
    ]
    lines.append("  - {path: 'ALONE', server_class: A, phase: PULSE, when: 1, task: {sleep: 0}}")
    (folder / "experiment.yaml").write_text("\n".join(lines))
    with with_monitor(folder, ("A:1",), {"BIG": folder / "experiment.yaml"}) as running:
        with running.supervisor() as shotline:
            shotline.create_pulse("BIG", 1)
            shotline.build_tables("BIG", 1)
        yield running


def test_ten_thousand_actions_are_scrolled_filtered_and_changed(
    stack: Stack, browser: Browser
) -> None:
    page = browser.open(stack, "#/actions?show=both")
    shown(count(page, "total")).to_have_text(str(ACTIONS))
    scroller = page.locator("#all .table-scroll")
    for share in (0.5, 0.9, 0.2, 1.0):
        scroller.evaluate("(one, share) => one.scrollTo(0, one.scrollHeight * share)", share)
        place = f"#all .row[aria-rowindex='{min(ACTIONS, int(ACTIONS * share)) + 1}']"
        shown(page.locator(place)).to_be_visible()
    shown(row(page, "ALONE")).to_be_visible()
    assert page.locator(".row").count() < ROWS_MAX

    page.locator("#find").fill("N4711")
    shown(page.locator("#all .row:not([hidden])")).to_have_count(1)
    page.locator("#find").fill("")
    page.locator("#all").get_by_label("filter When").fill(">6")
    shown(page.locator("#all .count").first).to_have_text(f"1428 of {ACTIONS}")

    with stack.supervisor() as shotline:
        shotline.do_phase("INIT", "BIG", 1, wait=False)
    shown(count(page, "server_off")).to_have_text(str(ACTIONS - 1))
    shown(page.locator("#all .row:not([hidden])").first).to_have_class(re.compile("grey"))
    page.locator("a[data-tab=timeline]").click()
    shown(page.locator("tab-timeline")).to_be_visible()
    page.locator("a[data-tab=actions]").click()
    assert page.locator(".row").count() < ROWS_MAX
    heap = page.evaluate("performance.memory.usedJSHeapSize")
    assert heap < HEAP_BYTES_MAX


def test_a_browser_that_does_not_read_disturbs_nobody_and_catches_up(
    stack: Stack, browser: Browser
) -> None:
    asleep = browser.open(stack, "#/actions?show=all&tree=BIG&shot=2")
    other = browser.open(stack, "#/actions?show=all&tree=BIG&shot=2")
    debugger = asleep.context.new_cdp_session(asleep)
    with stack.supervisor() as shotline:
        shotline.create_pulse("BIG", 2)
        shotline.build_tables("BIG", 2)
        for page in (asleep, other):
            shown(count(page, "total")).to_have_text(str(ACTIONS))
        debugger.send("Debugger.enable")
        debugger.send("Debugger.pause")  # it stops at the next tick: its page reads no more
        for _ in range(3):
            shotline.do_phase("PULSE", "BIG", 2)
            shotline.do_phase("INIT", "BIG", 2, check=False)
    shown(count(other, "server_off")).to_have_text(str(ACTIONS - 1))
    shown(count(other, "success")).to_have_text("1")
    debugger.send("Debugger.disable")
    shown(count(asleep, "server_off")).to_have_text(str(ACTIONS - 1))
    shown(count(asleep, "success")).to_have_text("1")
    shown(asleep.locator(".run-what").first).to_have_text("run 6 of INIT")
