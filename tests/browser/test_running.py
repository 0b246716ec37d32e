"""Abort, Dispatch and Logs of running actions; hostile texts; slow actions; scripts of servers."""

import re
import socket
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, WebSocketRoute
from tests.support.browser import Browser, confirm, count, reply, row, shown
from tests.support.monitor import with_monitor
from tests.support.stack import Stack

EXPERIMENT = """
experiment: TEST
phases: {INIT: 1, PULSE: 2}
actions:
  - path: TALK
    server_class: A
    phase: INIT
    when: 10
    task:
      shell:
        - sh
        - -c
        - |
          printf '\\033[1;32mgreen\\033[0m and plain\\n'
          printf 'title \\033]0;owned\\007 cleared \\033[2J\\n'
          echo '<img src=x onerror="window.hacked = 1"><script>window.hacked = 2</script>'
          echo "to standard error" >&2
          number=0
          while [ ! -e "$FLAG" ]; do
              number=$((number + 1)); echo "tick $number"; sleep 0.1
          done
      environment: {FLAG: "{flag}"}
  - path: EVIL
    server_class: A
    phase: INIT
    when: 20
    task: {shell: [sh, -c, "echo evil"]}
  - path: BROKEN
    server_class: A
    phase: INIT
    when: "<img src=x onerror=window.hacked=3>"
    task: {sleep: 0}
  - path: SLOW
    server_class: B
    phase: PULSE
    when: 10
    task: {shell: [sh, -c, 'sleep "$(cat {delay})"']}
  - path: STEADY
    server_class: B
    phase: PULSE
    when: 20
    task: {sleep: 0.5}
"""
SCRIPT = """#!/bin/sh
echo "site script: $1 $2 $3"
exit 5
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("running")


@pytest.fixture(scope="module")
def stack(folder: Path) -> Iterator[Stack]:
    text = EXPERIMENT.replace("{flag}", str(folder / "flag"))
    (folder / "experiment.yaml").write_text(text.replace("{delay}", str(folder / "delay")))
    (folder / "delay").write_text("0.3")
    script = folder / "script.sh"
    script.write_text(SCRIPT)
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    settings = {"server_command": "script.sh", "expected_servers": ["A:1", "B:1", "C:7"]}
    experiments = {"TEST": folder / "experiment.yaml"}
    with with_monitor(folder, ("A:1", "B:1"), experiments, settings) as running:
        yield running


def built(stack: Stack, shot: int) -> None:
    with stack.supervisor() as shotline:
        shotline.create_pulse("TEST", shot)
        shotline.build_tables("TEST", shot)


def begin(stack: Stack, browser: Browser, shot: int, phase: str = "INIT") -> Page:
    built(stack, shot)
    with stack.supervisor() as shotline:
        shotline.do_phase(phase, "TEST", shot, wait=False)
    return browser.open(stack, f"#/actions?show=all&tree=TEST&shot={shot}")


def test_abort_names_its_target_and_dispatch_tries_again(
    stack: Stack, browser: Browser, folder: Path
) -> None:
    page = begin(stack, browser, 1)
    talk = row(page, "TALK")
    shown(talk).to_contain_text("DOING")
    talk.get_by_role("button", name="Abort").click()
    dialog = page.locator("dialog.ask")
    shown(dialog.locator("h2")).to_have_text("Abort TALK of TEST/1?")
    dialog.get_by_role("button", name="Cancel").click()
    shown(talk).to_contain_text("DOING")
    talk.get_by_role("button", name="Abort").click()
    confirm(page, "Abort TALK of TEST/1?")
    shown(talk).to_contain_text("ABORTED")
    shown(talk).to_contain_text("by an operator")
    shown(row(page, "EVIL")).to_contain_text("Success")

    with page.expect_popup() as opening:
        talk.get_by_role("button", name="Logs").click()
    logs = opening.value
    shown(logs.locator("#attempt")).to_have_text("1, the last")
    shown(logs.locator(".pill")).to_have_text("■ complete")

    (folder / "flag").unlink(missing_ok=True)
    talk.get_by_role("button", name="Dispatch").click()
    shown(talk).to_contain_text("DOING")
    shown(logs.locator("#attempt option")).to_have_count(2)
    shown(logs.locator(".log-state")).to_contain_text("DOING")
    shown(logs.locator(".output-line:not([hidden])").last).to_contain_text(re.compile(r"tick \d+"))
    shown(logs.locator(".pill")).to_have_text("● live")
    (folder / "flag").touch()
    shown(logs.locator(".log-state")).to_contain_text("Success")
    shown(logs.locator(".pill")).to_have_text("■ complete")
    logs.locator("#attempt").select_option("1")
    shown(logs.locator(".log-state")).to_have_text("attempt 1")
    (folder / "flag").unlink()


def test_output_shows_colours_and_everything_else_as_text(
    stack: Stack, browser: Browser, folder: Path
) -> None:
    page = begin(stack, browser, 2)
    with page.expect_popup() as opening:
        row(page, "TALK").get_by_role("button", name="Logs").click()
    logs = opening.value
    shown(logs.locator(".count").last).to_contain_text(re.compile("[1-9]\\d* lines"))
    logs.locator(".output-scroll").focus()
    logs.keyboard.press("Control+Home")
    shown(logs.get_by_text("to standard error")).to_be_visible()
    green = logs.get_by_text("green", exact=True)
    shown(green).to_have_class(re.compile("bold"))
    assert green.evaluate("(part) => part.style.color") == "var(--ansi-green)"
    shown(logs.get_by_text("title  cleared ")).to_be_visible()
    shown(logs.get_by_text('<img src=x onerror="window.hacked = 1">')).to_be_visible()
    shown(logs.locator(".output-line.stream2")).to_have_count(1)
    (folder / "flag").touch()
    shown(logs.locator(".pill")).to_have_text("■ complete")
    with logs.expect_download() as saving:
        logs.get_by_role("button", name="Download").click()
    saved = saving.value.path().read_text(encoding="utf-8")
    assert "green" in saved
    assert "<script>" in saved
    assert logs.evaluate("[window.hacked, document.querySelectorAll('img').length]") == [None, 0]
    (folder / "flag").unlink()


def test_markup_in_names_conditions_and_reasons_is_text(stack: Stack, browser: Browser) -> None:
    """No tree that we can write here may hold such a name; so it is put in on its way."""
    built(stack, 3)
    name = "<img src=x onerror=window.hacked=4>"
    page = browser.new_page()

    def altered(route: WebSocketRoute) -> None:
        server = route.connect_to_server()
        server.on_message(
            lambda frame: route.send(str(frame).replace('"name":"EVIL"', f'"name":"{name}"'))
        )

    page.route_web_socket(re.compile("/ws$"), altered)
    browser.open(stack, "#/actions?show=all&tree=TEST&shot=3", page)
    shown(row(page, name)).to_be_visible()
    broken = row(page, "BROKEN")
    shown(broken.locator(".c-when")).to_have_text("<img src=x onerror=window.hacked=3>")
    shown(broken).to_contain_text("unreadable")
    row(page, name).locator("input").check()
    row(page, "TALK").locator("input").check()
    page.locator(".selected-rows").get_by_role("button", name="Dispatch").click()
    shown(page.locator("dialog.ask li").filter(has_text=name)).to_be_visible()
    page.keyboard.press("Escape")
    page.locator("a[data-tab=timeline]").click()
    shown(page.locator("tab-timeline")).to_be_visible()
    assert page.evaluate("[window.hacked, document.querySelectorAll('img').length]") == [None, 0]


def test_what_is_slow_stands_out_and_the_time_left_is_shown(
    stack: Stack, browser: Browser, folder: Path
) -> None:
    with stack.supervisor() as shotline:
        for shot in range(10, 15):
            shotline.create_pulse("TEST", shot)
            shotline.build_tables("TEST", shot)
            shotline.do_phase("PULSE", "TEST", shot)
    page = browser.open(stack, "#/timeline?tree=TEST&shot=15")
    (folder / "delay").write_text("3")
    built(stack, 15)
    with stack.supervisor() as shotline:
        shotline.do_phase("PULSE", "TEST", 15, wait=False)
    shown(page.locator(".remaining")).to_contain_text("left")
    shown(page.locator("tab-timeline .run-left")).to_contain_text("left")
    shown(page.locator(".critical-list")).to_contain_text("SLOW")
    slow = page.locator(".slow-list li").filter(has_text="SLOW")
    shown(slow).to_contain_text(re.compile(r"▲ \d+\.\d× its usual"))
    shown(page.locator("tab-timeline .run-state")).to_have_text("completed")
    shown(slow).to_be_visible()
    shown(page.locator(".remaining")).to_have_text("")
    assert "STEADY" not in page.locator(".slow-list").inner_text()
    (folder / "delay").write_text("0.3")


def test_an_unknown_outcome_asks_before_it_is_dispatched_again(
    stack: Stack, browser: Browser, folder: Path
) -> None:
    page = begin(stack, browser, 20)
    talk = row(page, "TALK")
    shown(talk).to_contain_text("DOING")
    server = stack["A:1"]
    server.kill()
    shown(talk).to_contain_text("outcome unknown")
    talk.get_by_role("button", name="Dispatch").click()
    confirm(page, "Dispatch TALK of TEST/20?")
    shown(talk).to_contain_text("SERVER_OFF")
    # A new life of the server proves what became of the old one's: nothing is to be asked then.
    stack.restart(server)
    stack.wait_until(lambda status: all(one.liveness == "alive" for one in status.servers))
    (folder / "flag").touch()
    talk.get_by_role("button", name="Dispatch").click()
    shown(talk).to_contain_text("Success")
    (folder / "flag").unlink()


def test_servers_expected_but_absent_are_shown_and_the_sites_script_is_run(
    stack: Stack, browser: Browser
) -> None:
    page = browser.open(stack, "#/servers")
    here = page.locator("tr[data-key='A:1']")
    shown(here.locator("[data-head=Host]")).to_contain_text(socket.gethostname())
    shown(here.locator("[data-head=Address]")).to_have_text("127.0.0.1")
    absent = page.locator("tr[data-key='C:7']")
    shown(absent).to_contain_text("OFF, expected")
    states = page.locator("tab-servers tbody tr td:first-child").all_inner_texts()
    assert [text.split()[-1] for text in states] == ["ON", "ON", "expected"]
    absent.get_by_role("button", name="Start", exact=True).click()
    shown(page.locator(".command-reply header")).to_contain_text("script.sh C START 7")
    shown(page.locator(".command-reply header")).to_contain_text("exit code 5")
    shown(page.locator(".command-reply pre")).to_have_text("site script: C START 7\n")
    server = page.locator("tr[data-key='B:1']")
    server.get_by_role("button", name="Kill").click()
    confirm(page, re.compile(r"Kill B:1 on .+\?"))
    shown(page.locator(".command-reply pre")).to_have_text("site script: B KILL 1\n")
    # The monitor's own warnings stand in the live log, too.
    page.locator("a[data-tab=log]").click()
    page.locator("#log-source").select_option("monitor")
    shown(page.locator(".log-line:not([hidden])").last).to_contain_text("server_command B KILL 1")


def test_a_filter_and_the_keys_find_and_act(stack: Stack, browser: Browser, folder: Path) -> None:
    (folder / "flag").touch()
    page = begin(stack, browser, 30)
    shown(page.locator(".run-state").first).to_have_text("completed, 1 failed")
    (folder / "flag").unlink()
    page.keyboard.press("/")
    page.keyboard.type("evil")
    shown(page.locator("#all .row:not([hidden])")).to_have_count(1)
    page.wait_for_url(re.compile("find=evil"))
    page.locator("#find").fill("")
    page.locator("#all").get_by_label("filter Status").fill("success")
    shown(page.locator("#all .row:not([hidden])")).to_have_count(2)
    page.locator("#all").get_by_role("button", name="Node").click()
    page.locator("#all").get_by_role("button", name="Node").click()
    names = page.locator("#all .row:not([hidden]) .c-node")
    by_place = page.locator("#all .row:not([hidden])[aria-rowindex='2'] .c-node")
    shown(by_place).to_have_text("TALK")
    shown(names).to_have_count(2)
    page.locator("#all .table-scroll").focus()
    page.keyboard.press("End")
    page.keyboard.press("d")
    confirm(page, "Dispatch EVIL of TEST/30?")
    shown(reply(page, "Dispatch EVIL")).to_have_class(re.compile("good"))
    page.locator("run-strip .chip[data-category=failed]").first.click()
    shown(page.locator("#all .empty")).to_be_visible()


def test_whoever_may_only_look_can_press_nothing(stack: Stack, browser: Browser) -> None:
    page = browser.new_page()
    me = {"role": "viewer", "may": ["read", "metrics"]}
    page.route(re.compile("/api/me"), lambda route: route.fulfill(json=me))
    built(stack, 40)
    browser.open(stack, "#/actions?tree=TEST&shot=40", page)
    shown(count(page, "total")).to_have_text("5")
    assert page.locator(".drive button:enabled, .row-actions button:enabled").evaluate_all(
        "(all) => [...new Set(all.filter((one) => one.offsetParent).map((one) => one.textContent))]"
    ) == ["Logs"]
    page.locator("a[data-tab=fleet]").click()
    page.locator("a[data-view=servers]").click()
    shown(page.locator("tab-servers tbody button:enabled")).to_have_count(0)
