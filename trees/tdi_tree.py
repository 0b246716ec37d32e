"""An MDSplus tree, asked by TDI expressions: reads its tables, makes its pulses, raises its events.

What the records mean is `mdsplus_records`'s. Reading never evaluates a task.
"""

from collections.abc import Callable, Container, Mapping, Sequence
from contextlib import suppress
from typing import Final, TypeVar

from msgspec import structs

from shotline.common.base import Json
from shotline.common.nodes import CONTACT_MAX, HELP_MAX, ActionNode, Phase, SourceMark
from shotline.trees.marks import mark_of, mark_of_parts
from shotline.trees.mdsplus_records import NodeFacts, action_node, unreadable_node
from shotline.trees.mdsplus_terms import UndecodableRecord, decode_term
from shotline.trees.tdi import MdsplusFailure, Scalar, TdiConnection
from shotline.trees.tree import PulseExists, TreeError

MODEL_SHOT: Final = -1
SHOT_MAX: Final = 2**31 - 1
_TEXT: Final = 'decompile(`getnci({},"RECORD"))'
_VALUE: Final = 'data(getnci({},"RECORD"))'
_HELP: Final = "HELP"  # members of an action, which are texts
_CONTACT: Final = "CONTACT"
_RECORD: Final = 'SerializeOut(`(getnci({},"RECORD");))'
_TOGETHER_MAX: Final = 25  # nodes in one expression; an expression has at most 65,535 bytes
_NO_NODE: Final = 265388144  # TreeNNF
_NO_FILE: Final = 265392154  # TreeFOPENR
_NOT_CREATED: Final = 265392162  # TreeFCREATE
_NO_CURRENT_SHOT: Final = 265519154  # TdiABORT

ResultT = TypeVar("ResultT")


