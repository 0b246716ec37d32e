"""The tab Fleet: rows, columns, groups, selection, a server's page; two hundred servers."""

import re
import time
from collections.abc import Mapping

import msgspec
import pytest
from playwright.sync_api import Locator, Page
from tests.support.axe import needs_axe, violations
from tests.support.browser import shown
from tests.support.fleet_page import beside, facts, flag, many, mixed, one, tell
from tests.support.mock_monitor import MockMonitor, reply

from shotline.client.observer import News
from shotline.common.commands import Abort
from shotline.common.fleet.facts import LoggedLine
from shotline.common.views import ServerLogResult, ServersEvent

ROWS_MAX = 60  # what is seen of a large fleet, and a few above and below
ROUNDS = 8
CELLS_CHANGED = 12  # of a row, whenever its server tells of itself


LOG = ServerLogResult(
    server="DAQ:2",
    lines=(LoggedLine(at=9.0, level="warning", text="slow to start"),),
)


def row(page: Page, name: str) -> Locator:
    return page.locator(f"fleet-table .grid-row[data-key='{name}']:not([hidden])")


def expect_names(page: Page, *wanted: str) -> None:
    page.wait_for_function(
        """(wanted) => {
            const rows = [...document.querySelectorAll('fleet-table .grid-row:not([hidden])')]
                .sort((a, b) => a.ariaRowIndex - b.ariaRowIndex)
                .map((row) => row.dataset.key
                    ?? row.querySelector('.group-head strong').textContent);
            return JSON.stringify(rows) === JSON.stringify(wanted);
        }""",
        arg=list(wanted),
    )


def opened(monitor: MockMonitor, address: str = "#/fleet", width: int = 1500) -> Page:
    tell(monitor, *mixed(), fleet=beside())
    return monitor.open(address, monitor.new_page(width))


def test_each_server_says_why_it_is_as_it_is_who_said_so_and_since_when(
    monitor: MockMonitor,
) -> None:
    page = opened(monitor)
    draining = row(page, "HEATING:1").locator(".g-why")
    shown(draining.locator(".flag")).to_have_text("▽draining")
    shown(draining).to_contain_text(re.compile(r"new bearings \(anna, since .+, until .+\)"))
    shown(row(page, "CONTROL:2").locator(".g-why")).to_contain_text("2 slots (ben, since")
    shown(row(page, "HEATING:2").locator(".flag")).to_have_text("☾out of hours")
    shown(row(page, "CAMERA:1").locator(".flag")).to_have_count(2)
    shown(row(page, "DAQ:2").locator(".g-state")).to_contain_text("LOST")
    shown(row(page, "DAQ:2").locator(".g-why")).to_have_text("it said goodbye")
    shown(row(page, "DAQ:2").locator(".g-done")).to_have_text("320")  # its last words
    shown(row(page, "DAQ:3").locator(".g-state")).to_contain_text("ABSENT")
    shown(row(page, "CONTROL:1").locator(".g-doing")).to_have_text("PLASMA, DENSITY")
    shown(page.locator("tab-fleet .sub-numbers")).to_contain_text(
        "10: 7 on, 1 suspect, 1 lost, 1 absent"
    )
    alerts = page.locator("tab-fleet .alert-list li")
    shown(alerts.first).to_contain_text("failing")
    shown(alerts).to_have_count(4)
    page.get_by_role("button", name="1 more").click()
    shown(alerts).to_have_count(5)
    shown(page.locator(".fleet-starting")).to_contain_text("ANALYSIS: 2 starting since")
    shown(page.locator("a[data-tab=fleet]")).to_have_class(re.compile("urgent"))


