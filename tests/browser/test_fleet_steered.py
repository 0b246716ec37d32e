"""The fleet steered from its tab, on the real daemons: each server answers for itself."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page
from tests.support.browser import Browser, confirm, reply, shown
from tests.support.faults import LOST_SOON, SETTINGS, TREE, action, experiment
from tests.support.monitor import with_monitor
from tests.support.queue_page import answer
from tests.support.stack import Stack, merged

from shotline.client.cli import fleet_file

SCRIPT = """#!/bin/sh
echo "site script: $1 $2 $3"
"""


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    folder = tmp_path_factory.mktemp("fleet_steered")
    file = experiment(folder, action("ONE", "A", 1, gate="one"), action("TWO", "B", 1))
    script = folder / "script.sh"
    script.write_text(SCRIPT)
    script.chmod(0o755)
    monitor = {"server_command": "script.sh"}
    with with_monitor(
        folder, ("A:1*2", "A:2*2", "B:1"), {TREE: file}, monitor, merged(SETTINGS, LOST_SOON)
    ) as one:
        yield one


def row(page: Page, name: str) -> Locator:
    return page.locator(f"fleet-table .grid-row[data-key='{name}']:not([hidden])")


def press(page: Page, name: str) -> None:
    page.locator("tab-fleet .sub-selection").get_by_role("button", name=name).click()


def answers(page: Page, name: str) -> Locator:
    return page.locator("fleet-answers li").filter(has_text=name)


def test_the_selected_servers_are_set_and_each_answers(stack: Stack, browser: Browser) -> None:
    page, other = (browser.open(stack, "#/fleet") for _ in range(2))
    for name in ("A:1", "B:1"):
        row(page, name).locator("input").check()
    shown(page.locator(".fleet-chosen")).to_have_text("2 selected")
    press(page, "Slots …")
    answer(page, how="most", n="1", reason="one pump")
    shown(answers(page, "A:1")).to_contain_text("uses 1 of its 2 slots")
    shown(answers(page, "B:1")).to_have_class(re.compile("answer"))
    for one in (page, other):
        shown(row(one, "A:1").locator(".flag")).to_have_text("◔limited")
        shown(row(one, "A:1").locator(".g-why")).to_contain_text("one pump")
        shown(row(one, "A:1").locator(".g-slots")).to_have_text("0 / 1 of 2")
    press(page, "Hours …")
    answer(page, how="set", end="99:99")
    shown(reply(page, "Hours")).to_have_class(re.compile("bad"))
    press(page, "Drain …")
    answer(page, mode="finish", then="stay", reason="new bearings")
    shown(row(other, "B:1").locator(".g-why")).to_contain_text("new bearings")
    shown(row(other, "B:1").locator(".flag").first).to_have_text("▽draining")
    press(page, "Resume …")
    answer(page)
    shown(row(other, "B:1").locator(".flag")).to_have_count(0)
    press(page, "Slots …")
    answer(page, how="all")
    shown(row(other, "A:1").locator(".flag")).to_have_count(0)
    press(page, "Heartbeat …")
    answer(page, how="now")
    shown(page.locator("fleet-answers header")).to_contain_text("2 done")
    press(page, "Quit after …")
    answer(page, unit="runs", n="3")
    shown(row(other, "A:1").locator(".g-why")).to_contain_text("3")
    row(other, "A:1").locator(".grid-link").click()
    shown(other.locator(".server-settings")).to_contain_text("ends after 3 more runs")
    press(page, "Quit after …")
    answer(page, unit="ever")
    shown(other.locator(".server-settings")).to_contain_text("nothing")


def test_what_runs_is_aborted_and_its_output_read_on_the_servers_page(
    stack: Stack, browser: Browser
) -> None:
    page = browser.open(stack, "#/server/A:1")
    with stack.supervisor() as shotline:
        shotline.fleet_drain(servers="A:2")
        shotline.create_pulse(TREE, 1)
        shotline.build_tables(TREE, 1)
        shotline.do_phase("INIT", TREE, 1, wait=False)
    runs = page.locator(".server-runs li")
    shown(runs).to_contain_text("ONE")
    runs.get_by_role("button", name="Abort").click()
    confirm(page, re.compile("Abort .*ONE of TEST/1?"))
    shown(page.locator(".server-ran li").first).to_contain_text("ABORTED")
    with stack.supervisor() as shotline:
        shotline.fleet_resume(servers="A:2")


def test_a_lost_server_keeps_its_row_until_it_is_dismissed(stack: Stack, browser: Browser) -> None:
    page = browser.open(stack, "#/fleet")
    shown(row(page, "A:2").locator(".g-state")).to_contain_text("ON")
    stack["A:2"].kill()
    shown(row(page, "A:2").locator(".g-state")).to_contain_text("LOST")
    shown(page.locator("tab-fleet .alert-list")).to_contain_text("A:2")
    row(page, "A:2").locator(".grid-link").click()
    shown(page.locator("server-page .server-facts")).to_contain_text("Python")
    page.get_by_role("button", name="Dismiss …").click()
    answer(page)
    shown(page.locator("fleet-answers")).to_contain_text("is forgotten")
    # The configuration expects it: it is missing from now on, and no more is known of it.
    shown(page.locator("server-page .server-state")).to_contain_text("ABSENT")
    page.locator("a[data-view=fleet]").click()
    shown(row(page, "A:2").locator(".g-seen")).to_have_text("never")
    stack.restart(stack["A:2"])
    shown(row(page, "A:2").locator(".g-state")).to_contain_text("ON")


def test_servers_are_added_by_the_sites_script(stack: Stack, browser: Browser) -> None:
    page = browser.open(stack, "#/fleet")
    page.get_by_role("button", name="Add …").click()
    answer(page, servers="B:7")
    shown(page.locator("fleet-answers")).to_contain_text("site script: B START 7")


def test_windows_are_planned_and_the_fleet_is_expected(
    stack: Stack, browser: Browser, tmp_path: Path
) -> None:
    page = browser.open(stack, "#/windows")
    page.get_by_role("button", name="Plan a window …").click()
    answer(page, id="cables", classes="B", minutes="30", reason="new cables")
    window = page.locator(".windows li")
    shown(window).to_contain_text("cables")
    shown(window).to_contain_text("class B")
    shown(window).to_contain_text("new cables")
    window.get_by_role("button", name="Remove").click()
    confirm(page, "Remove the window cables?")
    shown(window).to_have_text("None is planned.")
    with stack.supervisor() as shotline:
        shotline.fleet_slots(1, servers="A:1", reason="one pump")
    page.get_by_role("button", name="Expect what is there now …").click()
    confirm(page, re.compile(r"Expect the \d servers"))
    shown(page.locator(".expected-about")).to_contain_text("All is as expected")
    with page.expect_download() as download:
        page.get_by_role("button", name="Save as a file").click()
    download.value.save_as(tmp_path / "fleet.yaml")
    (saved,) = (one for one in fleet_file.read(tmp_path / "fleet.yaml") if one["server"] == "A:1")
    assert saved["settings"] == {"slots": 1}
    with stack.supervisor() as shotline:
        shotline.fleet_slots(None, servers="A:1")
    shown(page.locator(".differences")).to_contain_text("slots: 1")
