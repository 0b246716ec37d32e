"""`FakeShotline`: a supervisor's Shotline for the tests of supervisors, without any process.

    shotline = FakeShotline({"TEST": [FakeAction("GAS:PUFF", "PULSE", "GAS", 10)]})
    shotline.fails("GAS:PUFF", "no pressure")
    my_supervisor.run(shotline)
    assert shotline.verbs == ["create_pulse", "build_tables", "do_phase"]

It is the real dispatcher over a journal in memory: sequences, conditions, refusals and errors are
those of the real thing. Actions run nothing and end as the test has said; time is the fake's own
and passes at once when somebody waits. How it is made is in `testing`.
"""

from shotline.client.testing.experiments import FakeAction
from shotline.client.testing.shotline import AsyncFakeShotline, FakeShotline

__all__ = ["AsyncFakeShotline", "FakeAction", "FakeShotline"]
