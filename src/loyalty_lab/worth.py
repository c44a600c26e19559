"""What a practice is worth: the value with its grade, and the rows of the sum a reader can follow."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from loyalty_lab.results import Value

if TYPE_CHECKING:
    import pandas as pd

    from loyalty_lab.experiences import Followed
    from loyalty_lab.language import Texts
    from loyalty_lab.shop import Shop

Row = tuple[str, float | None, str]
SHARED = "practice.worth"


@dataclass(frozen=True)
class Worth:
    """The value with its grade, and `rows` with the columns `key` (text of the label), `value` and `unit`; the last row is the total."""

    value: Value
    rows: pd.DataFrame


def worth(slug: str, value: Value, rows: Iterable[Row]) -> Worth:
    """Put a value and the rows of its sum together.

    Parameters
    ----------
    slug : str
    value : results.Value
        Assumptions by their name below ``<slug>.assumption``, or by a whole key.
    rows : iterable of tuple
        (name below ``<slug>.worth`` or a whole key, value, unit).

    Examples
    --------
    >>> worth("answer-fast", Value(grade="D", assumptions=["ceiling"]), [("slow", 3, "count")]).rows["key"].tolist()
    ['answer-fast.worth.slow']
    """
    import pandas as pd

    keyed = [(name if "." in name else f"{slug}.worth.{name}", number, unit) for name, number, unit in rows]
    reasons = [name if "." in name else f"{slug}.assumption.{name}" for name in value.assumptions]
    frame = pd.DataFrame(keyed, columns=["key", "value", "unit"]).astype({"value": "float64"})
    return Worth(value.model_copy(update={"assumptions": reasons}), frame)


def own(texts: Texts, slug: str, key: str) -> str:
    """Return the practice's own words where it has any for what all share, else the shared ones.

    Examples
    --------
    >>> from loyalty_lab.language import Texts
    >>> own(Texts("en"), "answer-fast", "practice.worth.occasions"), own(Texts("en"), "answer-fast", "practice.worth.cost")
    ('answer-fast.worth.occasions', 'practice.worth.cost')
    """
    particular = f"{slug}.{key.partition('.')[2]}"
    return particular if texts.has(particular) else key


def cost_of(shop: Shop, *items: str) -> float | None:
    """Return what one contact costs: the items of ``[cost]`` in shop.toml together; None where the first of them is not given."""
    known = shop.settings.cost
    return None if items[0] not in known else sum(known.get(item, 0.0) for item in items)


def mean_save_value(people: pd.DataFrame) -> float | None:
    """Return the mean value of keeping one of some customers; None where there are none."""
    return float(people["save_value"].mean()) if len(people) else None


def of_campaign(
    slug: str, shop: Shop, people: pd.DataFrame, cost: Sequence[str] = ("letter",), rows: Iterable[Row] = (),
    assumptions: Sequence[str] = (),
) -> Worth:  # fmt: skip
    """Work out what share of the contacts must keep a customer for the round to pay.

    The break-even rate is the cost of one contact over the mean value of keeping one of the people; the ceiling is what all of
    them together stand to lose. Neither says that the contact works (grade D).

    Parameters
    ----------
    slug : str
    shop : Shop
    people : pandas.DataFrame
        Who may be contacted, as of `candidates.ranked`: `save_value`, `stake`.
    cost : sequence of str
        What one contact costs, by items of ``[cost]`` in shop.toml; the first must be given.
    rows : iterable of tuple
        What is particular to the practice; printed first.
    assumptions : sequence of str
        Names below ``<slug>.assumption``, printed first.

    Examples
    --------
    >>> from loyalty_lab.shop import Shop, ShopSettings
    >>> settings = ShopSettings(name="Corner Grocer", currency="GBP", timezone="Europe/London", cost={"letter": 2.0})
    >>> import pandas as pd
    >>> people = pd.DataFrame({"save_value": [84.0, 84.0], "stake": [42.0, 21.0]})
    >>> found = of_campaign("follow-up-letters", Shop(settings, {}), people).value
    >>> round(1 / found.break_even_rate), found.high, found.grade
    (42, 63.0, 'D')
    """
    each, mean, ceiling = cost_of(shop, *cost), mean_save_value(people), float(people["stake"].sum())
    rate = each / mean if each is not None and mean else None
    told = [("candidates", len(people), "count"), ("save_value", mean, "money"), ("cost", each, "money")]
    told += [("break_even", rate, "share"), ("at_stake", ceiling, "money")]
    reasons = [
        *assumptions,
        *(f"practice.assumption.{name}" for name in ("ceiling", "save_value", "cost" if each is not None else "no_cost")),
    ]
    total = Value(high=ceiling, break_even_rate=rate, grade="D", assumptions=reasons)
    return worth(slug, total, [*rows, *((f"{SHARED}.{name}", number, unit) for name, number, unit in told)])


def of_experience(
    slug: str, shop: Shop, followed: Followed, concerned: pd.Series, forecast: pd.DataFrame, cost: Sequence[str] = ("phone",),
    rows: Iterable[Row] = (), assumptions: Sequence[str] = (),
) -> Worth:  # fmt: skip
    """Work out the ceiling: occasions a year x difference in coming back, at most x mean value of keeping one of those customers.

    What goes with an experience is not all caused by it. Where enough is known to adjust for what came before, the adjusted
    difference counts (grade C), otherwise the one that is seen (grade D), with the upper end of its 95% interval; either way it is
    a ceiling, and no amount.

    Parameters
    ----------
    slug : str
    shop : Shop
    followed : experiences.Followed
        How many more came back after the better experience.
    concerned : pandas.Series
        `customer_id` of each occasion of the year that could have been better.
    forecast : pandas.DataFrame
        `save_value` by customer.
    cost, rows, assumptions
        As in `of_campaign`.
    """
    values = forecast["save_value"].reindex(concerned.unique()).dropna()
    mean, each, most = float(values.mean()) if len(values) else None, cost_of(shop, *cost), followed.most
    ceiling = len(concerned) * most * (mean or 0.0) if most is not None else None
    rate = each / mean if each is not None and mean else None
    told = [("occasions", len(concerned), "count"), ("difference", followed.difference, "points"), ("most", most, "points")]
    told += [("save_value", mean, "money"), ("cost", each, "money"), ("ceiling", ceiling, "money")]
    names = ("too_few",) if ceiling is None else ("adjusted" if followed.grade == "C" else "seen_together", "explained", "upper")
    reasons = [*assumptions, *(f"practice.assumption.{name}" for name in names)]
    total = Value(high=ceiling, break_even_rate=rate, grade=followed.grade, assumptions=reasons)
    return worth(slug, total, [*rows, *((f"{SHARED}.{name}", number, unit) for name, number, unit in told)])


def at_most(slug: str, people: pd.DataFrame, rows: Iterable[Row] = (), assumptions: Sequence[str] = ()) -> Worth:
    """Return the ceiling of a list on which nothing is sent: what the people on it stand to lose, all together (grade D)."""
    ceiling = float(people["stake"].sum())
    told = [("candidates", len(people), "count"), ("save_value", mean_save_value(people), "money"), ("at_stake", ceiling, "money")]
    total = Value(high=ceiling, grade="D", assumptions=list(assumptions))
    return worth(slug, total, [*rows, *((f"{SHARED}.{name}", number, unit) for name, number, unit in told)])
