"""Notes on an action and on a shot: shown with name and time, written by whoever may."""

import re
import time

import msgspec
import pytest
from tests.support.browser import Browser, shown
from tests.support.mock_monitor import MockMonitor, action, refused

from shotline.common.base import as_plain
from shotline.common.past.commands import FindShots, WriteNote
from shotline.common.records import NoteWritten
from shotline.common.views import FoundShotsResult, ShotView

MARKUP = "<img src=x onerror=alert(1)>"
ON_IT = NoteWritten(time=time.time(), note=1, path="ONE", text=f"valve {MARKUP}", by="anna")
ON_ANOTHER = NoteWritten(time=2.0, note=2, path="TWO", text="of another one", by="ben")


def noted(monitor: MockMonitor) -> None:
    monitor.shot("T", 1, action("ONE"), action("TWO"))
    monitor.tell("T", 1, ON_IT, ON_ANOTHER)


def test_notes_on_an_action_are_shown_and_written_beside_its_facts(monitor: MockMonitor) -> None:
    noted(monitor)
    page = monitor.open("#/timeline?at=ONE")
    notes = page.locator("tab-timeline notes-part")
    shown(notes.locator("li")).to_have_count(1)
    shown(notes.locator(".notes-head")).to_have_text(re.compile(r"1, anna, \d"))
    shown(notes.locator(".notes-text")).to_have_text(f"valve {MARKUP}")
    monitor.answers["note"] = refused("T/1 has 500 notes already; no more are taken")
    notes.get_by_label("a note on this action").fill("see logbook 12")
    notes.get_by_role("button", name="Write note").click()
    shown(page.locator(".reply.bad")).to_contain_text("500 notes already")
    assert notes.locator("textarea").input_value() == "see logbook 12", "it is not lost"
    del monitor.answers["note"]
    notes.get_by_role("button", name="Write note").click()
    page.wait_for_function("document.querySelector('tab-timeline textarea').value === ''")
    wanted = WriteNote(tree="T", shot=1, path="ONE", text="see logbook 12")
    assert monitor.asked == [wanted, wanted]
    monitor.tell("T", 1, NoteWritten(time=3.0, note=3, path="ONE", text="by hand", by="clara"))
    shown(notes.locator("li")).to_have_count(2)


def test_what_was_begun_on_one_action_is_not_written_on_another(monitor: MockMonitor) -> None:
    noted(monitor)
    page = monitor.open("#/timeline?at=ONE")
    field = page.locator("tab-timeline textarea")
    field.fill("half a thought")
    page.evaluate("location.hash = '#/timeline?at=TWO'")
    shown(page.locator("tab-timeline .notes-text")).to_have_text("of another one")
    assert field.input_value() == ""
    page.evaluate("location.hash = '#/timeline?at=ONE'")
    shown(page.locator("tab-timeline .notes-text")).to_contain_text("valve")
    assert field.input_value() == "half a thought"


@pytest.mark.parametrize("role", ["viewer", "operator"])
def test_only_who_may_write_notes_has_a_form_for_them(browser: Browser, role: str) -> None:
    monitor = MockMonitor(browser, role=role)
    noted(monitor)
    view = ShotView(tree="T", shot=1, notes=(ON_IT, ON_ANOTHER))

    def found(asked: object) -> tuple[int, object]:
        assert msgspec.convert(asked, FindShots).tree == "T"
        found = FoundShotsResult(shots=(view,), looked_at=1)
        return 200, {"outcome": "ok", "result": as_plain(found)}

    monitor.routes["find_shots"] = found
    page = monitor.open("#/timeline?at=ONE")
    there = 0 if role == "viewer" else 1
    for where, address, count in (("timeline", "timeline?at=ONE", 1), ("shots", "shot/T%2F1", 2)):
        page.evaluate("(address) => { location.hash = `#/${address}`; }", address)
        notes = page.locator(f"tab-{where} notes-part")
        shown(notes.locator("li:not(.empty)")).to_have_count(count)
        shown(notes.locator("form:visible")).to_have_count(there)
        shown(notes.locator("button:visible", has_text="Change")).to_have_count(there * count)
