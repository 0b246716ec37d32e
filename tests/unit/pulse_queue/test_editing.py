"""The list of the pulse queue: where entries go, what is refused, and what others are told."""

import pytest

from shotline.client.errors import Refused
from shotline.client.fake import FakeAction, FakeShotline
from shotline.common.base import Json
from shotline.common.queue.views import QueueRefused, RefusalCode

Plan = dict[str, Json]


def plan(note: str = "", **fields: Json) -> Plan:
    return {"experiment": "TEST", "phases": [{"phase": "INIT"}], "note": note, **fields}


@pytest.fixture
def shotline() -> FakeShotline:
    return FakeShotline({"TEST": [FakeAction("ONE", "INIT")]})


def filled(shotline: FakeShotline, names: str) -> dict[str, str]:
    """Add an entry for each letter; return their uids."""
    added = shotline.queue_add([plan(name) for name in names])
    return {one.plan.note: one.uid for one in added.entries}


def order(shotline: FakeShotline) -> str:
    return "".join(entry.plan.note for entry in shotline.queue_list().entries)


def refused(found: pytest.ExceptionInfo[Refused]) -> QueueRefused:
    assert isinstance(found.value.result, QueueRefused)
    return found.value.result


@pytest.mark.parametrize(
    ("position", "expected"),
    [
        (None, "abcdX"),
        ("back", "abcdX"),
        ("front", "Xabcd"),
        (0, "Xabcd"),
        (2, "abXcd"),
        (4, "abcdX"),
        (100, "abcdX"),
        (-1, "abcXd"),
        (-4, "Xabcd"),
        (-100, "Xabcd"),
    ],
)
def test_a_plan_goes_to_its_position(
    shotline: FakeShotline, position: int | None, expected: str
) -> None:
    filled(shotline, "abcd")
    added = shotline.queue_add(plan("X"), position)
    assert order(shotline) == expected
    assert added.positions == (expected.index("X"),)


def test_a_plan_goes_beside_another(shotline: FakeShotline) -> None:
    uids = filled(shotline, "abc")
    shotline.queue_add(plan("X"), before=uids["b"])
    shotline.queue_add(plan("Y"), after=uids["b"])
    assert order(shotline) == "aXbYc"
    with pytest.raises(Refused, match="no entry") as found:
        shotline.queue_add(plan(), before="nothing")
    assert refused(found).code is RefusalCode.UNKNOWN_ENTRY
    with pytest.raises(Refused, match="not several") as found:
        shotline.queue_add(plan(), "front", after=uids["a"])
    assert refused(found).code is RefusalCode.BAD_POSITION


def test_a_batch_is_added_as_a_whole_or_not_at_all(shotline: FakeShotline) -> None:
    before = shotline.queue_status().queue.versions
    bad = plan(experiment="NOWHERE")
    with pytest.raises(Refused, match="1 of 3 plans are refused, none was added") as found:
        shotline.queue_add([plan(), bad, plan()])
    result = refused(found)
    assert result.code is RefusalCode.UNKNOWN_EXPERIMENT
    assert [one.ok for one in result.answers] == [True, False, True]
    assert "known: TEST" in result.answers[1].message
    assert order(shotline) == ""
    assert shotline.queue_status().queue.versions == before


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ({"kind": "nothing"}, RefusalCode.UNKNOWN_KIND),
        ({"experiment": "OTHER"}, RefusalCode.UNKNOWN_EXPERIMENT),
        ({"experiment": None}, RefusalCode.UNKNOWN_EXPERIMENT),
        ({"phases": [{"phase": "LUNCH"}]}, RefusalCode.UNKNOWN_PHASE),
        ({"phases": None}, RefusalCode.UNKNOWN_PHASE),
        ({"parameters": {"current": 1}}, RefusalCode.BAD_PARAMETER),
        ({"shot": 4, "repeat": 2}, RefusalCode.BAD_PLAN),
    ],
)
def test_a_plan_that_cannot_run_is_refused_by_name(
    shotline: FakeShotline, given: Plan, code: RefusalCode
) -> None:
    with pytest.raises(Refused) as found:
        shotline.queue_add(plan(**given))
    assert refused(found).code is code


