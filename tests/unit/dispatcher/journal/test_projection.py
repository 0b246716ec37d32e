"""The commands of a commit: few, small enough for Lua, and in the records' order."""

from shotline.common.actions import ActionState
from shotline.common.nodes import ActionNode, DispatchOptions
from shotline.common.records import (
    Commit,
    Counts,
    RunEnded,
    RunKind,
    RunOpened,
    RunOutcome,
    ShotKey,
    ShotRecord,
    StoredOutput,
    TableBuilt,
    Transition,
    encode_record,
)
from shotline.dispatcher.journal import encode_commit
from shotline.dispatcher.journal.layout import Keys
from shotline.dispatcher.journal.projection import ARGUMENTS_MAX, commands

SHOT = ShotKey("TEST", 42)


def moved(path: str, state: ActionState = ActionState.DOING) -> Transition:
    return Transition(time=1.0, path=path, state=state)


def of(*records: ShotRecord, outputs: tuple[StoredOutput, ...] = ()) -> list[tuple[object, ...]]:
    commit = Commit(3, 7, {SHOT: records} if records else {}, (), outputs)
    return list(commands(Keys("shotline:"), encode_commit(commit)))


def test_many_transitions_are_two_commands_and_the_last_of_an_action_counts() -> None:
    last = moved("A", ActionState.DONE)
    stream, actions = of(moved("A"), moved("B"), last)
    assert stream[:3] == ("XADD", "shotline:TEST:42:journal", b"3-7")
    assert actions == (
        *("HSET", "shotline:TEST:42:actions"),
        *("A", encode_record(last), "B", encode_record(moved("B"))),
    )


def test_no_command_is_too_long_for_lua() -> None:
    paths = tuple(f"A{number}" for number in range(10_000))
    table = TableBuilt(
        time=1.0,
        actions=tuple(ActionNode(path=path, name=path) for path in paths),
        options=DispatchOptions(),
    )
    opened = RunOpened(time=1.0, run=1, kind=RunKind.PHASE, phase="PULSE", paths=paths)
    output = StoredOutput("TEST", 42, "A", 1, 0, tuple((1.0, 1, b"x") for _ in paths))
    made = of(table, opened, *map(moved, paths), outputs=(output,))
    assert max(map(len, made)) <= ARGUMENTS_MAX + 2
    for key in ("nodes", "actions"):
        hash_ = f"shotline:TEST:42:{key}"
        told = [command[2::2] for command in made if command[:2] == ("HSET", hash_)]
        assert [path for some in told for path in some] == list(paths)
    assert sum(len(command) - 2 for command in made if command[0] == "RPUSH") == 10_000


def test_a_reset_table_forgets_the_actions_before_it_and_keeps_those_after() -> None:
    table = TableBuilt(time=1.0, actions=(), options=DispatchOptions(), reset=True)
    made = of(moved("A"), table, moved("B"))
    keys = "shotline:TEST:42:actions"
    after = made[made.index(("DEL", keys)) + 1 :]
    assert ("HSET", keys, "B", encode_record(moved("B"))) in after
    assert not [command for command in made if command[:3] == ("HSET", keys, "A")]


def test_a_run_that_opens_and_ends_in_one_commit_is_not_open() -> None:
    opened = RunOpened(time=1.0, run=1, kind=RunKind.PHASE, phase="PULSE")
    ended = RunEnded(time=2.0, run=1, outcome=RunOutcome.COMPLETED, counts=Counts())
    made = of(opened, ended)
    where = [made.index((word, "shotline:open", "TEST/42")) for word in ("SADD", "SREM")]
    assert where == sorted(where)


def test_an_output_without_pieces_writes_nothing() -> None:
    assert of(outputs=(StoredOutput("TEST", 42, "A", 1, 5, ()),)) == []
