"""Long answers in pages: items are made and encoded one by one, until a page is full. Pure.

Whoever wants more asks for it (`since`), so that no answer is larger than a message may be, and the
dispatcher does other work between two pages.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeVar

from shotline.common.base import Struct, Value, to_json
from shotline.common.paged import Paged
from shotline.common.views import encode_page

T = TypeVar("T")


class Page(Value):
    """A result with so many of its items as fit, as JSON."""

    data: bytes
    is_last: bool


def page(
    items: Iterable[tuple[int, Struct]], bytes_max: int, head: Callable[[int | None], Paged]
) -> Page:
    """Return the first of these numbered items as a page: one in any case, more while they fit.

    `head` is told the number of the first item that is left out, None when there is none, and
    returns the result without its items.
    """
    taken: list[bytes] = []
    size = 0
    for number, item in items:
        data = to_json(item)
        size += len(data) + 1
        if taken and size > bytes_max:
            return Page(encode_page(head(number), taken), is_last=False)
        taken.append(data)
    return Page(encode_page(head(None), taken), is_last=True)


def numbered(
    things: Sequence[T], since: int, view: Callable[[T], Struct]
) -> Iterator[tuple[int, Struct]]:
    """Yield the views of things from number `since` on, made when they are asked for."""
    for number in range(since, len(things)):
        yield number, view(things[number])
