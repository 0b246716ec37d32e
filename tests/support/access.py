"""Who may do what at the monitor: the parameters of the tests, and the table that is made of them.

`python -m tests.support.access docs/security.md` writes the table anew between its marks.
"""

import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from shotline.common.accounts import Accounts, Role, Token, User, digest_of
from shotline.common.scopes import Scope
from shotline.monitor.access.sessions import Lasting, Sessions

BEGIN: Final = "<!-- The table of who may do what: written by `make schema` from the tests. -->\n"
END: Final = "<!-- The end of the table. -->\n"
LOOKING: Final = frozenset((Scope.READ, Scope.METRICS))
VIEWING: Final = LOOKING | {Scope.PROPOSE}
DRIVING: Final = VIEWING | {Scope.COMMAND, Scope.RECORDS, Scope.SERVERS}
ALL: Final = frozenset(Scope)
HASH: Final = "$argon2id$v=19$m=65536,t=3,p=4$bm9ib2R5cw$none"
USERS: Final = {role: User(f"a-{role}", role, HASH) for role in Role}
DAY_S: Final = 86_400.0


@dataclass(frozen=True)
class Asker:
    """Somebody who asks: how, what they may, and the status of what they may not."""

    name: str
    may: frozenset[Scope]
    refused: int
    headers: Mapping[str, str] = field(default_factory=dict)
    open_too: bool = True  # what is answered to everybody is answered to them
    changes: bool = True  # what changes something is not refused for another reason


def _session(role: Role, **more: str) -> dict[str, str]:
    cookies = {"shotline": f"secret of {role}", "_xsrf": "token"}
    cookie = "; ".join(f"{name}={value.replace(' ', '-')}" for name, value in cookies.items())
    return {"Cookie": cookie, "X-XSRFToken": "token"} | more


def _bearer(value: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {value}"}


NONE: Final[frozenset[Scope]] = frozenset()
ASKERS: Final = (
    Asker("anonymous", NONE, 401),
    Asker("viewer", VIEWING, 403, _session(Role.VIEWER)),
    Asker("operator", DRIVING, 403, _session(Role.OPERATOR)),
    Asker("administrator", ALL, 403, _session(Role.ADMINISTRATOR)),
    Asker(
        "operator whose login has expired",
        NONE,
        401,
        {"Cookie": "shotline=expired; _xsrf=token", "X-XSRFToken": "token"},
    ),
    Asker(
        "forged session cookie",
        NONE,
        401,
        {"Cookie": "shotline=forged; _xsrf=token", "X-XSRFToken": "token"},
    ),
    Asker(
        "administrator without the page's token",
        ALL,
        403,
        {"Cookie": _session(Role.ADMINISTRATOR)["Cookie"]},
        changes=False,
    ),
    Asker(
        "administrator from a foreign origin",
        NONE,
        403,
        _session(Role.ADMINISTRATOR, Origin="http://evil.example"),
        open_too=False,
    ),
    Asker(
        "administrator by a foreign name (Host)",
        NONE,
        403,
        _session(Role.ADMINISTRATOR, Host="evil.example"),
        open_too=False,
    ),
    Asker(
        "administrator from another site (Fetch-Metadata)",
        NONE,
        403,
        _session(Role.ADMINISTRATOR, **{"Sec-Fetch-Site": "cross-site"}),
        open_too=False,
    ),
    *(
        Asker(f"token for `{scope}` alone", frozenset((scope,)), 403, _bearer(f"token-{scope}"))
        for scope in Scope
    ),
    Asker("token that has expired", NONE, 401, _bearer("token-expired")),
    Asker("token that was revoked or never made", NONE, 401, _bearer("token-unknown")),
    Asker(
        "user header without a proxy",
        NONE,
        401,
        {"X-Remote-User": "anna", "X-Remote-Groups": "admin"},
    ),
)


def users_text(now: float) -> str:
    """Return the file of users and tokens."""
    accounts = Accounts()
    for user in USERS.values():
        accounts = accounts.with_user(user)
    for scope in Scope:
        token = Token(f"t-{scope}", frozenset((scope,)), now + DAY_S, digest_of(f"token-{scope}"))
        accounts = accounts.with_token(token)
    expired = Token("t-expired", ALL, now - DAY_S, digest_of("token-expired"))
    return accounts.with_token(expired).text()


def sessions_text(now: float) -> str:
    """Return the file of the logins that there were before the monitor was started."""
    sessions = Sessions(Lasting())
    for user in USERS.values():
        secret = f"secret-of-{user.role}"
        sessions.begin(now, secret, user.name, user.password, "127.0.0.1")
    sessions.begin(now - 10 * DAY_S, "expired", USERS[Role.OPERATOR].name, HASH, "127.0.0.1")
    return sessions.text()


def expected(asker: Asker, scope: Scope | None, *, changes: bool) -> int | None:
    """Return the status that refuses, None where what was asked for is answered."""
    if not asker.open_too:
        return asker.refused
    if changes and not asker.changes:
        return 403
    if scope is None or scope in asker.may:
        return None
    return asker.refused


def table() -> str:
    """Return the table: who asks, and what each scope is answered with."""
    columns: list[tuple[str, Scope | None, bool]] = [("page, login, probes", None, False)]
    columns += [(f"`{scope}`", scope, scope not in LOOKING) for scope in Scope]
    columns.append(("WebSocket", Scope.READ, False))
    lines = [
        "| who asks | " + " | ".join(name for name, _, _ in columns) + " |",
        "| --- |" + " --- |" * len(columns),
    ]
    for asker in ASKERS:
        cells = (expected(asker, scope, changes=changes) for _, scope, changes in columns)
        shown = " | ".join("yes" if cell is None else str(cell) for cell in cells)
        lines.append(f"| {asker.name} | {shown} |")
    return "\n".join(lines) + "\n"


def written(document: str) -> str:
    """Return the document with its table as the tests are now. Raise ValueError."""
    before, begin, rest = document.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError("the document lacks the marks between which the table stands")
    return f"{before}{BEGIN}\n{table()}\n{END}{after}"


def lay_out(folder: Path) -> None:
    """Write the files of users and sessions into a folder: `users`, and the data below `var`."""
    now = time.time()
    for name, text in (
        ("users", users_text(now)),
        ("var/monitor/sessions.json", sessions_text(now)),
    ):
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        file.chmod(0o600)


if __name__ == "__main__":
    page = Path(sys.argv[1])
    page.write_text(written(page.read_text(encoding="utf-8")), encoding="utf-8")
