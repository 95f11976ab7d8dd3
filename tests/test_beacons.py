"""The statistics of beacons and of what is common and new."""

from __future__ import annotations

import math
import random

import pytest

from devicehunt.detect import beacons, newcomers


def test_the_lower_tail_is_that_of_the_exponential_for_two_degrees() -> None:
    assert beacons.log10_lower_gamma(1.0, 0.1) == pytest.approx(math.log10(1 - math.exp(-0.1)))


def test_random_calls_are_seldom_regular_and_a_jittered_clock_is() -> None:
    source, chance = random.Random(7), 0
    for _ in range(300):
        waits = [source.expovariate(1 / 60) for _ in range(20)]
        chance += beacons.regularity(20, sum(waits) / 20, sum(map(math.log, waits)) / 20) >= 2
    assert chance <= 10
    clock = [60 * (1 + 0.5 * source.uniform(-1, 1)) for _ in range(40)]
    assert beacons.regularity(40, sum(clock) / 40, sum(map(math.log, clock)) / 40) > 5


def test_three_devices_that_begin_late_surprise_and_one_call_does_not() -> None:
    late = {"watched": 0, "span": 100, "since": 70}
    assert newcomers.surprise([newcomers.lateness(late | {"calls": 10})] * 3) > 8
    assert newcomers.surprise([newcomers.lateness(late | {"calls": 1})] * 3) < 1
