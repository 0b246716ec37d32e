"""The tab Data: volumes, groups, consumers; records that are not done; a file's story."""

import re

import pytest
from playwright.sync_api import Page
from tests.support.axe import needs_axe, violations
from tests.support.browser import shown
from tests.support.data_page import ledger, listed, record, status, story, tell, volume
from tests.support.mock_monitor import MockMonitor, reply

from shotline.common.commands import AnyCommand
from shotline.common.messages import Reply
from shotline.common.volumes.commands import (
    RecordsList,
    RecordsRedrive,
    RecordsRemove,
    RecordsReplay,
    RecordsScan,
)

ROWS_MAX = 60  # what is seen of a long list, and a few above and below
MANY = 10_000
EVIL = "<img src=x onerror=window.hacked=1>"
DEAD = tuple(record(number) for number in (5, 7, 9))


def opened(monitor: MockMonitor, address: str = "#/data", width: int = 1500) -> Page:
    monitor.answers |= {
        "records_list": listed(*DEAD, record(11, "ready", volume="RAW")),
        "records_status": status(),
        "records_file": story(DEAD[1], texts=("announced by rule files", "leased to me (filter)")),
    }
    tell(monitor, ledger())
    return monitor.open(address, monitor.new_page(width))


def asked(monitor: MockMonitor, kind: type[AnyCommand]) -> list[AnyCommand]:
    return [one for one in monitor.asked if isinstance(one, kind)]


def test_volumes_groups_and_consumers_are_told_live(monitor: MockMonitor) -> None:
    page = opened(monitor)
    raw = page.locator("tr[data-key='RAW']")
    shown(raw.locator(".s-where")).to_have_text("data1:/data/raw")
    shown(raw.locator(".s-rate")).to_have_text("120 in, 118 done")
    shown(raw.locator(".s-ready")).to_have_text("12")
    shown(raw.locator(".s-disk")).to_have_text("70 %, 1.2 TiB free")
    shown(raw.locator(".s-watch")).to_contain_text("340 files known, scanned")
    shown(page.locator("tr[data-key='OLD'] .s-watch")).to_have_text("it is not mounted")
    shown(page.locator("tr[data-key='rule:analysis']")).to_contain_text("what the rule analysis")
    one = page.locator("tr[data-key='filter@node1:77']")
    shown(one.locator(".s-leased")).to_have_text("2")
    shown(one.locator(".s-rate")).to_have_text("61")
    shown(page.locator("tab-data .alert-list li")).to_have_count(4)
    shown(page.locator("tab-data .alert-list li").first).to_contain_text("it is not mounted")
    shown(page.locator("a[data-tab=data]")).to_have_class(re.compile("urgent"))
    tell(monitor, ledger(volumes=[volume("RAW", per_minute=77)], changes=2))
    shown(raw.locator(".s-rate")).to_have_text("77 in, 118 done")
    shown(page.locator("tr[data-key='OLD']")).to_have_count(0)
    shown(page.locator("tab-data .sub-numbers")).to_contain_text("77 in, 118 done")


def test_dead_records_are_selected_and_redriven(monitor: MockMonitor) -> None:
    page = opened(monitor)
    page.locator("tr[data-key='PULSES'] .s-dead a").click()
    rows = page.locator("record-table .grid-row:not([hidden])")
    shown(rows).to_have_count(4)
    assert asked(monitor, RecordsList)[-1] == RecordsList(volume="PULSES", state="dead")
    shown(rows.first).to_contain_text("leased 3 times and not completed")
    page.get_by_role("grid", name="data records").focus()
    page.keyboard.press("Control+a")
    shown(page.locator(".data-chosen").first).to_have_text("4 selected")
    page.get_by_role("button", name="Redrive 3").click()
    shown(page.locator("dialog.ask")).to_contain_text("run7/shot_9.hdf5")
    page.locator("dialog.ask button[value=yes]").click()
    shown(page.locator("reply-list .reply")).to_contain_text("Redrive 3 records")
    assert asked(monitor, RecordsRedrive) == [RecordsRedrive(numbers=(5, 7, 9))]
    monitor.answers["records_list"] = listed(DEAD[0])
    tell(monitor, ledger(changes=2))
    shown(rows).to_have_count(1)
    shown(page.locator(".data-chosen").first).to_have_text("1 selected")
    page.get_by_role("button", name="Take 1 file off …").click()
    page.locator("dialog.ask").get_by_role("textbox").fill("no beam")
    page.locator("dialog.ask button[value=yes]").click()
    shown(page.locator("reply-list")).to_contain_text("Take run7/shot_5.hdf5 off")
    off = RecordsRemove(volume="PULSES", path="run7/shot_5.hdf5", reason="no beam")
    assert asked(monitor, RecordsRemove) == [off]


def test_a_volume_is_scanned_and_replayed(monitor: MockMonitor) -> None:
    page = opened(monitor)
    raw = page.locator("tr[data-key='RAW']")
    raw.get_by_role("button", name="Scan …").click()
    page.locator("dialog.ask").get_by_label("Only these files").fill("run7/*")
    page.locator("dialog.ask button[value=yes]").click()
    shown(page.locator("reply-list .reply")).to_have_count(1)
    raw.get_by_role("button", name="Replay …").click()
    page.locator("dialog.ask button[value=yes]").click()
    shown(page.locator("reply-list")).to_contain_text("Replay RAW for filter")
    assert asked(monitor, RecordsScan) == [RecordsScan(volume="RAW", pattern="run7/*")]
    assert asked(monitor, RecordsReplay) == [RecordsReplay(volume="RAW", group="filter")]


