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


@needs_axe
def test_the_tab_is_for_everybody(monitor: MockMonitor) -> None:
    page = opened(monitor)
    shown(page.locator(".alarm")).to_have_count(3)
    assert violations(page, "tab-alarms") == []
    page.get_by_role("button", name=re.compile("^All 4")).click()
    shown(page.locator(".alarm")).to_have_count(4)
    assert violations(page, "tab-alarms") == []
