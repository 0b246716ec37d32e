"""Sessions: how long they last, and what ends them."""

from shotline.monitor.access.sessions import Lasting, Sessions

LASTING = Lasting(session_s=100.0, idle_s=30.0, sessions_max=3)


def begun(sessions: Sessions, now: float = 0.0, secret: str = "s", user: str = "anna") -> int:
    return sessions.begin(now, secret, user, "hash", "10.0.0.1").number


def test_a_session_is_found_by_its_secret_alone() -> None:
    sessions = Sessions(LASTING)
    number = begun(sessions)
    found = sessions.find(1.0, "s")
    assert found is not None
    assert (found.number, found.user) == (number, "anna")
    assert sessions.find(1.0, "other") is None
    assert sessions.find(1.0, found.digest) is None


def test_it_ends_when_it_is_not_used_and_after_its_whole_time() -> None:
    sessions = Sessions(LASTING)
    number = begun(sessions)
    for now in (20.0, 40.0, 60.0, 80.0, 99.0):
        assert sessions.use(now, number) is not None
    assert sessions.find(100.0, "s") is None
    begun(sessions, secret="t")
    assert sessions.find(30.0, "t") is None
    sessions.tick(100.0)
    assert sessions.listed() == []


def test_of_too_many_the_one_not_used_for_longest_ends() -> None:
    sessions = Sessions(LASTING)
    for secret in "abc":
        begun(sessions, secret=secret)
    assert sessions.find(5.0, "a") is not None
    begun(sessions, 6.0, "d")
    assert sessions.find(7.0, "a") is not None
    assert sessions.find(7.0, "b") is None


def test_what_is_revoked_is_over_at_once() -> None:
    sessions = Sessions(LASTING)
    begun(sessions, secret="a")
    begun(sessions, secret="b", user="bert")
    ended = sessions.end(lambda one: one.user == "anna")
    assert [one.user for one in ended] == ["anna"]
    assert sessions.find(1.0, "a") is None
    assert sessions.find(1.0, "b") is not None


def test_they_outlive_the_monitor_without_their_secrets() -> None:
    before, after = Sessions(LASTING), Sessions(LASTING)
    number = begun(before, secret="a secret")
    text = before.text()
    assert "a secret" not in text
    assert not before.changed
    after.take(text)
    assert after.find(1.0, "a secret") is not None
    assert begun(after, secret="another") > number
    Sessions(LASTING).take("no JSON {")