@pytest.mark.parametrize(
    ("moved", "position", "expected"),
    [
        ("b", "front", "bacde"),
        ("b", "back", "acdeb"),
        ("b", 0, "bacde"),
        ("b", 3, "acdbe"),
        ("b", 4, "acdeb"),
        ("b", 99, "acdeb"),
        ("b", -1, "acdeb"),
        ("d", -2, "abcde"),
        ("db", "front", "dbace"),
        ("db", 1, "adbce"),
    ],
)
def test_entries_move_to_where_they_end_up(
    shotline: FakeShotline, moved: str, position: int, expected: str
) -> None:
    uids = filled(shotline, "abcde")
    shotline.queue_move([uids[name] for name in moved], position)
    assert order(shotline) == expected


def test_entries_move_beside_another_and_keep_the_queues_order_on_demand(
    shotline: FakeShotline,
) -> None:
    uids = filled(shotline, "abcde")
    shotline.queue_move([uids["e"], uids["a"]], before=uids["c"])
    assert order(shotline) == "beacd"
    shotline.queue_move([uids["a"], uids["e"]], after=uids["d"], reorder=True)
    assert order(shotline) == "bcdea"
    with pytest.raises(Refused, match="to be moved itself"):
        shotline.queue_move([uids["a"], uids["b"]], before=uids["b"])
    shotline.queue_move(uids["a"], before=uids["a"])
    assert order(shotline) == "bcdea"
    with pytest.raises(Refused, match="no entry"):
        shotline.queue_move([uids["a"], "nothing"], "front")
    assert order(shotline) == "bcdea"


@pytest.mark.parametrize(
    ("position", "gone"), [(None, "d"), ("back", "d"), ("front", "a"), (1, "b"), (-2, "c")]
)
def test_an_entry_is_had_and_removed_by_position(
    shotline: FakeShotline, position: int | None, gone: str
) -> None:
    filled(shotline, "abcd")
    assert shotline.queue_get(position=position).entries[0].plan.note == gone
    assert shotline.queue_remove(position=position).entries[0].plan.note == gone
    assert order(shotline) == "abcd".replace(gone, "")


@pytest.mark.parametrize("position", [4, -5, 100])
def test_an_entry_that_is_not_there_is_neither_had_nor_removed(
    shotline: FakeShotline, position: int
) -> None:
    filled(shotline, "abcd")
    for ask in (shotline.queue_get, shotline.queue_remove):
        with pytest.raises(Refused) as found:
            ask(position=position)
        assert refused(found).code is RefusalCode.BAD_POSITION
    assert order(shotline) == "abcd"


def test_several_are_removed_together(shotline: FakeShotline) -> None:
    uids = filled(shotline, "abcd")
    with pytest.raises(Refused):
        shotline.queue_remove([uids["a"], "nothing"])
    assert order(shotline) == "abcd"
    gone = shotline.queue_remove([uids["c"], "nothing", uids["a"]], ignore_missing=True)
    assert [one.plan.note for one in gone.entries] == ["c", "a"]
    assert order(shotline) == "bd"
    assert len(shotline.queue_clear().entries) == 2
    assert order(shotline) == ""


def test_an_update_keeps_the_uid_and_a_replacement_has_its_own(shotline: FakeShotline) -> None:
    uids = filled(shotline, "abc")
    updated = shotline.queue_update(uids["b"], plan("B"), user="anna").entries[0]
    assert (updated.uid, updated.changed_by) == (uids["b"], "anna")
    replaced = shotline.queue_update(uids["c"], plan("C"), replace=True).entries[0]
    assert replaced.uid not in uids.values()
    assert order(shotline) == "aBC"
    with pytest.raises(Refused):
        shotline.queue_update(uids["b"], plan(kind="nothing"))
    assert order(shotline) == "aBC"


