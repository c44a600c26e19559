"""Personal service: whether a customer's own purchases tell what comes next, who had to explain again, and what to suggest to whom."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import pandas as pd

from loyalty_lab import candidates, experiences, proportions, records, worth
from loyalty_lab.estimates import estimate
from loyalty_lab.periods import within, year_to
from loyalty_lab.results import Claim, Fact, Figure, Findings, spoken
from loyalty_lab.visits import visits
from loyalty_lab.waits import waiting_curve
from loyalty_lab.worth import Worth

if TYPE_CHECKING:
    from loyalty_lab.shop import Shop

SLUG = "personalise"
DAY = pd.Timedelta(days=1)
LOOK_BACK = 90
ONBOARDING_DAYS = 30
SECOND_VISIT_DAYS = 90
ENOUGH_VISITS = 3
OFTEN = 2
# What goods of these kinds say about a customer is nobody's business; beginnings of words, in the languages of the playbook.
SENSITIVE = (
    "alcohol", "wine", "beer", "spirits", "tobacco", "cigar", "medic", "pharm", "health", "diet", "baby", "pregnan", "intim", "relig",
    "alkol", "şarap", "bira", "rakı", "tütün", "sigara", "ilaç", "sağlık", "diyet", "bebek", "hamile", "mahrem", "dini",
    "মদ", "তামাক", "সিগারেট", "ওষুধ", "স্বাস্থ্য", "শিশু", "গর্ভ", "ধর্ম",
    "ալկոհոլ", "գինի", "գարեջուր", "օղի", "ծխախոտ", "դեղոր", "առողջ", "մանկական", "հղի", "կրոն",
)  # fmt: skip


def diagnose(shop: Shop, cutoff: date) -> Findings:
    """Find how often a suggestion from own purchases fits the next one, who had to explain again, and how newcomers were met.

    Suggestions are made from what was bought until 90 days before the cutoff, and held against the first basket after that: the
    customer's second kind of goods, or what goes with their last one, against the shop's favourite; neither may be the kind that the
    customer buys most anyway.

    Parameters
    ----------
    shop : Shop
        Cut at the cutoff, with order lines.
    cutoff : datetime.date
        Last day that may be seen.

    Returns
    -------
    Findings
        `hit_gap` is a difference within customers. Newcomers are compared from their thirtieth day on, if they had not come again by
        then (a landmark against immortal time).

    References
    ----------
    Anderson, Cain, Gelber (1983), Analysis of survival by tumor response, Journal of Clinical Oncology 1.

    Examples
    --------
    >>> from loyalty_lab.shop import Shop, ShopSettings
    >>> days = pd.to_datetime(["2025-10-01", "2025-11-01", "2025-12-01", "2026-02-01"])
    >>> orders = pd.DataFrame({"order_id": list("1234"), "customer_id": "a", "ordered_at": days, "net_amount": 5.0})
    >>> lines = pd.DataFrame({"order_id": list("112234"), "line": 1, "category": ["bread", "tea", "bread", "tea", "bread", "tea"]})
    >>> shop = Shop(ShopSettings(name="Corner Grocer", currency="GBP", timezone="Europe/London"), {"orders": orders, "order_lines": lines})
    >>> diagnose(shop, date(2026, 3, 31)).facts["suggested_hit"].value
    1.0
    """
    bought, newcomers = _bought(shop), _newcomers(shop, cutoff)
    tested, followed = _tested(bought, cutoff), met_against_not(shop, cutoff)
    may = Fact(value=len(_may_receive(shop, cutoff)), unit="count", window=year_to(cutoff))
    facts = _hits(tested) | _service(shop, cutoff) | {"may": may} | followed.facts
    gap = facts["hit_gap"].interval
    variant = "none" if gap is None else "better" if gap[0] > 0 else "worse" if gap[1] < 0 else "same"
    return Findings.of(
        SLUG, facts, variant, args=_words(facts), also=(*followed.said(SLUG), *records.doubts(shop, "tickets")),
        tables={"hits": _bars(tested), "second_visit": (curves := _curves(newcomers))},
        figures=_figures(_bars(tested), curves, newcomers, spoken(facts)), claims=(Claim.of(SLUG, "valued", facts["hit_gap"]),),
    )  # fmt: skip


def value(shop: Shop, cutoff: date, forecast: pd.DataFrame) -> Worth:
    """Work out what share of the letters must keep a customer; a better suggestion alone is worth little."""
    return worth.of_campaign(SLUG, shop, _people(shop, cutoff, forecast), assumptions=("small",))


def act(shop: Shop, cutoff: date, forecast: pd.DataFrame) -> pd.DataFrame:
    """List what to suggest to whom, and because of what: customers of the year who agreed to notes, with enough purchases to tell from."""
    people = _people(shop, cutoff, forecast)
    told = [
        {"category": row.category, "times": int(row.times), "visits": int(row.visits)} if row.reason == "own"
        else {"category": row.category, "last": row.last}
        for row in people.itertuples()
    ]  # fmt: skip
    return candidates.listed(SLUG, people.assign(arguments=told), candidates.preferred(shop, people), at_stake="save_value")


def met_against_not(shop: Shop, cutoff: date) -> experiences.Followed:
    """Compare newcomers who heard from the shop in their first 30 days with those who did not, by whether they came in the next 90.

    Examples
    --------
    >>> from loyalty_lab import demo
    >>> met_against_not(demo.make(customers=60).shop(), date(2026, 10, 31)).grade
    'D'
    """
    return experiences.follow(shop, cutoff, _newcomers(shop, cutoff), "met", better=True, also=["channel", "branch_id", "spend"])


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
def _bought(shop: Shop) -> pd.DataFrame:
    """Which kinds of goods each known customer bought on which day; kinds that say too much about somebody are left out."""
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


def _tested(bought: pd.DataFrame, cutoff: date) -> pd.DataFrame:
    """Suggestions made 90 days ago: whether they (`hit`), or the shop's favourite of then (`favourite_hit`), were in the next basket."""
    split = pd.Timestamp(cutoff) - LOOK_BACK * DAY
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


