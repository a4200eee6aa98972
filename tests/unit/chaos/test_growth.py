"""What counts as growth in a soak."""

from __future__ import annotations

import dataclasses

import pytest

from tests.chaos.growth import Sample, TooFewSamples, growths, slope


def samples(rss_mb: list[float]) -> list[Sample]:
    return [Sample(10.0 * n, "notify", 7, mb, 30, 8, 1000, 0.5) for n, mb in enumerate(rss_mb)]


def too_much(seen: list[Sample], since_s: float = 0.0) -> list[str]:
    return [growth.measure for growth in growths(seen, since_s) if growth.is_too_much]


def test_one_peak_does_not_bend_the_slope() -> None:
    """An outage fills a queue once; the line through all other points stays flat."""
    assert slope([(0, 5), (1, 5), (2, 500), (3, 5), (4, 5)]) == 0
    assert slope([(0, 0), (1, 2), (2, 4), (3, 6)]) == 2
    assert slope([(1, 7)]) == 0


def test_a_steady_process_does_not_grow() -> None:
    """Memory that goes up and down by some megabytes."""
    assert too_much(samples([80, 83, 81, 84, 80, 82, 81, 83])) == []


def test_a_leak_shows() -> None:
    """Three megabytes at each look: 21 in all, of 80."""
    assert too_much(samples([80 + 3 * n for n in range(8)])) == ["rss_mb"]


def test_only_the_second_half_counts() -> None:
    """What a process takes while it warms up is no leak."""
    assert too_much(samples([20, 60, 90, 100, 100, 101, 100, 101, 100, 101]), since_s=40) == []


@pytest.mark.parametrize(
    ("measure", "each"),
    [
        pytest.param("descriptors", 3, id="descriptors"),
        pytest.param("connections", 8, id="connections"),
        pytest.param("log_bytes", 20_000, id="log volume"),
        pytest.param("outbox_s", 10.0, id="age of the outbox"),
    ],
)
def test_every_measure_has_its_bound(measure: str, each: float) -> None:
    """What rises at every look is found, whatever it is."""
    seen = [dataclasses.replace(one, **{measure: n * each}) for n, one in enumerate(samples([80.0] * 12))]
    assert too_much(seen) == [measure]


def test_too_few_looks_say_nothing() -> None:
    """Neither does a process that was started again between two looks, nor no process at all."""
    with pytest.raises(TooFewSamples, match="5 times"):
        growths(samples([80.0] * 5), 0)
    again = [*samples([80.0] * 5), Sample(50.0, "notify", 8, 80.0, 30, 8, 0, 0.0)]
    with pytest.raises(TooFewSamples, match="started again"):
        growths(again, 0)
    with pytest.raises(TooFewSamples, match="no process"):
        growths([], 0)


def test_a_service_that_seldom_answers_is_not_taken_for_a_steady_one() -> None:
    """A process without an outbox never says how old it is, which is no gap."""
    silent = [dataclasses.replace(one, outbox_s=None) for one in samples([80.0] * 8)]
    assert too_much(silent) == []
    with pytest.raises(TooFewSamples, match="outbox_s 2 times"):
        growths([*samples([80.0] * 2), *silent[2:]], 0)
