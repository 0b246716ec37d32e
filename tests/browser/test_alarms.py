"""The tab Alarms: what is latched, what is new since one looked, acknowledging, the title."""

import re
import time

from playwright.sync_api import Page
from tests.support.axe import needs_axe, violations
from tests.support.browser import shown
from tests.support.mock_monitor import MockMonitor, reply

from shotline.client.observer import News, Whole
from shotline.common.alarms.alarm import Alarm, AlarmKind, AlarmSeverity
from shotline.common.alarms.views import AlarmsAnswered, AlarmsEvent
from shotline.common.views import SnapshotResult, encode_result

EVIL = "<img src=x onerror=alert(1)>"


def alarm(number: int, about: str, **more: object) -> Alarm:
    now = time.time()
    made = {
        "number": number,
        "kind": AlarmKind.ACTION,
        "key": f"action {about}",
        "about": about,
        "text": "Failure: valve does not close",
        "severity": AlarmSeverity.MEDIUM,
        "first_at": now - 60,
        "last_at": now - 5,
        "tree": "TEST",
        "shot": 1,
    }
    return Alarm(**(made | more))


SOME = (
    alarm(1, "TEST/1 GAS:FILL", help="close it\nby hand", contact="gas crew 4711", times=3),
    alarm(2, "TEST/1 NBI", severity=AlarmSeverity.HIGH, text=EVIL),
    alarm(3, "TEST/1 OLD", acked_at=5.0, acked_by="anna", note="was changed", active=False),
    alarm(4, "GAS:1", kind=AlarmKind.SERVER, server="GAS:1", active=False, cleared="it is back"),
)


def opened(monitor: MockMonitor, width: int = 1300) -> Page:
    event = AlarmsEvent(alarms=SOME, last=4)
    snapshot = SnapshotResult(channel="alarms", term=1, seq=1, alarms=event)
    monitor.take(Whole("alarms", snapshot))
    return monitor.open("#/alarms", monitor.new_page(width))


def titled(page: Page, begin: str) -> None:
    page.wait_for_function("(begin) => document.title.startsWith(begin)", arg=begin)


def test_alarms_are_listed_counted_and_acknowledged(monitor: MockMonitor) -> None:
    monitor.answers["alarms_ack"] = reply(
        message="1 alarm acknowledged", result=encode_result(AlarmsAnswered(done=(1,)))
    )
    page = opened(monitor)
    rows = page.locator(".alarm")
    shown(rows).to_have_count(3)
    shown(rows.first).to_contain_text(EVIL)  # the most severe one, as text
    titled(page, "(3) ")
    assert page.locator("a[data-tab=alarms]").get_attribute("data-note") == "3"
    first = page.locator(".alarm[data-number='1']")
    shown(first).to_contain_text("3 times")
    shown(first.locator(".alarm-contact")).to_have_text("Contact gas crew 4711")
    shown(page.locator(".alarm[data-number='4'] .alarm-state")).to_have_text("cleared")
    first.get_by_role("button", name="acknowledge").click()
    page.get_by_role("dialog").get_by_label("Note").fill("closed by hand")
    page.get_by_role("dialog").get_by_role("button", name="Acknowledge").click()
    shown(page.locator("reply-list")).to_contain_text("Acknowledge")
    seen = alarm(1, "TEST/1 GAS:FILL", acked_at=time.time(), acked_by="ben", note="closed by hand")
    monitor.take(News("alarms", time.time(), AlarmsEvent(alarms=(seen,), last=4)))
    shown(rows).to_have_count(2)
    titled(page, "(2) ")
    page.get_by_role("button", name=re.compile("^All 4")).click()
    shown(page.locator(".alarm[data-number='1']")).to_contain_text("by ben: closed by hand")


