"""Bugs of the servers, the broker, the journal, and of what the dispatcher hosts."""

from typing import Final

from tests.simulation.mutants.planting import Edit, Mutant

from shotline.action_server.attempts import Attempts
from shotline.action_server.contact import Contact
from shotline.broker.registry import Registry
from shotline.dispatcher.journal.confirmed import Confirmed
from shotline.dispatcher.journal.ledger import Ledger
from shotline.dispatcher.journal.redis_journal import RedisJournal
from shotline.dispatcher.journal.standing import Standing, Succession
from shotline.providers.machine import Provider
from shotline.pulse_queue.machine import PulseQueue
from shotline.pulse_queue.running import Running
from shotline.volumes.announcing import Announcing
from shotline.volumes.fold import LedgerFold
from shotline.volumes.leasing import Leasing
from shotline.volumes.offers import Offers


def _of(
    machine: str, what: str, rules: str, seed: int, *edits: Edit, kind: str = "Storm"
) -> Mutant:
    return Mutant(what, machine, tuple(rules.split()), kind, seed, edits)


SERVERS: Final = (
    _of(
        "server",
        "a dispatch is taken whatever its epoch",
        "I1 honest",
        5,
        Edit(
            Contact,
            "takes",
            "return self.is_registered and dispatch.epoch == self.epoch",
            "return True",
        ),
    ),
    _of(
        "server",
        "the epoch is looked at only in a new life",
        "I1 honest",
        5,
        Edit(
            Contact,
            "takes",
            "return self.is_registered and dispatch.epoch == self.epoch",
            "return dispatch.epoch <= self.epoch",
        ),
    ),
    _of(
        "server",
        "an action is said to be aborted before its processes are gone",
        "honest",
        0,
        Edit(
            Attempts,
            "end",
            "self._slots.end(now, running.slot)",
            "self._slots.end(now, running.slot)\n"
            "    self.settle_ended(now, running.slot, is_unknown=False)",
        ),
    ),
    _of(
        "broker",
        "a registration does not reach the dispatcher",
        "I5 I1 slots",
        5,
        Edit(
            Registry,
            "_accept",
            "self._outbox.forward_to_dispatcher(known.identity, encode([register]))",
            "if register.epoch < 3:\n"
            "        self._outbox.forward_to_dispatcher(known.identity, encode([register]))",
        ),
    ),
    _of(
        "journal",
        "effects leave with the next commit, not with their own",
        "I4",
        0,
        Edit(
            Ledger,
            "flush",
            "self._flying, self._gathering = batch, _Batch()\n    return [WriteCommit(encoded)]",
            "self._flying, self._gathering = batch, _Batch()\n"
            "    left, batch.effects = batch.effects, []\n"
            "    return [WriteCommit(encoded), *left]",
        ),
    ),
    _of(
        "journal",
        "the spill file is written to Redis twice",
        "I9",
        7,
        Edit(
            RedisJournal,
            "_send_next",
            "self._send_commit(now, self._confirmed.ask(unpack_commit(data), end))",
            "commit = unpack_commit(data)\n"
            "            number = max(commit.number, self._confirmed.last.number + 1)\n"
            "            again = commit._replace(number=number)\n"
            "            end = end if self._confirmed.last.number % 2 else self._disk.replayed\n"
            "            self._send_commit(now, self._confirmed.ask(again, end))",
        ),
    ),
    _of(
        "journal",
        "terms are not compared: a dispatcher that was replaced takes its commits for written",
        "I4",
        4,
        Edit(RedisJournal, "_answered", "if last.term > sent.id.term:", "if False:"),
        Edit(RedisJournal, "_hear", "if passed:", "if False:"),
        kind="Unheard",
    ),
    _of(
        "journal",
        "what Redis has lost is forgotten where it refuses to take it again",
        "I9",
        0,
        Edit(Confirmed, "compare", "if last >= self._highest:", "if last >= self.last:"),
        kind="Refused",
    ),
    _of(
        "journal",
        "a dispatcher that stood still goes on with its spill file",
        "I4 I1 honest",
        4,
        Edit(Standing, "_doubts", "self.doubt = self.doubt or", "told ="),
        kind="Replaced",
    ),
    _of(
        "journal",
        "a new dispatcher takes the place of another without asking",
        "I4 I1 I5 honest",
        0,
        Edit(
            Succession,
            "may_claim",
            "return found.asks == self.name and now - self._since >= self.patience_s",
            "return True",
        ),
        kind="Replaced",
    ),
)

