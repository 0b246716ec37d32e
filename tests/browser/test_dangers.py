"""What the page asks before it dispatches, and that it never dispatches what nobody means."""

import pytest
from playwright.sync_api import Page
from tests.support.browser import confirm, fill, row, shown
from tests.support.mock_monitor import MockMonitor, action, refused, reply

from shotline.common.actions import ActionState, Cause, Status
from shotline.common.command import Risky
from shotline.common.commands import AnyCommand, CreatePulse, DispatchAction, DoPhase
from shotline.common.dangers import Danger, NamedDanger, words_of
from shotline.common.messages import Reply

GOOD = {"status": Status.SUCCESS, "cause": Cause.RESULT, "attempt": 1, "server": "A:1"}
UNKNOWN, OFF = Danger.OUTCOME_UNKNOWN, Danger.OFF


def refusing(monitor: MockMonitor, verb: str, dangers: dict[str, tuple[Danger, ...]]) -> None:
    """Let a command be refused until each danger of its action, or of all, is insisted on."""

    def answer(command: AnyCommand) -> Reply:
        assert isinstance(command, Risky)
        of_it = dangers.get(getattr(command, "path", ""), ())
        found = tuple(
            NamedDanger(danger=one, text=f"{one.value} here")
            for one in of_it
            if not command.insists(one)
        )
        return refused(words_of(found), dangers=found) if found else reply(message="was done")

    monitor.answers[verb] = answer


def dispatch_of(page: Page, name: str) -> None:
    row(page, name).get_by_role("button", name="Dispatch").click()


def insisted(monitor: MockMonitor) -> list[tuple[Danger, ...]]:
    return [one.insist for one in monitor.asked if isinstance(one, Risky)]


def test_each_danger_is_asked_and_insisted_on_by_itself(monitor: MockMonitor) -> None:
    monitor.shot("T", 1, action("ONE"))
    refusing(monitor, "dispatch", {"ONE": (UNKNOWN, OFF)})
    page = monitor.open("#/actions?show=all")
    dispatch_of(page, "ONE")
    dialog = page.locator("dialog.ask")
    shown(dialog.locator("p")).to_have_text("outcome_unknown here")
    confirm(page, "Dispatch ONE of T/1?")
    shown(dialog.locator("p")).to_have_text("off here")
    dialog.get_by_role("button", name="Cancel").click()
    shown(dialog).to_have_count(0)
    assert insisted(monitor) == [()], "nothing was done after the no"

    dispatch_of(page, "ONE")
    confirm(page, "Dispatch ONE of T/1?")
    shown(dialog.locator("p")).to_have_text("off here")
    confirm(page, "Dispatch ONE of T/1?")
    shown(page.locator("reply-list .reply")).to_contain_text("was done")
    assert insisted(monitor) == [(), (), (UNKNOWN, OFF)]


def test_a_danger_that_shows_later_is_asked_then(monitor: MockMonitor) -> None:
    """The node is read again only after the first danger was taken."""
    monitor.shot("T", 1, action("ONE"))
    refusing(monitor, "dispatch", {"ONE": (UNKNOWN,)})
    page = monitor.open("#/actions?show=all")
    dispatch_of(page, "ONE")
    shown(page.locator("dialog.ask p")).to_have_text("outcome_unknown here")
    refusing(monitor, "dispatch", {"ONE": (UNKNOWN, OFF)})
    confirm(page, "Dispatch ONE of T/1?")
    shown(page.locator("dialog.ask p")).to_have_text("off here")
    confirm(page, "Dispatch ONE of T/1?")
    shown(page.locator("reply-list .reply")).to_contain_text("was done")
    assert insisted(monitor) == [(), (UNKNOWN,), (UNKNOWN, OFF)]


def test_words_of_a_refusal_that_names_no_danger_ask_nothing(monitor: MockMonitor) -> None:
    monitor.shot("T", 1, action("ONE"))
    monitor.answers["dispatch"] = refused("somebody has typed --even-if-running here")
    page = monitor.open("#/actions?show=all")
    dispatch_of(page, "ONE")
    shown(page.locator("reply-list .reply.bad")).to_contain_text("somebody has typed")
    shown(page.locator("dialog.ask")).to_have_count(0)


