"""The command of `shotline` about who uses the page: `users`."""

import json
import secrets
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from shotline.client.cli import later
from shotline.client.cli.base import command, options_of, say, words, wrong

if TYPE_CHECKING:
    from shotline.common.accounts import Accounts

PASSWORD_LENGTH_MIN: Final = 8
_DAY_S: Final = 86_400
_FORMS: Final = "add NAME, list, remove NAME, or token NAME"


@command(
    "users",
    example="shotline users add anna --role operator\n"
    "shotline users token grafana --scope read,metrics --days 365",
)
@words("VERB [NAME]", required=True)
@click.option("--role", help="Of a user: viewer, operator or administrator.")
@click.option("--scope", help="Of a token, with commas: read, metrics, command, records, ...")
@click.option(
    "--days", type=click.IntRange(1, 3650), default=90, show_default=True, help="A token's life."
)
@click.option(
    "--file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="The file; else the one that the configuration names (monitor.access.users_file).",
)
def users(
    given: tuple[str, ...], role: str | None, scope: str | None, days: int, file: Path | None
) -> None:
    """Say who may use the page: users with passwords, and tokens for programs.

    VERB is `add NAME` (also for another role or password), `list`, `remove NAME`, or `token NAME`,
    which shows the new token once. A password is asked for, or read from standard input. A running
    monitor takes the file as it is at once.
    """
    verb, name = given[0], given[1] if len(given) > 1 else None
    if len(given) > 2 or verb not in ("add", "list", "remove", "token"):
        wrong(f"give {_FORMS}")
    if (name is None) != (verb == "list"):
        wrong(f"give {_FORMS}")
    place = file or _configured()
    accounts = _read(place)
    if name is None:
        _list(accounts)
    elif verb == "add":
        _add(place, accounts, name, role)
    elif verb == "token":
        _token(place, accounts, name, scope, days)
    else:
        _remove(place, accounts, name)


def _configured() -> Path:
    config = later.config.load_config(later.config.find_config(options_of().config))
    found: Path | None = config.monitor.access.users_file
    if found is None:
        wrong("give the file by --file, or name it under monitor.access.users_file")
    return found


def _read(file: Path) -> "Accounts":
    if not file.exists():
        return later.accounts.Accounts()
    return later.accounts.accounts_of(later.secret_file.read_secret(file))


def _write(file: Path, accounts: "Accounts") -> None:
    later.secret_file.write_secret(file, accounts.text())


def _list(accounts: "Accounts") -> None:
    users = [{"user": one.name, "role": str(one.role)} for one in accounts.users.values()]
    tokens = [
        {
            "token": one.name,
            "scopes": sorted(one.scopes),
            "expires": later.accounts.when(one.expires_at),
            "expired": one.expires_at <= time.time(),
        }
        for one in accounts.tokens.values()
    ]
    if options_of().json:
        say(json.dumps({"users": users, "tokens": tokens}))
        return
    for user in users:
        say(f"{user['user']}  {user['role']}")
    for token in tokens:
        over = ", expired" if token["expired"] else ""
        scopes = ",".join(map(str, sorted(accounts.tokens[str(token["token"])].scopes)))
        say(f"{token['token']}  token for {scopes} until {token['expires']}{over}")


def _add(file: Path, accounts: "Accounts", name: str, role: str | None) -> None:
    a = later.accounts
    before = accounts.users.get(name)
    if role is None and before is None:
        wrong(f"give --role: {', '.join(a.Role)}")
    if role is not None and role not in tuple(a.Role):
        wrong(f"there is no role {role!r}: {', '.join(a.Role)}")
    _check(name)
    if name in accounts.tokens:
        wrong(f"{name} is a token")
    user = a.User(name, a.Role(role) if role else before.role, _hashed(_password(name)))  # type: ignore[union-attr]
    _write(file, accounts.with_user(user))
    say(f"{name} may log in as {user.role}")


def _token(file: Path, accounts: "Accounts", name: str, scope: str | None, days: int) -> None:
    a = later.accounts
    _check(name)
    if name in accounts.users:
        wrong(f"{name} is a user")
    if scope is None:
        wrong(f"give --scope, with commas: {', '.join(later.scopes.Scope)}")
    try:
        scopes = a.scopes_of(scope)
    except ValueError as error:
        wrong(str(error))
    value = a.TOKEN_PREFIX + secrets.token_urlsafe(32)
    token = a.Token(name, scopes, float(round(time.time()) + days * _DAY_S), a.digest_of(value))
    _write(file, accounts.with_token(token))
    said = {"token": value, "expires": a.when(token.expires_at)}
    if options_of().json:
        say(json.dumps(said))
    else:
        say(value)
        say(f"note: shown this once; until {said['expires']}", err=True)


def _remove(file: Path, accounts: "Accounts", name: str) -> None:
    if name not in accounts.users and name not in accounts.tokens:
        wrong(f"there is no user and no token {name!r}")
    _write(file, accounts.without(name))
    say(f"{name} may do nothing any more")


def _check(name: str) -> None:
    try:
        later.accounts.checked(name)
    except ValueError as error:
        wrong(str(error))


def _password(name: str) -> str:
    if sys.stdin.isatty():
        found = str(click.prompt(f"Password of {name}", hide_input=True, confirmation_prompt=True))
    else:
        found = sys.stdin.readline().rstrip("\r\n")
    if len(found) < PASSWORD_LENGTH_MIN:
        wrong(f"a password has at least {PASSWORD_LENGTH_MIN} characters")
    return found


def _hashed(password: str) -> str:
    from argon2 import PasswordHasher

    return str(PasswordHasher().hash(password))


COMMANDS: tuple[click.Command, ...] = (users,)
