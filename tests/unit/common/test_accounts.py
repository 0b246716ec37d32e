"""The file of users and tokens, and the roles and scopes in it."""

import pytest

from shotline.common.accounts import NEEDED, Accounts, Role, Token, User, accounts_of, digest_of
from shotline.common.errors import ConfigError
from shotline.common.scopes import Scope

USER = User("anna", Role.OPERATOR, "$argon2id$v=19$m=65536,t=3,p=4$salt$hash")
TOKEN = Token("grafana", frozenset((Scope.READ, Scope.METRICS)), 1_800_000_000.0, digest_of("x"))


def test_what_is_written_is_read() -> None:
    accounts = Accounts().with_user(USER).with_token(TOKEN)
    assert accounts_of(accounts.text()) == accounts
    assert accounts.token_of("x") == TOKEN
    assert accounts.token_of("y") is None
    assert accounts.without("anna").without("grafana") == Accounts()


@pytest.mark.parametrize(
    "line",
    [
        "user anna operator",
        "user anna chief hash",
        "user an/na operator hash",
        "token one read 2027-01-01T00:00:00Z sha256:short",
        f"token one everything 2027-01-01T00:00:00Z {digest_of('x')}",
        f"token one read 2027-01-01T00:00:00 {digest_of('x')}",
        f"token one read never {digest_of('x')}",
        "group shift",
        "user anna viewer hash\nuser anna operator hash",
    ],
)
def test_what_is_wrong_is_told_with_its_line(line: str) -> None:
    with pytest.raises(ConfigError, match=r"^line \d+: "):
        accounts_of(f"# a comment\n\n{line}\n")


def test_each_role_may_what_those_before_it_may() -> None:
    may = [{scope for scope in Scope if role.may(scope)} for role in Role]
    assert may[0] < may[1] < may[2] == set(Scope)
    assert all(role.may(scope) for scope, role in NEEDED.items())
