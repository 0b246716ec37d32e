"""The command line as a process against a scripted broker: exit codes, JSON, text, completion."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator

import pytest
from tests.support.fake_broker import FakeBroker, fake_broker, reply

from shotline.common.commands import (
    Abort,
    AnyCommand,
    BuildTables,
    DispatchAction,
    DoPhase,
    DoSequence,
    ServerAbort,
    ServerRestart,
    Show,
)
from shotline.common.messages import EXIT_CODES, Outcome, Reply, Request
from shotline.common.views import CheckResult, StatusResult

DEADLINE_S = 60.0


class Script:
    """A broker whose next answer the test has chosen."""

    def __init__(self) -> None:
        self.outcome = Outcome.OK
        self.message = "done"
        self.broker: FakeBroker

    def handle(self, request: Request, command: AnyCommand) -> list[Reply]:
        if command.verb == "status":
            status = StatusResult(term=3, dispatcher="d", started_at=0.0, journal="degraded")
            return [reply(request, self.outcome, self.message, status)]
        if command.verb == "check":
            return [reply(request, self.outcome, self.message, CheckResult(failures=()))]
        return [reply(request, self.outcome, self.message)]

    def asked(self) -> AnyCommand:
        return self.broker.requests.get(timeout=DEADLINE_S)[1]


@pytest.fixture(scope="module")
def script() -> Iterator[Script]:
    made = Script()
    with fake_broker(made.handle) as broker:
        made.broker = broker
        yield made


def shotline(script: Script | None, *words: str, **environment: str) -> tuple[int, str, str]:
    """Run `shotline` and return exit code, standard output, standard error."""
    address = script.broker.address if script is not None else "tcp://127.0.0.1:9"
    done = subprocess.run(
        [sys.executable, "-m", "shotline.client.cli", *words],
        env={**os.environ, "SHOTLINE_BROKER": address, **environment},
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
    )
    assert "Traceback" not in done.stderr
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize("outcome", [one for one in Outcome if one is not Outcome.ACCEPTED])
def test_each_outcome_has_its_exit_code_also_in_json(script: Script, outcome: Outcome) -> None:
    script.outcome, script.message = outcome, "because \x1b[31mof that"
    code, out, err = shotline(script, "create-pulse", "TEST", "42")
    assert code == EXIT_CODES[outcome]
    said = out if outcome in (Outcome.OK, Outcome.FAILED) else err
    assert "because \\x1b[31mof that" in said
    code, out, err = shotline(script, "create_pulse", "TEST/42", "--json")
    assert code == EXIT_CODES[outcome]
    assert json.loads(out) == {
        "outcome": outcome.value,
        "exit_code": code,
        "message": "because \x1b[31mof that",
        "notices": [],
        "result": None,
        "dangers": [],
    }
    script.outcome, script.message = Outcome.OK, "done"
    script.asked()
    script.asked()


@pytest.mark.parametrize(
    ("line", "command"),
    [
        ("build-tables", BuildTables()),
        ("build_tables test 7 --reset", BuildTables(tree="TEST", shot=7, reset=True)),
        ("build-tables TEST -1", BuildTables(tree="TEST", shot=-1)),
        ("do-phase INIT", DoPhase(phase="INIT")),
        ("do_phase TEST 7 INIT --wait", DoPhase(tree="TEST", shot=7, phase="INIT", wait=True)),
        (
            "do-sequence TEST 7 INIT -5 20 --even-if-running",
            DoSequence(tree="TEST", shot=7, phase="INIT", first=-5, last=20, even_if_running=True),
        ),
        (
            "dispatch P TEST 7 --even-if-off",
            DispatchAction(tree="TEST", shot=7, path="P", even_if_off=True),
        ),
        ("abort", Abort()),
        ("abort TEST 7", Abort(tree="TEST", shot=7)),
        ("abort TEST 7 P", Abort(tree="TEST", shot=7, path="P")),
        ("server-restart A 1", ServerRestart(server="A:1")),
        ("server_restart A:1", ServerRestart(server="A:1")),
        ("server_abort A P", ServerAbort(server="A", path="P")),
    ],
)
def test_the_arguments_become_the_command(script: Script, line: str, command: AnyCommand) -> None:
    # Without a result of its kind in the reply, what is shown is the message alone.
    assert shotline(script, *line.split(), "--json")[0] == 0
    assert script.asked() == command


def test_show_log_is_logs_in_the_spelling_of_others(script: Script) -> None:
    shotline(script, "show", "TEST", "7", "P", "--json")
    assert script.asked() == Show(tree="TEST", shot=7, path="P")


def test_a_degraded_journal_is_said(script: Script) -> None:
    code, out, _ = shotline(script, "status")
    assert code == 0
    assert "DEGRADED" in out
    assert "term 3" in out
    script.asked()


def test_without_a_broker_it_is_said_with_exit_code_3() -> None:
    code, out, err = shotline(None, "status", "--timeout", "0.5")
    assert (code, out) == (3, "")
    assert "no broker answers at tcp://127.0.0.1:9" in err


def test_a_reader_that_has_had_enough_is_no_fault(script: Script) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "wb") as full:
        done = subprocess.run(
            [sys.executable, "-m", "shotline.client.cli", "status"],
            env={**os.environ, "SHOTLINE_BROKER": script.broker.address},
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=DEADLINE_S,
        )
    assert (done.returncode, done.stderr) == (0, "")
    script.asked()


def test_the_shell_is_answered() -> None:
    code, out, _ = shotline(
        None, _SHOTLINE_COMPLETE="bash_complete", COMP_LINE="shotline do-p", COMP_WORDBREAKS=" :"
    )
    assert code == 0
    assert out.split() == ["plain,do-phase"]
