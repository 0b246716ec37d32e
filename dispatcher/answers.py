"""The views of shots, runs and actions that commands answer with. Computed when asked. Pure."""

from shotline.common.actions import ActionState
from shotline.common.records import Record, ShotKey, Transition
from shotline.common.views import (
    ActionsResult,
    ActionView,
    RunReport,
    ServerView,
    ShotView,
    SnapshotResult,
    StatusResult,
    StoryResult,
)
from shotline.dispatcher.core import Core
from shotline.dispatcher.feed import SERVERS, shot_channel
from shotline.dispatcher.fleet import Entry
from shotline.dispatcher.shots import IN_PROGRESS, Run, Shot
from shotline.trees.tree import DispatchType


class Answers:
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
            timeout_s=node.timeout_s,
            completion_event=node.completion_event,
            unreadable=node.unreadable,
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
        if live.path in run.busy:
            core = self._core
            return core.fleet.waits_for(
                shot.table.node(live.path).server_class,
                Entry(shot.key, live.path),
                core.now,
                core.settings.server_grace_s,
            )
        if run.sequencer is None:
            return "the servers' reports: the dispatcher has just come back"
        return run.sequencer.waits_for(live.path)

    def report(self, shot: Shot, run: Run) -> RunReport:
        """Return a run with its actions."""
        return RunReport(
            run=shot.run_view(run),
            actions=tuple(self.action(shot, path) for path in run.paths if path in shot.actions),
        )

    def shot(self, shot: Shot) -> ShotView:
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
        )

    def stored(self, key: ShotKey) -> ShotView:
        """Return a shot that is stored but not loaded."""
        current = self._core.current == key
        return ShotView(tree=key.tree, shot=key.shot, current=current, loaded=False)

    def servers(self) -> tuple[ServerView, ...]:
        """Return all servers, by name."""
        fleet = self._core.fleet
        return tuple(fleet.view(fleet.servers[name]) for name in sorted(fleet.servers))

    def built(self, shot: Shot, *, list_actions: bool) -> ActionsResult:
        """Return what was built, with all actions where they are wanted."""
        if list_actions:
            return self.actions(shot, None)
        return ActionsResult(shots=(self.shot(shot),), actions=())

    def actions(self, shot: Shot, phase: str | None) -> ActionsResult:
        """Return the actions of a shot, or of one of its phases."""
        paths = shot.actions if phase is None else shot.table.paths_of_phase(phase)
        return ActionsResult(
            shots=(self.shot(shot),), actions=tuple(self.action(shot, path) for path in paths)
        )

    def pending(self) -> ActionsResult:
        """Return what is open in all open runs."""
        shots: list[ShotView] = []
        actions: list[ActionView] = []
        for shot, run in self._core.open_runs():
            shots.append(self.shot(shot))
            actions.extend(
                self.action(shot, path) for path in run.paths if shot.actions[path].cause is None
            )
        ghosts = [shot for shot in self._core.shots.values() if shot.open_run is None]
        for shot in ghosts:
            actions.extend(self.action(shot, live.path) for live in shot.in_progress())
        return ActionsResult(shots=tuple(shots), actions=tuple(actions))

    def story(self, shot: Shot, path: str, records: tuple[Record, ...]) -> StoryResult:
        """Return what happened to one action."""
        live = shot.actions[path]
        told = [record for record in records if getattr(record, "path", None) == path]
        if live.state in IN_PROGRESS and live not in told:
            told.append(live)
        return StoryResult(action=self.action(shot, path), records=tuple(told))

    def status(self, broker: str) -> StatusResult:
        """Return everything in short."""
        core = self._core
        return StatusResult(
            term=core.term,
            dispatcher=core.settings.name,
            started_at=core.started_at,
            broker=broker,
            journal=core.journal_state,
            journal_text=core.journal_text,
            recovering=core.recovering,
            current=core.current,
            shots=tuple(self.shot(shot) for shot in core.shots.values()),
            servers=self.servers(),
        )

    def snapshot(self, channel: str) -> SnapshotResult | None:
        """Return a channel's state with the number of its last event; None for unknown shots."""
        core = self._core
        seq = core.feed.last(channel)
        if channel == SERVERS:
            return SnapshotResult(channel=channel, term=core.term, seq=seq, servers=self.servers())
        for shot in core.shots.values():
            if shot_channel(shot.key) == channel:
                return SnapshotResult(
                    channel=channel,
                    term=core.term,
                    seq=seq,
                    shot=self.shot(shot),
                    actions=tuple(self.action(shot, path) for path in shot.actions),
                )
        if channel.startswith("output/") or channel in ("log", "feed"):
            return SnapshotResult(channel=channel, term=core.term, seq=seq)
        return None
