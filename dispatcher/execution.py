"""Runs, from their first action to their end: what is ready is sent, what comes back is settled.

What happens to an action is made true by `change`, and so is what the run's sequencer decides then.
What is ready is let go from a queue, one after the other, so that no chain of actions is too long.
Pure.
"""

from collections import deque
from collections.abc import Callable, Sequence

import msgspec
from msgspec import structs

from shotline.common.actions import (
    IN_PROGRESS,
    SETTLED_STATE,
    TRANSITIONS,
    ActionState,
    AttemptId,
    Cause,
)
from shotline.common.base import to_json
from shotline.common.messages import AbortAttempt, Dispatch, Held
from shotline.common.records import (
    Redispatched,
    RunAborting,
    RunEnded,
    RunKind,
    RunOpened,
    RunOutcome,
    RunPutOnHold,
    RunResumed,
    ShotKey,
    Transition,
)
from shotline.common.views import JournalState
from shotline.dispatcher.core import Core
from shotline.dispatcher.fleet import Queued, Server
from shotline.dispatcher.proofs import NOT_RUNNING
from shotline.dispatcher.sequencer import Sequencer, Step
from shotline.dispatcher.shots import Run, Shot
from shotline.trees.mdsip_binding import url_of

RunOverHook = Callable[[Shot, Run], None]


