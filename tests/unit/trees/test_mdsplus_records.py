"""What MDSplus records mean: all forms of `when`, phases, tasks, and what has no meaning."""

import pytest
from mdsthin.internals import opcbuiltins

from shotline.common.nodes import (
    ActionNode,
    And,
    ConditionWhen,
    DispatchType,
    Expression,
    MdsplusTask,
    Not,
    Or,
    Reference,
    SequenceWhen,
    UnusableWhen,
)
from shotline.trees import mdsplus_records as records
from shotline.trees.mdsplus_records import NodeFacts, action_node, when_of
from shotline.trees.mdsplus_terms import (
    ACTION,
    CONDITION,
    DEPENDENCY,
    DISPATCH,
    FUNCTION,
    METHOD,
    PROCEDURE,
    PROGRAM,
    ROUTINE,
    MdsRecord,
    MdsTerm,
    MdsText,
    NodeRef,
    Nothing,
    Number,
    Other,
    PathRef,
)

A, B, C = (Reference(path=f"\\T::TOP:{name}") for name in "ABC")
MISSING = Reference(path="\\T::TOP:GONE", missing=True)
WITH_UNITS = 211
NUMBER_NODE, TEXT_NODE, ARRAY_NODE = 90, 91, 92


class Lookup:
    """A tree of three actions and three other nodes."""

    def action_path(self, nid: int) -> str | None:
        return {1: A.path, 2: B.path, 3: C.path}.get(nid)

    def node_path(self, nid: int) -> str:
        return f"\\T::TOP:NODE{nid}"

    def node_value(self, nid: int) -> int | float | str | None:
        values: dict[int, int | float | str] = {NUMBER_NODE: 20, TEXT_NODE: "SRV_N"}
        return values.get(nid)

    def nid_of(self, path: str) -> int | None:
        return {"LATER": 2, "LATER_TEXT": TEXT_NODE}.get(path)

    def full_path(self, path: str) -> str:
        return f"\\T::TOP:{path}"

    def phase_name(self, number: int) -> str | None:
        return {40: "STORE"}.get(number)


LOOKUP = Lookup()
FACTS = NodeFacts(
    nid=7, path="\\T::TOP:X", name="X", on=True, node_on=True, parent_on=True, essential=True
)
a, b, c, gone = NodeRef(1), NodeRef(2), NodeRef(3), PathRef("GONE")


def call(code: int, *parts: MdsTerm) -> MdsRecord:
    return MdsRecord(FUNCTION, code, parts)


def dependency(code: int, *parts: MdsTerm) -> MdsRecord:
    return MdsRecord(DEPENDENCY, code, parts)


def condition(code: int, *parts: MdsTerm) -> MdsRecord:
    return MdsRecord(CONDITION, code, parts)


@pytest.mark.parametrize(
    ("term", "expected"),
    [
        (a, A),
        (gone, MISSING),
        # A node that was made after the record that names it.
        (PathRef("LATER"), B),
        (
            call(records.AND, a, call(records.NOT, PathRef("LATER"))),
            And(operands=(A, Not(operand=B))),
        ),
        (condition(records.IGNORE_UNDEFINED, PathRef("LATER")), B),
        (call(records.AND, a, b), And(operands=(A, B))),
        (call(records.OR, a, b), Or(operands=(A, B))),
        (call(records.NOT, a), Not(operand=A)),
        (call(records.AND, call(records.AND, a, b), c), And(operands=(A, B, C))),
        (
            call(records.AND, call(records.OR, a, b), call(records.NOT, gone)),
            And(operands=(Or(operands=(A, B)), Not(operand=MISSING))),
        ),
        (call(records.AND_NOT, a, b), And(operands=(A, Not(operand=B)))),
        (call(records.OR_NOT, a, b), Or(operands=(A, Not(operand=B)))),
        (call(records.NAND, a, b), Not(operand=And(operands=(A, B)))),
        (call(records.NOR, a, b), Not(operand=Or(operands=(A, B)))),
        (dependency(records.DEPENDENCY_AND, a, b), And(operands=(A, B))),
        (dependency(records.DEPENDENCY_OR, a, b), Or(operands=(A, B))),
        (dependency(records.DEPENDENCY_OF, a), A),
        (condition(records.NEGATE_CONDITION, a), Not(operand=A)),
        (condition(records.IGNORE_UNDEFINED, a), A),
        (condition(records.IGNORE_STATUS, a), Or(operands=(A, Not(operand=A)))),
        (
            dependency(records.DEPENDENCY_AND, a, condition(records.IGNORE_UNDEFINED, gone), b),
            And(operands=(A, B)),
        ),
    ],
)
def test_conditions(term: MdsTerm, expected: Expression) -> None:
    assert when_of(term, "text", LOOKUP) == ConditionWhen(expression=expected, text="text")


