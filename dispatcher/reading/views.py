"""The views of shots, runs and actions that commands answer with. Computed when asked. Pure."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial

from msgspec import structs

from shotline.common.actions import IN_PROGRESS, ActionState
from shotline.common.base import Struct
from shotline.common.channels import FEED, LOG, OUTPUTS, SERVERS, VOLUMES, shot_channel
from shotline.common.nodes import DispatchType
from shotline.common.paged import Paged
from shotline.common.records import Record, ShotKey, Transition
from shotline.common.views import (
    ActionsResult,
    ActionView,
    CheckResult,
    LogsResult,
    RunReport,
    ServerView,
    ShotsResult,
    ShotView,
    SnapshotResult,
    StatusResult,
    StoryResult,
)
from shotline.dispatcher.core import Core
from shotline.dispatcher.fleet import Queued
from shotline.dispatcher.journal import OutputRead
from shotline.dispatcher.reading.paging import Page, numbered, page
from shotline.dispatcher.shots import Run, Shot


class Views:
    """Makes views of what the core knows."""

    def __init__(self, core: Core) -> None:
        self._core = core

    def action(self, shot: Shot, path: str) -> ActionView:
        """Return one action."""
        node, live = shot.table.node(path), shot.actions[path]
        progress = shot.progress.get(path)
        return ActionView(
            path=path,
            name=node.name,
            nid=node.nid,
            server_class=node.server_class,
            phase=node.phase,
            when=node.when.text,
            number=shot.table.number(path),
            references=shot.table.references(path),
            on=node.on,
            asynchronous=node.dispatch_type is DispatchType.ASYNCHRONOUS,
            essential=node.essential,
            label=node.label,
            timeout_s=node.timeout_s,
            completion_event=node.completion_event,
            event_trouble=shot.event_trouble(path),
            unreadable=node.unreadable,
            help=node.help,
            contact=node.contact,
            never=shot.table.initial(path).cause,
            text=node.text,
            last=live,
            failed=shot.failed(path),
            waits_for=self.waits_for(shot, live),
            progress=progress[0] if progress else None,
            progress_text=progress[1] if progress else "",
        )

    def waits_for(self, shot: Shot, live: Transition) -> str:
        """Return in words what an unsettled action waits for."""
        run = shot.open_run
        if live.cause is not None:
            return ""
        if live.state in IN_PROGRESS:
            silent = ", which is silent" if self._core.fleet.is_suspect(live.server) else ""
            if live.aborting:
                return f"its processes on {live.server}{silent} to be gone"
            if live.state is ActionState.DISPATCHED:
                return f"{live.server}{silent} to start it"
            return f"its end on {live.server}{silent}"
        if run is None or live.path not in run.paths:
            return f"phase {shot.table.node(live.path).phase} to be run"
        if run.held is not None and (live.path in run.parked or run.sequencer is None):
            return f"resume: run {run.number} is HELD, {run.held}"
        if run.is_busy(live.path):
            core = self._core
            return core.fleet.waits_for(
                shot.table.node(live.path).server_class,
                Queued(shot.key, live.path),
                core.now,
                core.config.dispatcher.server_grace_s,
            )
        if run.sequencer is None:
            return "the servers' reports: the dispatcher has just come back"
        return run.sequencer.waits_for(live.path)

    def report(self, shot: Shot, run: Run, since: int = 0) -> Page:
        """Return a run with a page of its actions."""
        view = shot.run_view(run)
        paths = [path for path in run.paths if path in shot.actions]
        return self._page(
            numbered(paths, since, partial(self.action, shot)),
            lambda next_: RunReport(run=view, next=next_),
        )

    def _page(
        self, items: Iterable[tuple[int, Struct]], head: Callable[[int | None], Paged]
    ) -> Page:
        return page(items, self._core.page_bytes, head)

    def shot(self, shot: Shot, *, with_notes: bool = True) -> ShotView:
        """Return a shot in short, with its last runs."""
        return ShotView(
            tree=shot.key.tree,
            shot=shot.key.shot,
            built_at=shot.built.time if shot.built is not None and shot.has_tables else None,
            phases=shot.table.phases,
            actions=len(shot.actions),
            counts=shot.counts(shot.actions),
            runs=tuple(shot.run_view(run) for run in list(shot.runs.values())[-20:]),
            essential_failures=tuple(shot.essential_failures),
            source_changed=shot.source_changed,
            current=self._core.current == shot.key,
            notes=tuple(shot.notes.values()) if with_notes else (),
            changed_at=shot.last_record_at,
        )

    def _stored(self, key: ShotKey) -> ShotView:
        """Return a shot that is stored but not loaded."""
        current = self._core.current == key
        return ShotView(tree=key.tree, shot=key.shot, current=current, loaded=False)

    def servers(self) -> tuple[ServerView, ...]:
        """Return all servers, by name, also those that are gone or only expected."""
        return self._core.fleet.views()

    def built(self, shot: Shot, *, list_actions: bool) -> Page | ActionsResult:
        """Return what was built, with all actions where they are wanted."""
        if list_actions:
            return self.actions(shot, None)
        return ActionsResult(shots=(self.shot(shot),), actions=())

    def actions(self, shot: Shot, phase: str | None, since: int = 0) -> Page:
        """Return a page of the actions of a shot, or of one of its phases."""
        shots = self._on_first(since, shot)
        paths = shot.actions if phase is None else shot.table.paths_of_phase(phase)
        return self._page(
            numbered(tuple(paths), since, partial(self.action, shot)),
            lambda next_: ActionsResult(shots=shots, actions=(), next=next_),
        )

    def pending(self, since: int = 0) -> Page:
        """Return a page of what is open in all open runs."""
        shots = self._on_first(since, *(shot for shot, _ in self._core.open_runs()))
        return self._page(
            (
                (number, self.action(shot, path))
                for number, (shot, path) in enumerate(self._perhaps_pending())
                if number >= since and shot.actions[path].cause is None
            ),
            lambda next_: ActionsResult(shots=shots, actions=(), next=next_),
        )

    def _perhaps_pending(self) -> Iterator[tuple[Shot, str]]:
        """Yield the actions of open runs, also those that have settled, so that numbers stay."""
        for shot, run in self._core.open_runs():
            for path in run.paths:
                yield shot, path
        for shot in self._core.shots.values():
            if shot.open_run is None:
                for live in shot.in_progress():
                    yield shot, live.path

    def story(self, shot: Shot, path: str, records: tuple[Record, ...], since: int = 0) -> Page:
        """Return what happened to one action, a page of its records."""
        live = shot.actions[path]
        told = [record for record in records if getattr(record, "path", None) == path]
        if live.state in IN_PROGRESS and live not in told:
            told.append(live)
        action = self.action(shot, path)
        notes = tuple(one for one in shot.notes.values() if one.path == path)
        return self._page(
            numbered(told, since, lambda record: record),
            lambda next_: StoryResult(action=action, records=(), notes=notes, next=next_),
        )

    def failures(self, shot: Shot, since: int = 0) -> Page:
        """Return a page of the essential actions that have failed."""
        paths = [path for path in shot.essential_failures if path in shot.actions]
        return self._page(
            numbered(paths, since, partial(self.action, shot)),
            lambda next_: CheckResult(failures=(), next=next_),
        )

    def output(self, shot: Shot, path: str, read: OutputRead, limit: int) -> Page:
        """Return a page of what was read of an attempt's output."""
        rest = None
        if read.more and len(read.lines) < limit:
            rest = read.lines[-1].number + 1

        def head(left_out: int | None) -> LogsResult:
            more = read.more or left_out is not None
            return LogsResult(
                path=path,
                attempt=read.attempt,
                attempts=read.attempts,
                lines=(),
                more=more,
                tails=() if more else shot.tails_of(path, read.attempt),
                next=rest if left_out is None else left_out,
            )

        return self._page(((line.number, line) for line in read.lines), head)

    def shots(self, keys: Sequence[ShotKey], since: int = 0) -> Page:
        """Return a page of these shots in short."""
        return self._page(
            numbered(keys, since, self._known), lambda next_: ShotsResult(shots=(), next=next_)
        )

    def _known(self, key: ShotKey) -> ShotView:
        shot = self._core.shots.get(key)
        return self._stored(key) if shot is None else self.shot(shot, with_notes=False)

    def status(self) -> StatusResult:
        """Return everything in short."""
        core = self._core
        return StatusResult(
            term=core.term,
            dispatcher=core.name,
            started_at=core.started_at,
            broker=core.broker or "",
            journal=core.journal_state,
            journal_text=core.journal_text,
            recovering=core.recovering,
            keep_trouble=core.keep_trouble,
            current=core.current,
            shots=tuple(self.shot(shot, with_notes=False) for shot in core.shots.values()),
            servers=self.servers(),
        )

    def snapshot(self, channel: str, since: int = 0) -> Page | SnapshotResult | None:
        """Return a channel's state with the number of its last event; None for unknown shots.

        Pages of a shot's actions are made one after the other: what happens meanwhile is in the
        events after the first one's number, too.
        """
        core = self._core
        head = SnapshotResult(channel=channel, term=core.term, seq=core.feed.last(channel))
        if channel == SERVERS:
            return structs.replace(head, servers=self.servers())
        for shot in core.shots.values():
            if shot_channel(shot.key) == channel:
                return self._snapshot(shot, head, since)
        return head if channel.startswith(OUTPUTS) or channel in (LOG, FEED, VOLUMES) else None

    def _snapshot(self, shot: Shot, head: SnapshotResult, since: int) -> Page:
        views = self._on_first(since, shot)
        return self._page(
            numbered(tuple(shot.actions), since, partial(self.action, shot)),
            lambda next_: structs.replace(head, shot=views[0] if views else None, next=next_),
        )

    def _on_first(self, since: int, *shots: Shot) -> tuple[ShotView, ...]:
        """Return shots in short for the first page; counting for each page would take too long."""
        return () if since else tuple(map(self.shot, shots))