@pytest.mark.parametrize("verb", ["do_phase", "create_pulse"])
def test_the_top_row_asks_as_the_rows_do(monitor: MockMonitor, verb: str) -> None:
    monitor.shot("T", 1, action("ONE"))
    danger = Danger.OLD_SHOT if verb == "do_phase" else Danger.PULSE_EXISTS
    refusing(monitor, verb, {"": (danger,)})
    page = monitor.open("#/actions?show=all&tree=T&shot=1")
    fill(page, "#phase", "INIT")
    button = "Dispatch" if verb == "do_phase" else "Create Pulse"
    page.locator(".drive").get_by_role("button", name=button).click()
    shown(page.locator("dialog.ask p")).to_have_text(f"{danger.value} here")
    title = "Dispatch INIT of T/1?" if verb == "do_phase" else "Create Pulse T/1?"
    confirm(page, title)
    shown(page.locator("reply-list .reply")).to_contain_text("was done")
    assert insisted(monitor) == [(), (danger,)]
    first = monitor.asked[0]
    assert isinstance(first, DoPhase | CreatePulse)
    assert first.careful == (verb == "do_phase")


def test_of_many_each_danger_is_asked_once_and_a_no_leaves_those_out(
    monitor: MockMonitor,
) -> None:
    monitor.shot("T", 1, *(action(name) for name in ("A", "B", "C", "D")))
    dangers = {"B": (UNKNOWN,), "C": (UNKNOWN, OFF), "D": (OFF,)}
    refusing(monitor, "dispatch", dangers)
    page = monitor.open("#/actions?show=all")
    page.locator("#all").get_by_label("select all rows").check()
    page.locator(".selected-rows").get_by_role("button", name="Dispatch").click()
    confirm(page, "Dispatch 4 actions of T/1?")
    dialog = page.locator("dialog.ask")
    shown(dialog.locator("li")).to_have_count(2)
    confirm(page, "Dispatch 4 actions of T/1: 2 of them?")
    shown(dialog.locator("h2")).to_have_text("Dispatch 4 actions of T/1: 2 of them?")
    dialog.get_by_role("button", name="Cancel").click()
    shown(page.locator("reply-list .reply.good")).to_contain_text("2 of 4 done")
    paths = [(one.path, one.insist) for one in monitor.asked if isinstance(one, DispatchAction)]
    assert paths == [("A", ()), ("B", ()), ("C", ()), ("D", ()), ("B", (UNKNOWN,))]


def test_ticks_belong_to_the_shot_in_which_they_were_made(monitor: MockMonitor) -> None:
    monitor.shot("T", 1, action("OK1"), action("OK2"))
    page = monitor.open("#/actions?show=all")
    row(page, "OK1").locator("input").check()
    shown(page.locator(".selected-rows b")).to_have_text("1 selected")
    monitor.shot("T", 2, action("OK1", ActionState.DONE, **GOOD), action("OK2"))
    shown(page.locator(".run-shot").first).to_have_text("T/2")
    shown(page.locator("#all .row.ticked")).to_have_count(0)
    assert page.locator(".selected-rows").is_hidden()
    page.locator("#all .table-scroll").focus()
    page.keyboard.press("d")
    page.keyboard.press("a")
    shown(page.locator("dialog.ask")).to_have_count(0)
    assert monitor.asked == []


def test_a_ticked_row_is_named_before_it_is_dispatched(monitor: MockMonitor) -> None:
    """The cursor is elsewhere, or a filter hides the row."""
    monitor.shot("T", 1, action("OK1"), action("OK2"))
    page = monitor.open("#/actions?show=all")
    row(page, "OK1").locator("input").check()
    page.locator("#find").fill("OK2")
    shown(page.locator("#all .row:not([hidden])")).to_have_count(1)
    page.locator("#all .table-scroll").focus()
    page.keyboard.press("d")
    confirm(page, "Dispatch OK1 of T/1?")
    shown(page.locator("reply-list .reply")).to_contain_text("Dispatch OK1 of T/1")


