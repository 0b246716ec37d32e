"""Every command's arguments: what is wrong is said in words with exit code 1, before anything else.

No broker is needed: nothing of this may reach one.
"""

import json
from collections.abc import Iterator

import click
import pytest
from click.shell_completion import BashComplete

from shotline import __version__
from shotline.client.cli import base as cli_base
from shotline.client.cli import main as cli
from shotline.client.cli.main import run, shotline
from shotline.client.supervisor import Supervisor

WRONG: dict[str, tuple[tuple[str, str], ...]] = {
    "create-pulse": (
        ("", "Missing argument"),
        ("TEST", "give TREE/SHOT"),
        ("TEST abc", "whole number"),
        ("TEST 1.5", "whole number"),
        ("TEST ٣", "whole number"),
        ("TEST 1 2", "give TREE/SHOT"),
        ("1TEST 1", "tree"),
        ("TE;ST 1", "tree"),
        ("TEST 99999999999", "shot"),
        ("TEST -2", "shot"),
        (f"TEST {'9' * 5000}", "the shot must have at most 18 digits"),
        (f"TEST/-{'9' * 5000}", "the shot must have at most 18 digits"),
        ("--broker http://x:1 TEST 1", "the broker's address"),
        ("--broker localhost TEST 1", "the broker's address"),
        ("--broker tcp://localhost TEST 1", "the broker's address"),
        ("--broker tcp://localhost:70000 TEST 1", "the broker's address"),
        ("TEST 1 --nonsense", "No such option"),
    ),
    "build-tables": (("TEST", "both TREE and SHOT"), ("TEST x", "whole number")),
    "do-phase": (
        ("", "Missing argument"),
        ("TEST 42", "give PHASE [TREE/SHOT]"),
        ("TEST x INIT", "whole number"),
        ("INIT TEST/x", "give PHASE [TREE/SHOT]"),
        ("TEST 42 INIT MORE", "give PHASE [TREE/SHOT]"),
        ("INIT --wiat", "No such option"),
        (f"{'P' * 65}", "phase"),
    ),
    "do-sequence": (
        ("INIT", "FIRST LAST"),
        ("INIT a 2", "FIRST must be a whole number"),
        ("INIT 1 b", "LAST must be a whole number"),
        (f"INIT 1 {'9' * 5000}", "LAST must have at most 18 digits"),
        ("TEST x INIT 1 2", "whole number"),
    ),
    "dispatch": (("", "Missing argument"), ("P TEST", "PATH [TREE/SHOT]"), ("P TEST x", "whole")),
    "abort": (
        ("TEST x", "whole number"),
        ("TEST x PATH", "whole number"),
        ("a b c d", "PATH"),
        ("--all T/1", "give --all"),
    ),
    "abort-pending": (("TEST", "both TREE and SHOT"), ("TEST x", "whole number")),
    "hold": (("TEST", "both TREE and SHOT"),),
    "resume": (("TEST x", "whole number"),),
    "wait": (("TEST", "both TREE and SHOT"), ("--run x", "--run"), ("--run 0", "--run")),
    "records": (
        ("lease", "Missing argument"),
        ("lease filter -n 0", "-n"),
        ("lease filter --wait 61", "--wait"),
        ("complete token", "--consumer"),
        ("scan RAW --since yesterday", "is no time"),
        ("list --state done", "not one of"),
        ("redrive zero", "not a valid"),
    ),
    "queue": (
        ("nothing", "No such command"),
        ("add ohmic --shot x", "must be a number or `next`"),
        ("add ohmic current", "NAME=VALUE"),
        ("add ohmic --position middle", "front, back, or a number"),
        ("add ohmic --repeat 0", "--repeat"),
        ("add --phases INIT --existing never", "--existing"),
        ("batch", "Missing argument"),
        ("batch /none/there", "No such file"),
        ("approve", "Missing argument"),
        ("update", "Missing argument"),
        ("move", "Missing argument"),
        ("release", "Missing argument"),
        ("autostart perhaps", "not one of"),
        ("environment repair", "not one of"),
        ("history --last 0", "--last"),
        ("export --by shot", "--by"),
        ("task run calibrate coil=3 4", "stand before those by name"),
        ("status now", "unexpected extra argument"),
    ),
    "alarms": (
        ("nothing", "No such command"),
        ("ack", "give the numbers of alarms, or --all"),
        ("ack 1 --all", "give the numbers of alarms, or --all"),
        ("ack one", "must be a whole number"),
        ("ack -- -1", "must be a whole number"),
        ("shelve 1 soon", "is no span of time"),
        ("shelve 1", "Missing argument"),
        ("list --newer-than last", "must be a whole number"),
        ("unshelve", "Missing argument"),
        ("watch now", "unexpected extra argument"),
    ),
    "fleet": (
        ("nothing", "No such command"),
        ("slots many A", "is no number"),
        ("hours --start 25:00 A", "start"),
        ("hours --zone / --start 08:00 A", "zone"),
        ("drain A --within soon", "is no span of time"),
        ("drain A --deadline someday", "is no time"),
        ("drain A --then sleep", "not one of"),
        ("quit-after some A", "is no number"),
        ("quit-after -2 A", "after"),
        ("quit-after 1 A --unit pulses", "not one of"),
        ("heartbeat --every 0 A", "--every"),
        ("window 25:00 1h A", "is no time"),
        ("window 08:00 long A", "is no span of time"),
        ("window 08:00 1h A --repeat monthly", "not one of"),
        ("window-remove", "Missing argument"),
        ("load", "Missing argument"),
        ("diff /none/there", "/none/there"),
    ),
    "server-restart": (("", "Missing argument"), ("A:1 2", "CLASS:ID"), ("A:1:2", "server")),
    "server-stop": (("A B C", "CLASS:ID"), ("A:", "server")),
    "server-quit": (("", "Missing argument"), (":1", "server")),
    "server-abort": (("", "Missing argument"), ("A P X", "CLASS[:ID] [PATH]")),
    "servers": (("A", "unexpected extra argument"),),
    "server-log": (("", "Missing argument"), ("A:1 B", "one CLASS:ID"), ("A:1 -n 0", "range")),
    "clear-url": (("", "Missing argument"), ("a b", "one URL")),
    "quit": (("now", "unexpected extra argument"),),
    "status": (
        ("now", "unexpected extra argument"),
        ("--timeout -1", "--timeout"),
        ("--timeout inf", "--timeout"),
    ),
    "shots": (("A B", "at most one TREE"), ("1A", "tree")),
    "actions": (("TEST", "both TREE and SHOT"), ("--phase", "requires an argument")),
    "print-pending": (("now", "unexpected extra argument"),),
    "show": (("", "Missing argument"), ("P TEST", "PATH [TREE/SHOT]")),
    "logs": (
        ("", "Missing argument"),
        ("P --attempt 0", "--attempt"),
        ("P --since -1", "--since"),
        ("P --limit 0", "--limit"),
    ),
    "show-log": (("", "Missing argument"),),
    "check": (("TEST", "both TREE and SHOT"),),
    "audit": (
        ("now", "unexpected extra argument"),
        ("--since tomorrow", "is no time"),
        ("--since 5x", "is no time"),
        ("--shot 42", "neither TREE/SHOT nor TREE"),
        ("--shot TEST/x", "neither TREE/SHOT nor TREE"),
        ("--outcome fine", "--outcome"),
        ("-n 0", "-n"),
    ),
    "tree": (("TEST", "both TREE and SHOT"), ("TEST x", "whole number")),
    "check-experiment": (("", "Missing argument"), ("/none/there", "cannot be read")),
    "current": (
        ("", "Missing argument"),
        ("TEST x", "whole number"),
        ("TEST 0", "set_to"),
        ("TEST 1 2", "TREE SHOT"),
        ("TEST 1 --increment", "TREE --increment"),
    ),
    "snapshot": (("", "Missing argument"),),
    "watch": (("TEST", "both TREE and SHOT"), ("TEST x", "whole number")),
    "display-logs": (("TEST 42 A", "CLASS PATH|ANY [TREE/SHOT]"), ("TEST x A ANY", "whole number")),
    "up": (("now", "possible is: start [NAME]"), ("restart", "restart NAME"), ("stop A B", "NAME")),
    "demo": (("--folder", "requires an argument"), ("now", "unexpected extra argument")),
    "check-config": (("a b", "at most one FILE"),),
    "keys": (
        ("", "Missing argument"),
        ("make", "give init"),
        ("new", "give init"),
        ("list A:1", "give init"),
        ("rotate begin now", "give init"),
        ("rotate back --folder /none", "give begin, switch or finish"),
        ("rotate --folder /none", "be read"),
        ("list --role server", "go with new NAME"),
        ("new A:1 --folder /none", "give --role"),
        ("new A:1 --role chief --folder /none", "give --role"),
        ("new a@b --role viewer --folder /none", "cannot have the name"),
        ("new A:1 --role server --folder /none", "give --classes"),
        ("new me --role viewer --classes A --folder /none", "with no other role"),
        ("new me --role viewer --folder /none", "there are no keys in /none"),
    ),
    "users": (
        ("", "Missing argument"),
        ("add", "give add NAME"),
        ("list anna", "give add NAME"),
        ("forget anna", "give add NAME"),
        ("add anna --file /none/users", "give --role"),
        ("add an/na --role viewer --file /none/users", "is no name"),
        ("add anna --role chief --file /none/users", "no role 'chief'"),
        ("token grafana --file /none/users", "give --scope"),
        ("token grafana --scope all --file /none/users", "unknown scope"),
        ("remove anna --file /none/users", "no user and no token"),
    ),
    "failures": (("--since", "requires an argument"), ("--nonsense", "No such option")),
    "search": (("", "Missing argument"),),
    "compare": (("TEST/1", "Missing argument"), ("TEST/1 TEST/x", "write TREE/SHOT")),
    "trend": (("", "Missing argument"), ("TEST", "Missing argument")),
    "note": (("", "Missing argument"), ("TEST text", "write TREE/SHOT")),
    "export": (("", "Missing argument"), ("TEST", "write TREE/SHOT")),
    "import": (("", "Missing argument"), ("/none/there", "does not exist")),
    "version": (("now", "unexpected extra argument"),),
    "doctor": (("now", "unexpected extra argument"), ("--page", "requires an argument")),
    "debug": (
        ("", "Missing argument"),
        ("hang", "give hang DAEMON"),
        ("explode hub", "give hang DAEMON"),
    ),
    "support-bundle": (("a b", "at most one FILE"),),
    "completion": (("", "Missing argument"), ("tcsh", "not one of")),
}
LINES = [(name, words, text) for name, wrong in WRONG.items() for words, text in wrong]


