"""Random tables, executed for real over several classes and instances: order, and each one's end.

The tasks write down when they start and end; what must become of each action is worked out by
`tests.support.order`, and the journal is judged by the simulation's checker (I3, I5, D2 to D5).
"""

import contextlib
import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from tests.simulation.checks import ShotCheck
from tests.support.order import PHASES, Drawn, Fates, check_order, draw, text_of
from tests.support.stack import Stack

from shotline.common.actions import ActionState, Status
from shotline.common.records import ShotKey, ShotRecord, Transition
from shotline.common.views import ActionView
from shotline.dispatcher.journal.layout import Entry, Keys, parse_journal

TREE = "TEST"
SEEDS = range(12)

_TASK = """
echo "start $1" >> order
for i in $(seq "$2"); do sleep 0.01; done
echo "end $1" >> order
exit "$3"
"""


def experiment(drawn: Drawn) -> str:
    """Return a table as an experiment file."""
    declared = {
        "experiment": TREE,
        "phases": {name: number for number, name in enumerate(PHASES, 1)},
        "dispatch": {
            name: getattr(drawn.options, name) for name in ("barrier", "synchronize_at", "test")
        },
        "actions": [
            {
                "path": one.name,
                "server_class": one.server_class,
                "phase": one.phase,
                "when": one.when if isinstance(one.when, int) else text_of(one.when),
                "on": one.on,
                "task": {
                    "shell": ["sh", "-c", _TASK, "task", one.name, str(one.weight), str(1 - one.ok)]
                },
            }
            for one in drawn.actions
        ],
    }
    return yaml.safe_dump(_plain(declared))


def _plain(value: object) -> object:
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items()}
    return [_plain(one) for one in value] if isinstance(value, tuple | list) else value


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    folder = tmp_path_factory.mktemp("order")
    file = folder / "experiment.yaml"
    file.write_text(experiment(draw(0)))
    servers = ("SRV_A:1*2", "SRV_A:2", "SRV_B:1", "SRV_B:2", "SRV_C:1*3")
    with Stack(folder, servers, {TREE: file}) as running:
        yield running


_numbers = itertools.count(1)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_random_table_keeps_its_order_and_ends_as_it_must(stack: Stack, seed: int) -> None:
    drawn = draw(seed)
    (stack.folder / "experiment.yaml").write_text(experiment(drawn))
    key = ShotKey(TREE, next(_numbers))
    fates = Fates(drawn)
    with stack.supervisor() as shotline:
        shotline.create_pulse(*key)
        shotline.build_tables(*key)
        folder = next(stack.folder.glob(f"**/pulses/{TREE}/{key.shot}"))
        for phase in (name for name in PHASES if drawn.of_phase(name)):
            report = shotline.do_phase(phase, *key)
            log = _taken(folder / "order")
            check_order(drawn, phase, log, fates)
            fates.do_phase(phase)
            ends = {view.name: end_of(view) for view in report.actions}
            assert ends == {one.name: fates.fate[one.name] for one in drawn.of_phase(phase)}
            assert report.run.state == "ended"
    check_journal(stack, key, drawn)


def check_journal(stack: Stack, key: ShotKey, drawn: Drawn) -> None:
    """Judge what is journalled: each dispatch at its turn, each run's end once and last."""
    check = ShotCheck()
    for record in journal(stack, key):
        check.take(record)
        if not isinstance(record, Transition) or record.state is not ActionState.DISPATCHED:
            continue
        assert record.attempt == 1, f"I1: {record.path} was tried again, and nobody asked for it"
        if drawn.options.test == "success":  # the checker knows no other
            assert record.run is not None
            check.check_order(record.path, record.run)
    assert set(check.ended.values()) == {1}
    assert len(check.ended) == len(check.runs)


def journal(stack: Stack, key: ShotKey) -> list[ShotRecord]:
    with contextlib.closing(stack.redis.client()) as connection:
        found = connection.xrange(Keys(stack.config.redis.key_prefix).of(key).journal)
    entries: list[Entry] = [
        (entry_id, [part for pair in fields.items() for part in pair]) for entry_id, fields in found
    ]
    return parse_journal(key, entries)


def end_of(view: ActionView) -> str:
    """Return in one word how an action has ended."""
    last = view.last
    assert last.cause is not None, f"I5: {view.name} has not settled: {view.waits_for}"
    if last.state is ActionState.DONE:
        return Status(last.status or "").value
    return last.cause.value


def _taken(file: Path) -> list[str]:
    """Return the lines of a file, and empty it."""
    if not file.exists():
        return []
    lines = file.read_text().splitlines()
    file.unlink()
    return lines
