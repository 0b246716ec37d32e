"""Which lines the page's command line runs: the parsed command decides, by a list."""

import click
import pytest

from shotline.client.cli.main import shotline
from shotline.common.commands import VERBS
from shotline.common.scopes import Scope
from shotline.monitor.http.page_line import (
    ALLOWED,
    NotRunnable,
    arguments_of,
    scope_of_line,
    what_it_ends,
)

# What acts on the monitor's own machine: processes that it starts, files that it reads or writes.
REFUSED = {"up", "demo", "check-config", "completion", "doctor", "support-bundle"}
REFUSED |= {"users", "queue", "records", "alarms", "fleet", "keys", "debug"}
REFUSED |= {"check-experiment", "export", "import"}
APART = (
    "queue_end",
    "server_workers",
    "fleet_drain",
    "fleet_hours",
    "fleet_quit_after",
)  # no commands of the command line by these names


def test_every_command_is_either_allowed_or_refused() -> None:
    assert set(shotline.commands) == ALLOWED | REFUSED
    assert not ALLOWED & REFUSED


@pytest.mark.parametrize("name", sorted(REFUSED))
@pytest.mark.parametrize("before", ["", "--timeout 5", "--timeout=5 --json", "shotline"])
def test_a_command_of_this_machine_is_refused_whatever_stands_before_it(
    before: str, name: str
) -> None:
    for spelling in (name, name.replace("-", "_")):
        with pytest.raises(NotRunnable, match="terminal of one's own"):
            arguments_of(f"{before} {spelling}")


def test_a_new_command_is_refused_until_somebody_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(shotline.commands, "launch", click.Command("launch"))
    with pytest.raises(NotRunnable, match="terminal of one's own"):
        arguments_of("launch")


@pytest.mark.parametrize("option", ["--broker", "--config", "--key-file"])
@pytest.mark.parametrize("line", ["{} status", "status {}", "--json {} status", "status --json {}"])
def test_neither_the_broker_nor_the_configuration_is_chosen_by_the_line(
    option: str, line: str
) -> None:
    for given in (f"{option} x", f"{option}=x"):
        with pytest.raises(NotRunnable, match=option):
            arguments_of(line.format(given))


@pytest.mark.parametrize("line", ["--broker x demo", "--config FILE up", "--json -- demo", "-- up"])
def test_nothing_hides_the_command(line: str) -> None:
    with pytest.raises(NotRunnable):
        arguments_of(line)


@pytest.mark.parametrize(
    "line",
    ["--timeout 5 status", "do-phase INIT --wait", "do_phase TEST -1 INIT --timeout 2 --json"],
)
def test_other_lines_are_passed_on_as_they_are(line: str) -> None:
    assert arguments_of(f"shotline {line}") == line.split()


@pytest.mark.parametrize("name", ["quit", "abort", "server-quit A:1", "server_stop A:1"])
def test_what_ends_something_says_so_first(name: str) -> None:
    assert what_it_ends(f"shotline --json {name}")
    assert what_it_ends(f"{name} --help") is None


def test_every_command_about_servers_and_aborts_is_asked_about() -> None:
    wanted = {name for name in ALLOWED if name.startswith(("server-", "abort")) or name == "quit"}
    wanted.discard("server-log")  # which only looks
    ending = {verb for verb, kind in VERBS.items() if kind.ENDS and verb not in APART}
    assert {verb.replace("_", "-") for verb in ending} == wanted


@pytest.mark.parametrize(
    ("line", "scope"),
    [
        ("status", Scope.READ),
        ("watch TEST 1", Scope.READ),
        ("do-phase INIT", Scope.COMMAND),
        ("server_stop A:1", Scope.SERVERS),
        ("--json quit", Scope.ADMINISTER),
        ("quit --help", Scope.READ),
    ],
)
def test_a_line_is_about_what_its_command_is_about(line: str, scope: Scope) -> None:
    assert scope_of_line(line) is scope


def test_no_line_names_a_file_of_the_monitors_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    path = click.Option(["--plan"], type=click.Path())
    monkeypatch.setattr(shotline.commands["status"], "params", [path])
    with pytest.raises(NotRunnable, match="--plan names a file"):
        arguments_of("status --plan secrets.yaml")


@pytest.mark.parametrize("line", ["status", "servers", "do-phase INIT", "--nonsense"])
def test_other_lines_end_nothing(line: str) -> None:
    assert what_it_ends(line) is None


def test_words_after_two_dashes_are_no_options() -> None:
    assert arguments_of("dispatch -- --config") == ["dispatch", "--", "--config"]


@pytest.mark.parametrize("line", ["--nonsense demo", "nonsense", "do-phase --nope"])
def test_a_line_that_shotline_would_refuse_is_not_run(line: str) -> None:
    with pytest.raises(click.UsageError):
        arguments_of(line)


@pytest.mark.parametrize("line", ["", "--json", "shotline"])
def test_a_line_without_a_command_is_refused(line: str) -> None:
    with pytest.raises(NotRunnable, match="give a command"):
        arguments_of(line)