HOSTED: Final = (
    _of(
        "pulse queue",
        "a HELD entry is started",
        "Q5",
        76,
        Edit(Running, "_next", "if head.state is EntryState.HELD:", "if False:"),
        kind="QueueScenario",
    ),
    _of(
        "pulse queue",
        "a plan that ran is started again after a restart",
        "Q10 Q1",
        12,
        Edit(
            Running,
            "recovered",
            "self._core.give(running.command, self._command(running))",
            "self.start(running.entry, executed=False)",
        ),
        kind="KilledEarly",
    ),
    _of(
        "pulse queue",
        "nobody holds the run of a plan that pauses",
        "Q6",
        27,
        Edit(
            Running,
            "_hold",
            "if running.run is not None and running.pause:",
            'self._paused("as asked")\n    if False:',
        ),
        kind="KilledEarly",
    ),
    _of(
        "pulse queue",
        "the queue is idle between two plans",
        "Q10",
        0,
        Edit(
            Running,
            "advance",
            "if not has_gone_on:",
            "if not has_gone_on or self._core.fold.running is None:",
        ),
        kind="QueueScenario",
    ),
    _of(
        "pulse queue",
        "a lock is lost at a restart",
        "Q8",
        0,
        Edit(
            PulseQueue,
            "load",
            "fold.history.clear()",
            "fold.history.clear()\n    fold.lock = None",
        ),
        kind="LockedQueue",
    ),
    _of(
        "pulse queue",
        "the queue goes on by itself where Redis may have lost its end",
        "I1",
        413,
        Edit(PulseQueue, "_recovered", "elif event.may_lack_end:", "elif False:"),
        kind="LostEnd",
    ),
    _of(
        "volumes",
        "an announcement is taken twice",
        "V2",
        5,
        Edit(
            Announcing,
            "announce",
            "taken = known.number if known.memory == command.memory else 0",
            "taken = command.number - 1",
        ),
        kind="VolumesScenario",
    ),
    _of(
        "volumes",
        "a lease is ended by somebody else",
        "V3",
        0,
        Edit(
            Leasing,
            "_own",
            "if attempt != item.attempts or item.lease.consumer != consumer:",
            "if False:",
        ),
        kind="VolumesScenario",
    ),
    _of(
        "volumes",
        "a lease is given twice",
        "V3",
        0,
        Edit(
            Offers,
            "changed",
            "elif item.state is RecordState.READY:",
            "elif item.state is RecordState.READY or item.number % 5 == 0:",
        ),
        kind="VolumesScenario",
    ),
    _of(
        "volumes",
        "the order within a key is not kept",
        "V3",
        0,
        Edit(
            Offers,
            "_lane",
            'return item.group, item.key if group.ordered else f"{item.volume}\\0{item.held.host}"',
            "return item.group, str(item.number)",
        ),
        kind="VolumesScenario",
    ),
    _of(
        "volumes",
        "a sum is wrong",
        "V1",
        0,
        Edit(
            LedgerFold,
            "_drop",
            "del self.items[item.number]",
            "del self.items[item.number]\n    volume.counts[item.state] = 0",
        ),
        kind="VolumesScenario",
    ),
    _of(
        "providers",
        "a job that has had several lives proves the end of all of them",
        "proof",
        9,
        Edit(
            Provider,
            "_report",
            'proof=pilot.proof if pilot.has_lived_once else "",',
            'proof="it is over" if pilot.state is PilotState.ENDED else "",',
        ),
        kind="PilotScenario",
    ),
)