class Execution:
    """Drives the open runs. `on_run_over` answers those who wait for one that ended or is HELD."""

    def __init__(self, core: Core, on_run_over: RunOverHook) -> None:
        self._core = core
        self._ready: deque[tuple[Shot, Run, str]] = deque()  # actions to let go
        self._touched: dict[ShotKey, None] = {}  # whose run may be over
        self._on_run_over = on_run_over

    # Runs begin

    def open_run(
        self,
        shot: Shot,
        kind: RunKind,
        phase: str,
        paths: Sequence[str],
        *,
        command: str,
        who: str,
        first: int | None = None,
        last: int | None = None,
    ) -> Run:
        """Open a run over these actions and let go what is ready.

        The log has it from the audit's line: who has asked for it, and what has begun.
        """
        number = next(reversed(shot.runs), 0) + 1
        settled_before = [path for path in paths if shot.actions[path].cause is not None]
        self._core.put(
            shot,
            RunOpened(
                time=self._core.wall,
                run=number,
                kind=kind,
                phase=phase,
                first=first,
                last=last,
                paths=tuple(paths),
                command=command,
                who=who,
            ),
        )
        for path in settled_before:
            if shot.actions[path].cause is None:  # the projection in Redis must show the reset, too
                self._core.put(shot, shot.actions[path])
        run = shot.runs[number]
        run.opened_mono = self._core.now
        self.drive(shot, run)
        for path in paths:  # what cannot be read has failed already (D3)
            self._abort_if_essential(shot, run, path)
        return run

    def drive(self, shot: Shot, run: Run) -> None:
        """Begin, or after a restart go on, to drive an open run."""
        run.sequencer = Sequencer(shot.table, run.paths, shot.actions, run.redispatched)
        self._carry_out(shot, run, run.sequencer.start())
        self._let_go()

    def redispatch(self, shot: Shot, path: str, command: str, who: str) -> Run:
        """Run one action again, within the open run or in a run of its own (D10)."""
        run = shot.open_run
        if run is None:
            return self._open_single(shot, path, command, who)
        wall = self._core.wall
        again = Redispatched(time=wall, run=run.number, path=path, command=command, who=who)
        self._core.put(shot, again)
        by = f" by {who}" if who else ""
        self._put(shot, shot.pending(path, run.number, wall, f"dispatched again{by}"))
        if run.sequencer is not None:
            self._carry_out(shot, run, run.sequencer.redispatch(path, shot.table))
            self._let_go()
        return run

    def _open_single(self, shot: Shot, path: str, command: str, who: str) -> Run:
        """Open a run of one action and of those that depend on it and never started."""
        actions = shot.actions | {path: shot.pending(path, None, self._core.wall)}
        plan = Sequencer(shot.table, (path,), actions, (path,)).redispatch(path, shot.table)
        members = (path, *plan.reopened)
        return self.open_run(
            shot, RunKind.SINGLE, shot.table.node(path).phase, members, command=command, who=who
        )

    # Changes

    def change(self, shot: Shot, new: Transition) -> None:
        """Make a transition true, journal it, and carry out what follows."""
        self._change(shot, new)
        self._let_go()

    def _change(self, shot: Shot, new: Transition) -> None:
        """Make a transition true, and what the sequencer decides on it, but let nothing go yet."""
        self._put(shot, new)
        run = shot.open_run
        if run is None:
            return
        self._abort_if_essential(shot, run, new.path)
        if run.sequencer is not None:
            self._carry_out(shot, run, run.sequencer.changed(new.path))

    def _put(self, shot: Shot, new: Transition) -> None:
        old = shot.actions[new.path]
        assert new.state in TRANSITIONS[old.state], f"{old} -> {new}"
        self._core.put(shot, new)
        self._touched[shot.key] = None

    def _carry_out(self, shot: Shot, run: Run, step: Step) -> None:
        """Make true what the sequencer has decided; it counts on it, and is not told."""
        self._touched[shot.key] = None
        for path in step.reopened:
            self._put(shot, shot.pending(path, run.number, self._core.wall))
        for settle in step.settle:
            self._put(shot, self._unsent(shot.actions[settle.path], settle.cause, settle.reason))
        self._ready.extend((shot, run, path) for path in step.ready)

    def _abort_if_essential(self, shot: Shot, run: Run, path: str) -> None:
        """Abort the run when an essential action has failed, where the options ask for it."""
        if shot.table.options.essential_failure != "abort_run" or run.aborting:
            return
        live = shot.actions[path]
        if live.cause is not None and shot.table.node(path).essential and shot.failed(path):
            is_unread = live.cause is Cause.UNREADABLE
            what = f"cannot be read: {live.reason}" if is_unread else "has failed"
            self.abort_run(shot, run, f"essential action {path} {what}")

    def _let_go(self) -> None:
        """Let the ready actions go, and what becomes ready by that."""
        while self._ready:
            self._go(*self._ready.popleft())

    def _go(self, shot: Shot, run: Run, path: str) -> None:
        """Let a ready action wait for a server, or for the end of the run's hold or abort."""
        if shot.actions[path].cause is not None:
            return
        if run.aborting:
            self._settle(shot, path, Cause.ABORTED_BEFORE_SENT, run.aborting)
        elif run.held is not None or run.coming_hold is not None:
            run.parked[path] = None
        else:
            self._enqueue(shot, path)

    def _enqueue(self, shot: Shot, path: str, *, first: bool = False) -> None:
        """Let a ready action wait for a server, and for the mdsip url that its task needs."""
        node = shot.table.node(path)
        self._core.fleet.enqueue(Queued(shot.key, path), node, first=first)

    def _settle(self, shot: Shot, path: str, cause: Cause, reason: str) -> None:
        """Settle an action that was never sent, unless an abort has settled it meanwhile."""
        live = shot.actions[path]
        if live.cause is None and live.state is ActionState.NOT_DISPATCHED:
            self._change(shot, self._unsent(live, cause, reason))

    def _unsent(self, live: Transition, cause: Cause | None, reason: str) -> Transition:
        """Return the state of an action that was not sent, or was never started where it was."""
        state = ActionState.NOT_DISPATCHED if cause is None else SETTLED_STATE[cause]
        return Transition(
            time=self._core.wall,
            path=live.path,
            state=state,
            cause=cause,
            reason=reason,
            run=live.run,
            attempt=live.attempt,
        )

    @staticmethod
    def _class_of(shot: Shot, path: str) -> str:
        return shot.table.node(path).server_class

    # Sending

    def pump(self) -> None:
        """Send what has a slot, give up what has no server, end the runs that are over."""
        core, limits = self._core, self._core.config.dispatcher
        if core.recovering:
            return
        for why, entries in core.fleet.expired(core.now, limits.server_grace_s):
            self._settle_unserved(entries, why)
        for entry, url in core.fleet.blocked_too_long(core.now, limits.url_wait_s):
            self._settle(
                core.shots[entry.key],
                entry.path,
                Cause.NO_SERVER,
                f"the mdsip server at {url} went on working for {core.fleet.urls.shot_of(url)} for "
                f"{limits.url_wait_s:g} s (when that has ended: shotline clear-url {url})",
            )
            self._let_go()
        if core.journal_state is not JournalState.STOPPED:
            for entry, server in core.fleet.assign(core.now):
                self._send(core.shots[entry.key], entry.path, server)
            self._let_go()
            for why, entries in core.fleet.beyond():
                self._settle_unserved(entries, why)
        self._end_runs()

    def _settle_unserved(self, entries: Sequence[Queued], why: str) -> None:
        for entry in entries:
            self._settle(self._core.shots[entry.key], entry.path, Cause.NO_SERVER, why)
        self._let_go()

    def _send(self, shot: Shot, path: str, server: Server) -> None:
        core, node, run = self._core, shot.table.node(path), shot.open_run
        assert node.task is not None, path
        assert run is not None, path
        server.number += 1
        attempt = AttemptId(shot.key.tree, shot.key.shot, path, shot.attempts.get(path, 0) + 1)
        epoch = server.register.epoch
        server.attempts[attempt] = epoch
        url = url_of(node.task, server.register.url)
        if url is not None:
            core.fleet.urls.take(url, attempt)
        core.server_changed(server)
        self._change(
            shot,
            Transition(
                time=core.wall,
                path=path,
                state=ActionState.DISPATCHED,
                run=run.number,
                attempt=attempt.number,
                server=server.name,
                url=url,
                incarnation=server.register.incarnation,
                epoch=epoch,
                dispatched_at=core.wall,
            ),
        )
        core.send(
            server.identity,
            Dispatch(
                term=core.term,
                epoch=epoch,
                number=server.number,
                attempt=attempt,
                task=to_json(node.task),
                timeout_s=node.timeout_s or core.config.action_server.task_timeout_s,
                folder=node.folder,
                variables=msgspec.json.encode(shot.variables) if shot.variables else b"",
            ),
        )

    def adopt(self, shot: Shot, server: Server, attempt: AttemptId, held: Held | None) -> None:
        """Take from a server's word what it was sent, which the journal has lost.

        `held`: as it has it now; None: it was started there, and how it ended was told then. It
        goes on in the open run where it is pending there. Else nobody knows what it was for: its
        outcome is unknown until its server tells of its end.
        """
        run, path = shot.open_run, attempt.path
        if shot.actions[path].state in IN_PROGRESS:  # there must have been an end to that
            self.forget(shot, path)
        live = shot.actions[path]
        is_pending = live.cause is None and run is not None and path in run.paths
        if not is_pending:
            self._put(shot, shot.pending(path, live.run, self._core.wall))
        sent = Transition(
            time=self._core.wall,
            path=path,
            state=ActionState.DISPATCHED,
            run=shot.actions[path].run,
            attempt=attempt.number,
            server=server.name,
            url=url_of(shot.table.node(path).task, server.register.url),
            incarnation=server.register.incarnation,
            epoch=server.register.epoch,
            dispatched_at=(held.started_at if held is not None else None) or self._core.wall,
        )
        if sent.url is not None and held is not None:
            self._core.fleet.urls.take(sent.url, attempt)
        if not is_pending:
            self._put(shot, sent)
            words = f"{server.name} was sent it, which the journal has lost; it may have run"
            self._put(shot, self._given_up(sent, Cause.FORGOTTEN, words, unknown=True))
            return
        assert run is not None
        self._core.fleet.withdraw(self._class_of(shot, path), Queued(shot.key, path))
        run.parked.pop(path, None)
        self.change(shot, sent)
        if held is None:
            words = f"{server.name} has run it; how it ended was in what the journal has lost"
            self._give_up(shot, sent, Cause.FORGOTTEN, words, unknown=True)

    def requeue(self, shot: Shot, path: str, why: str) -> None:
        """Take back an attempt that is proven never to start; the action is ready again (I1)."""
        live, run = shot.actions[path], shot.open_run
        self._core.fleet.urls.answered(shot.attempt_of(live))
        if live.aborting or run is None or run.aborting:
            reason = "aborted before it was started"
            self.change(shot, self._unsent(live, Cause.ABORTED_BEFORE_SENT, reason))
            return
        self.change(shot, self._unsent(live, None, f"came back unstarted: {why}"))
        if run.held is not None:
            run.parked[path] = None
        else:
            self._enqueue(shot, path, first=True)

    def lose(self, shot: Shot, path: str, why: str, *, proven_dead: bool) -> None:
        """Settle an attempt whose server is lost: it may have run (I1).

        `proven_dead`: nothing of it runs any more. It may have come to its end before all the same.
        """
        live = shot.actions[path]
        text = f"{live.server} was lost: {why}"
        if live.url is not None:  # what runs in an mdsip server does not end with ours
            proven_dead = False
        known = NOT_RUNNING if proven_dead else "it may have run"
        self._give_up(shot, live, Cause.SERVER_LOST, f"{text}; {known}", unknown=not proven_dead)

    def forget(self, shot: Shot, path: str) -> None:
        """Settle an attempt that its server had started, has no more, and never told the end of."""
        live = shot.actions[path]
        text = f"{live.server} has it no more, and has not told how it ended; it may have run"
        self._give_up(shot, live, Cause.FORGOTTEN, text, unknown=True)

    def _give_up(
        self, shot: Shot, live: Transition, cause: Cause, reason: str, *, unknown: bool
    ) -> None:
        self.change(shot, self._given_up(live, cause, reason, unknown=unknown))

    def _given_up(
        self, live: Transition, cause: Cause, reason: str, *, unknown: bool
    ) -> Transition:
        return structs.replace(
            live,
            time=self._core.wall,
            state=ActionState.ABORTED,
            cause=cause,
            reason=reason,
            outcome_unknown=unknown,
            aborting=False,
            ended_at=self._core.wall,
        )

    def started(self, shot: Shot, live: Transition, started_at: float) -> None:
        """A worker process has started the action."""
        self.change(
            shot,
            structs.replace(
                live, time=self._core.wall, state=ActionState.DOING, started_at=started_at
            ),
        )

    def abort_run(self, shot: Shot, run: Run, why: str) -> None:
        """Abort a run: what was not sent is removed, what runs is ended."""
        if not run.aborting:
            self._core.put(shot, RunAborting(time=self._core.wall, run=run.number, reason=why))
        self.abort_pending(shot, run, why)
        self._touched[shot.key] = None  # perhaps nothing of it is open any more
        for path in list(run.paths):
            if shot.actions[path].state in IN_PROGRESS:
                self.abort_sent(shot, path, why)

    def abort_pending(self, shot: Shot, run: Run, why: str) -> list[str]:
        """Remove what was not sent yet. Return it."""
        removed = []
        for path in list(run.paths):
            live = shot.actions[path]
            if live.cause is None and live.state is ActionState.NOT_DISPATCHED:
                self.remove(shot, path, why)
                removed.append(path)
        return removed

    def remove(self, shot: Shot, path: str, why: str) -> None:
        """Settle an action that was not sent."""
        run = shot.open_run
        self._core.fleet.withdraw(self._class_of(shot, path), Queued(shot.key, path))
        if run is not None:
            run.parked.pop(path, None)
        self._settle(shot, path, Cause.ABORTED_BEFORE_SENT, why)
        self._let_go()

    def abort_sent(self, shot: Shot, path: str, why: str) -> None:
        """Ask the server to end an action; it is ABORTED when that is proven (D9)."""
        live = shot.actions[path]
        if not live.aborting:
            self.change(
                shot,
                structs.replace(
                    live, time=self._core.wall, aborting=True, reason=f"aborting: {why}"
                ),
            )
        self.tell_abort(shot, path, why)

    def tell_abort(self, shot: Shot, path: str, why: str) -> None:
        """Send the abort of the current attempt to its server, again where it may be lost."""
        live = shot.actions[path]
        server = self._core.fleet.servers.get(live.server or "")
        if server is None or server.register.incarnation != live.incarnation:
            return
        attempt = shot.attempt_of(live)
        self._core.send(
            server.identity, AbortAttempt(term=self._core.term, attempt=attempt, reason=why)
        )

    def hold(self, shot: Shot, run: Run, reason: str) -> None:
        """Start nothing more of a run; what runs goes on."""
        self._core.put(shot, RunPutOnHold(time=self._core.wall, run=run.number, reason=reason))
        for path in run.paths:
            if run.is_busy(path) and self._core.fleet.withdraw(
                self._class_of(shot, path), Queued(shot.key, path)
            ):
                run.parked[path] = None
        self._on_run_over(shot, run)

    def hold_at_boundary(self, shot: Shot, run: Run, reason: str) -> None:
        """Hold a run before its next sequence number: what has had its turn goes on."""
        core = self._core
        core.put(shot, RunPutOnHold(time=core.wall, run=run.number, reason=reason, coming=True))
        self._touched[shot.key] = None

    def hold_aborting(self, shot: Shot, run: Run, reason: str) -> None:
        """Hold a run, and abort what runs; it is held when that is proven to be gone."""
        core = self._core
        going = tuple(path for path in run.paths if shot.actions[path].state in IN_PROGRESS)
        core.put(
            shot,
            RunPutOnHold(time=core.wall, run=run.number, reason=reason, coming=True, aborted=going),
        )
        for path in run.paths:
            if run.is_busy(path) and core.fleet.withdraw(
                self._class_of(shot, path), Queued(shot.key, path)
            ):
                run.parked[path] = None
        for path in going:
            self.abort_sent(shot, path, reason)
        self._touched[shot.key] = None

    def _hold_when_quiet(self, shot: Shot, run: Run) -> bool:
        """Hold a run whose hold is coming, once nothing that has begun goes on any more."""
        reason = run.coming_hold
        if reason is None or run.aborting or run.sequencer is None:
            return False
        if any(path not in run.parked for path in run.sequencer.busy):
            return False
        aborted = tuple(
            path for path in run.ended_for_hold if shot.actions[path].state is ActionState.ABORTED
        )
        if not run.parked and not aborted:
            return False
        self._core.put(
            shot,
            RunPutOnHold(time=self._core.wall, run=run.number, reason=reason, aborted=aborted),
        )
        self._on_run_over(shot, run)
        return True

    def resume(self, shot: Shot, run: Run, who: str, *, again: bool = False) -> None:
        """Let a held run go on; `again`: what was aborted for the hold is run again first.

        What may still be running somewhere is not.
        """
        core = self._core
        redone = [
            path
            for path in run.ended_for_hold
            if again
            and shot.actions[path].state is ActionState.ABORTED
            and not shot.actions[path].outcome_unknown
        ]
        core.put(shot, RunResumed(time=core.wall, run=run.number, who=who))
        for path in redone:
            core.put(shot, Redispatched(time=core.wall, run=run.number, path=path, who=who))
            self._put(shot, shot.pending(path, run.number, core.wall, "run again after a pause"))
        if redone:
            # Later numbers wait for these again, also those that were ready.
            run.parked.clear()
            self.drive(shot, run)
        for path in run.parked:
            self._enqueue(shot, path)
        run.parked.clear()
        self._touched[shot.key] = None

    # Runs end

    def _end_runs(self) -> None:
        while self._touched:
            key, _ = self._touched.popitem()
            shot = self._core.shots.get(key)
            if shot is not None and shot.open_run is not None:
                self._end_run(shot, shot.open_run)

    def _end_run(self, shot: Shot, run: Run) -> None:
        sequencer = run.sequencer
        if self._hold_when_quiet(shot, run) or sequencer is None or sequencer.busy:
            return
        if run.held is not None and run.ended_for_hold and not run.aborting:
            return  # whoever resumes it says whether that is run again
        if run.held is None:
            self._carry_out(shot, run, sequencer.conclude())
        if not sequencer.open_paths:
            self._close(shot, run)

    def _close(self, shot: Shot, run: Run) -> None:
        """Journal the end of a run, once (I5)."""
        core = self._core
        mono = run.opened_mono
        duration_s = core.now - mono if mono is not None else max(core.wall - run.opened.time, 0.0)
        ended = RunEnded(
            time=core.wall,
            run=run.number,
            outcome=RunOutcome.ABORTED if run.aborting else RunOutcome.COMPLETED,
            counts=shot.counts(run.paths),
            duration_s=duration_s,
            reason=run.aborting or "",
        )
        core.put(shot, ended)
        core.note(
            f"{shot.key} run {run.number} ({run.opened.phase}) is {ended.outcome} after "
            f"{duration_s:.3g} s: {ended.counts.success} success, {ended.counts.failed} failed, "
            f"{ended.counts.server_off} server off, {ended.counts.not_dispatched} not dispatched",
            shot.key,
        )
        self._on_run_over(shot, run)