def _hits(tested: pd.DataFrame) -> dict[str, Fact]:
    n, apart = len(tested), tested["hit"].astype(float) - tested["favourite_hit"].astype(float)
    found = estimate(apart.mean(), apart.std() / n**0.5) if n >= proportions.FEWEST else None
    gap = (
        Fact(value=found.value, unit="share", n=n, interval=(found.low, found.high, proportions.LEVEL))
        if found
        else Fact(value=None, unit="share")
    )
    return {
        "suggested_hit": proportions.share(int(tested["hit"].sum()), n),
        "popular_hit": proportions.share(int(tested["favourite_hit"].sum()), n),
        "hit_gap": gap,
    }


def _service(shop: Shop, cutoff: date) -> dict[str, Fact]:
    """Who had to explain again, of all and of those handed on; and whether the shop writes by the way and in the language wished for."""
    tickets, contacts, people = records.of(shop, "tickets"), records.of(shop, "contacts"), records.register(shop)
    asked = tickets[within(tickets["opened_at"], year_to(cutoff)) & tickets["repeat_explained"].notna()]
    again, handed = asked["repeat_explained"].astype(bool), asked["transfers"].fillna(0).gt(0)
    wish = people["preferred_channel"]
    sent = contacts[within(contacts["sent_at"], year_to(cutoff)) & contacts["direction"].ne("in") & contacts["channel"].notna()]
    wished = sent["customer_id"].map(wish)
    by_wish, language = sent["channel"].eq(wished)[wished.notna()], people["preferred_language"].dropna()
    return {
        "explained_again": proportions.share(int(again.sum()), len(again), year_to(cutoff)),
        "explained_handed": proportions.share(int(again[handed].sum()), int(handed.sum()), year_to(cutoff)),
        "by_wish": proportions.share(int(by_wish.sum()), len(by_wish), year_to(cutoff)),
        "other_language": proportions.share(int(language.ne(shop.settings.languages[0]).sum()), len(language)),
    }


def _words(facts: dict[str, Fact]) -> dict[str, str]:
    """The sentences about what the shop may not write down at all."""
    told = {"again": facts["explained_again"], "wish": facts["by_wish"]}
    return {f"{part}_said": f"{SLUG}.{part}.{'unknown' if fact.value is None else 'known'}" for part, fact in told.items()}


