"""Bugs of the dispatcher."""

from typing import Final

from tests.simulation.mutants.planting import Edit, Mutant

from shotline.dispatcher.alarms.host import AlarmsHost
from shotline.dispatcher.commands.audit_trail import AuditTrail
from shotline.dispatcher.core import Core
from shotline.dispatcher.event_feed import EventFeed
from shotline.dispatcher.execution import Execution
from shotline.dispatcher.fleet import Server
from shotline.dispatcher.plans.host import PlansHost
from shotline.dispatcher.recovery import Recovery
from shotline.dispatcher.reports import Results
from shotline.dispatcher.scheduling import Scheduling
from shotline.dispatcher.sequencer import Sequencer
from shotline.dispatcher.turns import Turns
from shotline.dispatcher.urls import Urls


def _one(
    what: str, rules: str, seed: int, *edits: Edit, kind: str = "Storm", machine: str = "dispatcher"
) -> Mutant:
    return Mutant(what, machine, tuple(rules.split()), kind, seed, edits)


DISPATCHER: Final = (
    _one(
        "answers and dispatches leave before they are journalled",
        "I4",
        0,
        Edit(
            Core,
            "send",
            "self.ledger.after(ToPeer(target, messages))",
            "self.at_once(ToPeer(target, messages))",
        ),
    ),
    _one(
        "what a lost server had is forgotten",
        "I5 I1 slots",
        6,
        Edit(Recovery, "lost", "for attempt in attempts:", "for attempt in ():"),
    ),
    _one(
        "what has succeeded is ready once more in the same run",
        "I1",
        1,
        Edit(
            Sequencer,
            "changed",
            "self._tell_dependents(path)\n    return self._step()",
            "self._tell_dependents(path)\n"
            "    step, live = self._step(), self._actions[path]\n"
            "    if live.cause is not Cause.RESULT or live.attempt > 1:\n"
            "        return step\n"
            "    return step._replace(reopened=(*step.reopened, path), ready=(*step.ready, path))",
        ),
    ),
    _one(
        "a condition fires again when a further reference of it has settled",
        "I1",
        3,
        Edit(
            Sequencer,
            "changed",
            "self._tell_dependents(path)\n    return self._step()",
            "self._tell_dependents(path)\n"
            "    step, live = self._step(), self._actions\n"
            "    again = tuple(\n"
            "        one\n"
            "        for one in self._table.dependents(path)\n"
            "        if one in self._network and self._network.value(one) is Truth.TRUE\n"
            "        and live[one].cause is Cause.RESULT and live[one].attempt < 2\n"
            "    )\n"
            "    reopened, ready = (*step.reopened, *again), (*step.ready, *again)\n"
            "    return step._replace(reopened=reopened, ready=ready)",
        ),
    ),
    _one(
        "a number begins before the one before it has settled",
        "I3",
        1,
        Edit(Turns, "_advance_lane", "            return\n", "            pass\n"),
    ),
    _one(
        "a run ends while something of it still runs",
        "I5",
        0,
        Edit(
            Execution,
            "_end_run",
            "if self._hold_when_quiet(shot, run)",
            "if sequencer is not None and len(sequencer.busy) == 1:\n"
            "        self._close(shot, run)\n"
            "        return\n"
            "    if self._hold_when_quiet(shot, run)",
        ),
    ),
    _one(
        "the end of a run is journalled twice",
        "I5",
        0,
        Edit(
            Execution,
            "_close",
            "core.put(shot, ended)",
            "core.put(shot, ended)\n    core.put(shot, ended)",
        ),
    ),
    _one(
        "output is said to be stored and is not",
        "I2",
        0,
        Edit(
            Results,
            "output",
            "if pieces:\n            self._core.touched(key)",
            "if pieces and not stored:\n            self._core.touched(key)",
        ),
    ),
    _one(
        "what is ready in a HELD run is sent",
        "HELD",
        8,
        Edit(
            Execution,
            "_go",
            "elif run.held is not None or run.coming_hold is not None:",
            "elif run.coming_hold is not None:",
        ),
    ),
    _one(
        "event numbers have gaps",
        "I6",
        0,
        Edit(
            EventFeed,
            "publish",
            "self.last(channel) + 1",
            "self.last(channel) + 1 + (len(payload) % 64 == 0)",
        ),
    ),
    _one(
        "a server is given one more than it has slots",
        "slots I2",
        0,
        Edit(
            Server,
            "free",
            "return able - len(self.attempts)\n",
            "return able + 1 - len(self.attempts)\n",
        ),
    ),
    _one(
        "a result gives two slots back",
        "slots I5 I1 I2",
        3,
        Edit(
            Results,
            "finished",
            "server.attempts.pop(attempt, None)",
            "server.attempts.pop(attempt, None)\n"
            "    server.attempts.pop(next(iter(server.attempts), None), None)",
        ),
    ),
    _one(
        "nobody is told who has asked for a run",
        "audit",
        0,
        Edit(
            AuditTrail,
            "begun",
            "self._put(given, command, Outcome.ACCEPTED, message, about=about)",
            "pass",
        ),
    ),
    _one(
        "it is forgotten for which shot an mdsip server works",
        "mdsip",
        0,
        Edit(Urls, "take", "self._url_of[attempt] = key", "del self._unanswered[key][attempt]"),
        Edit(Urls, "answered", "if key is not None:", "if False:"),
        kind="TwoShots",
    ),
    _one(
        "a deadline of the pulse queue is forgotten",
        "deadline",
        0,
        Edit(
            PlansHost,
            "_carry_out",
            "    self._watch()\n    self.deadline.ask()",
            "    self._watch()",
        ),
        kind="QueueScenario",
    ),
    _one(
        "a result of an older attempt is taken for the current one's",
        "truth I4 I9 honest settled",
        20,
        Edit(
            Results,
            "_find",
            "live.attempt != attempt.number",
            "live.attempt < attempt.number",
        ),
        Edit(
            Results,
            "_store",
            "live.state in IN_PROGRESS and live.server == server.name",
            "live.state in IN_PROGRESS",
        ),
    ),
    _one(
        "a late result is accepted",
        "settled Transition",
        25,
        Edit(
            Results,
            "_store",
            "live.state in IN_PROGRESS and live.server == server.name",
            "(live.state in IN_PROGRESS or live.outcome_unknown) and live.server == server.name",
        ),
    ),
    _one(
        "a server that is lost counts as proven dead",
        "honest",
        9,
        Edit(
            Recovery,
            "lost",
            "self._lose(server, attempt, why, proven_dead=proven_dead)",
            "self._lose(server, attempt, why, proven_dead=True)",
        ),
    ),
    _one(
        "what was sent to a server that falls silent counts as undeliverable",
        "I1 honest",
        2,
        Edit(
            Recovery,
            "judged",
            "core.fleet.judged(server, liveness.state, liveness.why, core.now)",
            "core.fleet.judged(server, liveness.state, liveness.why, core.now)\n"
            "    for attempt in list(server.attempts):\n"
            "        found = self._current(server, attempt)\n"
            "        if found is not None and found[1].state is ActionState.DISPATCHED:\n"
            "            del server.attempts[attempt]\n"
            "            self._execution.requeue(found[0], attempt.path, liveness.why)",
        ),
    ),
    _one(
        "what nobody reports after a restart is given out again without proof",
        "I1 honest",
        44,
        Edit(
            Recovery,
            "_lose_unreported",
            "self._execution.lose(\n"
            "                shot,\n"
            "                live.path,\n"
            '                "it did not report when the dispatcher came back",\n'
            "                proven_dead=False,\n"
            "            )",
            "if live.state is ActionState.DISPATCHED:\n"
            '                self._execution.requeue(shot, live.path, "it did not report")\n'
            "            else:\n"
            '                self._execution.lose(shot, live.path, "it", proven_dead=False)',
        ),
    ),
    _one(
        "an old run goes on by itself after a restart",
        "HELD",
        18,
        Edit(
            Recovery,
            "_hold_old_runs",
            "if not 0 <= age_s <= core.config.dispatcher.resume_within_s:",
            "if False:",
        ),
    ),
    _one(
        "what could not be delivered is taken for another attempt",
        "I1 I5 Transition",
        68,
        Edit(
            Recovery,
            "_dispatch_came_back",
            "found = self._current(server, message.attempt)",
            "found = self._current(server, next(iter(server.attempts), message.attempt))",
        ),
    ),
    _one(
        "a server serves one more than its operators let it",
        "F2",
        47,
        Edit(
            Server,
            "free",
            "if standing is None:",
            "if standing is None or True:",
        ),
        kind="FleetScenario",
    ),
    _one(
        "a place of a limit is free as soon as a server is lost",
        "limit",
        10,
        Edit(
            Scheduling,
            "_may_still_run",
            "return live.outcome_unknown and live.time > dismissed",
            "return False",
        ),
        kind="LimitedScenario",
    ),
    _one(
        "an alarm is told in a later commit than its cause",
        "alarms",
        0,
        Edit(
            AlarmsHost,
            "settle",
            "news, core.alarm_news = core.alarm_news, []",
            "news, core.alarm_news = core.alarm_news[:-1], core.alarm_news[-1:]",
        ),
        kind="AlarmsScenario",
    ),
)
