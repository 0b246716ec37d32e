"""What the shell is offered for a word, and what bash is told of it."""

from pathlib import Path

import pytest

from shotline.client.cli.completion import Known, complete, forms
from shotline.client.cli.completion_bash import rest_of_word, split
from shotline.client.errors import NoBroker
from shotline.client.fake import FakeAction, FakeShotline

BREAKS = " \t\n\"'@><=;|&(:"
CONFIG = """
experiments:
  DEMO: {source: {kind: file, file: demo.yaml}}
up:
  servers: [{class: GAS, id: "2"}, {class: DAQ}]
monitor:
  expected_servers: ["NBI:7"]
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    file = tmp_path / "config.yaml"
    file.write_text(CONFIG)
    (tmp_path / "demo.yaml").write_text("actions: []\n")
    return file


@pytest.fixture
def shotline() -> FakeShotline:
    puff = FakeAction("\\TEST::TOP.GAS:PUFF", "INIT", "GAS", 10)
    shotline = FakeShotline({"TEST": [puff, FakeAction("FIRE", "PULSE", "NBI", 10)]})
    for shot in (41, 42, 1042):
        shotline.create_pulse("TEST", shot)
        shotline.build_tables("TEST", shot)
    return shotline


def offered(
    shotline: FakeShotline,
    metavar: str,
    line: str,
    incomplete: str = "",
    config: Path | None = None,
) -> list[str]:
    known = Known(config or Path("/nowhere/config.yaml"), lambda: shotline)
    return [item.value for item in complete(metavar, line.split(), incomplete, known)]


@pytest.mark.parametrize(
    ("metavar", "expected"),
    [
        ("", [()]),
        ("TREE [SHOT]", [("TREE",), ("TREE", "SHOT")]),
        ("PHASE [TREE/SHOT]", [("PHASE",), ("PHASE", "TREE", "SHOT"), ("TREE", "SHOT", "PHASE")]),
        (
            "[PATH] [TREE/SHOT]",
            [
                (),
                ("TREE", "SHOT"),
                ("PATH",),
                ("PATH", "TREE", "SHOT"),
                ("TREE", "SHOT", "PATH"),
            ],
        ),
        ("CLASS[:ID] [PATH]", [("SERVER",), ("SERVER", "PATH")]),
    ],
)
def test_a_metavar_says_which_words_may_follow(
    metavar: str, expected: list[tuple[str, ...]]
) -> None:
    assert forms(metavar) == expected


@pytest.mark.parametrize(
    ("metavar", "line", "incomplete", "expected"),
    [
        ("[TREE/SHOT]", "", "", ["TEST"]),
        ("[TREE/SHOT]", "", "te", ["TEST"]),
        ("[TREE/SHOT]", "", "X", []),
        ("[TREE/SHOT]", "", "TEST/4", ["TEST/42", "TEST/41"]),
        ("[TREE/SHOT]", "TEST", "", ["1042", "42", "41"]),
        ("[TREE/SHOT]", "test", "4", ["42", "41"]),
        ("[TREE/SHOT]", "TEST 42", "", []),
        ("TREE/NEW_SHOT", "TEST", "", ["1043"]),
        ("PHASE [TREE/SHOT]", "", "", ["INIT", "PULSE", "TEST"]),
        ("PHASE [TREE/SHOT]", "TEST", "", ["1042", "42", "41"]),
        ("PHASE [TREE/SHOT]", "TEST 42", "p", ["PULSE"]),
        ("PHASE FIRST LAST [TREE/SHOT]", "INIT", "", []),
        ("PATH [TREE/SHOT]", "", "\\TEST", ["\\TEST::TOP.GAS:PUFF"]),
        ("PATH [TREE/SHOT]", "", "\\test::TOP.G", ["\\TEST::TOP.GAS:PUFF"]),
        ("PATH [TREE/SHOT]", "", "F", ["FIRE"]),
        ("PATH [TREE/SHOT]", "FIRE", "", ["TEST"]),
        ("PATH [TREE/SHOT]", "FIRE TEST", "41", ["41"]),
        ("PATH [TREE/SHOT]", "TEST 42", "F", ["FIRE"]),
        ("CLASS PATH|ANY [TREE/SHOT]", "TEST 42", "", ["GAS", "NBI"]),
        ("CLASS PATH|ANY [TREE/SHOT]", "TEST 42 NBI", "", ["FIRE", "ANY"]),
        ("URL", "", "", []),
    ],
)
def test_what_is_there_is_offered_and_nothing_else(
    shotline: FakeShotline, metavar: str, line: str, incomplete: str, expected: list[str]
) -> None:
    assert offered(shotline, metavar, line, incomplete) == expected


def test_the_configuration_s_experiments_and_servers_are_offered(
    shotline: FakeShotline, config: Path
) -> None:
    assert offered(shotline, "[TREE/SHOT]", "", config=config) == ["DEMO", "TEST"]
    servers = offered(shotline, "CLASS[:ID]", "", config=config)
    assert servers == ["DAQ", "GAS", "NBI", "DAQ:1", "GAS:1", "GAS:2", "NBI:1", "NBI:7"]
    assert offered(shotline, "CLASS[:ID]", "", "gas:", config=config) == ["GAS:1", "GAS:2"]


def test_where_nobody_answers_the_configuration_is_what_is_known(
    shotline: FakeShotline, config: Path
) -> None:
    shotline.raises_next(NoBroker("no broker answers"))
    assert offered(shotline, "[TREE/SHOT]", "", config=config) == ["DEMO"]

    def nobody() -> FakeShotline:
        raise NoBroker("no broker answers")

    assert complete("PHASE", (), "", Known(config, nobody)) == []
    config.write_text("brokr: {}\n")
    assert complete("[TREE/SHOT]", (), "", Known(config, nobody)) == []


def test_nobody_is_asked_for_words_that_need_nobody() -> None:
    def never() -> FakeShotline:
        raise AssertionError("a connection was made")

    [file] = complete("[FILE]", (), "etc/", Known(None, never))
    assert (file.type, file.value) == ("file", "etc/")
    assert complete("PHASE FIRST LAST [TREE/SHOT]", ["A", "B"], "", Known(None, never)) == []


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("shotline ", ["shotline", ""]),
        ("shotline sho", ["shotline", "sho"]),
        ("shotline show \\\\TEST::TOP", ["shotline", "show", "\\TEST::TOP"]),
        ("shotline show '\\TEST::TOP", ["shotline", "show", "\\TEST::TOP"]),
        ("shotline show '\\TEST::TOP' ", ["shotline", "show", "\\TEST::TOP", ""]),
        ("shotline --broker tcp://a:1 do", ["shotline", "--broker", "tcp://a:1", "do"]),
        ("shotline show \\", ["shotline", "show", ""]),
    ],
)
def test_a_line_is_taken_apart_as_the_shell_does(line: str, expected: list[str]) -> None:
    assert split(line) == expected


@pytest.mark.parametrize(
    ("line", "value", "expected"),
    [
        ("shotline show ", "\\TEST::TOP:A", "\\\\TEST::TOP:A"),
        ("shotline show \\\\TE", "\\TEST::TOP:A", "\\\\TEST::TOP:A"),
        ("shotline show \\\\TEST::T", "\\TEST::TOP:A", "TOP:A"),
        ("shotline show \\\\TEST::TOP:", "\\TEST::TOP:A B", "A\\ B"),
        ("shotline show '\\TEST::T", "\\TEST::TOP:A", "\\TEST::TOP:A"),
        ("shotline server-stop GAS:", "GAS:1", "1"),
        ("shotline --broker tcp://a:1 server-stop G", "GAS:1", "GAS:1"),
    ],
)
def test_bash_is_told_the_rest_of_the_word(line: str, value: str, expected: str) -> None:
    assert rest_of_word(line, BREAKS, value) == expected
