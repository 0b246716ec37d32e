"""The pulse queue as tables and lines for the terminal."""

import json
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

from shotline.client.cli.base import say
from shotline.client.observer import FeedStopped, News, Update, Whole
from shotline.client.plain import plain
from shotline.client.text import clock, duration
from shotline.common.channels import QUEUE
from shotline.common.queue.plans import Entry, HistoryItem, PulsePlan
from shotline.common.queue.views import (
    PlanEndedResult,
    ProgressView,
    QueueAllowedResult,
    QueueEntriesResult,
    QueueEvent,
    QueueHistoryResult,
    QueueKindsResult,
    QueueListResult,
    QueueLockResult,
    QueueStatusResult,
    QueueTasksResult,
    QueueView,
)
from shotline.common.views import AnyResult

if TYPE_CHECKING:
    from shotline.client.supervisor import Supervisor

_LONG = 60


def plan_words(plan: PulsePlan) -> str:
    """Return what a plan is, in a line."""
    if plan.type == "stop":
        return "stop" + (f": {plan.note}" if plan.note else "")
    words = [plan.kind or "", plan.experiment or "", f"shot {plan.shot}"]
    if plan.phases is not None:
        words.append(",".join(one.phase for one in plan.phases))
    words += [f"{name}={json.dumps(value)}" for name, value in plan.parameters.items()]
    if plan.repeat > 1:
        words.append(f"{plan.repeat} times")
    return _cut(" ".join(word for word in words if word), 2 * _LONG)


def _cut(text: str, most: int = _LONG) -> str:
    return plain(text if len(text) <= most else text[: most - 1] + "…")


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False)
    for column in columns:
        table.add_column(column)
    return table


def _rows(entries: Sequence[Entry], places: Iterable[str]) -> Table:
    table = _table("", "UID", "STATE", "PLAN", "BY", "")
    for place, entry in zip(places, entries, strict=False):
        words = entry.held or entry.plan.note
        table.add_row(
            place, entry.uid, entry.state.value, plan_words(entry.plan), entry.user, _cut(words)
        )
    return table


def show_entries(out: Console, result: AnyResult) -> None:
    """Show the entries that a command was about."""
    if isinstance(result, QueueEntriesResult):
        places = [str(one) for one in result.positions]
        out.print(_rows(result.entries, [*places, *[""] * len(result.entries)]))


def show_list(out: Console, result: AnyResult) -> None:
    """Show the whole list."""
    if not isinstance(result, QueueListResult):
        return
    if result.running is not None:
        out.print(_rows([result.running], ["→"]))
    out.print(_rows(result.entries, map(str, range(len(result.entries)))))
    if result.proposals:
        out.print("proposals:")
        out.print(_rows(result.proposals, [""] * len(result.proposals)))
    say(f"{result.total} entries, version {result.version}")


def show_whole(out: Console, result: AnyResult) -> None:
    """Show one entry with all its fields."""
    if isinstance(result, QueueEntriesResult):
        from shotline.common.base import as_plain

        for entry in result.entries:
            out.print(json.dumps(as_plain(entry), indent=2, ensure_ascii=False))


def show_queue(out: Console, result: AnyResult) -> None:
    """Show how the queue stands."""
    if isinstance(result, QueueStatusResult):
        for line in queue_lines(result.queue):
            out.print(line)


def queue_lines(queue: QueueView) -> Iterable[str]:
    """Yield how the queue stands, in lines."""
    yield f"{queue.state.value.upper()}  {plain(queue.text)}"
    counts = f"{queue.entries} entries"
    counts += f" ({queue.held} HELD)" if queue.held else ""
    counts += f", {queue.proposals} proposals" if queue.proposals else ""
    yield f"{counts}, {queue.history} in the history, version {queue.versions.queue}"
    if queue.progress is not None:
        yield progress_words(queue.progress)
    modes = [
        name.replace("_", " ")
        for name in ("loop", "ignore_failures", "autostart")
        if getattr(queue.modes, name)
    ]
    if modes:
        yield f"modes: {', '.join(modes)}"
    if queue.lock is not None:
        parts = [name for name in ("queue", "environment") if getattr(queue.lock, name)]
        note = f": {plain(queue.lock.note)}" if queue.lock.note else ""
        yield f"LOCKED by {plain(queue.lock.user)} ({', '.join(parts)}){note}"
    if queue.environment.state.value != "closed" or queue.environment.required:
        yield f"environment {queue.environment.state.value}"


def progress_words(progress: ProgressView) -> str:
    """Return how far the running plan is."""
    if progress.phase:
        words = f"phase {progress.phase_number} of {progress.phases} ({plain(progress.phase)}): "
        words += f"{progress.done} of {progress.total} actions"
    else:
        words = f"{progress.phase_number} of {progress.phases} phases done"
    words += f", {duration(progress.elapsed_s)} so far"
    if progress.left_s is not None:
        words += f", about {duration(progress.left_s)} to go"
    return words


