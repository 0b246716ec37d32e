"""Answers and events in pages: everything comes once, in order, and no page is much too large."""

import json

import msgspec
import pytest
from msgspec import structs
from tests.support.dispatching import KEY, Bench, view_of
from tests.support.tables import action

from shotline.client.calls import AnswerPages, page_after
from shotline.client.testing.dispatcher import configured
from shotline.client.verbs import shot_verbs
from shotline.common import commands as c
from shotline.common.nodes import DispatchOptions
from shotline.common.paged import Paged
from shotline.common.records import Record, TableBuilt, encode_record
from shotline.common.settings.sections.broker import BrokerSection
from shotline.common.views import (
    ActionsResult,
    CheckResult,
    JournalState,
    RunReport,
    ShotEvent,
    SnapshotResult,
    StoryResult,
    TreeResult,
)
from shotline.dispatcher.event_feed import CHANNELS_MAX, EventFeed
from shotline.dispatcher.journal.commit import EncodedRecords
from shotline.dispatcher.trees import jobs as t

COUNT = 40
PAGE_BYTES = 4000
# A broker for smaller messages than a configuration may say, so that few actions fill a page.
BROKER = BrokerSection().model_copy(update={"message_bytes_max": 4 * PAGE_BYTES})
CONFIG = configured("T").model_copy(update={"broker": BROKER})


def bench(*, essential: bool = False) -> Bench:
    nodes = [action(f"A{number:03}", 1) for number in range(COUNT)]
    if essential:
        nodes = [structs.replace(node, essential=True) for node in nodes]
    made = Bench(*nodes, config=CONFIG)
    return made.register("SRV_A:1", slots=COUNT).build()


def fetched(made: Bench, command: c.AnyCommand) -> tuple[Paged, int]:
    """Return a command's whole result, as a client fetches it, and how many pages it had."""
    pages = 0
    result: Paged | None = None
    following: c.AnyCommand | None = command
    while following is not None:
        reply = made.told(following)
        view = view_of(reply)
        assert isinstance(view, Paged), reply
        assert len(reply.result) < 2 * PAGE_BYTES
        result = view if result is None else result.followed_by(view)
        pages += 1
        following = page_after(command, result) if view.next is not None else None
    assert result is not None
    return result, pages


def paths(result: Paged) -> list[str]:
    return [one.path for one in getattr(result, result.LIST)]


@pytest.mark.parametrize(
    ("command", "kind"),
    [
        (c.Actions(), ActionsResult),
        (c.Actions(phase="INIT"), ActionsResult),
        (c.BuildTables(), ActionsResult),
        (c.DoPhase(phase="INIT"), RunReport),
        (c.Snapshot(channel="shot/T/1"), SnapshotResult),
        (c.ReadTree(tree="T", shot=1), TreeResult),
    ],
)
def test_each_action_is_told_once(command: c.AnyCommand, kind: type[Paged]) -> None:
    made = bench()
    result, pages = fetched(made, command)
    assert isinstance(result, kind)
    assert pages > 2
    assert paths(result) == [node.path for node in made.nodes]


def test_what_settles_between_two_pages_hides_nothing_that_is_pending() -> None:
    made = bench()
    made.told(c.DoPhase(phase="INIT"))
    first = view_of(made.told(c.PrintPending()))
    assert isinstance(first, ActionsResult)
    assert first.next is not None
    made.finish(*paths(first))
    rest, _ = fetched(made, c.PrintPending(since=first.next))
    assert paths(first) + paths(rest) == [node.path for node in made.nodes]


def test_a_run_that_has_ended_is_told_in_pages_at_once() -> None:
    made = bench()
    made.told(c.DoPhase(phase="INIT"))
    made.finish(*(node.path for node in made.nodes[1:]))
    made.finish("A000", ok=False, text="x" * 3000)
    report, pages = fetched(made, c.Wait(tree="T", shot=1, run=1))
    assert isinstance(report, RunReport)
    assert pages > 2
    assert report.run.state == "ended"
    assert len(report.actions[0].last.reason) > 2900


def test_a_check_forgets_nothing_that_it_has_not_told() -> None:
    made = bench(essential=True)
    made.told(c.DoPhase(phase="INIT"))
    for node in made.nodes:
        made.finish(node.path, ok=False)
    result, pages = fetched(made, c.Check(reset=True))
    assert pages > 2
    assert isinstance(result, CheckResult)
    assert paths(result) == [node.path for node in made.nodes]
    assert view_of(made.told(c.Check())) == CheckResult(failures=())


def test_a_record_larger_than_a_page_comes_alone() -> None:
    made = bench()
    made.told(c.DoPhase(phase="INIT"))
    made.finish("A000", ok=False, text="x" * 6000)
    story = view_of(made.told(c.Show(path="A000")))
    assert isinstance(story, StoryResult)
    assert story.next is not None
    last = view_of(made.told(c.Show(path="A000", since=story.next)))
    assert isinstance(last, StoryResult)
    assert last.next is None
    assert last.records == (made.live("A000"),)


def test_the_client_library_fetches_on() -> None:
    made = bench()
    call = shot_verbs.actions()
    pages = AnswerPages(call)
    following: c.AnyCommand | None = call.command
    while following is not None:
        following = pages.take(made.told(following))
    reply, result = pages.whole()
    assert isinstance(result, ActionsResult)
    assert len(result.actions) == COUNT
    assert result.next is None
    assert len(json.loads(reply.result)["actions"]) == COUNT


def test_the_records_of_a_commit_go_in_several_events_where_they_are_many() -> None:
    made = bench()
    made.told(c.DoPhase(phase="INIT"))
    records = tuple(made.shot().actions.values())
    parts = tuple(map(encode_record, records))
    encoded = EncodedRecords(records, parts, b"[" + b",".join(parts) + b"]")
    feed = EventFeed(1)
    [whole] = feed.records(KEY, 5.0, encoded, 10**6)
    events = [one.event for one in feed.records(KEY, 5.0, encoded, 2000)]
    assert len(events) > 2
    assert all(len(event.payload) < 2500 for event in events)
    assert [event.seq for event in events] == list(range(2, len(events) + 2))
    told = [
        one
        for event in events
        for one in msgspec.json.decode(event.payload, type=ShotEvent).records
    ]
    assert (
        told
        == list(msgspec.json.decode(whole.event.payload, type=ShotEvent).records)
        == list(records)
    )


def test_a_built_table_is_published_without_its_nodes() -> None:
    table = TableBuilt(time=5.0, actions=bench().nodes, phases=(), options=DispatchOptions())
    records: tuple[Record, ...] = (table,)
    part = encode_record(table)
    [told] = EventFeed(1).records(KEY, 5.0, EncodedRecords(records, (part,), b"[%s]" % part), 100)
    [record] = msgspec.json.decode(told.event.payload, type=ShotEvent).records
    assert isinstance(record, TableBuilt)
    assert record.actions == ()


def test_a_beat_about_very_many_channels_goes_in_several_events() -> None:
    feed = EventFeed(1)
    names = [f"output/T/1/{number}" for number in range(2 * CHANNELS_MAX)]
    for name in names:
        feed.publish(name, 5.0, b"{}")
    beats = [json.loads(one.event.payload)["last"] for one in feed.beat(6.0, JournalState.OK)]
    assert len(beats) == 3
    assert set(names) <= set().union(*beats)


def test_a_tree_is_read_once_for_all_its_pages() -> None:
    made = bench()
    _, pages = fetched(made, c.ReadTree(tree="T", shot=1))
    assert pages > 2
    assert len([one for one in made.left if isinstance(one, t.ReadTableJob)]) == 2  # and built
