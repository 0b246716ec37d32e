"""Locks of the queue and of what runs: with a key, and an emergency key (Q8). Pure."""

from hashlib import sha256
from hmac import compare_digest

from shotline.common.messages import Outcome
from shotline.common.queue import commands as q
from shotline.common.queue.records import LockChanged, LockKept
from shotline.common.queue.views import QueueLockResult, QueueLockView, RefusalCode
from shotline.pulse_queue.core import QueueCore
from shotline.pulse_queue.events import QueueAnswer
from shotline.pulse_queue.refusal import QueueRefusal


def hash_of(key: str) -> str:
    """Return what is kept of a lock's key."""
    return sha256(f"shotline lock:{key}".encode()).hexdigest()


def require_key(core: QueueCore, command: q.QueueCommand) -> None:
    """Raise QueueRefusal where the command is about what is locked, and has not the key."""
    lock, part = core.fold.lock, command.LOCKED
    if lock is None or not part or not getattr(lock, part):
        return
    if not _fits(lock, command.lock_key):
        what = "wrong key" if command.lock_key else "locked"
        code = RefusalCode.WRONG_KEY if command.lock_key else RefusalCode.LOCKED
        note = f": {lock.note}" if lock.note else ""
        parts = " and ".join(one for one in ("queue", "environment") if getattr(lock, one))
        raise QueueRefusal(code, f"{what}: {lock.user} has locked the {parts}{note}")


def _fits(lock: LockKept, key: str) -> bool:
    return compare_digest(lock.key_hash, hash_of(key))


class Locks:
    """Locks and unlocks."""

    def __init__(self, core: QueueCore) -> None:
        self._core = core

    def lock(self, command: q.QueueLock, user: str) -> QueueAnswer:
        """Lock, or change the lock with its own key."""
        before = self._core.fold.lock
        if not command.queue and not command.environment:
            text = "say what is locked: the queue, the environment, or both"
            raise QueueRefusal(RefusalCode.BAD_PLAN, text)
        if before is not None and not _fits(before, command.key):
            text = f"{before.user} has locked it already, with another key"
            raise QueueRefusal(RefusalCode.WRONG_KEY, text)
        lock = LockKept(
            user=user,
            note=command.note,
            queue=command.queue,
            environment=command.environment,
            key_hash=hash_of(command.key),
            time=self._core.wall,
        )
        self._core.put(LockChanged(time=self._core.wall, by=user, lock=lock))
        parts = " and ".join(one for one in ("queue", "environment") if getattr(lock, one))
        return QueueAnswer(Outcome.OK, f"{user} has locked the {parts}", self.result())

    def unlock(self, command: q.QueueUnlock, user: str) -> QueueAnswer:
        """Take the lock away."""
        lock = self._core.fold.lock
        if lock is None:
            raise QueueRefusal(RefusalCode.NOT_LOCKED, "nothing is locked")
        emergency = self._core.emergency_key
        is_emergency = bool(emergency) and compare_digest(emergency.encode(), command.key.encode())
        if not is_emergency and not _fits(lock, command.key):
            raise QueueRefusal(RefusalCode.WRONG_KEY, f"wrong key: {lock.user} has locked it")
        self._core.put(LockChanged(time=self._core.wall, by=user, lock=None))
        how = " with the emergency key" if is_emergency else ""
        text = f"{user} has unlocked what {lock.user} had locked{how}"
        return QueueAnswer(Outcome.OK, text, self.result())

    def info(self, command: q.QueueLockInfo) -> QueueAnswer:
        """Tell of the lock, and whether a key is its."""
        lock = self._core.fold.lock
        fits = None if not command.key else lock is not None and _fits(lock, command.key)
        text = "nothing is locked" if lock is None else f"locked by {lock.user}"
        return QueueAnswer(Outcome.OK, text, self.result(fits=fits))

    def result(self, *, fits: bool | None = None) -> QueueLockResult:
        """Return the lock as it is told."""
        return QueueLockResult(
            version=self._core.fold.versions.lock,
            lock=lock_view(self._core.fold.lock),
            emergency_key_set=bool(self._core.emergency_key),
            key_fits=fits,
        )


def lock_view(lock: LockKept | None) -> QueueLockView | None:
    """Return a lock without its key."""
    if lock is None:
        return None
    return QueueLockView(
        user=lock.user,
        note=lock.note,
        queue=lock.queue,
        environment=lock.environment,
        time=lock.time,
    )