@pytest.mark.parametrize(
    ("term", "number"),
    [
        (Number(10), 10),
        (Number(10.0), 10),
        (call(records.ADD, Number(5), Number(5)), 10),
        (call(records.SUBTRACT, Number(5), call(records.UNARY_MINUS, Number(5))), 10),
        (call(records.MULTIPLY, Number(2.5), Number(4)), 10),
        (call(records.DIVIDE, Number(20), Number(2)), 10),
        (call(records.UNARY_PLUS, Number(0)), 0),
        (Number(-3), -3),
        (NodeRef(NUMBER_NODE), 20),
        (call(records.ADD, NodeRef(NUMBER_NODE), Number(1)), 21),
        # What TDI says to these was seen.
        (call(records.DIVIDE, Number(25), Number(10)), 2),
        (call(records.DIVIDE, Number(-25), Number(10)), -2),
        (call(records.MOD, Number(13), Number(10)), 3),
        (call(records.MOD, Number(-13), Number(10)), -3),
        (call(records.NINT, Number(2.5)), 3),
        (call(records.NINT, Number(-2.5)), -3),
        (call(records.INT, Number(-2.7)), -2),
        (call(records.MAX, Number(3), Number(5), Number(4)), 5),
        (call(records.MIN, Number(3), Number(5), Number(4)), 3),
        (call(records.ABS, Number(-4)), 4),
        (MdsRecord(WITH_UNITS, 0, (Number(10), MdsText("s"))), 10),
    ],
)
def test_numbers(term: MdsTerm, number: int) -> None:
    assert when_of(term, "text", LOOKUP) == SequenceWhen(number=number, text="text")


@pytest.mark.parametrize(
    ("term", "why"),
    [
        (Nothing(), "is missing"),
        (MdsText("SOME_EVENT"), "is a text, not a condition"),
        (Number(2.5), "is not a whole number (2.5)"),
        (Number(float("nan")), "is not a whole number (nan)"),
        (Number(2**40), "is a number beyond 2147483647"),
        (call(records.DIVIDE, Number(1), Number(0)), "cannot be evaluated (division by zero)"),
        (call(records.DIVIDE, Number(1), Number(2.0)), "is not a whole number (0.5)"),
        (call(records.AND, a, Number(1)), "has a number where an action is expected"),
        (call(records.ADD, a, Number(1)), "uses a function that has no meaning in a condition"),
        (call(156, a, b), "uses a function that has no meaning in a condition"),
        (call(records.NOT), "has an operator with the wrong number of operands"),
        (call(records.AND), "has an operator without operands"),
        (
            dependency(records.DEPENDENCY_OF, a, b),
            "is a dependency OF, which has no meaning as a condition over actions",
        ),
        (dependency(99, a), "is a dependency of the unknown kind 99"),
        (condition(99, a), "is a condition of the unknown kind 99"),
        (
            condition(records.IGNORE_UNDEFINED, gone),
            "has nothing left once undefined actions are ignored",
        ),
        (NodeRef(ARRAY_NODE), "refers to \\T::TOP:NODE92, which is no action"),
        (call(records.AND, a, NodeRef(5)), "refers to \\T::TOP:NODE5, which is no action"),
        (Other(4), "is not a condition over actions"),
    ],
)
def test_what_has_no_meaning_says_why(term: MdsTerm, why: str) -> None:
    assert when_of(term, "text", LOOKUP) == UnusableWhen(text="text", why=why)


ONE, TEN, NOTHING = Number(1), Number(10), Nothing()
SRV_A, INIT = MdsText("SRV_A"), MdsText("INIT")


def node(
    task: MdsTerm = ONE,
    *,
    code: int = 2,
    server_class: MdsTerm = SRV_A,
    phase: MdsTerm = INIT,
    when: MdsTerm = TEN,
    event: MdsTerm = NOTHING,
    text: str = "",
) -> ActionNode:
    dispatch = MdsRecord(DISPATCH, code, (server_class, phase, when, event))
    record = MdsRecord(ACTION, 0, (dispatch, task, Nothing(), Nothing(), Nothing()))
    return action_node(FACTS, record, text, LOOKUP, "host:8000")


def test_an_action_with_everything() -> None:
    text = 'Build_Action(Build_Dispatch(2, "SRV_A", 40, 5+5, "E"), Build_Method(3D0, "go", X), *)'
    method = MdsRecord(METHOD, 0, (Number(3.0), MdsText("go"), a, Number(5)))
    when = call(records.ADD, Number(5), Number(5))
    assert node(method, phase=Number(40), when=when, event=MdsText("E "), text=text) == ActionNode(
        path="\\T::TOP:X",
        name="X",
        nid=7,
        server_class="SRV_A",
        phase="STORE",
        dispatch_type=DispatchType.SEQUENTIAL,
        when=SequenceWhen(number=10, text="5+5"),
        completion_event="E",
        task=MdsplusTask(
            nid=7, task_kind="method", text='Build_Method(3D0, "go", X)', url="host:8000"
        ),
        timeout_s=3.0,
        essential=True,
        text=text,
    )


