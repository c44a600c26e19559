"""p and interval from redrawn orders, by counting it out the long way."""

from __future__ import annotations

import numpy as np
import pytest

from loyalty_lab import redraws


def test_the_true_order_counts_among_those_it_is_compared_with():
    assert redraws.two_sided_p(10.0, np.zeros(99)) == 0.01
    assert redraws.two_sided_p(0.0, np.ones(99)) == 1.0


def test_equal_orders_count_as_equal_in_spite_of_rounding():
    assert redraws.two_sided_p(0.1 + 0.2, np.array([0.3] * 9)) == 1.0


def test_the_interval_holds_just_the_effects_that_leave_the_true_order_ordinary():
    draw = np.random.default_rng(0)
    drawn, answered = draw.normal(0, 1, 999), draw.uniform(-0.6, 0.6, 999)

    found = redraws.estimate(1.5, drawn, answered)

    def p(effect: float) -> float:
        return redraws.two_sided_p(1.5 - effect, drawn - effect * answered)

    step = 0.002
    held = [effect for effect in np.arange(-3, 6, step) if p(effect) > 0.05]
    assert (found.low, found.high) == (pytest.approx(min(held), abs=2 * step), pytest.approx(max(held), abs=2 * step))
    assert found.clear == (found.p <= 0.05)


def test_where_too_few_orders_are_possible_nothing_is_bounded():
    drawn, answered = np.tile([1.0, -1.0], 500)[:999], np.tile([1.0, -1.0], 500)[:999]

    found = redraws.estimate(1.0, drawn, answered)

    assert (found.p, found.low, found.high) == (1.0, None, None)
