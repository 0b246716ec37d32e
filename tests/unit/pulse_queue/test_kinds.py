"""Kinds of plans: their parameters, where these go, and what groups may use."""

import pytest
from tests.unit.pulse_queue.test_running import Programme

from shotline.client.testing.dispatcher import configured, with_keys
from shotline.common.base import Json
from shotline.common.commands import BuildTables, WriteNodes, decode_command, encode_command
from shotline.common.queue import commands as q
from shotline.common.queue.kinds import Parameter, PlanKind, problems, schema_of
from shotline.common.queue.plans import PlanPhase, PulsePlan
from shotline.common.queue.views import RefusalCode
from shotline.dispatcher.trees.jobs import WriteNodesJob

KIND = PlanKind(
    experiment="T",
    phases=(PlanPhase(phase="INIT"),),
    parameters={
        "current_ka": Parameter(minimum=100, maximum=800, unit="kA", node="SETTINGS:CURRENT"),
        "gas": Parameter(type="text", choices=("H", "D"), default="D", variable="gas_kind"),
        "power": Parameter(type="list", items="number", length_max=2, default=[1.0]),
        "test": Parameter(type="switch", required=False),
    },
)
CONFIG = with_keys(configured("T"), queue={"kinds": {"ohmic": KIND}})


@pytest.mark.parametrize(
    ("given", "wrong"),
    [
        ({}, "parameter current_ka is missing: a number from 100 to 800 kA"),
        ({"current_ka": 900}, "parameter current_ka must be a number from 100 to 800 kA, not 900"),
        ({"current_ka": "400"}, "parameter current_ka must be a number"),
        ({"current_ka": True}, "parameter current_ka must be a number"),
        ({"current_ka": 400, "gas": "He"}, "parameter gas must be one of 'H', 'D', not 'He'"),
        ({"current_ka": 400, "power": [1, 2, 3]}, "has 3 elements; at most 2"),
        ({"current_ka": 400, "power": [1, "x"]}, "must have only a number in it"),
        ({"current_ka": 400, "test": 1}, "parameter test must be true or false"),
        ({"current_ka": 400, "field": 1}, "unknown parameter field; known: current_ka, gas"),
    ],
)
def test_what_is_wrong_with_a_parameter_is_said_by_name(given: dict[str, Json], wrong: str) -> None:
    assert any(wrong in one for one in problems(KIND, given)), list(problems(KIND, given))


def test_a_kinds_schema_says_the_same() -> None:
    schema = schema_of(KIND)
    assert schema["required"] == ["current_ka"]
    assert schema["properties"]["current_ka"] == {
        "type": "number",
        "minimum": 100,
        "maximum": 800,
        "x-unit": "kA",
    }
    assert schema["properties"]["gas"]["enum"] == ["H", "D"]


def test_parameters_go_to_nodes_of_the_pulse_and_to_the_tasks() -> None:
    programme = Programme(config=CONFIG)
    plan = PulsePlan(kind="ohmic", parameters={"current_ka": 400})
    programme.good(q.QueueAdd(plans=(plan,)))
    programme.good(q.QueueStart())
    jobs = [one for one in programme.left if isinstance(one, WriteNodesJob)]
    assert [job.values for job in jobs] == [{"SETTINGS:CURRENT": 400}]
    (dispatch,) = programme.dispatches()
    assert dispatch.variables == b'{"gas_kind":"D","power":[1.0]}'


def test_groups_use_what_their_patterns_allow() -> None:
    groups = {"visitors": {"kinds": {"allowed": ["oh*"], "forbidden": ["*2"]}}, "operators": {}}
    kinds = {"ohmic": KIND, "ohmic2": KIND, "heated": KIND}
    queue = {"kinds": kinds, "groups": groups}
    programme = Programme(config=with_keys(configured("T"), queue=queue))
    plan = PulsePlan(kind="heated", parameters={"current_ka": 400})
    refused = programme.refused(q.QueueAdd(plans=(plan,), group="visitors"))
    assert refused.code is RefusalCode.NOT_ALLOWED
    programme.good(q.QueueAdd(plans=(plan,)))
    refused = programme.refused(q.QueueAdd(plans=(plan,), group="nobody"))
    assert refused.code is RefusalCode.UNKNOWN_GROUP
    allowed = programme.good(q.QueueAllowed(group="visitors"))
    assert b'"name":"ohmic"' in allowed.result
    assert b'"name":"ohmic2"' not in allowed.result
    programme.good(q.QueueSetGroups(groups=None))


def test_a_repeated_batch_has_the_same_answer_however_large_it_is() -> None:
    programme = Programme()
    plans = tuple(PulsePlan(experiment="T", phases=KIND.phases) for _ in range(50))
    first = programme.ask(q.QueueAdd(plans=plans), "batch-0001")
    again = programme.ask(q.QueueAdd(plans=plans), "batch-0001")
    assert first is not None
    assert again is not None
    assert again.result == first.result
    assert programme.queue.entries == 50


def test_the_commands_of_the_wire_are_read_back() -> None:
    for command in (
        WriteNodes(tree="T", shot=1, values={"A": 1}),
        BuildTables(tree="T", shot=1, variables={"a": [1]}),
    ):
        assert decode_command(encode_command(command)) == command