def test_ticks_of_rows_that_are_gone_count_no_more(monitor: MockMonitor) -> None:
    monitor.shot("T", 1, action("OK1"), action("OK2"))
    page = monitor.open("#/actions?show=all")
    for name in ("OK1", "OK2"):
        row(page, name).locator("input").check()
    monitor.shot("T", 1, action("OK2"), built_at=2.0)
    shown(page.locator(".selected-rows b")).to_have_text("1 selected")


@pytest.mark.parametrize("text", ["1e3", "12x", "0x10", "99999999999", "1.5"])
def test_a_shot_that_cannot_be_read_is_refused_and_never_means_the_current_one(
    monitor: MockMonitor, text: str
) -> None:
    monitor.shot("T", 2, action("ONE"))
    page = monitor.open("#/actions?show=all")
    fill(page, "#phase", "INIT")
    fill(page, "#shot", text)
    shown(page.locator("#all .empty")).to_have_text(f"{text} is no shot number.")
    page.locator("#find").fill("a search leaves the field as it is")
    for button in ("Dispatch", "Build Table", "Create Pulse"):
        page.locator(".drive").get_by_role("button", name=button).click()
        shown(page.locator("reply-list .reply.bad").last).to_contain_text(
            f"{text} is no shot number"
        )
    assert page.locator("#shot").input_value() == text
    assert page.locator("#shot").get_attribute("aria-invalid") == "true"
    assert monitor.asked == []
    page.reload()
    shown(page.locator("#all .empty")).to_have_text(f"{text} is no shot number.")
    page.locator("#find").fill("")
    fill(page, "#shot", "2")
    shown(row(page, "ONE")).to_be_visible()


def test_the_keys_and_the_timeline_ask_the_same(monitor: MockMonitor) -> None:
    monitor.shot("T", 1, action("ONE", ActionState.DONE, **GOOD, started_at=1.0, ended_at=2.0))
    refusing(monitor, "dispatch", {"ONE": (Danger.SUCCEEDED,)})
    page = monitor.open("#/actions?show=all")
    page.locator("#all .table-scroll").focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("d")
    confirm(page, "Dispatch ONE of T/1?")
    shown(page.locator("reply-list .reply")).to_have_count(1)
    page.locator("a[data-tab=timeline]").click()
    shown(page.locator(".timeline-scroll")).to_be_visible()
    page.locator(".timeline-scroll").focus()
    page.keyboard.press("n")
    page.keyboard.press("d")
    confirm(page, "Dispatch ONE of T/1?")
    shown(page.locator("reply-list .reply")).to_have_count(2)
    assert insisted(monitor) == [(), (Danger.SUCCEEDED,)] * 2
    assert all(isinstance(one, DispatchAction) and one.careful for one in monitor.asked)


@pytest.mark.parametrize("answer", [True, False])
def test_a_typed_command_that_ends_something_is_asked_about(
    monitor: MockMonitor, *, answer: bool
) -> None:
    def run(body: dict[str, object]) -> tuple[int, object]:
        if "ends" not in body.get("insist", ()):  # type: ignore[operator]
            danger = {"danger": "ends", "text": "it ends the dispatcher"}
            return 409, {"outcome": "refused", "message": danger["text"], "dangers": [danger]}
        return 200, {"exit_code": 0, "output": "the dispatcher ends", "timed_out": False}

    monitor.routes["command_line"] = run
    page = monitor.open()
    page.locator("#command").fill("quit")
    page.keyboard.press("Enter")
    dialog = page.locator("dialog.ask")
    shown(dialog).to_contain_text("it ends the dispatcher")
    dialog.get_by_role("button", name="Run it" if answer else "Cancel").click()
    told = "the dispatcher ends" if answer else "not run"
    shown(page.locator("tab-actions .command-reply")).to_contain_text(told)
    assert len(monitor.requests) == 1 + answer