@pytest.fixture(autouse=True)
def unreachable(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fail when a command line gets as far as sending something."""

    def ask(self: Supervisor, *_: object) -> None:
        pytest.fail("the command was sent")

    monkeypatch.setattr("shotline.client.connection.Connection.ask", ask)
    monkeypatch.setenv("SHOTLINE_BROKER", "tcp://127.0.0.1:9")


def test_every_command_has_wrong_lines() -> None:
    assert set(WRONG) == set(shotline.commands)


@pytest.mark.parametrize(("name", "words", "text"), LINES)
def test_wrong_arguments_are_said_in_words(
    name: str, words: str, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run([name, *words.split()]) == 1
    said = capsys.readouterr()
    assert text in said.err
    assert "Traceback" not in said.err
    assert said.out == ""


@pytest.mark.parametrize("name", sorted(WRONG))
def test_every_command_has_help_with_an_example_and_json(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run([name, "--help"]) == 0
    said = capsys.readouterr().out
    assert "Example" in said
    assert f"shotline {name}" in said or f"{name} bash" in said or f" {name}" in said
    assert "--json" in said
    documented = shotline.commands[name].help
    assert documented


@pytest.mark.parametrize("name", sorted(WRONG))
def test_every_command_is_known_by_its_name_with_underscores(name: str) -> None:
    with click.Context(shotline) as ctx:
        assert shotline.get_command(ctx, name.replace("-", "_")) is shotline.commands[name]


@pytest.mark.parametrize(("name", "words", "text"), LINES)
def test_wrong_arguments_are_an_object_where_one_is_wanted(
    name: str, words: str, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["--json", name, *words.split()]) == 1
    said = capsys.readouterr()
    assert said.err == ""
    (line,) = said.out.splitlines()
    shown = json.loads(line)
    assert (shown["outcome"], shown["exit_code"]) == ("usage", 1)
    assert text in shown["message"]


def groups(command: click.Command, name: str) -> Iterator[tuple[str, click.Group]]:
    if isinstance(command, click.Group):
        yield name, command
        for one in command.commands.values():
            yield from groups(one, f"{name} {one.name}")


@pytest.mark.parametrize(("name", "group"), list(groups(shotline, "shotline")))
def test_help_shows_every_command_once_and_its_first_sentence_whole(
    name: str, group: click.Group
) -> None:
    shown = group.get_help(click.Context(group, info_name=name, terminal_width=72))
    words = " ".join(shown.split())
    for one in group.commands.values():
        if not one.hidden:
            sentence = " ".join((one.help or "").split("\n\n")[0].split())
            assert words.count(f" {one.name} {sentence}") == 1
    assert "..." not in words.replace("[NAME=VALUE]...", "").replace("[ARGS]...", "")


def test_every_command_stands_under_a_heading_of_its_own() -> None:
    shown = shotline.get_help(click.Context(shotline))
    assert "\nCommands:\n" not in shown
    assert len(shotline.sections) > 4


@pytest.mark.parametrize("word", ["--version", "-V"])
def test_the_version_is_shown(word: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([word]) == 0
    assert capsys.readouterr().out == f"shotline {__version__}\n"


def test_an_unknown_command_is_said_in_words(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["launch"]) == 1
    assert "No such command" in capsys.readouterr().err


def test_options_may_stand_before_or_after_the_command() -> None:
    for line in (["--json", "version"], ["version", "--json"]):
        with shotline.make_context("shotline", line, obj=cli_base.Options()) as ctx:
            shotline.invoke(ctx)
            assert cli_base.options_of(ctx).json


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["TEST", "-1"], ("TEST", "-1")),
        (["TEST/42"], ("TEST", "42")),
        (["TEST/-1"], ("TEST", "-1")),
        (["-−1"], None),
        (["\\TEST::TOP/X"], ("\\TEST::TOP/X",)),
    ],
)
def test_words_keep_signs_and_shots_may_be_written_in_one(
    words: list[str], expected: tuple[str, ...] | None
) -> None:
    got: list[tuple[str, ...]] = []

    @click.command("probe", cls=cli_base.ShotlineCommand)
    @cli_base.words("[WORDS]")
    def probe(given: tuple[str, ...]) -> None:
        got.append(given)

    if expected is None:
        with pytest.raises(click.UsageError):
            probe.main(words, standalone_mode=False)
    else:
        probe.main(words, standalone_mode=False)
        assert got == [expected]


@pytest.mark.parametrize(
    ("before", "words", "expected"),
    [
        (("PATH",), ["GAS:PUFF"], (["GAS:PUFF"], None, None)),
        (("PATH",), ["GAS:PUFF", "TEST", "42"], (["GAS:PUFF"], "TEST", 42)),
        (("PATH",), ["TEST", "42", "GAS:PUFF"], (["GAS:PUFF"], "TEST", 42)),
        (("PHASE", "FIRST", "LAST"), ["P", "1", "2"], (["P", "1", "2"], None, None)),
        (("PHASE", "FIRST", "LAST"), ["P", "1", "2", "T", "3"], (["P", "1", "2"], "T", 3)),
        (("PHASE", "FIRST", "LAST"), ["T", "3", "P", "1", "2"], (["P", "1", "2"], "T", 3)),
        (("PHASE", "FIRST", "LAST"), ["T", "-1", "P", "-2", "2"], (["P", "-2", "2"], "T", -1)),
        (("CLASS", "PATH|ANY"), ["A", "ANY", "TEST", "42"], (["A", "ANY"], "TEST", 42)),
        (("CLASS", "PATH|ANY"), ["TEST", "42", "A", "ANY"], (["A", "ANY"], "TEST", 42)),
    ],
)
def test_a_shot_may_stand_behind_what_is_meant_of_it_or_before(
    before: tuple[str, ...], words: list[str], expected: tuple[list[str], str | None, int | None]
) -> None:
    assert cli_base.and_shot(words, *before) == expected


@pytest.mark.parametrize("word", ["test/42", "TEST/42"])
def test_a_shot_is_one_word_where_several_are_given(word: str) -> None:
    assert cli_base.SHOT.convert(word, None, None) == ("TEST", 42)


@pytest.mark.parametrize("word", ["TEST", "42", "TEST/", "/42", "TEST/x", "TEST/4/2", "TEST/٣"])
def test_what_is_no_shot_is_said(word: str) -> None:
    with pytest.raises(click.UsageError, match="write TREE/SHOT"):
        cli_base.SHOT.convert(word, None, None)


@pytest.mark.parametrize(
    ("line", "incomplete", "expected"),
    [
        ([], "do-", {"do-phase", "do-sequence"}),
        (
            [],
            "server-",
            {
                "server-restart",
                "server-stop",
                "server-quit",
                "server-abort",
                "server-log",
            },
        ),
        (["do-phase"], "--w", {"--wait"}),
        (["completion"], "", {"bash", "zsh", "fish"}),
    ],
)
def test_the_shell_completes_commands_and_options(
    line: list[str], incomplete: str, expected: set[str]
) -> None:
    completion = BashComplete(shotline, {}, "shotline", "_SHOTLINE_COMPLETE")
    found = {item.value for item in completion.get_completions(line, incomplete)}
    assert found == expected


def test_the_completion_script_asks_shotline(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["completion", "bash"]) == 0
    script = capsys.readouterr().out
    assert "_SHOTLINE_COMPLETE=bash_complete" in script
    assert "complete -o nosort -F" in script


def test_a_wrong_configuration_is_said_with_its_line(
    tmp_path: object, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    file = f"{tmp_path}/config.yaml"
    with open(file, "w") as written:  # noqa: PTH123
        written.write("broker:\n  heartbeat_s: soon\n  unknown: 1\n")
    assert run(["check-config", file]) == 1
    said = capsys.readouterr().err
    assert f"{file}:2" in said
    assert f"{file}:3" in said
    monkeypatch.delenv("SHOTLINE_BROKER")
    assert run(["--config", file, "status"]) == 1
    assert f"{file}:2" in capsys.readouterr().err


def test_a_fault_of_ours_is_words_and_exit_code_4(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_: object) -> int:
        raise ZeroDivisionError("oh")

    monkeypatch.setattr(cli, "run", broken)
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 4
    said = capsys.readouterr().err
    assert "ZeroDivisionError: oh" in said
    assert "Traceback" not in said


@pytest.mark.parametrize(
    ("line", "goes_on"),
    [("do-phase INIT --wait", True), ("wait", True), ("status", False), ("do-phase INIT", False)],
)
def test_an_interrupted_wait_says_what_goes_on(
    line: str,
    goes_on: bool,  # noqa: FBT001
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Supervisor, "ask", interrupted)
    with pytest.raises((KeyboardInterrupt, click.Abort)):
        run(line.split())
    assert ("`shotline abort` ends it" in capsys.readouterr().err) is goes_on


def test_a_task_takes_arguments_in_order_and_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[tuple[object, ...]] = []

    def run_task(function: str, named: object, *, positional: object, **_: object) -> None:
        given.append((function, named, positional))
        raise click.Abort

    monkeypatch.setattr("shotline.client.verbs.queue_verbs.queue_run_task", run_task)
    run(["queue", "task", "run", "calibrate", "-3", "coil", "[1]", "ka=400", "name=x"])
    assert given == [("calibrate", {"ka": 400, "name": "x"}, [-3, "coil", [1]])]