def test_rows_are_sorted_filtered_and_grouped(monitor: MockMonitor) -> None:
    tell(monitor, *(one(f"A:{n}", n, facts=facts(n, done=10 - n)) for n in range(1, 4)))
    tell(monitor, one("B:1", 9, host="node2.site.org", labels=["gpu"]))
    page = monitor.open("#/fleet")
    expect_names(page, "A:1", "A:2", "A:3", "B:1")
    page.locator(".g-done .column-sort").click()
    expect_names(page, "B:1", "A:1", "A:2", "A:3")
    page.locator(".g-done .column-sort").click()
    expect_names(page, "A:3", "A:2", "A:1", "B:1")
    page.get_by_label("filter Done").fill("<9")
    expect_names(page, "A:3", "A:2")
    page.get_by_label("filter Done").fill("")
    page.get_by_label("search the fleet").fill("node2")
    expect_names(page, "A:1", "B:1")
    page.get_by_label("search the fleet").fill("")
    page.locator(".g-done .column-sort").click()
    page.get_by_label("group rows").select_option("class")
    expect_names(page, "A", "A:1", "A:2", "A:3", "B", "B:1")
    page.get_by_label("group rows").select_option("host")
    expect_names(
        page, "node2.site.org", "A:1", "B:1", "node3.site.org", "A:2", "node4.site.org", "A:3"
    )
    page.get_by_label("group rows").select_option("label")
    expect_names(page, "east", "A:2", "fast", "A:1", "A:2", "gpu", "A:3", "B:1")


def test_columns_come_in_sets(monitor: MockMonitor) -> None:
    page = opened(monitor)
    here = row(page, "CONTROL:1")
    shown(here.locator(".g-temperature")).to_have_count(1)
    assert not here.locator(".g-temperature").is_visible()
    page.get_by_role("button", name="Hosts", exact=True).click()
    shown(here.locator(".g-temperature")).to_have_text("41 °C")
    shown(here.locator(".g-disk")).to_have_text("92 %")
    shown(here.locator(".g-swap")).to_have_text("13 %")
    shown(here.locator(".g-offset")).to_have_text("-1.2 ms")
    page.get_by_role("button", name="Versions", exact=True).click()
    shown(here.locator(".g-mdsplus")).to_have_text("7.140.75")
    shown(here.locator(".g-config")).to_have_text("5e0c1a9b")
    page.get_by_role("button", name="All columns", exact=True).click()
    heads = page.locator("fleet-table .grid-head .cell:not(.g-tick)")
    assert all(head.is_visible() for head in heads.all())


def test_one_some_all_and_a_group_are_selected(monitor: MockMonitor) -> None:
    page = opened(monitor)
    chosen = page.locator(".fleet-chosen")
    shown(row(page, "CONTROL:1")).to_be_visible()
    page.get_by_role("grid", name="fleet").focus()
    page.keyboard.press("Home")
    shown(chosen).to_have_text("CAMERA:1")
    page.keyboard.press("Shift+ArrowDown")
    shown(chosen).to_have_text("2 selected")
    page.keyboard.press("Control+a")
    shown(chosen).to_have_text("10 selected")
    page.get_by_role("button", name="Clear", exact=True).click()
    shown(chosen).to_have_count(1)
    row(page, "CONTROL:1").locator(".g-host").click()
    page.get_by_role("button", name="Select all shown").click()
    shown(chosen).to_have_text("10 selected")
    page.get_by_role("grid", name="fleet").focus()
    page.keyboard.press("Escape")
    page.get_by_label("search the fleet").fill("DAQ")
    shown(page.locator("fleet-table .grid-row:not([hidden])")).to_have_count(4)
    page.get_by_label("select all servers that are shown").check()
    shown(chosen).to_have_text("4 selected")
    page.get_by_role("button", name="Clear", exact=True).click()
    page.get_by_label("search the fleet").fill("")
    page.get_by_label("group rows").select_option("class")
    page.locator(".is-group").filter(has_text="HEATING").locator("input").check()
    shown(chosen).to_have_text("2 selected")
    page.locator("fleet-table .grid-scroll").focus()
    page.keyboard.press("Home")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    shown(page.locator("server-page h2")).to_have_text("CAMERA:1")