@pytest.mark.parametrize(
    ("task", "kind", "timeout_s"),
    [
        (Number(1), "expression", None),
        (call(98, Number(1)), "expression", None),
        (MdsRecord(METHOD, 0, (Nothing(), MdsText("m"), a)), "method", None),
        (MdsRecord(PROGRAM, 0, (Number(10.0), MdsText("ls"))), "program", 10.0),
        (MdsRecord(ROUTINE, 0, (Number(2), MdsText("l"), MdsText("r"))), "routine", 2.0),
        (MdsRecord(PROCEDURE, 0, (Number(0), MdsText("l"), MdsText("p"))), "procedure", None),
        (MdsRecord(PROGRAM, 0, (NodeRef(NUMBER_NODE), MdsText("ls"))), "program", 20.0),
    ],
)
def test_tasks_and_their_time_limits(task: MdsTerm, kind: str, timeout_s: float | None) -> None:
    read = node(task)
    assert isinstance(read.task, MdsplusTask)
    assert (read.task.task_kind, read.timeout_s, read.unreadable) == (kind, timeout_s, None)


def test_a_time_limit_with_units() -> None:
    limit = MdsRecord(WITH_UNITS, 0, (Number(3), MdsText("s")))
    assert node(MdsRecord(PROGRAM, 0, (limit, MdsText("ls")))).timeout_s == 3.0


def test_a_label_behind_the_server_class() -> None:
    asked = node(server_class=MdsText("DAQ@hall-2"))
    assert (asked.server_class, asked.label, asked.unreadable) == ("DAQ", "hall-2", None)
    assert node(server_class=MdsText("DAQ")).label is None


def test_server_class_in_a_node() -> None:
    assert node(server_class=PathRef("LATER_TEXT")).server_class == "SRV_N"
    assert node(server_class=NodeRef(TEXT_NODE)).server_class == "SRV_N"


@pytest.mark.parametrize(
    ("read", "why"),
    [
        (node(Nothing()), "it has no task"),
        (node(server_class=Nothing()), "it names no server class"),
        (node(server_class=MdsText("@hall")), "it names no server class"),
        (
            node(server_class=MdsText("DAQ@a b")),
            "server class: 'a b' behind the @ is no label of a server",
        ),
        (node(server_class=MdsText("  ")), "it names no server class"),
        (
            node(server_class=PathRef("S")),
            "server class: refers to the missing node S; it names no server class",
        ),
        (node(phase=Nothing()), "phase: is missing"),
        (node(phase=Number(77)), "phase: 77 is not in the site's phase table"),
        (node(event=Number(1)), "completion event: is not a text"),
        (
            node(
                when=MdsText("X"),
                text='Build_Action(Build_Dispatch(2, "A", "P", "X", *), 1, *, *, *)',
            ),
            '`when` is a text, not a condition: "X"',
        ),
        (
            node(MdsRecord(METHOD, 0, (MdsText("3"), MdsText("m"), a))),
            "the time limit of its task is not a number of seconds",
        ),
        (action_node(FACTS, Number(3), "3", LOOKUP), "the node holds no action record"),
        (
            action_node(FACTS, MdsRecord(ACTION, 0, ()), "", LOOKUP),
            "the action has no dispatch part",
        ),
    ],
)
def test_what_cannot_be_read_is_shown_with_its_reason(read: ActionNode, why: str) -> None:
    assert read.unreadable == why
    assert (read.path, read.nid, read.essential) == (FACTS.path, FACTS.nid, FACTS.essential)


def test_an_asynchronous_action_waits_for_an_event_and_is_readable() -> None:
    read = node(code=1, when=MdsText("SOME_EVENT"))
    assert read.dispatch_type is DispatchType.ASYNCHRONOUS
    assert read.unreadable is None


def test_the_opcodes_are_those_of_mdsplus() -> None:
    names = ("AND", "AND_NOT", "NAND", "NOR", "NOT", "OR", "OR_NOT", "ADD", "SUBTRACT")
    names += ("MULTIPLY", "DIVIDE", "UNARY_MINUS", "UNARY_PLUS")
    for name in (*names, "ABS", "INT", "LONG", "MAX", "MIN", "MOD", "NINT"):
        assert opcbuiltins.OPCODE_MAP[name] == getattr(records, name)
