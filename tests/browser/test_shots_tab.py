"""The tab Shots: what has been, found, compared and noted; addresses, and text as text."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page
from tests.support.browser import Browser, address_of, live, reply, shown
from tests.support.mock_monitor import MockMonitor
from tests.support.monitor import with_monitor
from tests.support.stack import Stack

from shotline.client.exports.shot_files import export_shot
from shotline.common.past.commands import ImportPiece, ImportShot

EXPERIMENT = """\
experiment: TEST
phases: {INIT: 10}
actions:
  - path: GOOD
    server_class: A
    phase: INIT
    when: 10
    task: {shell: ["true"]}
  - path: BAD
    server_class: A
    phase: INIT
    when: 20
    task: {shell: ["sh", "-c", "echo '<b>the shutter</b> is stuck'; exit 3"]}
"""
MARKUP = "<img src=x onerror=alert(1)>"


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    folder = tmp_path_factory.mktemp("shots")
    file: Path = folder / "test.yaml"
    file.write_text(EXPERIMENT)
    with with_monitor(folder, ("A:1",), {"TEST": file}) as running:
        with running.supervisor() as shotline:
            for shot in (1, 2):
                shotline.create_pulse("TEST", shot)
                shotline.build_tables("TEST", shot)
                shotline.do_phase("INIT", "TEST", shot)
            shotline.note("TEST", 2, MARKUP)
        yield running


def opened(browser: Browser, stack: Stack, address: str) -> Page:
    page = browser.new_page()
    page.goto(f"{address_of(stack)}/#/{address}")
    live(page)
    return page


def test_shots_failures_and_words_are_found(browser: Browser, stack: Stack) -> None:
    page = opened(browser, stack, "shots")
    rows = page.locator("shots-table .grid-row:not([hidden])")
    shown(rows).to_have_count(2)
    first = page.locator("shots-table .grid-row[aria-rowindex='2']:not([hidden])")
    shown(first).to_contain_text("TEST/2")  # rows stand in the document as they have come
    shown(first).to_contain_text(MARKUP)
    page.get_by_role("link", name="Failures").click()
    shown(page.locator("failures-table .grid-row:not([hidden])")).to_have_count(2)
    page.goto(f"{address_of(stack)}/#/search?words=shutter+stuck&where=output")
    found = page.locator("found-table .grid-row:not([hidden])")
    shown(found).to_have_count(2)
    shown(found.filter(has_text="<b>the shutter</b> is stuck").first).to_be_visible()


def test_two_are_compared_and_one_action_is_followed(browser: Browser, stack: Stack) -> None:
    page = opened(browser, stack, "compare/TEST%2F1%20TEST%2F2?all=1")
    shown(page.locator("compared-table .grid-row:not([hidden])")).to_have_count(2)
    page.locator("compared-table").get_by_role("link", name="GOOD").click()
    page.wait_for_url(re.compile("#/trend/TEST"))
    shown(page.locator(".trend-words")).to_contain_text("GOOD in 2 shots: median")
    shown(page.locator(".trend-curve .good")).to_have_count(2)


def test_a_note_is_written_and_shown_as_text(browser: Browser, stack: Stack) -> None:
    page = opened(browser, stack, "shot/TEST%2F1")
    page.locator("shot-story textarea").fill(f"valve {MARKUP}")
    page.get_by_role("button", name="Write note").click()
    shown(page.locator(".notes-text")).to_have_text(f"valve {MARKUP}")
    assert page.locator("shot-story img").count() == 0
    page.goto(f"{address_of(stack)}/shots/TEST/1/report")
    shown(page.locator("h1")).to_have_text("TEST/1")
    shown(page.locator("body")).to_contain_text(f"valve {MARKUP}")
    assert page.locator("img").count() == 0
    assert page.evaluate("getComputedStyle(document.querySelector('table')).borderCollapse") == (
        "collapse"
    ), "the style is let in by the page's policy"


def test_a_file_is_imported_and_what_is_no_shot_is_refused(
    browser: Browser, stack: Stack, tmp_path: Path
) -> None:
    file = tmp_path / "one.shot.gz"
    with stack.supervisor() as shotline:
        export_shot(shotline, "TEST", 1, file)
    (tmp_path / "TEST-1.shot.gz").write_bytes(file.read_bytes()[:-9])
    (tmp_path / "notes.txt").write_text("no shot")
    page = opened(browser, stack, "shots")
    chosen = page.locator("import-part input")
    for name, words in (
        ("one.shot.gz", "TEST/1 is here already; nothing has changed"),
        ("TEST-1.shot.gz", "it is cut: the compressed data do not end"),
        ("notes.txt", "It is no shot"),
    ):
        chosen.set_input_files(tmp_path / name)
        shown(reply(page, f"Import {name}")).to_contain_text(words)


def test_a_file_is_sent_in_pieces_by_who_may_give_commands(browser: Browser) -> None:
    monitor = MockMonitor(browser)
    page = monitor.open("#/shots")
    packed = b"\x1f\x8b" + bytes(range(256)) * 400
    page.locator("import-part input").set_input_files(
        {"name": "T-1.shot.gz", "mimeType": "application/gzip", "buffer": packed}
    )
    shown(reply(page, "Import T-1.shot.gz")).to_contain_text("done")
    pieces = [one for one in monitor.asked if isinstance(one, ImportPiece)]
    assert b"".join(one.data for one in pieces) == packed
    assert [one.offset for one in pieces] == [0, 36864, 73728]
    (taken,) = (one for one in monitor.asked if isinstance(one, ImportShot))
    assert (taken.size, {one.upload for one in pieces}) == (len(packed), {taken.upload})
    looking = MockMonitor(browser, role="viewer").open("#/shots")
    shown(looking.locator("shots-table")).to_be_visible()
    assert looking.locator("import-part button:visible").count() == 0