class TdiTree:
    """A tree behind a connection: `Tree`, `KeepsCurrentShot`, `WritesStatus`, `MarksSources`.

    `tasks_url`: mdsip server that runs the tasks; None: they run in the workers' own processes.
    """

    def __init__(self, tree: str, connection: TdiConnection, tasks_url: str | None) -> None:
        self.tree = tree.upper()
        self._tasks_url = tasks_url
        self._connection = connection

    def actions(self, shot: int) -> Sequence[ActionNode]:
        """Return all ACTION nodes in the order in which the tree lists them."""

        def read(lookup: _Lookup) -> Sequence[ActionNode]:
            return self._nodes(lookup.facts, lookup)

        return self._reading(shot, read)

    def action(self, shot: int, path: str) -> ActionNode:
        """Read one node again, by its full or short path."""
        wanted = path.upper()

        def read(lookup: _Lookup) -> ActionNode:
            for facts in lookup.facts:
                if wanted in (facts.path.upper(), facts.name.upper()):
                    return self._nodes([facts], lookup)[0]
            raise TreeError(f"{self.tree}/{shot} has no action {path}")

        return self._reading(shot, read)

    def marks(self, shot: int) -> Sequence[SourceMark]:
        """Return how the shot's actions stand: which, their switches, when each was written.

        What their records refer to in other nodes is not looked at.
        """
        parts = self._reading(shot, _Lookup.parts)
        mark = mark_of_parts(parts.items())
        what = f"the tree {self.tree}/{shot} at {self._connection.url}"
        return (SourceMark(what=what, mark=mark, parts=parts),)

    def phases(self, shot: int) -> Sequence[Phase]:
        """Return the site's phase table, by number; it is the same for all shots."""
        del shot
        self._connection.begin()
        cells = [str(cell).strip() for cell in self._connection.several("phase_table()")]
        pairs = zip(cells[::2], cells[1::2], strict=False)
        phases = [
            Phase(name=name, number=int(number)) for name, number in pairs if number.isdigit()
        ]
        return sorted(phases, key=lambda phase: phase.number)

    def create_pulse(self, shot: int, *, replace: bool) -> None:
        """Make the pulse from the model, where the connection leads."""
        if not 1 <= shot <= SHOT_MAX:
            raise TreeError(f"{shot} is not a shot number; pulses have numbers from 1")
        connection = self._connection
        connection.begin()
        connection.leave()
        if self._exists(shot) and not replace:
            raise PulseExists(f"{self.tree}/{shot} exists already; --replace makes it again")
        connection.open_tree(self.tree, MODEL_SHOT)
        failing = f"cannot create {self.tree}/{shot} at {connection.url}"
        try:
            connection.carry_out(f'tcl("create pulse {shot}",_o)', failing=failing)
        except MdsplusFailure as error:
            if error.status == _NOT_CREATED:
                raise _with_hint(
                    error,
                    f"the folder that {self.tree.lower()}_path names there must exist and be "
                    "writable for MDSplus, and so must the files of a pulse that is made again",
                ) from None
            raise
        finally:
            with suppress(TreeError):
                connection.close_tree(self.tree, MODEL_SHOT)

    def raise_event(self, event: str, shot: int) -> None:
        """Raise an MDSplus event on the server; its data are the shot as 4 little-endian bytes."""
        data = (shot & 0xFFFFFFFF).to_bytes(4, "little")
        self._connection.begin()
        failing = f"event {event} was not raised"
        self._connection.carry_out("setevent($,$)", event, data, failing=failing)

    def current_shot(self) -> int:
        """Return the site's current shot number; 0 where none was ever set."""
        self._connection.begin()
        try:
            return self._connection.number("current_shot($)", self.tree)
        except MdsplusFailure as error:
            if error.status == _NO_CURRENT_SHOT:
                return 0
            raise

    def set_current_shot(self, shot: int) -> None:
        """Make this the site's current shot."""
        if not 1 <= shot <= SHOT_MAX:
            raise TreeError(f"{shot} is not a shot number; pulses have numbers from 1")
        self._connection.begin()
        failing = f"the current shot of {self.tree} was not set to {shot}"
        self._connection.carry_out("TreeSetCurrentShot($,$)", self.tree, shot, failing=failing)

    def write_nodes(self, shot: int, values: Mapping[str, Json]) -> None:
        """Write values into nodes of a pulse, one after the other, until one is refused."""
        connection = self._connection
        connection.begin()
        self._open(shot)
        for path, value in values.items():
            expression, arguments = expression_of(value)
            failing = f"{path} of {self.tree}/{shot} was not written"
            put = ",".join(["TreePut($", "$", *["$"] * len(arguments)]) + ")"
            connection.carry_out(put, path, expression, *arguments, failing=failing)

    def write_status(self, shot: int, path: str, code: int) -> None:
        """Write an action's status to its node, and look whether it is there.

        `set node` says nothing when the node refuses its status, so it is read again.
        """
        connection = self._connection
        connection.begin()
        self._open(shot)
        failing = f"the status of {path} was not written"
        connection.carry_out("tcl($,_o)", f"set node {path}/status={code}", failing=failing)
        found = connection.number('getnci($,"STATUS")', path)
        if (found - code) & 0xFFFFFFFF:
            raise TreeError(
                f"the status of {path} in {self.tree}/{shot} is {found} after {code} was written "
                f"through {connection.url}: the node refuses it, or the pulse's files are not "
                "writable there"
            )

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def _exists(self, shot: int) -> bool:
        """Return whether a pulse exists; its tree is closed afterwards."""
        try:
            self._connection.open_tree(self.tree, shot)
        except MdsplusFailure:
            return False
        self._connection.close_tree(self.tree, shot)
        return True

    def _reading(self, shot: int, read: Callable[["_Lookup"], ResultT]) -> ResultT:
        """Return what `read` reads in a shot's tree as it is now."""
        connection = self._connection
        connection.begin()
        if shot == 0:
            shot = self.current_shot()
            if shot == 0:
                raise TreeError(
                    f"{self.tree} has no current shot at {connection.url}; set it with "
                    f"`shotline current {self.tree} SHOT`"
                )
        self._open(shot)
        return read(_Lookup(connection, self.tree))

    def _open(self, shot: int) -> None:
        try:
            self._connection.open_anew(self.tree, shot)
        except MdsplusFailure as error:
            if error.status == _NO_FILE and shot > 0:
                hint = f"create the pulse first: shotline create-pulse {self.tree} {shot}"
                raise _with_hint(error, hint) from None
            raise

    def _nodes(self, nodes: Sequence[NodeFacts], lookup: "_Lookup") -> list[ActionNode]:
        actions: list[ActionNode] = []
        for start in range(0, len(nodes), _TOGETHER_MAX):
            batch = nodes[start : start + _TOGETHER_MAX]
            known = self._records([facts.nid for facts in batch])
            actions.extend(self._node(facts, known.get(facts.nid), lookup) for facts in batch)
        return self._with_texts(actions)

    def _with_texts(self, actions: list[ActionNode]) -> list[ActionNode]:
        """Return actions with what their members HELP and CONTACT say, where they have any."""
        paths = {action.path for action in actions}
        helps, contacts = self._members(_HELP, paths), self._members(_CONTACT, paths)
        return [
            structs.replace(
                action,
                help=helps.get(action.path, "")[:HELP_MAX],
                contact=contacts.get(action.path, "")[:CONTACT_MAX],
            )
            if action.path in helps or action.path in contacts
            else action
            for action in actions
        ]

    def _members(self, name: str, paths: Container[str]) -> dict[str, str]:
        """Return the texts of the members of this name, by the path of the action that has them.

        Nobody is kept from a run by a help that cannot be read.
        """
        connection, pattern = self._connection, f"***:{name}"
        try:
            nids = connection.several(f'getnci("{pattern}","NID_NUMBER")')
            found = connection.several(f'getnci("{pattern}","FULLPATH")')
        except MdsplusFailure:
            return {}  # mostly: there is none
        wanted = [
            (int(nid), parent)
            for nid, path in zip(nids, found, strict=False)
            if (parent := str(path).strip().rpartition(":")[0]) in paths
        ]
        texts: dict[str, str] = {}
        for start in range(0, len(wanted), _TOGETHER_MAX):
            batch = wanted[start : start + _TOGETHER_MAX]
            answers = connection.together([_VALUE.format(nid) for nid, _ in batch])
            for (_, parent), text in zip(batch, answers, strict=False):
                if isinstance(text, str) and text.strip():
                    texts[parent] = text.strip()
        return texts

    def _records(self, nids: Sequence[int]) -> dict[int, tuple[str, bytes]]:
        """Return the texts and records of those of the nodes where both can be read."""
        questions = [question.format(nid) for question in (_TEXT, _RECORD) for nid in nids]
        answers = self._connection.together(questions)
        return {
            nid: (text, record)
            for nid, text, record in zip(nids, answers, answers[len(nids) :], strict=False)
            if isinstance(text, str) and isinstance(record, bytes)
        }

    def _node(
        self, facts: NodeFacts, known: tuple[str, bytes] | None, lookup: "_Lookup"
    ) -> ActionNode:
        text, record = known or ("", b"")
        try:
            if known is None:  # asked by itself, MDSplus says why
                text = self._connection.text(_TEXT.format(facts.nid))
                record = self._connection.content(_RECORD.format(facts.nid))
            return action_node(facts, decode_term(record), text, lookup, self._tasks_url)
        except (MdsplusFailure, UndecodableRecord) as error:
            return unreadable_node(facts, text, str(error))


