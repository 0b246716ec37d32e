"""A stream of events that is opened where it is first needed: by `await`, `async with` or `for`."""

from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Generator
from typing import Any, Generic, Protocol, TypeVar

from shotline.client.observer import Update


class _Stream(Protocol):
    def close(self) -> None: ...

    def __aiter__(self) -> AsyncIterator[Update]: ...


S = TypeVar("S", bound=_Stream)


class Opening(Awaitable[S], Generic[S]):
    """What `AsyncSupervisor.watch` and `events` return; `async for` needs no `await` before it.

    async for update in shotline.watch("TEST/42"): ...
    async with shotline.watch("TEST/42") as stream: ...
    stream = await shotline.watch("TEST/42")

    A stream that `async for` or `async with` has opened is closed at their end.
    """

    def __init__(self, open_: Callable[[], Coroutine[Any, Any, S]], what: str) -> None:
        self._open = open_
        self._what = what
        self._opened: list[S] = []

    def __await__(self) -> Generator[Any, Any, S]:
        return self._open().__await__()

    async def __aiter__(self) -> AsyncIterator[Update]:
        async with self as stream:
            async for update in stream:
                yield update

    async def __aenter__(self) -> S:
        self._opened.append(await self._open())
        return self._opened[-1]

    async def __aexit__(self, *_: object) -> None:
        self._opened.pop().close()

    def __repr__(self) -> str:
        return f"<events of {self._what}: await it, or use `async for` or `async with`>"