def test_addresses_of_old_lead_to_views_of_the_fleet(monitor: MockMonitor) -> None:
    page = opened(monitor, "#/heartbeat")
    shown(page.locator("tab-heartbeat tbody tr")).to_have_count(10)
    assert page.locator("a[data-tab=fleet]").get_attribute("aria-current") == "page"
    page.locator("a[data-view=servers]").click()
    shown(page.locator("tab-servers tbody tr")).to_have_count(10)
    page.keyboard.press("/")
    page.keyboard.type("DAQ")
    shown(page.locator("tab-servers tbody tr")).to_have_count(4)
    page.goto(page.url.partition("#")[0] + "#/server/CONTROL:1")
    shown(page.locator("server-page h2")).to_have_text("CONTROL:1")
    page.go_back()
    shown(page.locator("tab-servers")).to_be_visible()


def past(asked: Mapping[str, object]) -> tuple[int, object]:
    last = {"time": 1.0, "path": "CTRL:PLASMA", "state": "DONE", "attempt": 1, "cause": "result"}
    failed = last | {"path": "CTRL:DENSITY", "status": "Failure", "reason": "ValueError: no gas"}
    good = last | {"status": "Success"}
    about = {"tree": "DEMO", "shot": 6}
    actions = [
        about | {"name": "PLASMA", "colour": "green", "last": good},
        about | {"name": "DENSITY", "colour": "red", "last": failed},
    ]
    return 200, {"actions": actions if asked["server"] == "DAQ:2" else []}


def output(asked: Mapping[str, object]) -> tuple[int, object]:
    text = f"from {asked['path']}"
    lines = [{"number": 0, "at": 1.0, "stream": 1, "text": text}] if asked["since"] == "0" else []
    return 200, {"outcome": "ok", "result": {"lines": lines, "more": False, "tails": []}}


def test_the_page_of_a_dead_server_keeps_its_last_words(monitor: MockMonitor) -> None:
    monitor.routes["server_past"] = past
    monitor.routes["logs"] = output
    monitor.answers["server_log"] = reply(result=msgspec.json.encode(LOG))
    page = opened(monitor, "#/server/DAQ:2")
    here = page.locator("server-page")
    shown(here.locator(".server-state")).to_contain_text("LOST")
    shown(here.locator(".server-about")).to_contain_text("it said goodbye")
    shown(here.locator(".server-ran li")).to_have_count(2)
    shown(here.locator(".server-ran li").last).to_contain_text("ValueError: no gas")
    shown(here.locator(".server-out")).to_have_text("from CTRL:PLASMA")
    here.get_by_role("button", name="DENSITY").click()
    shown(here.locator(".server-out")).to_have_text("from CTRL:DENSITY")
    shown(here.locator(".server-log li")).to_contain_text("slow to start")
    shown(here.locator(".server-facts")).to_contain_text("7.140.75")
    shown(here.locator(".server-curve strong").first).to_have_text("61 %")
    assert here.get_by_role("button", name="Dismiss …").is_visible()
    page.goto(page.url.partition("#")[0] + "#/server/NOBODY:1")
    shown(page.locator("server-page > .empty")).to_contain_text("No server NOBODY:1 is known")


def test_what_a_server_runs_is_aborted_from_its_page(monitor: MockMonitor) -> None:
    monitor.routes["server_past"] = past
    page = opened(monitor, "#/server/CONTROL:1")
    runs = page.locator(".server-runs li")
    shown(runs).to_have_count(2)
    runs.first.get_by_role("button", name="Abort").click()
    page.locator("dialog.ask button[value=yes]").click()
    shown(page.locator("reply-list .reply")).to_contain_text("Abort CTRL:PLASMA of DEMO/7")
    (asked,) = (one for one in monitor.asked if isinstance(one, Abort))
    assert asked == Abort(tree="DEMO", shot=7, path="CTRL:PLASMA")


def test_what_somebody_has_dismissed_is_gone(monitor: MockMonitor) -> None:
    page = opened(monitor)
    shown(row(page, "DAQ:2")).to_be_visible()
    monitor.take(dismissed("DAQ:2"))
    shown(row(page, "DAQ:2")).to_have_count(0)


def dismissed(name: str) -> News:
    return News("servers", time.time(), ServersEvent(servers=(), gone=(name,)))


