"""The methods about the lock. Pure."""

from shotline.bridges.qserver.asking import Body, Heard, Question, Sorry, Step
from shotline.bridges.qserver.method import Context, Method, asked, done, require
from shotline.common.base import Json
from shotline.common.queue import commands as q
from shotline.common.queue.views import QueueLockResult, RefusalCode


def _lock(context: Context, params: Body) -> Step:
    user = _text(params, "user", "User name")
    key = _text(params, "lock_key", "Lock key")
    note = params.get("note")
    if not isinstance(note, str | None):
        raise Sorry(f"Note must be a string or None: note = {note!r}")
    queue, environment = params.get("queue", False), params.get("environment", False)
    if not isinstance(queue, bool) or not isinstance(environment, bool):
        raise Sorry("Invalid option: environment and queue must be true or false")
    if not queue and not environment:
        raise Sorry("Invalid option: environment and/or queue must be selected")
    command = q.QueueLock(key=key, user=user, queue=queue, environment=environment, note=note or "")

    def then(told: Heard) -> Step:
        if told.code is RefusalCode.WRONG_KEY:
            raise Sorry(f"RE Manager was locked with a different key: {told.message}")
        require(told)
        return _told(context)

    return Question(command, then)


def _text(params: Body, name: str, words: str) -> str:
    if name not in params:
        raise Sorry(f"{words} is not specified: {name!r} is a required parameter")
    value = params[name]
    if not isinstance(value, str) or not value:
        raise Sorry(f"{words} must be a non-empty string: {name} = {value!r}")
    return value[:200]


def _unlock(context: Context, params: Body) -> Step:
    if "lock_key" not in params:
        raise Sorry("Request contains no lock key: 'lock_key' is a required parameter")
    key = _text(params, "lock_key", "Lock key")
    if context.view.fold.lock is None:
        return _told(context)

    def then(told: Heard) -> Step:
        if told.code is not RefusalCode.NOT_LOCKED:
            require(told)
        return _told(context)

    return Question(q.QueueUnlock(key=key), then)


def _info(context: Context, params: Body) -> Step:
    key: Json = params.get("lock_key")
    if key is None or context.view.fold.lock is None:
        return _told(context)
    key = _text(params, "lock_key", "Lock key")

    def then(told: Heard) -> Step:
        require(told)
        assert isinstance(told.result, QueueLockResult)
        if not told.result.key_fits:
            lock = {"lock_info": context.view.lock_told(), "lock_info_uid": context.view.lock_uid}
            raise Sorry("Invalid lock key: it is not the one of the lock", **lock)
        return _told(context)

    return asked(q.QueueLockInfo(key=key), then)


def _told(context: Context) -> Step:
    view = context.view
    return done(lock_info=view.lock_told(), lock_info_uid=view.lock_uid)


_BLANK: Body = {"lock_info": {}, "lock_info_uid": None}

METHODS = {
    "lock": Method(_lock, ("lock_key", "note", "environment", "queue", "user"), blank=_BLANK),
    "lock_info": Method(_info, ("lock_key",), blank=_BLANK),
    "unlock": Method(_unlock, ("lock_key",), blank=_BLANK),
}
