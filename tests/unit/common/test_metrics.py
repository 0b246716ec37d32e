"""Histograms, and what Prometheus reads of metrics: by its own client library."""

import pytest
from prometheus_client.parser import text_string_to_metric_families

from shotline.common.metrics import Histogram, counters, gauge, histogram
from shotline.common.process.scrape import text


def test_a_histogram_counts_each_value_in_all_bounds_above_it() -> None:
    measured = Histogram((0.1, 1.0))
    for value in (0.05, 0.1, 0.5, 7.0):
        measured.observe(value)
    assert list(measured.at_most()) == [(0.1, 2), (1.0, 3), (float("inf"), 4)]
    assert measured.total == pytest.approx(7.65)


def test_prometheus_reads_what_was_counted() -> None:
    measured = Histogram((0.1,))
    measured.observe(2.0)
    told = text(
        [
            gauge("up", "Whether.", True),
            counters("ends", "Ends.", ("how",), [(('a "b"\n',), 3)]),
            histogram("wait_seconds", "Waits.", measured),
        ]
    )
    samples = {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(told.decode())
        for sample in family.samples
    }
    assert samples["shotline_up",] == 1
    assert samples["shotline_ends_total", 'a "b"\n'] == 3
    assert samples["shotline_wait_seconds_bucket", "0.1"] == 0
    assert samples["shotline_wait_seconds_bucket", "+Inf"] == 1
    assert samples["shotline_wait_seconds_count",] == 1
    assert samples["shotline_wait_seconds_sum",] == 2.0
    assert samples["process_resident_memory_bytes",] > 0
