"""The bases of what commands answer with: a result, and one that comes in pages. Pure."""

from typing import ClassVar, Self

from msgspec import structs

from shotline.common.base import Struct, tag_of
from shotline.common.ranges import Count


class Result(Struct, tag_field="kind"):
    """The base of what commands answer with."""

    @property
    def kind(self) -> str:
        """What it is an answer to."""
        return tag_of(self)


class Paged(Result):
    """A result whose list can grow without bound: it comes in pages.

    `next` says from where on to ask for the following page (`since` of the command); the last page
    has none.
    """

    LIST: ClassVar[str]  # the field that grows
    next: Count | None = None

    def followed_by(self, page: "Paged") -> Self:
        """Return this with the items of the page that follows."""
        items = (*getattr(self, self.LIST), *getattr(page, self.LIST))
        return structs.replace(self, **{self.LIST: items, "next": page.next})
