"""The tab Queue beside its programme: tasks, groups, the history's export; a finger's drag."""

import csv
import io
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page
from tests.support.browser import Browser, reply, shown
from tests.support.faults import SETTINGS, TREE, action, experiment
from tests.support.monitor import with_monitor
from tests.support.queue import Programme
from tests.support.queue_page import KINDS, act, answer, expect_programme, field, form, ohmic, row
from tests.support.stack import Stack, merged

from shotline.common.queue.views import QueueState

FUNCTIONS = {
    "calibrate": {
        "python": "builtins:dict",
        "class": "A",
        "description": "Reads the coils.",
        "timeout_s": 60,
        "parameters": {
            "coil": {"type": "integer", "minimum": 1, "maximum": 8, "unit": "turns"},
            "fast": {"type": "switch", "default": True},
        },
    },
    "convert": {"python": "builtins:int", "class": "A"},
}
VISITORS = {
    "description": "Guests of this week.",
    "kinds": {"allowed": ["cleaning"]},
    "functions": {"allowed": []},
}


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    folder = tmp_path_factory.mktemp("queue_aside")
    actions = [action(name, "A", 1, phase=name) for name in ("INIT", "PULSE", "STORE")]
    file = experiment(folder, *actions)
    groups = {"operators": {"description": "Who runs the machine."}, "visitors": VISITORS}
    queue = {"kinds": KINDS, "functions": FUNCTIONS, "groups": groups}
    settings = merged(SETTINGS, {"queue": queue})
    with with_monitor(folder, ("A:1",), {TREE: file}, {}, settings) as running:
        yield running


@pytest.fixture(autouse=True)
def at_rest(stack: Stack) -> Iterator[Programme]:
    queue = Programme(stack)
    yield queue
    queue.wait_state(QueueState.IDLE)
    with stack.supervisor() as shotline:
        shotline.queue_clear()


def opened(stack: Stack, browser: Browser, page: Page | None = None) -> Page:
    return browser.open(stack, "#/queue", page)


def test_a_function_is_run_by_its_form_and_its_result_is_shown(
    stack: Stack, browser: Browser
) -> None:
    page = opened(stack, browser)
    page.locator("button[data-pane=tasks]").click()
    pane = page.locator("queue-tasks")
    shown(pane.locator(".empty")).to_have_text("No task was run lately.")
    field(pane, "function").select_option("calibrate")
    shown(pane.locator(".task-describes")).to_have_text(
        "Reads the coils. · on a server of A · at most 1:00 min"
    )
    run = pane.get_by_role("button", name="Run", exact=True)
    field(pane, "coil").fill("9")
    run.click()
    shown(pane.locator(".field-problem:visible")).to_contain_text("not within 1 to 8 turns")
    field(pane, "coil").fill("3")
    run.click()
    task = pane.locator(".tasks li").first
    shown(task).to_contain_text("completed")
    shown(task).to_contain_text("coil 3 turns · fast on")
    shown(task.locator(".task-value")).to_contain_text('"coil":3')
    shown(task).to_contain_text("on A:1")
    task.get_by_role("button", name="Again").click()
    assert field(pane, "coil").input_value() == "3"
    field(pane, "function").select_option("convert")
    field(pane, "arguments").fill('{"x": 1}')
    run.click()
    shown(pane.locator(".tasks li").first).to_contain_text("failed")
    shown(pane.locator(".tasks li").first.locator(".task-said")).to_contain_text("TypeError")
    shown(pane.locator(".tasks li")).to_have_count(2)
    other = opened(stack, browser)
    other.locator("button[data-pane=tasks]").click()
    shown(other.locator("queue-tasks .tasks li")).to_have_count(2)


def test_what_ones_group_may_not_use_is_not_offered(stack: Stack, browser: Browser) -> None:
    with stack.supervisor() as shotline:
        shotline.queue_add([ohmic(0.5), {"kind": "cleaning"}], user="anna")
    page = opened(stack, browser)
    act(page, "Group: operators")
    dialog = page.locator("dialog.ask-form")
    shown(dialog).to_contain_text("Who runs the machine.")
    shown(dialog).to_contain_text("the functions of tasks: all")
    answer(page, group="visitors")
    shown(page.get_by_role("button", name="Group: visitors")).to_be_visible()
    shown(row(page, "ohmic").get_by_role("button", name="Change")).to_have_count(0)
    shown(row(page, "cleaning").get_by_role("button", name="Change")).to_be_visible()
    page.get_by_role("button", name="Add a plan").click()
    kinds = form(page).get_by_label("Kind").locator("option").all_text_contents()
    assert "cleaning" in kinds
    assert "ohmic" not in kinds
    form(page).get_by_role("button", name="Add", exact=True).click()
    shown(page.locator("queue-programme .plan-row:not([hidden])")).to_have_count(3)
    with stack.supervisor() as shotline:
        assert shotline.queue_list().entries[-1].group == "visitors"
    page.reload()  # it is this browser's
    act(page, "Group: visitors")
    shown(page.locator("dialog.ask-form")).to_contain_text("plans of the kinds: cleaning")
    answer(page, group="operators")
    shown(row(page, "ohmic").get_by_role("button", name="Change")).to_be_visible()


