"""The tab Queue on the real daemons: a programme is made, moved, run, paused, held, looked at."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page
from tests.support.browser import Browser, confirm, reply, shown
from tests.support.faults import SETTINGS, TREE, action, experiment
from tests.support.monitor import with_monitor
from tests.support.queue import Programme
from tests.support.queue_page import (
    KINDS,
    act,
    answer,
    expect_programme,
    field,
    form,
    ohmic,
    programme,
    row,
    state,
)
from tests.support.stack import Stack, merged

from shotline.common.base import Json
from shotline.common.queue.views import QueueState


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    folder = tmp_path_factory.mktemp("queue")
    file = experiment(
        folder,
        action("ONE", "A", 1, gate="one"),
        action("TWO", "A", 2),
        action("MORE", "A", 1, phase="PULSE", gate="more"),
        action("LAST", "A", 1, phase="STORE"),
    )
    settings = merged(SETTINGS, {"queue": {"kinds": KINDS}})
    with with_monitor(folder, ("A:1",), {TREE: file}, {}, settings) as running:
        yield running


@pytest.fixture(autouse=True)
def at_rest(stack: Stack) -> Iterator[Programme]:
    """Each test begins with an empty, unlocked, idle queue, and leaves it so."""
    queue = Programme(stack)
    yield queue
    view = queue.view()
    with stack.supervisor() as shotline:
        if view.lock is not None:
            shotline.queue_unlock(key="key")
        if view.running is not None:
            shotline.queue_end("halt")
        queue.wait_state(QueueState.IDLE)
        shotline.queue_clear()
        proposals = [one.uid for one in shotline.queue_list().proposals]
        if proposals:
            shotline.queue_remove(uids=proposals)
        shotline.queue_mode(loop=False, ignore_failures=False)


def added(stack: Stack, *currents: float, user: str = "anna") -> None:
    plans: list[Json] = [ohmic(one) for one in currents]
    with stack.supervisor() as shotline:
        shotline.queue_add(plans, user=user)


def opened(stack: Stack, browser: Browser, width: int = 1500, height: int = 1000) -> Page:
    return browser.open(stack, "#/queue", browser.new_page(width, height))


def test_an_empty_queue_says_what_to_do_and_a_form_adds_a_plan(
    stack: Stack, browser: Browser
) -> None:
    page = opened(stack, browser)
    shown(state(page)).to_have_text("IDLE")
    shown(page.locator("queue-programme .empty")).to_contain_text("add a plan, then Start")
    page.get_by_role("button", name="Add a plan").click()
    dialog = form(page)
    dialog.get_by_label("Kind").select_option("ohmic")
    shown(dialog.locator(".plan-form-describes")).to_have_text("Gas, breakdown, ramp and flat top.")
    current = field(dialog, "current")
    assert [current.get_attribute(one) for one in ("min", "max", "step")] == ["0.1", "2", "0.1"]
    shown(dialog.locator(".unit").first).to_have_text("MA")
    assert field(dialog, "gas").evaluate("(one) => one.selectedOptions[0].text") == "D2"
    assert field(dialog, "camera").is_checked()
    current.fill("9")
    dialog.get_by_role("button", name="Add", exact=True).click()
    shown(dialog.locator(".field-problem:visible")).to_contain_text("not within 0.1 to 2 MA")
    assert current.get_attribute("aria-invalid") == "true"
    current.fill("1.2")
    field(dialog, "times").fill("0.5, 1.5")
    field(dialog, "extra").fill('{"laser": true}')
    dialog.get_by_role("button", name="Add", exact=True).click()
    shown(row(page, "current 1.2 MA")).to_contain_text("times 0.5, 1.5 s")
    for words in ("gas D2", "camera on", 'extra {"laser":true}'):
        shown(row(page, "current 1.2 MA")).to_contain_text(words)
    shown(reply(page, "Add ohmic")).to_contain_text("the queue is idle")


def test_what_the_dispatcher_refuses_stands_beside_its_field(
    stack: Stack, browser: Browser
) -> None:
    page = opened(stack, browser)
    page.get_by_role("button", name="Add a plan").click()
    dialog = form(page)
    dialog.get_by_label("Kind").select_option("")
    field(dialog, "phases").fill("INIT, LUNCH")
    dialog.get_by_role("button", name="Add", exact=True).click()
    shown(dialog.locator(".field-problem:visible")).to_contain_text("no phase LUNCH")
    field(dialog, "phases").fill("INIT, STORE+")
    dialog.get_by_role("button", name="Add", exact=True).click()
    shown(row(page, "INIT, STORE+")).to_be_visible()


def test_rows_are_moved_by_the_keyboard(stack: Stack, browser: Browser) -> None:
    added(stack, 0.1, 0.2, 0.3, 0.4)
    page = opened(stack, browser)
    expect_programme(page, "0.1", "0.2", "0.3", "0.4")
    page.get_by_role("grid", name="programme").focus()
    page.keyboard.press("End")
    page.keyboard.press(" ")
    said = page.locator("queue-programme .unseen")
    shown(said).to_have_text("grabbed ohmic, place 4 of 4")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("ArrowUp")
    shown(said).to_have_text("place 2 of 4")
    expect_programme(page, "0.1", "0.4", "0.2", "0.3")
    assert [one.plan.parameters["current"] for one in entries(stack)] == [0.1, 0.2, 0.3, 0.4]
    page.keyboard.press("Escape")
    expect_programme(page, "0.1", "0.2", "0.3", "0.4")
    page.keyboard.press(" ")
    page.keyboard.press("Home")
    page.keyboard.press(" ")
    shown(reply(page, "Move ohmic")).to_have_class(re.compile("good"))
    expect_programme(page, "0.4", "0.1", "0.2", "0.3")
    page.keyboard.press("End")
    page.keyboard.press("Shift+ArrowUp")
    page.keyboard.press(" ")
    page.keyboard.press("Home")
    page.keyboard.press("Enter")
    expect_programme(page, "0.2", "0.3", "0.4", "0.1")
    shown(reply(page, "Move 2 plans")).to_have_class(re.compile("good"))
    assert [one.plan.parameters["current"] for one in entries(stack)] == [0.2, 0.3, 0.4, 0.1]


def entries(stack: Stack) -> tuple[Json, ...]:
    with stack.supervisor() as shotline:
        return tuple(shotline.queue_list().entries)


def test_rows_are_dragged_and_others_see_it(stack: Stack, browser: Browser) -> None:
    added(stack, 0.1, 0.2, 0.3, 0.4)
    page, other = opened(stack, browser), opened(stack, browser)
    expect_programme(page, "0.1", "0.2", "0.3", "0.4")
    drag(page, "current 0.1", "current 0.3")
    expect_programme(page, "0.2", "0.3", "0.1", "0.4")
    expect_programme(other, "0.2", "0.3", "0.1", "0.4")
    other.locator("button[data-pane=changes]").click()
    shown(other.locator(".changes li").first).to_contain_text("moved ohmic to place 3")


def drag(page: Page, what: str, where: str) -> None:
    """Drag a row by its grip to where another one stands."""
    begin = row(page, what).locator(".grip").bounding_box()
    end = row(page, where).bounding_box()
    assert begin is not None
    assert end is not None
    page.mouse.move(begin["x"] + 4, begin["y"] + begin["height"] / 2)
    page.mouse.down()
    page.mouse.move(begin["x"] + 6, begin["y"] + 20, steps=3)
    page.mouse.move(end["x"] + 20, end["y"] + end["height"] / 2, steps=6)
    shown(page.locator(".plan-row.moving")).to_have_count(1)
    page.mouse.up()


def test_two_people_who_edit_at_once_lose_nothing(stack: Stack, browser: Browser) -> None:
    added(stack, 0.1, 0.2)
    anna, ben = opened(stack, browser), opened(stack, browser)
    for page in (anna, ben):
        row(page, "current 0.2").get_by_role("button", name="Change").click()
    hers, his = form(anna), form(ben)
    field(hers, "gas").select_option('"H2"')
    field(hers, "current").fill("1.1")
    field(his, "current").fill("1.7")
    his.get_by_role("button", name="Change", exact=True).click()
    his.wait_for(state="hidden")
    # She sees at once that he was faster, and what the plan is now; what she has typed stays.
    notice = hers.locator(".plan-form-meanwhile")
    shown(notice).to_contain_text("has changed this plan meanwhile")
    shown(notice).to_contain_text("current 1.7 MA")
    hers.get_by_role("button", name="Change", exact=True).click()
    shown(notice).to_contain_text("Not changed yet")
    shown(notice).to_contain_text("changed “ohmic”")
    assert field(hers, "current").input_value() == "1.1"
    expect_programme(anna, "0.1", "1.7")
    hers.get_by_role("button", name="Apply again").click()
    hers.wait_for(state="hidden")
    for page in (anna, ben):
        expect_programme(page, "0.1", "1.1")
        shown(row(page, "current 1.1")).to_contain_text("gas H2")


def test_what_others_do_elsewhere_stands_in_nobodys_way(stack: Stack, browser: Browser) -> None:
    added(stack, 0.1, 0.2)
    anna, ben = opened(stack, browser), opened(stack, browser)
    row(anna, "current 0.2").get_by_role("button", name="Change").click()
    hers = form(anna)
    field(hers, "current").fill("1.1")
    row(ben, "current 0.1").get_by_role("button", name="Remove").click()
    confirm(ben, "Remove ohmic?")
    expect_programme(anna, "0.2")
    hers.get_by_role("button", name="Change", exact=True).click()
    hers.wait_for(state="hidden")
    expect_programme(ben, "1.1")


def test_an_entry_that_is_gone_can_be_added_anew(stack: Stack, browser: Browser) -> None:
    added(stack, 0.1)
    anna, ben = opened(stack, browser), opened(stack, browser)
    row(anna, "current 0.1").get_by_role("button", name="Change").click()
    hers = form(anna)
    field(hers, "current").fill("1.3")
    row(ben, "current 0.1").get_by_role("button", name="Remove").click()
    confirm(ben, "Remove ohmic?")
    shown(hers.locator(".plan-form-meanwhile")).to_contain_text("no longer in the queue")
    hers.get_by_role("button", name="Add it as a new plan").click()
    hers.wait_for(state="hidden")
    expect_programme(ben, "1.3")


def test_a_plan_runs_pauses_and_goes_on(stack: Stack, browser: Browser, at_rest: Programme) -> None:
    added(stack, 0.7, user="anna")
    page = opened(stack, browser)
    act(page, "Start")
    shown(state(page)).to_have_text("RUNNING")
    running = page.locator("queue-running")
    shown(running).to_contain_text("ohmic")
    shown(running).to_contain_text("current 0.7 MA")
    shown(running).to_contain_text("phase INIT, 1 of 3")
    shown(running).to_contain_text("0 of 2 actions")
    shown(running).to_contain_text("by anna")
    shown(page.locator("queue-programme .empty")).to_contain_text("Nothing waits")
    shot = at_rest.wait_until(lambda view: bool(view.running and view.running.run)).running
    assert shot is not None
    at_rest.wait_started(shot.shot, "ONE")
    act(page, "Pause")
    shown(state(page)).to_have_text("PAUSING")
    at_rest.open(shot.shot, "one")
    shown(state(page)).to_have_text("PAUSED")
    shown(running).to_contain_text("1 of 2 actions")
    page.locator("a[data-tab=actions]").click()
    note = page.locator("a[data-tab=queue]")
    shown(note).to_have_class(re.compile("urgent"))
    assert note.get_attribute("data-note") == "PAUSED"
    note.click()
    act(page, "Resume")
    shown(state(page)).to_have_text("RUNNING")
    at_rest.wait_started(shot.shot, "MORE")
    at_rest.open(shot.shot, "more")
    shown(state(page)).to_have_text("IDLE")
    last = page.locator("queue-history .history-row:not([hidden])").first
    shown(last).to_contain_text("completed")
    last.get_by_role("link", name=f"TEST/{shot.shot}").click()
    shown(page.locator("tab-actions")).to_be_visible()
    assert f"tree=TEST&shot={shot.shot}" in page.url


def test_the_queue_stops_after_a_plan_unless_that_is_taken_back(
    stack: Stack, browser: Browser, at_rest: Programme
) -> None:
    added(stack, 0.7, 0.8)
    page = opened(stack, browser)
    pressed = page.locator(".queue-modes [aria-pressed=true]")
    act(page, "Loop")
    shown(pressed).to_have_text("Loop")
    act(page, "Loop")
    shown(pressed).to_have_count(0)
    act(page, "Start")
    shown(state(page)).to_have_text("RUNNING")
    act(page, "Stop after this plan")
    shown(state(page)).to_have_text("STOPPING")
    act(page, "Do not stop")
    shown(state(page)).to_have_text("RUNNING")
    act(page, "Stop after this plan")
    shown(state(page)).to_have_text("STOPPING")
    at_rest.open(begun(at_rest, 1), "one", "more")
    shown(state(page)).to_have_text("IDLE")
    expect_programme(page, "0.8")
    page.get_by_role("button", name="Clear …").click()
    confirm(page, "Remove the only plan?")
    expect_programme(page)


def test_the_environment_is_opened_and_closed(stack: Stack, browser: Browser) -> None:
    added(stack, 0.1)
    page = opened(stack, browser)
    act(page, "Environment: closed")
    answer(page, act="open")
    page.get_by_role("button", name="Environment: open").click()
    shown(page.locator("dialog.ask-form li")).to_contain_text("A:1: ready")
    answer(page, act="close")
    shown(page.get_by_role("button", name="Environment: closed")).to_be_visible()
    act(page, "Environment: closed")  # nothing starts while somebody has closed it
    answer(page, act="open")
    shown(page.get_by_role("button", name="Environment: open")).to_be_visible()


def test_a_plan_is_added_behind_the_row_of_the_cursor(stack: Stack, browser: Browser) -> None:
    added(stack, 0.1, 0.2)
    page = opened(stack, browser)
    row(page, "current 0.1").click()
    page.get_by_role("button", name="Copy …").click()
    dialog = form(page)
    assert field(dialog, "current").input_value() == "0.1"
    field(dialog, "current").fill("0.3")
    where = dialog.get_by_label("where", exact=True)
    shown(where.locator("option").last).to_have_text("behind 1: ohmic current 0.1 MA")
    where.select_option(index=2)
    dialog.get_by_role("button", name="Add", exact=True).click()
    expect_programme(page, "0.1", "0.3", "0.2")


def test_a_pause_at_once_asks_what_becomes_of_what_was_aborted(
    stack: Stack, browser: Browser, at_rest: Programme
) -> None:
    added(stack, 0.8)
    page = opened(stack, browser)
    act(page, "Start")
    shown(state(page)).to_have_text("RUNNING")
    running = at_rest.wait_until(lambda view: bool(view.running and view.running.run)).running
    assert running is not None
    at_rest.wait_started(running.shot, "ONE")
    act(page, "Pause now …")
    confirm(page, "Pause at once?")
    shown(state(page)).to_have_text("PAUSED")
    act(page, "Resume")
    shown(page.locator("dialog.ask-form li")).to_contain_text("ONE")
    at_rest.open(running.shot, "one", "more")
    answer(page, aborted="again")
    shown(state(page)).to_have_text("IDLE")
    assert at_rest.starts(running.shot)["ONE"] == 2


def test_what_was_aborted_is_held_until_somebody_releases_it_by_name(
    stack: Stack, browser: Browser, at_rest: Programme
) -> None:
    added(stack, 0.9)
    page = opened(stack, browser)
    act(page, "Start")
    shown(state(page)).to_have_text("RUNNING")
    running = at_rest.wait_until(lambda view: bool(view.running and view.running.run)).running
    assert running is not None
    act(page, "End plan …")
    answer(page, how="abort", reason="vacuum leak")
    held = page.locator(".queue-note.held")
    shown(held).to_contain_text("HELD")
    shown(held).to_contain_text("vacuum leak")
    shown(row(page, "current 0.9")).to_have_class(re.compile("held"))
    assert "1 HELD" in str(page.locator("a[data-tab=queue]").get_attribute("data-note"))
    act(page, "Start")
    shown(reply(page, "Start the queue")).to_have_class(re.compile("bad"))
    held.get_by_role("button", name="Release").click()
    answer(page, name="carla")
    shown(held).to_have_count(1)
    held.wait_for(state="hidden")
    shown(row(page, "current 0.9")).to_contain_text("released by carla")
    page.locator("button[data-pane=changes]").click()
    shown(page.locator(".changes li").first).to_contain_text("carla")


def test_a_lock_is_seen_by_all_and_opened_by_its_key(stack: Stack, browser: Browser) -> None:
    added(stack, 0.1)
    anna, ben = opened(stack, browser), opened(stack, browser)
    anna.get_by_role("button", name="Lock …").click()
    answer(anna, note="interlock test", key="key")
    for page in (anna, ben):
        lock = page.locator(".queue-note.locked")
        shown(lock).to_contain_text("LOCKED")
        shown(lock).to_contain_text("interlock test")
    assert "locked" in str(ben.locator("a[data-tab=queue]").get_attribute("data-note"))
    # Who has locked it goes on; somebody else is asked for the key.
    row(anna, "current 0.1").get_by_role("button", name="Change").click()
    field(form(anna), "current").fill("0.2")
    form(anna).get_by_role("button", name="Change", exact=True).click()
    expect_programme(ben, "0.2")
    row(ben, "current 0.2").get_by_role("button", name="Remove").click()
    confirm(ben, "Remove ohmic?")
    shown(ben.locator("dialog.ask-form p")).to_contain_text("has locked the queue")
    ben.locator("dialog.ask-form input[name=key]").fill("guessed")
    ben.locator("dialog.ask-form button[value=yes]").click()  # it asks again at once
    shown(ben.locator("dialog.ask-form p")).to_contain_text("wrong key")
    answer(ben, key="key")
    expect_programme(ben)
    ben.get_by_role("button", name="Unlock …").click()
    ben.locator(".queue-note.locked").wait_for(state="hidden")
    anna.locator(".queue-note.locked").wait_for(state="hidden")


def test_who_may_only_look_proposes_and_somebody_approves(stack: Stack, browser: Browser) -> None:
    added(stack, 0.1)
    viewer = browser.new_page()
    me = {"role": "viewer", "user": "vera", "may": ["read", "metrics", "propose"]}
    viewer.route(re.compile("/api/me"), lambda route: route.fulfill(json=me))
    browser.open(stack, "#/queue", viewer)
    expect_programme(viewer, "0.1")
    for button in viewer.locator(".queue-bar button:visible, .plan-row button:visible").all():
        assert button.is_disabled() or str(button.text_content()).startswith("Environment")
    viewer.get_by_role("button", name="Propose a plan").click()
    dialog = form(viewer)
    shown(dialog.get_by_role("button", name="Add", exact=True)).to_have_count(0)
    dialog.get_by_label("Kind").select_option("ohmic")
    field(dialog, "current").fill("1.9")
    dialog.get_by_role("button", name="Propose").click()
    dialog.wait_for(state="hidden")
    operator = opened(stack, browser)
    operator.locator("button[data-pane=proposals]", has_text="(1)").click()
    proposal = operator.locator(".proposals li")
    shown(proposal).to_contain_text("current 1.9 MA")
    proposal.get_by_role("button", name="Approve", exact=True).click()
    expect_programme(operator, "0.1", "1.9")
    expect_programme(viewer, "0.1", "1.9")


def test_the_history_is_filtered(stack: Stack, browser: Browser, at_rest: Programme) -> None:
    with stack.supervisor() as shotline:
        shotline.queue_hide_history(keep=0)
        plans: list[Json] = [{"kind": "cleaning", "note": "morning"}, {"kind": "cleaning"}]
        shotline.queue_add(plans, user="dora")
        shotline.queue_add([ohmic(1.5)], user="emil")
        shotline.queue_start()
    for left in (2, 1):
        at_rest.open(begun(at_rest, left), "one")
    begun(at_rest, 0)
    with stack.supervisor() as shotline:
        shotline.queue_end("abort", user="emil")
    at_rest.wait_state(QueueState.IDLE)
    page = opened(stack, browser)
    rows = page.locator("queue-history .history-row:not([hidden])")
    shown(rows).to_have_count(3)
    page.locator("queue-history").get_by_label("Kind").select_option("cleaning")
    shown(rows).to_have_count(2)
    page.locator("queue-history").get_by_label("Kind").select_option("")
    page.locator("queue-history").get_by_label("Who").select_option("emil")
    shown(rows).to_have_count(1)
    shown(rows).to_contain_text("ended by emil")
    page.locator("queue-history").get_by_label("Who").select_option("")
    page.locator("queue-history").get_by_label("Result").select_option("completed")
    shown(rows).to_have_count(2)
    page.locator("queue-history").get_by_label("Result").select_option("")
    page.keyboard.press("Escape")
    page.locator("queue-history .history-scroll").focus()
    page.keyboard.press("/")
    page.keyboard.type("morning")
    shown(rows).to_have_count(1)
    rows.get_by_role("button", name="cleaning").click()
    dialog = page.locator("dialog.history-item")
    shown(dialog).to_contain_text("by dora")
    shown(dialog).to_contain_text("INIT run 1, completed")


def begun(queue: Programme, left: int) -> int:
    """Return the shot of the plan behind which so many are left, once its phase has begun."""
    view = queue.wait_until(
        lambda view: view.entries == left and bool(view.running and view.running.run)
    )
    assert view.running is not None
    return view.running.shot


@pytest.mark.parametrize(("width", "height"), [(1024, 768), (400, 860)])
def test_where_there_is_little_room_nothing_is_missed(
    stack: Stack, browser: Browser, width: int, height: int
) -> None:
    added(stack, 0.1, 0.2)
    with stack.supervisor() as shotline:
        shotline.queue_lock(key="key", queue=True, note="why", user="anna")
    page = opened(stack, browser, width, height)
    expect_programme(page, "0.1", "0.2")
    for part in (".queue-state", ".queue-note.locked"):
        box = page.locator(part).bounding_box()
        assert box is not None
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= width
        assert box["y"] + box["height"] <= height
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.locator("button[data-pane=history]").click()
    shown(page.locator("queue-programme:visible")).to_have_count(0)
    shown(page.locator(".queue-note.locked")).to_be_visible()
    page.locator("button[data-pane=programme]").click()
    assert programme(page)[0].startswith("current 0.1")
