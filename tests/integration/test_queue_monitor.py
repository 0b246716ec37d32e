"""The pulse queue over HTTP and on the channel `queue` of the WebSocket."""

from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from tests.support.faults import TREE, action, experiment
from tests.support.monitor import Page, on, with_monitor
from tests.support.stack import Stack

PLAN = {"experiment": TREE, "phases": [{"phase": "INIT"}]}


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    folder = tmp_path_factory.mktemp("queue_monitor")
    file = experiment(folder, action("ONE", "A", 1))
    with with_monitor(folder, ("A:1",), {TREE: file}, {}) as running:
        yield running


def ended_in(messages: list[Mapping[str, Any]]) -> list[str]:
    """Return the uids of the plans that the messages tell the end of."""
    found: list[str] = []
    for one in messages:
        if one["command"] == "WHOLE":
            found = [item["entry"]["uid"] for item in one["history"]]
        elif one["command"] == "QUEUE":
            records = [record for record in one["records"] if record["type"] == "plan_ended"]
            found += [record["item"]["entry"]["uid"] for record in records]
    return found


def test_a_page_sees_the_whole_and_then_each_change(stack: Stack) -> None:
    async def work(page: Page) -> None:
        live = await page.ws({"subscribe": "queue", "state": True})
        first: list[Any] = await live.until_message("queue", lambda one: one["command"] == "WHOLE")
        assert (first[0]["entries"], first[0]["queue"]["state"]) == ([], "idle")
        added: Any = await page.done("queue_add", plans=[PLAN, PLAN])
        uids = [one["uid"] for one in added["entries"]]
        told: list[Any] = await live.until_message("queue", lambda one: one["command"] == "QUEUE")
        assert [one["uid"] for one in told[-1]["records"][0]["entries"]] == uids
        await page.done("queue_start")

        def both_have_ended(one: Any) -> bool:
            return one.get("queue", {}).get("history_total") == 2

        news: list[Any] = await live.until_message("queue", both_have_ended)
        views = [one["queue"] for one in news if one["command"] == "QUEUE"]
        assert {one["state"] for one in views} <= {"armed", "running", "idle"}
        versions = [one["versions"]["status"] for one in views]
        assert versions == sorted(versions)
        late = await page.ws({"subscribe": "queue", "state": True})
        whole: list[Any] = await late.until_message("queue", both_have_ended)
        assert ended_in(whole) == uids

    on(stack, work)


def test_a_refusal_has_its_code_and_its_status(stack: Stack) -> None:
    async def work(page: Page) -> None:
        bad = {**PLAN, "phases": [{"phase": "LUNCH"}]}
        answer = await page.post("/api/queue_add", {"plans": [PLAN, bad]})
        result: Any = answer.json["result"]
        assert (answer.status, result["code"]) == (404, "unknown_phase")
        assert [one["ok"] for one in result["answers"]] == [True, False]
        assert "known: INIT" in str(answer.json["message"])
        answer = await page.post("/api/queue_resume")
        result = answer.json["result"]
        assert (answer.status, result["code"]) == (409, "wrong_state")
        assert (await page.post("/api/queue_add", {"plans": []})).status == 422
        answer = await page.get("/api/queue_status")
        result = answer.json["result"]
        assert result["queue"]["state"] == "idle"

    on(stack, work)