def expression_of(value: Json) -> tuple[str, list[Scalar]]:
    """Return an expression for a node's value, and its arguments. Raise TreeError for an object.

    Numbers of a list stand in the expression, as there may be thousands of them.
    """
    match value:
        case bool():
            return "$", [int(value)]
        case int() | float() | str():
            return "$", [value]
        case list() | tuple() if value and all(isinstance(one, int | float) for one in value):
            return f"[{','.join(map(_literal, value))}]", []
        case list() | tuple() if value and all(isinstance(one, str) for one in value):
            return f"[{','.join('$' * len(value))}]", list(value)
    raise TreeError(f"a node holds numbers, texts, or lists of either, not {str(value)[:80]}")


def _literal(number: float) -> str:
    if isinstance(number, int):
        return str(int(number))
    text = repr(float(number))
    return text.replace("e", "D") if "e" in text else f"{text}D0"


def _with_hint(error: MdsplusFailure, hint: str) -> MdsplusFailure:
    return MdsplusFailure(error.status, f"{str(error).rstrip('.')}; {hint}")


class _Lookup:
    """What the server says of the current tree; implements `NodeLookup`."""

    def __init__(self, connection: TdiConnection, tree: str) -> None:
        self._connection = connection
        self._tree = tree
        self._answers: dict[tuple[Scalar, ...], list[Scalar] | Scalar | None] = {}
        self.facts = self._read_facts()
        self._paths = {facts.nid: facts.path for facts in self.facts}

    def _read_facts(self) -> list[NodeFacts]:
        try:
            nids = self._item("NID_NUMBER")
        except MdsplusFailure as error:
            if error.status == _NO_NODE:
                return []
            raise
        columns = (
            nids,
            self._item("FULLPATH"),
            self._item("MINPATH"),
            self._item("ON"),
            self._item("STATE"),
            self._item("PARENT_STATE"),
            self._item("ESSENTIAL"),
        )
        if len({len(column) for column in columns}) != 1:
            raise TreeError(f"{self._connection.url} lists the actions of {self._tree} unevenly")
        return [
            NodeFacts(
                nid=int(nid),
                path=str(path).strip(),
                name=str(name).strip(),
                on=bool(on),
                node_on=not state,
                parent_on=not parent_state,
                essential=bool(essential),
            )
            for nid, path, name, on, state, parent_state, essential in zip(*columns, strict=True)
        ]

    def _item(self, item: str) -> list[Scalar]:
        return self._connection.several(f'getnci("***","{item}","ACTION")')

    def parts(self) -> dict[str, str]:
        """Return of each action what changes when it is changed."""
        times: list[Scalar] = []
        if self.facts:
            with suppress(MdsplusFailure):
                times = self._item("TIME_INSERTED")
        times = (times + [""] * len(self.facts))[: len(self.facts)]
        return {
            facts.path: mark_of(repr((facts, written)).encode("utf-8", "replace"))[:8]
            for facts, written in zip(self.facts, times, strict=True)
        }

    def action_path(self, nid: int) -> str | None:
        """Return the full path of an action node, None when the node is no action."""
        return self._paths.get(nid)

    def node_path(self, nid: int) -> str:
        """Return the full path of any node."""
        return self._text(f'getnci({nid},"FULLPATH")') or f"NID {nid}"

    def node_value(self, nid: int) -> int | float | str | None:
        """Return the value of a node that holds a number or a text, else None."""
        value = self._ask(f'data(getnci({nid},"RECORD"))')
        return value if isinstance(value, int | float | str) else None

    def nid_of(self, path: str) -> int | None:
        """Return the node that a path of a record leads to by now, None when there is none."""
        nid = self._ask('getnci($,"NID_NUMBER")', path.strip())
        return nid if isinstance(nid, int) else None

    def full_path(self, path: str) -> str:
        """Return a path as written in a record as a full path, whether or not it exists."""
        upper = path.strip().upper()
        if upper.startswith("\\"):
            return upper
        return f"\\{self._tree}::TOP" + (upper if upper.startswith((":", ".")) else f":{upper}")

    def phase_name(self, number: int) -> str | None:
        """Return the site's name of a phase, None when it has none."""
        return self._text("phase_name_lookup($)", number) or None

    def _text(self, expression: str, *arguments: Scalar) -> str:
        answer = self._ask(expression, *arguments)
        return answer.rstrip() if isinstance(answer, str) else ""

    def _ask(self, expression: str, *arguments: Scalar) -> list[Scalar] | Scalar | None:
        """Return the value of an expression, None where MDSplus refuses it. Asked for once."""
        question = (expression, *arguments)
        if question not in self._answers:
            self._answers[question] = None
            with suppress(MdsplusFailure):
                self._answers[question] = self._connection.ask(expression, *arguments)
        return self._answers[question]
