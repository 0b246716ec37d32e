"""Help and contact of an action in an MDSplus tree: the texts in its members of these names."""

import re
from collections.abc import Sequence

import pytest

from shotline.common.nodes import ActionNode
from shotline.trees.tdi import MdsplusFailure, Scalar, TdiConnection
from shotline.trees.tdi_tree import TdiTree

NO_NODE = 265388144
TOP = r"\TEST::TOP"


class Members(TdiConnection):
    """A tree that has these members and nothing else."""

    url = "here"

    def __init__(self, members: dict[str, str]) -> None:
        self.members = members
        self.asked: list[str] = []

    def begin(self) -> None:
        pass

    def ask(self, expression: str, *arguments: Scalar) -> list[Scalar] | Scalar | None:
        del arguments
        self.asked.append(expression)
        found = re.fullmatch(r'getnci\("\*\*\*:(\w+)","(NID_NUMBER|FULLPATH)"\)', expression)
        assert found is not None, expression
        paths = list(self.members)
        some = [one for one in paths if one.endswith(f":{found[1]}")]
        if not some:
            raise MdsplusFailure(NO_NODE, "Node Not Found")
        return [paths.index(one) if found[2] == "NID_NUMBER" else one for one in some]

    def together(self, expressions: Sequence[str]) -> list[str | bytes | None]:
        self.asked += expressions
        texts = list(self.members.values())
        return [texts[int(re.findall(r"getnci\((\d+),", one)[0])] for one in expressions]

    def known_status(self, status: int) -> str | None:
        return f"status {status}"

    def close(self) -> None:
        pass


def with_texts(members: dict[str, str], *names: str) -> tuple[list[ActionNode], Members]:
    connection = Members({TOP + name: text for name, text in members.items()})
    tree = TdiTree("TEST", connection, None)
    nodes = [ActionNode(path=TOP + name, name=name) for name in names]
    return tree._with_texts(nodes), connection


def test_members_of_an_action_are_its_help_and_contact() -> None:
    members = {
        ":GAS:FILL:HELP": " close the valve ",
        ":GAS:FILL:CONTACT": "4711",
        ":NBI:HELP": "",
        ":MOTOR:HELP": "of no action",
    }
    (fill, nbi, pump), connection = with_texts(members, ":GAS:FILL", ":NBI", ":PUMP")
    assert (fill.help, fill.contact) == ("close the valve", "4711")
    assert (nbi.help, pump.help, pump.contact) == ("", "", "")
    assert not any("getnci(3," in one for one in connection.asked)  # which nobody needs


def test_a_tree_without_any_costs_two_questions() -> None:
    (fill,), connection = with_texts({}, ":GAS:FILL")
    assert (fill.help, fill.contact) == ("", "")
    assert len(connection.asked) == 2


@pytest.mark.parametrize("many", [2001, 100_000])
def test_a_text_that_is_too_long_is_cut(many: int) -> None:
    members = {":A:HELP": "x" * many, ":A:CONTACT": "y" * many}
    (node,), _ = with_texts(members, ":A")
    assert (len(node.help), len(node.contact)) == (2000, 300)