def show_ended(out: Console, result: AnyResult) -> None:
    """Show a plan that has ended, or how the queue stands."""
    if isinstance(result, PlanEndedResult):
        out.print(_history([result.item]))
    elif isinstance(result, QueueEntriesResult):
        show_entries(out, result)


def show_environment(out: Console, result: AnyResult) -> None:
    """Show the workers of the servers that the queue needs."""
    if not isinstance(result, QueueStatusResult):
        return
    found = result.queue.environment
    out.print(f"environment {found.state.value}")
    table = _table("SERVER", "STATE", "WORKERS", "")
    for one in found.servers:
        table.add_row(one.server, one.state, str(one.workers), plain(one.text))
    if found.servers:
        out.print(table)


def show_lock(out: Console, result: AnyResult) -> None:
    """Show a lock."""
    if isinstance(result, QueueLockResult) and result.lock is not None:
        parts = [name for name in ("queue", "environment") if getattr(result.lock, name)]
        out.print(f"{plain(result.lock.user)}: {', '.join(parts)}  {plain(result.lock.note)}")
        if result.key_fits is not None:
            out.print("the key is right" if result.key_fits else "the key is wrong")


def show_allowed(out: Console, result: AnyResult) -> None:
    """Show what a group may use."""
    if isinstance(result, QueueAllowedResult):
        group = result.groups.get(result.group)
        if group is not None:
            out.print(f"{result.group}  {plain(group.description)}")
        named = {
            "kinds": [one.name for one in result.kinds],
            "experiments": result.experiments,
            "server classes": result.classes,
            "functions": result.functions,
        }
        for name, found in named.items():
            out.print(f"{name}: {', '.join(found) or 'none'}")


def show_kinds(out: Console, result: AnyResult) -> None:
    """Show the kinds with their parameters."""
    if not isinstance(result, QueueKindsResult):
        return
    for one in result.kinds:
        phases = ",".join(phase.phase for phase in one.kind.phases or ())
        out.print(
            f"{one.name}  {one.kind.experiment or ''} {phases}  {plain(one.kind.description)}"
        )
        table = _table("  NAME", "TYPE", "DEFAULT", "LIMITS", "UNIT", "GOES TO", "")
        for name, found in one.kind.parameters.items():
            limits = [str(limit) for limit in (found.minimum, found.maximum) if limit is not None]
            table.add_row(
                f"  {name}",
                found.type,
                json.dumps(found.default) if found.has_default else "",
                " … ".join(limits) or " ".join(map(json.dumps, found.choices)),
                found.unit,
                found.node or f"${found.variable or name}",
                plain(found.description),
            )
        if one.kind.parameters:
            out.print(table)


def show_history(out: Console, result: AnyResult) -> None:
    """Show the plans that have ended."""
    if isinstance(result, QueueHistoryResult):
        out.print(_history(result.items))
        say(f"{len(result.items)} of {result.total} ever")


def _history(items: Iterable[HistoryItem]) -> Table:
    table = _table("UID", "RESULT", "SHOT", "BEGAN", "TOOK", "PLAN", "BY", "")
    for item in items:
        result = item.result
        table.add_row(
            item.entry.uid,
            result.exit_status.value,
            f"{result.tree}/{result.shot}" if result.shot else "",
            clock(result.began_at),
            duration(max(result.ended_at - result.began_at, 0.0)),
            plan_words(item.entry.plan),
            plain(item.entry.user),
            _cut(result.message, 2 * _LONG),
        )
    return table


def show_tasks(out: Console, result: AnyResult) -> None:
    """Show tasks."""
    if not isinstance(result, QueueTasksResult):
        return
    table = _table("UID", "FUNCTION", "STATE", "SERVER", "VALUE", "")
    for one in result.tasks:
        value = json.dumps(one.value) if one.value is not None else ""
        table.add_row(
            one.uid, one.function, one.state.value, one.server, _cut(value), _cut(one.message)
        )
    out.print(table)


def watch(supervisor: "Supervisor", *, as_json: bool) -> None:
    """Write what happens to the queue, a line for each change, until interrupted."""
    from shotline.common.base import as_plain

    with supervisor.events(QUEUE) as stream:
        for update in stream:
            at = update.at if isinstance(update, News) else None
            view = _seen(update)
            if isinstance(update, FeedStopped):
                say("the dispatcher is silent", err=True)
            elif isinstance(view, ProgressView):
                if not as_json:
                    say(f"{clock(at)}  {progress_words(view)}")
            elif view is not None and as_json:
                say(json.dumps(as_plain(view)))
            elif view is not None:
                when = f"{clock(at)}  " if at is not None else ""
                say(f"{when}{view.state.value}: {plain(view.text)}")


def _seen(update: Update) -> QueueView | ProgressView | None:
    """Return what an update tells of the queue, if it does."""
    if isinstance(update, Whole):
        return update.snapshot.queue.queue if update.snapshot.queue is not None else None
    if isinstance(update, News) and isinstance(update.payload, QueueEvent):
        return update.payload.queue or update.payload.progress
    return None