def test_who_rests_on_an_old_version_is_told_what_has_changed(shotline: FakeShotline) -> None:
    uids = filled(shotline, "ab")
    seen = shotline.queue_list().version
    shotline.queue_move(uids["a"], "back", user="anna", version=seen)
    with pytest.raises(Refused, match="anna: moved 1 entries") as found:
        shotline.queue_remove(uids["a"], user="bert", version=seen)
    result = refused(found)
    assert result.code is RefusalCode.CHANGED
    assert [change.by for change in result.changes] == ["anna"]
    assert result.version == seen + 1
    shotline.queue_remove(uids["a"], user="bert", version=result.version)
    assert order(shotline) == "b"


def test_a_proposal_waits_until_it_is_approved(shotline: FakeShotline) -> None:
    filled(shotline, "ab")
    (proposed,) = shotline.queue_propose(plan("P"), user="guest").entries
    assert (proposed.state, order(shotline)) == ("proposed", "ab")
    listed = shotline.queue_list()
    assert [one.uid for one in listed.proposals] == [proposed.uid]
    shotline.queue_approve(proposed.uid, 1, user="anna")
    (entry,) = shotline.queue_get(proposed.uid).entries
    assert (entry.state, entry.user, entry.approved_by) == ("queued", "guest", "anna")
    assert order(shotline) == "aPb"
    with pytest.raises(Refused) as found:
        shotline.queue_approve(proposed.uid)
    assert refused(found).code is RefusalCode.NOT_PROPOSED
    (other,) = shotline.queue_propose(plan("Q")).entries
    shotline.queue_remove(other.uid)
    assert shotline.queue_list().proposals == ()


def test_a_lock_keeps_others_out_until_its_key_or_its_end(shotline: FakeShotline) -> None:
    filled(shotline, "a")
    shotline.queue_lock("secret", queue=True, note="calibration", user="anna")
    for ask in (
        lambda **key: shotline.queue_add(plan("b"), **key),
        lambda **key: shotline.queue_mode(loop=True, **key),
        shotline.queue_hide_history,
    ):
        with pytest.raises(Refused, match="anna has locked the queue: calibration") as found:
            ask()
        assert refused(found).code is RefusalCode.LOCKED
        with pytest.raises(Refused) as found:
            ask(lock_key="guess")
        assert refused(found).code is RefusalCode.WRONG_KEY
        ask(lock_key="secret")
    shotline.queue_autostart(enable=False)  # what runs is not locked
    assert shotline.queue_lock_info("guess").key_fits is False
    assert shotline.queue_lock_info("secret").key_fits is True
    with pytest.raises(Refused) as found:
        shotline.queue_lock("other", environment=True)
    assert refused(found).code is RefusalCode.WRONG_KEY
    shotline.queue_lock("secret", environment=True)
    with pytest.raises(Refused):
        shotline.queue_start()
    with pytest.raises(Refused):
        shotline.queue_unlock("guess")
    shotline.queue_unlock("secret")
    assert shotline.queue_lock_info().lock is None


def test_versions_rise_with_every_change_and_with_nothing_else(shotline: FakeShotline) -> None:
    before = shotline.queue_status().queue.versions
    shotline.queue_list()
    shotline.queue_kinds()
    assert shotline.queue_status().queue.versions == before
    uids = filled(shotline, "ab")
    queue = shotline.queue_status().queue.versions.queue
    assert queue > before.queue
    shotline.queue_mode(loop=True)
    now = shotline.queue_status().queue.versions
    assert (now.queue, now.modes) == (queue, before.modes + 1)
    shotline.queue_move(uids["a"], "back")
    assert shotline.queue_status().queue.versions.queue == queue + 1
