"""The end of a server's log, as the dispatcher keeps it: in order, bounded, also of the dead."""

from tests.support.dispatching import Bench, view_of
from tests.support.tables import action

from shotline.common import commands as c
from shotline.common.channels import LOG
from shotline.common.messages import LivenessState, LogLevel, LogLine, Outcome
from shotline.common.views import ServerLogResult
from shotline.dispatcher.server_logs import LAST_WORDS, LINES_MAX


def says(bench: Bench, at: float, text: str, level: LogLevel = "info") -> None:
    bench.from_server("SRV_A:1", LogLine(source="SRV_A:1", level=level, text=text, at=at))


def told(bench: Bench, limit: int = LINES_MAX) -> list[str]:
    found = view_of(bench.told(c.ServerLog(server="SRV_A:1", limit=limit)))
    assert isinstance(found, ServerLogResult)
    return [line.text for line in found.lines]


def test_the_last_lines_are_kept_each_once() -> None:
    bench = Bench(action("A", 1)).register("SRV_A:1")
    for at in range(2 * LINES_MAX):
        says(bench, float(at), f"line {at}")
    says(bench, 5.0, "line 5")  # as after a registration
    assert told(bench) == [f"line {at}" for at in range(LINES_MAX, 2 * LINES_MAX)]
    assert told(bench, 2) == [f"line {at}" for at in (2 * LINES_MAX - 2, 2 * LINES_MAX - 1)]


def test_observers_hear_what_matters_once() -> None:
    bench = Bench(action("A", 1)).register("SRV_A:1")
    says(bench, 1.0, "registers anew")
    for _ in range(2):
        says(bench, 2.0, "full", "warning")
    heard = [event.payload for event in bench.events if event.channel == LOG]
    assert sum(b"full" in payload for payload in heard) == 1
    assert not any(b"registers anew" in payload for payload in heard)


def test_the_last_words_of_a_lost_server_outlive_a_restart() -> None:
    bench = Bench(action("A", 1)).register("SRV_A:1")
    for at in range(LINES_MAX):
        says(bench, float(at), f"line {at}")
    bench.judge("SRV_A:1", LivenessState.LOST)
    assert told(bench)[-1] == f"line {LINES_MAX - 1}"
    later = bench.restart(recover=True)
    assert told(later) == [f"line {at}" for at in range(LINES_MAX - LAST_WORDS, LINES_MAX)]


def test_of_a_server_that_nobody_knows_there_is_none() -> None:
    reply = Bench(action("A", 1)).told(c.ServerLog(server="SRV_B:1"))
    assert (reply.outcome, reply.unknown) == (Outcome.REFUSED, True)
