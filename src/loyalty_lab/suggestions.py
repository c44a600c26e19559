"""Suggestions from a customer's own purchases: what to offer them next, and how often it was what they bought next."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import pandas as pd

from loyalty_lab import records

if TYPE_CHECKING:
    from loyalty_lab.shop import Shop

LOOK_BACK = 90
ENOUGH_VISITS = 3
OFTEN = 2
# What goods of these kinds say about a customer is nobody's business; beginnings of words, in the languages of the playbook.
SENSITIVE = (
    "alcohol", "wine", "beer", "spirits", "tobacco", "cigar", "medic", "pharm", "health", "diet", "baby", "pregnan", "intim", "relig",
    "alkol", "şarap", "bira", "rakı", "tütün", "sigara", "ilaç", "sağlık", "diyet", "bebek", "hamile", "mahrem", "dini",
    "মদ", "তামাক", "সিগারেট", "ওষুধ", "স্বাস্থ্য", "শিশু", "গর্ভ", "ধর্ম",
    "ալկոհոլ", "գինի", "գարեջուր", "օղի", "ծխախոտ", "դեղոր", "առողջ", "մանկական", "հղի", "կրոն",
)  # fmt: skip


def suggested(bought: pd.DataFrame) -> pd.DataFrame:
    """Return what to suggest to each customer with enough history: their second kind of goods, or what goes with their last one.

    Parameters
    ----------
    bought : pandas.DataFrame
        One row a customer, `day` and `category`, as of all purchases that may be seen.

    Returns
    -------
    pandas.DataFrame
        Index `customer_id`: `first`, the kind bought on most days, and `last`, of the last day; `category`, the suggestion, with its
        `reason` (``own``: bought on two days or more; ``goes``: most often in one basket with `last`), on how many `times` of their
        `visits` it was bought. Ties go to what was bought later, then by name.

    Examples
    --------
    >>> days = pd.to_datetime(["2026-01-01", "2026-01-01", "2026-02-01", "2026-02-01", "2026-03-01"])
    >>> bought = pd.DataFrame({"customer_id": "a", "day": days, "category": ["bread", "tea", "bread", "tea", "bread"]})
    >>> suggested(bought)[["first", "category", "reason", "times"]].values.tolist()
    [['bread', 'tea', 'own', 2]]
    """
    visited = bought.groupby("customer_id")["day"].nunique()
    known = bought[bought["customer_id"].isin(visited.index[visited >= ENOUGH_VISITS])]
    liked = known.groupby(["customer_id", "category"])["day"].agg(times="size", latest="max").reset_index()
    liked = liked.sort_values(["customer_id", "times", "latest", "category"], ascending=[True, False, False, True])
    first = liked.drop_duplicates("customer_id").set_index("customer_id")["category"].rename("first")
    latest = known["day"].eq(known.groupby("customer_id")["day"].transform("max"))
    last = liked.merge(known.loc[latest, ["customer_id", "category"]]).drop_duplicates("customer_id").set_index("customer_id")["category"]
    own = liked[liked["customer_id"].duplicated() & liked["times"].ge(OFTEN)].drop_duplicates("customer_id")
    others = pd.DataFrame({"first": first, "last": last.reindex(first.index)}).drop(own["customer_id"]).reset_index()
    goes = others.merge(_together(bought), on="last")
    goes = goes[goes["category"].ne(goes["first"])].drop_duplicates("customer_id").merge(liked, "left", on=["customer_id", "category"])
    both = pd.concat([own.assign(reason="own"), goes.assign(reason="goes")])[["customer_id", "category", "reason", "times"]]
    both = both.set_index("customer_id").fillna({"times": 0}).astype({"times": "int64"})
    return both.assign(first=first, last=last, visits=visited).sort_index()


@records.once
def bought(shop: Shop) -> pd.DataFrame:
    """Return which kinds of goods each known customer bought on which day; kinds that say too much about somebody are left out.

    Returns
    -------
    pandas.DataFrame
        One row a customer, `day` and `category`.
    """
    orders = records.of(shop, "orders").drop_duplicates("order_id")
    orders = orders[orders["customer_id"].notna() & orders["net_amount"].gt(0)]
    lines = records.of(shop, "order_lines")[["order_id", "category"]].dropna().drop_duplicates()
    kinds = lines["category"].unique()
    lines = lines[lines["category"].isin([kind for kind in kinds if not _is_sensitive(kind)])]
    rows = lines.merge(orders.assign(day=orders["ordered_at"].dt.normalize())[["order_id", "customer_id", "day"]], on="order_id")
    return rows[["customer_id", "day", "category"]].drop_duplicates()


def _is_sensitive(kind: str) -> bool:
    plain = kind.casefold().replace("i\u0307", "i")  # a Turkish capital I with its dot
    return any(word.startswith(SENSITIVE) for word in plain.replace("-", " ").replace("/", " ").split())


def _together(bought: pd.DataFrame) -> pd.DataFrame:
    """Pairs of kinds that were bought on one day by one customer: `last`, `category`; those seen together most often come first."""
    from scipy.sparse import csr_array

    day = bought.groupby(["customer_id", "day"]).ngroup().to_numpy()
    code, names = pd.factorize(bought["category"], sort=True)
    baskets = csr_array(([1] * len(bought), (day, code)), shape=(day.max(initial=-1) + 1, len(names)))
    pairs = (baskets.T @ baskets).tocoo()
    found = pd.DataFrame({"last": names[pairs.row], "category": names[pairs.col], "n": pairs.data})
    return found[found["last"].ne(found["category"])].sort_values(["last", "n", "category"], ascending=[True, False, True])


def tried(bought: pd.DataFrame, cutoff: date) -> pd.DataFrame:
    """Make the suggestions of 90 days ago, from what was bought until then, and hold them against the next basket.

    Returns
    -------
    pandas.DataFrame
        As of `suggested`, for those who bought since: `basket`, and whether the suggestion (`hit`), or the shop's favourite of then
        (`favourite_hit`), was in it.
    """
    split = pd.Timestamp(cutoff) - pd.Timedelta(days=LOOK_BACK)
    then, later = bought[bought["day"] <= split], bought[bought["day"] > split]
    made = suggested(then)
    basket = later[later["day"].eq(later.groupby("customer_id")["day"].transform("min"))].groupby("customer_id")["category"].agg(set)
    made = made.assign(basket=basket).dropna(subset=["basket"])
    popular = (
        then["category"].value_counts().rename_axis("category").reset_index().sort_values(["count", "category"], ascending=[False, True])
    )
    best = [*popular["category"][:2], None, None]
    favourite = [best[first == best[0]] for first in made["first"]]
    hits = {"hit": made["category"], "favourite_hit": favourite}
    return made.assign(**{name: [kind in had for kind, had in zip(kinds, made["basket"], strict=True)] for name, kinds in hits.items()})
