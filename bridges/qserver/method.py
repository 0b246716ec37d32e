"""What a method of the queue server is here, and what all of them share. Pure."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from shotline.bridges.qserver.asking import Body, Done, Heard, Question, Sorry, Step
from shotline.bridges.qserver.view import View
from shotline.common.base import Json
from shotline.common.commands import AnyCommand
from shotline.common.queue.views import RefusalCode
from shotline.common.settings.sections.qserver import QserverSection

Part = Literal["", "queue", "environment"]


@dataclass(slots=True)
class Context:
    """What methods rest on."""

    view: View
    settings: QserverSection


@dataclass(frozen=True, slots=True)
class Method:
    """One method: what it takes, which part of a lock it is under, and how it is answered.

    `failed`: how a refusal begins; `blank`: what the reply to one has besides.
    """

    answer: Callable[[Context, Body], Step]
    params: tuple[str, ...] = ()
    lock: Part = ""
    failed: str = "Error: "
    blank: Mapping[str, Json] = field(default_factory=dict)


def done(**more: Json) -> Done:
    """Return the reply that all went well."""
    return Done({"success": True, "msg": "", **more})


def asked(command: AnyCommand, then: Callable[[Heard], Step] | None = None) -> Question:
    """Return a command; a refusal of it is one of the request."""

    def follow(told: Heard) -> Step:
        require(told)
        return done() if then is None else then(told)

    return Question(command, follow)


def require(told: Heard) -> None:
    """Raise Sorry, in words that clients look for, where a command was not carried out."""
    if told.ok:
        return
    match told.code:
        case RefusalCode.LOCKED | RefusalCode.WRONG_KEY:
            raise Sorry(f"Invalid lock key: {told.message}")
        case RefusalCode.BAD_PARAMETER | RefusalCode.BAD_PLAN | RefusalCode.UNKNOWN_PHASE:
            raise Sorry(f"Plan validation failed: {told.message}")
        case _:
            raise Sorry(told.message)


def who(params: Body, context: Context) -> tuple[str, str]:
    """Return who asks, and of which group. Raise Sorry."""
    for name, words in (("user_group", "user group"), ("user", "user name")):
        if params.get(name) is None:
            raise Sorry(f"Incorrect request format: {words} is not specified")
    user, group = params["user"], params["user_group"]
    if not isinstance(user, str) or not isinstance(group, str):
        raise Sorry("Incorrect request format: user name and user group must be text")
    require_group(group, context)
    return user[:200], group[:64]


def require_group(group: Json, context: Context) -> None:
    """Raise Sorry for a group that there is not."""
    known = context.view.groups
    if known and group not in known:
        raise Sorry(f"Unknown user group: {group!r}; known: {', '.join(sorted(known))}")


def given(params: Body, name: str) -> Json:
    """Return a parameter; None: it is not there."""
    return params.get(name)


def lock_key(params: Body) -> str:
    """Return the key that comes with a request. Raise Sorry where it is none."""
    key = params.get("lock_key")
    if key is None:
        return ""
    if not isinstance(key, str) or not key:
        raise Sorry(f"Lock key must be a non-empty string or None: lock_key = {key!r}")
    return key[:200]