@records.once
def _newcomers(shop: Shop, cutoff: date) -> pd.DataFrame:
    """Newcomers who had not come again by their thirtieth day: from then on `at`, whether the shop had `met` them, `wait` and `came`."""
    days = visits(shop, cutoff)
    first = days[days["visit"].eq(1) & ~(days["until_next"] <= ONBOARDING_DAYS)].sort_values("day")
    contacts = records.of(shop, "contacts")
    sent = contacts[contacts["direction"].ne("in") & contacts["purpose"].ne("support") & contacts["customer_id"].notna()]
    sent = sent.sort_values("sent_at")[["customer_id", "sent_at"]]
    first = pd.merge_asof(
        first, sent, left_on="day", right_on="sent_at", by="customer_id", direction="forward", tolerance=ONBOARDING_DAYS * DAY
    )
    first = first.assign(at=first["day"] + ONBOARDING_DAYS * DAY, met=first["sent_at"].notna(), came=first["until_next"].notna())
    first = first[first["at"] <= pd.Timestamp(cutoff)]
    wait = first["until_next"].fillna((pd.Timestamp(cutoff) - first["day"]).dt.days) - ONBOARDING_DAYS
    late = wait > SECOND_VISIT_DAYS
    return first.assign(wait=wait.clip(upper=SECOND_VISIT_DAYS).astype("float64"), came=first["came"] & ~late)


@records.once
def _may_receive(shop: Shop, cutoff: date) -> pd.DataFrame:
    """Customers of the year who agreed to notes, may be contacted, and have bought enough to suggest something."""
    bought = _bought(shop)
    lately = bought.loc[within(bought["day"], year_to(cutoff)), "customer_id"]
    register = records.of(shop, "customers")
    agreed = register.loc[register["consent_profile"].fillna(False).astype(bool), "customer_id"]
    made = suggested(bought)
    return candidates.willing(shop, cutoff, made[made.index.isin(lately) & made.index.isin(agreed)])


def _people(shop: Shop, cutoff: date, forecast: pd.DataFrame) -> pd.DataFrame:
    return candidates.ranked(_may_receive(shop, cutoff), forecast, by="save_value")


def _bars(tested: pd.DataFrame) -> pd.DataFrame:
    """How often each way of suggesting fitted, as rows of a chart."""
    counts = {"own": int(tested["hit"].sum()), "favourite": int(tested["favourite_hit"].sum())}
    rows = [(name, len(tested), count / max(len(tested), 1), *proportions.wilson(count, len(tested))) for name, count in counts.items()]
    return pd.DataFrame(rows if len(tested) else [], columns=["group", "n", "share", "low", "high"])


def _curves(newcomers: pd.DataFrame) -> pd.DataFrame:
    """Share that had come again by each day since the thirtieth (Kaplan-Meier), of those the shop had met and of the others."""
    grid = pd.DataFrame({"days": [float(day) for day in range(SECOND_VISIT_DAYS + 1)]})
    for name, rows in (("met", newcomers[newcomers["met"]]), ("others", newcomers[~newcomers["met"]])):
        curve = waiting_curve(rows["wait"], rows["came"])[["days", "share"]].astype("float64")
        grid[name] = pd.merge_asof(grid[["days"]], curve, on="days")["share"].fillna(0.0)
    return grid


def _figures(hits: pd.DataFrame, curves: pd.DataFrame, newcomers: pd.DataFrame, args: dict) -> tuple[Figure, ...]:
    made = ()
    if len(hits):
        made = (Figure.bars(SLUG, "hits", hits, [{"key": f"{SLUG}.way.{way}", "args": {}} for way in hits["group"]], args),)
    if newcomers["met"].nunique() < 2:
        return made
    lines = [{"label": {"key": f"{SLUG}.line.{name}", "args": {}}, "shares": curves[name].tolist()} for name in ("met", "others")]
    return (*made, Figure.of(SLUG, "second_visit", "curve", {"days": curves["days"].tolist(), "lines": lines}, args))
