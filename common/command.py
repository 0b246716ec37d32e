"""What all commands have in common: names, pages, dangers, the buttons of the page. Pure."""

from typing import Annotated, ClassVar, Literal, NamedTuple

from msgspec import Meta, structs

from shotline.common.base import Struct, tag_of
from shotline.common.dangers import Danger
from shotline.common.ranges import NUMBER_MAX, Count
from shotline.common.scopes import Scope

GivenTree = Annotated[str, Meta(pattern=r"^\s*[A-Za-z][A-Za-z0-9_]*\s*$", max_length=64)]
"""A tree's name in any case."""

GivenTreeOrShot = Annotated[
    str, Meta(pattern=r"^\s*[A-Za-z][A-Za-z0-9_]*(/-?[0-9]{1,10})?\s*$", max_length=76)
]
"""A tree's name, or a shot's in one word: `TEST/42`."""

GivenShot = Annotated[int, Meta(ge=-1, le=NUMBER_MAX)]
PhaseName = Annotated[str, Meta(min_length=1, max_length=64)]
ActionPath = Annotated[str, Meta(min_length=1, max_length=1024)]
Insisted = Annotated[tuple[Danger, ...], Meta(max_length=len(Danger))]
ServerName = Annotated[str, Meta(pattern=r"^[^:\s]+(:[^:\s]+)?$", max_length=128)]


class Button(NamedTuple):
    """How the page offers a command: beside a run or a server, in these states of it."""

    beside: Literal["run", "server"]
    place: int  # among the buttons there
    text: str
    title: str
    states: tuple[str, ...]
    question: str = ""  # is asked first, of the target `{}`
    says: str = ""  # with the question
    aborts: bool = False  # what is running there, which is listed


class Command(Struct, tag_field="verb"):
    """The base of all commands. A tree is kept in upper case, however it was given."""

    SCOPE: ClassVar[Scope] = Scope.COMMAND
    ENDS: ClassVar[str] = ""  # what it ends, in words: a page asks before it
    ALWAYS: ClassVar[bool] = False  # where one person has the control, others may give it, too
    LOOKS: ClassVar[bool] = False  # it changes nothing, although it is not for all who may look
    ROUTINE: ClassVar[bool] = False  # programs give it all the time: the audit does not tell of it
    WATCHES: ClassVar[bool] = False  # it is what watchers of volumes give
    BUTTON: ClassVar[Button | None] = None

    @property
    def verb(self) -> str:
        """Its name, by which roles are checked and answers are told apart."""
        return tag_of(self)

    @property
    def changes(self) -> bool:
        """Whether it changes something, as it is said here."""
        return self.SCOPE is not Scope.READ and not self.LOOKS

    def __post_init__(self) -> None:
        tree = getattr(self, "tree", None)
        if isinstance(tree, str):
            structs.force_setattr(self, "tree", tree.strip().upper())


class OnShot(Command):
    """A command about one shot; without tree and shot about the current pulse.

    A shot may be given as two fields, `tree` and `shot`, or as one: `tree: "TEST/42"`.
    """

    tree: GivenTreeOrShot | None = None
    shot: GivenShot | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        tree, slash, number = (self.tree or "").partition("/")
        if slash:
            if self.shot is not None:
                raise ValueError("the shot is given twice")
            if not -1 <= int(number) <= NUMBER_MAX:
                raise ValueError(f"the shot must be from -1 to {NUMBER_MAX}")
            structs.force_setattr(self, "tree", tree)
            structs.force_setattr(self, "shot", int(number))


class PagedCommand(Command):
    """A command that is answered in pages, one at a time: `since` is `next` of the one before."""

    since: Count = 0


class PagedOnShot(OnShot):
    """A command about one shot that is answered in pages, as `PagedCommand` is."""

    since: Count = 0


class Risky:
    """A command that is refused where it is dangerous, until somebody insists on each danger.

    `insist` names those that are taken; the fields that say one by itself say the same. `careful`:
    name also the dangers that programs are not asked about (`succeeded`, `old_shot`).
    """

    __slots__ = ()
    FLAGS: ClassVar[dict[str, Danger]] = {}  # fields that insist on one
    insist: Insisted
    careful: bool

    def insists(self, danger: Danger) -> bool:
        """Return whether somebody has taken this danger."""
        flags = self.FLAGS.items()
        return danger in self.insist or any(
            found is danger and getattr(self, name, False) for name, found in flags
        )


class RiskyOnShot(OnShot, Risky):
    """A command about one shot that somebody must insist on where it is dangerous."""

    insist: Insisted = ()
    careful: bool = False