@needs_axe
@pytest.mark.parametrize("width", [1500, 400])
def test_axe_finds_nothing(monitor: MockMonitor, width: int) -> None:
    monitor.routes["server_past"] = past
    monitor.routes["logs"] = output
    difference = {"server": "DAQ:3", "what": "missing", "expected": "there"}
    expected = {"expected": [{"server": "DAQ:3"}], "by": "anna", "differences": [difference]}
    monitor.routes["fleet_expected"] = lambda _: (200, {"outcome": "ok", "result": expected})
    page = opened(monitor, "#/fleet", width)
    shown(row(page, "CONTROL:1")).to_be_visible()
    assert violations(page, "tab-fleet") == []
    page.get_by_role("button", name="All columns", exact=True).click()
    page.get_by_label("group rows").select_option("host")
    page.get_by_role("grid", name="fleet").focus()
    for key in ("Home", " ", "ArrowDown"):
        page.keyboard.press(key)
    shown(page.locator(".fleet-chosen")).to_contain_text("selected")
    assert violations(page, "tab-fleet") == []
    for text in ("Slots …", "Hours …", "Drain …", "Quit after …", "Add …"):
        page.locator(".fleet-overview").get_by_role("button", name=text, exact=True).click()
        shown(page.locator("dialog.ask-form")).to_be_visible()
        assert violations(page, "dialog") == [], text
        page.keyboard.press("Escape")
    for view in ("servers", "heartbeat", "windows", "server/DAQ:2", "server/CONTROL:1"):
        page.goto(page.url.partition("#")[0] + f"#/{view}")
        shown(page.locator("tab-fleet .sub-view:visible")).to_have_count(1)
        shown(page.locator("tab-fleet .sub-view:visible *").nth(9)).to_have_count(1)
        assert violations(page, "tab-fleet") == [], view
    assert violations(page, "nav") == []


def test_texts_are_text(monitor: MockMonitor) -> None:
    evil = "<img src=x onerror=window.hacked=1>"
    fleet = beside(alerts=[{"kind": "lost", "about": evil, "text": evil}])
    flags = [flag("differs", evil, evil)]
    tell(monitor, one("A:1", 1, host=evil, labels=[evil], why=evil, flags=flags), fleet=fleet)
    page = monitor.open("#/fleet")
    shown(row(page, "A:1").locator(".g-why")).to_contain_text(evil)
    page.get_by_label("group rows").select_option("label")
    shown(page.locator(".is-group")).to_contain_text(evil)
    page.locator("[data-key] .grid-link").click()
    shown(page.locator(".server-facts")).to_contain_text(evil)
    assert page.evaluate("[window.hacked, document.querySelectorAll('img').length]") == [None, 0]


def test_of_two_hundred_servers_only_the_rows_that_are_seen_are_drawn(
    monitor: MockMonitor,
) -> None:
    servers = many(200)
    tell(monitor, *servers)
    page = monitor.open("#/fleet")
    shown(page.locator(".fleet-overview .count")).to_have_text("200")
    page.evaluate(
        """() => {
            window.changes = 0;
            new MutationObserver((all) => { window.changes += all.length; })
                .observe(document.querySelector('fleet-table .grid-scroll'),
                         {subtree: true, childList: true, characterData: true, attributes: true});
        }"""
    )
    for step in range(ROUNDS):
        now = time.time()
        told = (
            one(server.server, number, last_seen_at=now, facts=facts(number, done=1000 + step))
            for number, server in enumerate(servers)
        )
        tell(monitor, *told)
        shown(page.locator("[data-key='CAMERA:1'] .g-done")).to_have_text(str(1000 + step))
    assert page.locator("fleet-table .grid-row").count() < ROWS_MAX
    # What is told of servers that are not seen costs nothing in the page.
    assert page.evaluate("window.changes") < ROUNDS * ROWS_MAX * CELLS_CHANGED
    page.locator("fleet-table .grid-scroll").evaluate("(one) => one.scrollTo(0, one.scrollHeight)")
    shown(row(page, "HEATING:50")).to_be_visible()
    assert page.locator("fleet-table .grid-row").count() < ROWS_MAX