def test_a_file_has_a_page_with_its_whole_story(monitor: MockMonitor) -> None:
    page = opened(monitor, "#/records")
    page.get_by_role("link", name="run7/shot_7.hdf5").click()
    here = page.locator("file-page")
    shown(here.locator("h2")).to_have_text("run7/shot_7.hdf5")
    shown(here.locator(".file-about")).to_contain_text("volume PULSES  ·  data2:/data/pulses")
    shown(here.locator(".file-records li")).to_contain_text("leased 3 times")
    shown(here.locator(".file-story li")).to_have_count(2)
    monitor.answers["records_file"] = story(texts=("a", "b", "completed by me (filter)"))
    tell(monitor, ledger(changes=2))
    shown(here.locator(".file-story li").last).to_contain_text("completed by me (filter)")
    shown(here.locator(".file-records li")).to_contain_text("none is held")
    shown(here.get_by_role("button")).to_have_count(0)
    page.locator("a[data-view=kept-out]").click()
    kept = page.locator("kept-out-table .grid-row:not([hidden])")
    shown(kept).to_have_count(2)
    shown(kept.first).to_contain_text("its signature is missing")
    kept.first.locator(".g-why").click()
    page.get_by_role("button", name="Look again at 1 file").click()
    shown(page.locator("reply-list")).to_contain_text("Look again at run7/bad_0.hdf5")
    assert asked(monitor, RecordsScan) == [RecordsScan(volume="PULSES", pattern="run7/bad_0.hdf5")]


def test_who_may_only_look_has_no_buttons_to_press(monitor: MockMonitor) -> None:
    viewer = MockMonitor(monitor.browser, "viewer")
    page = opened(viewer)
    off = page.locator("data-overview button:disabled:not([hidden])")
    shown(off).to_have_count(8)  # Scan and Replay of three volumes, Redrive of two groups
    page.goto(page.url.partition("#")[0] + "#/records")
    page.locator("record-table .g-about").nth(1).click()
    shown(page.locator("records-view .sub-selection button:disabled")).to_have_count(2)


def test_of_ten_thousand_records_only_the_rows_that_are_seen_are_drawn(
    monitor: MockMonitor,
) -> None:
    page = opened(monitor)
    records = [record(number) for number in range(MANY)]

    def paged(command: AnyCommand) -> Reply:
        assert isinstance(command, RecordsList)
        some = records[command.since : command.since + 4000]
        more = command.since + 4000
        if more >= MANY:
            return listed(*some)
        return listed(*some, next=more)

    monitor.answers["records_list"] = paged
    page.goto(page.url.partition("#")[0] + "#/records")
    shown(page.locator("records-view .count")).to_have_text(str(MANY))
    assert page.locator("record-table .grid-row").count() < ROWS_MAX
    page.get_by_role("grid", name="data records").focus()
    page.keyboard.press("End")
    shown(page.locator(f"record-table [data-key='{MANY - 1}']")).to_be_visible()
    page.get_by_label("search records").fill("shot_777.")
    shown(page.locator("records-view .count")).to_have_text(f"1 of {MANY}")
    assert page.locator("record-table .grid-row").count() < ROWS_MAX


def test_texts_are_text(monitor: MockMonitor) -> None:
    page = opened(monitor, "#/records")
    monitor.answers["records_list"] = listed(record(1, path=EVIL, reason=EVIL, group="g"))
    bad = volume("RAW", trouble=EVIL, host=EVIL)
    tell(monitor, ledger(volumes=[bad], changes=3))
    shown(page.locator("record-table [data-key='1'] .g-about")).to_have_text(EVIL)
    shown(page.locator("tab-data .alert-list")).to_contain_text(EVIL)
    page.goto(page.url.partition("#")[0] + "#/data")
    shown(page.locator("tr[data-key='RAW'] .s-watch")).to_have_text(EVIL)
    assert page.evaluate("[window.hacked, document.querySelectorAll('img').length]") == [None, 0]


def test_what_cannot_be_read_says_why(monitor: MockMonitor) -> None:
    page = opened(monitor, "#/data")
    monitor.answers["records_file"] = reply(
        "refused",  # type: ignore[arg-type]
        "nothing is known of gone.dat on RAW",
        unknown=True,
    )
    page.goto(page.url.partition("#")[0] + "#/file/RAW%2Fgone.dat")
    shown(page.locator("file-page > .empty")).to_have_text("nothing is known of gone.dat on RAW")


@needs_axe
@pytest.mark.parametrize("width", [1500, 400])
def test_axe_finds_nothing(monitor: MockMonitor, width: int) -> None:
    page = opened(monitor, "#/data", width)
    shown(page.locator("tr[data-key='RAW']")).to_be_visible()
    assert violations(page, "tab-data") == []
    for name in ("Scan …", "Replay …"):
        page.locator("tr[data-key='RAW']").get_by_role("button", name=name).click()
        assert violations(page, "dialog") == [], name
        page.keyboard.press("Escape")
    page.goto(page.url.partition("#")[0] + "#/records")
    page.get_by_role("grid", name="data records").focus()
    shown(page.locator("record-table [data-key='5']")).to_be_visible()
    for key in ("Home", " ", "ArrowDown"):
        page.keyboard.press(key)
    shown(page.locator(".data-chosen").first).to_have_text("1 selected")
    assert violations(page, "tab-data") == []
    page.get_by_role("button", name="Take 1 file off …").click()
    assert violations(page, "dialog") == []
    page.keyboard.press("Escape")
    for view in ("kept-out", "file/PULSES%2Frun7%2Fshot_7.hdf5"):
        page.goto(page.url.partition("#")[0] + f"#/{view}")
        shown(page.locator("tab-data .sub-view:visible *").nth(9)).to_have_count(1)
        assert violations(page, "tab-data") == [], view
