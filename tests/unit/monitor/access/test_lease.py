"""The lease: one has the control, the others watch, and taking over is said."""

from shotline.common.accounts import Role
from shotline.monitor.access.identity import Identity
from shotline.monitor.access.lease import Lease

ANNA = Identity("anna", Role.OPERATOR, "session", "session:1", "10.0.0.1")
BERT = Identity("bert", Role.OPERATOR, "session", "session:2", "10.0.0.2")


def test_nobody_changes_anything_without_it() -> None:
    lease = Lease(900.0)
    assert lease.refuses(0.0, ANNA) == "nobody has the control: take it first"
    assert lease.take(0.0, ANNA) is None
    assert lease.refuses(1.0, ANNA) is None
    assert lease.refuses(1.0, BERT) == "anna at 10.0.0.1 has the control: take it over first"


def test_it_is_taken_over_by_whoever_says_so() -> None:
    lease = Lease(900.0)
    lease.take(0.0, ANNA)
    before = lease.take(1.0, BERT)
    assert before is not None
    assert before.by == ANNA
    assert lease.refuses(2.0, ANNA) is not None
    assert lease.refuses(2.0, BERT) is None


def test_it_is_given_back_or_free_when_it_is_not_used() -> None:
    lease = Lease(900.0)
    lease.take(0.0, ANNA)
    assert not lease.release(1.0, BERT)
    assert lease.release(1.0, ANNA)
    assert lease.held(1.0) is None
    lease.take(2.0, ANNA)
    assert lease.refuses(900.0, ANNA) is None
    assert lease.held(1799.0) is not None
    assert lease.held(1800.0) is None
