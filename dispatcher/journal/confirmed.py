"""What Redis has confirmed to have, and what follows when it has it no more. Pure.

A commit names the last one that Redis has confirmed, and the keys that were there: so a Redis that
was emptied, replaced by an older copy, or robbed of a key is found out by the next commit. What is
kept here is written again; the rest the dispatcher writes anew from what it knows (I9).
"""

from collections import deque
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from shotline.common.records import ShotKey
from shotline.dispatcher.journal import HistoryLost
from shotline.dispatcher.journal.commit import EncodedCommit
from shotline.dispatcher.journal.layout import NO_COMMIT, CommitId, Keys
from shotline.dispatcher.journal.projection import (
    Argument,
    check_arguments,
    checked_keys,
    claim_arguments,
    commands,
    commit_arguments,
    unchecked,
)
from shotline.dispatcher.journal.recent import Kept, RecentCommits

_NAMED_MAX: Final = 5
_REMOVERS: Final = ("DEL", "SREM")  # what they are about may be gone afterwards


class CommitRequest(NamedTuple):
    """What Redis is asked to take: a commit that is pending, from the file, or known and lost."""

    id: CommitId
    arguments: Sequence[Argument]  # of the commit's script
    made: Sequence[tuple[str, bool]] = ()  # keys, and whether they are there afterwards
    kept: Kept | None = None  # it is written again
    spill_end: int | None = None  # it came from the file and ends there


class Confirmed:
    """Follows one term's commits, and knows what to do when Redis goes back behind them."""

    def __init__(self, keys: Keys, claimed_by: str, recent: RecentCommits) -> None:
        self._keys = keys
        self.term = 0
        self.last = NO_COMMIT  # that Redis has told us to have
        self._highest = NO_COMMIT  # that it has ever told us to have
        self.again: deque[CommitRequest] = deque()  # what Redis has lost, to be written again
        self._claimed_by = claimed_by
        self._recent = recent
        self._before = NO_COMMIT  # the last commit before our claim
        self._known: set[str] = set()  # keys that were there

    def claimed(self, term: int, before: CommitId) -> None:
        """Take note of a term that was claimed, and of the last commit before it."""
        self.term, self._before = term, before
        self.last = self._highest = CommitId(term, 0)

    def knows(self, keys: Iterable[str]) -> None:
        """Take note of keys that are there."""
        self._known.update(keys)

    def forget(self, shots: Iterable[ShotKey]) -> None:
        """Let the keys of shots be gone."""
        for shot in shots:
            self._known.difference_update(self._keys.of(shot).kinds)

    def ask(self, commit: EncodedCommit, spill_end: int | None = None) -> CommitRequest:
        """Return what to ask Redis for a new commit."""
        kinds = checked_keys(self._keys, commit)
        words = list(commands(self._keys, commit))
        made = [(str(one[1]), one[0] not in _REMOVERS) for one in words if one[0] != "RPUSH"]
        return CommitRequest(
            CommitId(commit.term, commit.number),
            check_arguments(kinds, self.last, self._known)
            + commit_arguments(self._keys, commit, words),
            made,
            spill_end=spill_end,
        )

    def taken(self, now: float, asked: CommitRequest, size: int) -> None:
        """Take note that Redis has a commit; `size` is its bytes."""
        self.last = max(self.last, asked.id)
        self._highest = max(self._highest, asked.id)
        for key, is_there in asked.made:
            if is_there:
                self._known.add(key)
            else:
                self._known.discard(key)
        if asked.kept is not None:
            asked.kept.at = now
        elif asked.id.number:
            self._recent.add(now, asked.id, asked.arguments, size)

    def compare(self, last: CommitId) -> HistoryLost | None:
        """Find what Redis lacks of what it had confirmed, when its last commit is `last`.

        Return what it has lost; None where it lacks nothing, or only still lacks what it had lost
        before, and has not taken again yet.
        """
        self.again.clear()
        if last >= self._highest:
            return None
        had, self.last = self.last, last
        self._known.clear()
        first = CommitId(self.term, last.number + 1 if last.term == self.term else 1)
        if last.term < self.term:
            claim = CommitId(self.term, 0)
            arguments = claim_arguments(self._keys, self.term, self._claimed_by)
            self.again.append(CommitRequest(claim, arguments))
        kept = self._recent.since(first)
        for one in kept:
            self.again.append(CommitRequest(one.id, unchecked(one.arguments), kept=one))
        begins = kept[0].id if kept else CommitId(self.term, self._highest.number + 1)
        is_all = begins <= first and (last.term == self.term or last >= self._before)
        if last >= had:
            return None
        return HistoryLost(
            f"what was written behind {_named(last)} was gone, up to {had}; "
            + ("all of it is written again" if is_all else "what is known is written anew"),
            frozenset() if is_all else None,
        )

    def gone(self, commit: CommitRequest, keys: Sequence[str]) -> HistoryLost:
        """Take note of keys that were gone, or of another type, when a commit was written."""
        made = dict(commit.made)
        self._known.difference_update(key for key in keys if key not in made)
        more = f" and {len(keys) - _NAMED_MAX} more" if len(keys) > _NAMED_MAX else ""
        system = {**self._keys.kinds, **self._keys.hosted_kinds}
        of_the_system = any(key in system for key in keys)
        shots = None if of_the_system else frozenset(map(self._keys.shot_of, keys))
        return HistoryLost(
            f"{', '.join(keys[:_NAMED_MAX])}{more} was gone or held something else (what it held "
            "is kept as KEY:set-aside); what is known is written anew",
            shots,
        )


def _named(last: CommitId) -> str:
    return "the beginning" if last == NO_COMMIT else f"commit {last}"