def test_the_history_is_hidden_shown_again_and_exported(
    stack: Stack, browser: Browser, at_rest: Programme, tmp_path: Path
) -> None:
    with stack.supervisor() as shotline:
        shotline.queue_add([{"kind": "cleaning", "note": f"n{one}"} for one in range(3)])
        shotline.queue_start(wait=True)
    page = opened(stack, browser)
    pane = page.locator("queue-history")
    rows = pane.locator(".history-row:not([hidden])")
    shown(rows).to_have_count(3)
    pane.get_by_role("button", name="Hide …").click()
    answer(page, keep="2")
    shown(rows).to_have_count(2)
    rows.last.get_by_role("button", name="cleaning").click()
    page.get_by_role("button", name="Hide up to this one").click()
    shown(rows).to_have_count(1)
    shown(rows).to_contain_text("n2")
    pane.get_by_label("also hidden ones").check()
    shown(rows).to_have_count(3)
    told = exported(page, tmp_path, form="jsonl", by="run", all="1")
    lines = [json.loads(line) for line in told.splitlines()]
    assert [(one["kind"], one["phase"], one["success"]) for one in lines] == [
        ("cleaning", "INIT", 1)
    ] * 3
    told = exported(page, tmp_path, form="csv", by="plan", all="")
    (plan,) = csv.DictReader(io.StringIO(told))
    assert (plan["result"], plan["note"]) == ("completed", "n2")
    told = exported(page, tmp_path, form="csv", by="action", all="")
    assert [one["state"] for one in csv.DictReader(io.StringIO(told))] == ["DONE"]
    pane.get_by_label("search the history").fill("n1")
    shown(rows).to_have_count(1)
    told = exported(page, tmp_path, form="csv", by="plan", all="1")
    assert [one["note"] for one in csv.DictReader(io.StringIO(told))] == ["n1"], "what is shown"


def exported(page: Page, folder: Path, **said: str) -> str:
    """Return what an export has written."""
    page.locator("queue-history").get_by_role("button", name="Export …").click()
    dialog = page.locator("dialog.ask-form")
    tick = dialog.locator("input[name=all]")
    tick.set_checked(said.pop("all") == "1")
    with page.expect_download() as download:
        answer(page, **said)
    file = folder / download.value.suggested_filename
    assert file.name == f"history-{said['by']}.{said['form']}"
    download.value.save_as(file)
    return file.read_text()


def test_a_finger_drags_by_the_grip_and_scrolls_elsewhere(stack: Stack, browser: Browser) -> None:
    with stack.supervisor() as shotline:
        shotline.queue_add([ohmic(one / 10) for one in range(1, 5)])
    page = opened(stack, browser, browser.new_page(400, 860, touch=True))
    expect_programme(page, "0.1", "0.2", "0.3", "0.4")
    touch(page, row(page, "current 0.1").locator(".plan-what"), row(page, "current 0.3"))
    expect_programme(page, "0.1", "0.2", "0.3", "0.4")
    shown(page.locator(".plan-row.moving")).to_have_count(0)
    touch(page, row(page, "current 0.1").locator(".grip"), row(page, "current 0.3"))
    shown(reply(page, "Move ohmic")).to_have_class(re.compile("good"))
    expect_programme(page, "0.2", "0.3", "0.1", "0.4")


def touch(page: Page, where: Locator, to: Locator) -> None:
    """Put a finger somewhere, draw it to another place, and lift it."""
    at_rest = """(one) => new Promise((done) => {
        const look = (last) => requestAnimationFrame(() => {
            const { top } = one.getBoundingClientRect();
            if (top === last) done(true); else look(top);
        });
        look(NaN);
    })"""
    where.evaluate(at_rest)  # what was scrolled goes on for a while
    begin, end = where.bounding_box(), to.bounding_box()
    assert begin is not None
    assert end is not None
    x, y = begin["x"] + 6, begin["y"] + begin["height"] / 2
    goal = end["y"] + end["height"] / 2
    fingers = page.context.new_cdp_session(page)

    def finger(kind: str, *points: dict[str, float]) -> None:
        fingers.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": list(points)})

    finger("touchStart", {"x": x, "y": y})
    for step in range(1, 9):
        finger("touchMove", {"x": x + 4, "y": y + (goal - y) * step / 8})
    finger("touchEnd")