def test_what_is_new_since_somebody_looked_is_said(monitor: MockMonitor) -> None:
    page = opened(monitor)
    shown(page.locator(".alarm")).to_have_count(3)
    page.locator("a[data-tab=log]").click()
    fresh = alarm(9, "TEST/1 PUMP")
    monitor.take(News("alarms", time.time(), AlarmsEvent(alarms=(fresh,), last=9)))
    titled(page, "(4) ")
    page.locator("a[data-tab=alarms]").click()
    page.get_by_role("button", name=re.compile("^New since I looked 1")).click()
    shown(page.locator(".alarm")).to_have_count(1)
    shown(page.locator(".alarm .alarm-fresh")).to_have_text("new")
    page.get_by_role("button", name="All seen").click()
    shown(page.locator(".alarm")).to_have_count(0)


CALLS = """
window.tones = 0;
window.notes = [];
window.AudioContext = class {
    state = 'running';
    currentTime = 0;
};
window.GainNode = class {
    gain = { setValueAtTime() {}, linearRampToValueAtTime() {} };
    connect() {}
};
window.OscillatorNode = class {
    connect(gain) { return gain; }
    start() { window.tones += 1; }
    stop() {}
};
window.Notification = class {
    static permission = 'ALLOWED';
    static async requestPermission() { return 'ALLOWED'; }
    constructor(title, { body }) { window.notes.push(`${title}: ${body}`); }
};
document.hasFocus = () => false;
"""
"""In the place of what sounds and shows: how often each was asked for."""


def counted(monitor: MockMonitor, allowed: str) -> Page:
    """Return a page on which somebody is called, and that is counted."""
    event = AlarmsEvent(alarms=SOME, last=4)
    monitor.take(Whole("alarms", SnapshotResult(channel="alarms", term=1, seq=1, alarms=event)))
    page = monitor.new_page()
    page.add_init_script(CALLS.replace("ALLOWED", allowed))
    return monitor.open("#/alarms", page)


def come(monitor: MockMonitor, *alarms: Alarm) -> None:
    last = max(one.number for one in alarms)
    monitor.take(News("alarms", time.time(), AlarmsEvent(alarms=alarms, last=last)))


def test_somebody_is_called_once_for_what_comes_together_if_they_want_it(
    monitor: MockMonitor,
) -> None:
    page = counted(monitor, "granted")
    come(monitor, alarm(5, "TEST/1 QUIET"))
    titled(page, "(4) ")
    assert page.evaluate("[tones, notes.length]") == [0, 0], "both are off until they are chosen"
    page.get_by_label("Tone").check()
    page.get_by_label("Desktop notification").check()
    assert page.evaluate("[tones, notes.length]") == [1, 0], "it sounds once, to be heard"
    high = alarm(6, "TEST/1 NBI", severity=AlarmSeverity.HIGH, text="it is hot")
    come(monitor, high, alarm(7, "TEST/1 PUMP"))
    page.wait_for_function("() => notes.length > 0")
    said = "Action failed: TEST/1 NBI (and 1 more): it is hot"
    assert page.evaluate("[tones, notes]") == [5, [said]]
    page.get_by_label("Tone").uncheck()
    monitor.leave()
    page.wait_for_function("() => notes.length > 1")
    assert "Shotline does not answer" in page.evaluate("notes[1]")
    assert page.evaluate("tones") == 5


def test_a_browser_that_allows_no_notifications_is_told_of(monitor: MockMonitor) -> None:
    page = counted(monitor, "denied")
    box = page.get_by_label("Desktop notification")
    box.click()
    shown(page.locator("reply-list")).to_contain_text("The browser does not allow notifications")
    page.wait_for_function("(box) => !box.checked", arg=box.element_handle())
    come(monitor, alarm(5, "TEST/1 PUMP"))
    titled(page, "(4) ")
    assert page.evaluate("notes") == []


@needs_axe
def test_the_tab_is_for_everybody(monitor: MockMonitor) -> None:
    page = opened(monitor)
    shown(page.locator(".alarm")).to_have_count(3)
    assert violations(page, "tab-alarms") == []
    page.get_by_role("button", name=re.compile("^All 4")).click()
    shown(page.locator(".alarm")).to_have_count(4)
    assert violations(page, "tab-alarms") == []
