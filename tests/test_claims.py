"""What people say beside what a shop shows: worked by hand, with the trap where it bites; and never an input to a value."""

from __future__ import annotations

import ast
from datetime import date
from pathlib import Path

import pandas as pd
import pytest

from loyalty_lab import claims, tables
from loyalty_lab.language import Texts
from loyalty_lab.shop import Shop, ShopSettings

CUTOFF = date(2025, 12, 31)
SOURCE = Path(claims.__file__).parent
NAMES = {"name": "Corner Grocer", "currency": "GBP", "timezone": "Europe/London"}


def shop_of(rows=(), cost=None, **others) -> Shop:
    orders = pd.DataFrame(rows, columns=["customer_id", "ordered_at", "net_amount"]).astype({"customer_id": "str", "net_amount": "float64"})
    orders = orders.assign(order_id=[str(number) for number in range(len(orders))])
    frames = {"orders": orders, **others}
    typed = {name: tables.typed(name, pd.DataFrame(frame)) for name, frame in frames.items()}
    return Shop(ShopSettings(**NAMES, cost=cost or {}), typed)


def said(shop: Shop, name: str, letters=None) -> claims.Saying:
    return next(each for each in claims.beside(shop, CUTOFF, letters) if each.name == name)


def words(saying: claims.Saying) -> str:
    return Texts("en").say(saying.message)


@pytest.fixture(scope="module")
def survivors() -> Shop:
    """Forty who spend 100 in each half-year, and sixty who spend 10 once and stay away: nobody ever spends more than before."""
    rows = [("old", "2023-01-01", 1.0)]
    rows += [(f"big{who}", day, 100.0) for who in range(40) for day in ("2024-03-01", "2024-10-01")]
    rows += [(f"small{who}", "2024-03-01", 10.0) for who in range(60)]
    return shop_of(rows)


def test_the_best_fifth_is_told_of_buyers_and_of_everybody():
    rows = [(f"big{who}", "2025-03-01", 80) for who in range(10)] + [(f"c{who}", "2025-03-01", 5) for who in range(40)]
    rows += [(f"gone{who}", "2023-03-01", 5) for who in range(50)]

    pareto = said(shop_of(rows), "pareto")

    assert (pareto.fact.value, pareto.fact.n) == (0.8, 50)
    assert (pareto.args["all"], pareto.args["all_n"]) == (0.85, 100)
    assert said(shop_of(rows[:29]), "pareto").variant == "few"


def test_who_stays_is_taken_for_who_spends_more_unless_compared_with_himself(survivors):
    more = said(survivors, "more")

    assert more.variant == "trap"
    assert more.args["naive"] == pytest.approx(100 / 46 - 1)
    assert more.fact.value == pytest.approx(0)
    assert more.args["everyone"] == pytest.approx(4000 / 4600 - 1)
    assert (more.args["n"], more.args["stayed"]) == (100, 40)
    assert "But of 100 only 40 still bought" in words(more)


def test_customers_who_do_spend_more_are_not_called_a_trap():
    rows = [("old", "2023-01-01", 1.0)]
    rows += [(f"c{who}", day, amount + who) for who in range(40) for day, amount in (("2024-03-01", 50.0), ("2024-10-01", 90.0))]

    more = said(shop_of(rows), "more")

    assert more.variant == "both"
    assert more.fact.interval[0] > 0.4


def test_a_first_purchase_at_the_beginning_of_the_records_may_be_anybodys_hundredth(survivors):
    late = survivors.orders.assign(
        ordered_at=survivors.orders["ordered_at"].where(survivors.orders["customer_id"] != "old", pd.Timestamp("2024-02-01"))
    )

    assert said(Shop(survivors.settings, {"orders": late}), "more").variant == "few"


def test_winning_costs_what_the_shop_says_over_what_contacts_cost_for_each_kept():
    rows = [(f"c{who}", "2024-06-01", 5) for who in range(50)] + [(f"c{who}", "2025-06-01", 5) for who in range(20)]
    letters = [f"c{who}" for who in range(40)] * 2
    sent = {
        "contact_id": [str(number) for number in range(80)],
        "customer_id": letters,
        "sent_at": "2025-05-01",
        "direction": "out",
        "channel": "letter",
    }
    rows = [("old", "2023-06-01", 5), *rows]

    both = said(shop_of(rows, {"new_customer": 16.0, "letter": 1.0}, contacts=sent), "times")

    assert both.variant == "both"
    assert both.args == {"won": 16.0, "kept": pytest.approx(80 / 20)}
    assert both.fact.value == pytest.approx(4.0)
    assert both.fact.interval[0] < 4 < both.fact.interval[1]
    assert said(shop_of(rows, {"new_customer": 16.0}, contacts=sent), "times").variant == "won"
    assert said(shop_of(rows, {"letter": 1.0}, contacts=sent), "times").variant == "none"


def test_those_who_would_recommend_are_asked_whether_they_have():
    people = {"survey_id": [f"{n:02d}" for n in range(50)], "customer_id": [f"c{n}" for n in range(50)], "nps": [9] * 40 + [3] * 10}
    asked = pd.DataFrame(people).assign(asked_at="2025-03-01", answered_at="2025-03-02")
    later = asked.head(1).assign(survey_id="99", asked_at="2025-06-01", answered_at="2025-06-02", nps=2)
    invited = {"referral_id": ["1", "2", "3"], "referrer_id": ["c0", "c1", "c45"], "invited_at": "2025-05-01"}

    both = said(shop_of(surveys=pd.concat([asked, later]), referrals=invited), "recommend")

    assert (both.fact.value, both.fact.n) == (1 / 39, 39)
    assert (both.args["others"], both.args["others_n"]) == (2 / 11, 11)
    assert said(shop_of(surveys=asked.tail(20), referrals=invited), "recommend").variant == "few"
    assert said(shop_of(surveys=asked), "recommend").variant == "none"


def invitations(n: int, came: int, invited_at: str = "2025-05-01") -> dict:
    first = [pd.Timestamp("2025-05-20")] * came + [pd.NaT] * (n - came)
    return {"referral_id": [str(number) for number in range(n)], "referrer_id": "a", "invited_at": invited_at, "first_order_at": first}


def test_invitations_count_once_they_have_had_their_time():
    friends = said(shop_of(referrals=invitations(40, 10)), "friends")

    assert (friends.fact.value, friends.fact.n) == (0.25, 40)
    assert said(shop_of(referrals=invitations(40, 0, "2025-12-01")), "friends").variant == "none"


def test_where_only_successes_are_written_down_no_share_is_told():
    saying = said(shop_of(referrals=invitations(40, 40)), "friends")

    assert (saying.variant, saying.fact) == ("successes", None)
    assert "nothing can be told" in words(saying)


@pytest.mark.parametrize(
    ("profit", "low", "high", "verdict", "variant"),
    [
        (40.0, 5.0, 75.0, "works", "shown"),
        (40.0, 5.0, 75.0, "not_shown", "not_shown"),
        (4.0, -60.0, 70.0, "works", "not_shown"),
        (-40.0, -75.0, -5.0, "harms", "loses"),
    ],
)
def test_letters_are_said_to_pay_only_where_a_lot_has_shown_it(profit, low, high, verdict, variant):
    read = {"rounds": 1, "people": 20, "treated": 10, "verdict": verdict, "profit": profit, "profit_low": low, "profit_high": high}

    saying = said(shop_of(), "hundreds", read)

    assert saying.variant == variant
    assert (saying.fact.value, saying.fact.interval[:2]) == (profit / 10, (low / 10, high / 10))
    assert said(shop_of(), "hundreds", read | {"profit": float("nan")}).variant == "none"


def test_a_shop_that_writes_nothing_down_is_told_what_it_would_take():
    found = claims.beside(shop_of(), CUTOFF)

    assert [each.name for each in found] == list(claims.NAMES)
    assert all(each.fact is None for each in found)
    assert all(words(each) for each in found)


def test_every_claim_has_its_words_its_source_and_what_is_known_of_it():
    texts = Texts("en")

    for name in claims.NAMES:
        assert all(texts.say(f"claims.{part}.{name}") for part in ("said", "source", "status"))
        assert "none" in texts.part(f"claims.here.{name}") or name in ("more",)
    assert "5 of 4" in texts.say("claims.status.friends")


def reads_claims(path: Path) -> bool:
    text = path.read_text(encoding="utf-8")
    nodes = [node for node in ast.walk(ast.parse(text)) if isinstance(node, (ast.Import, ast.ImportFrom))] if "claims" in text else []
    names = {name for node in nodes for name in (*(alias.name for alias in node.names), getattr(node, "module", None) or "")}
    return any("claims" in name.split(".") for name in names)


def test_no_module_that_works_out_a_value_reads_a_claim():
    readers = {path.relative_to(SOURCE).as_posix() for path in SOURCE.rglob("*.py") if reads_claims(path)}

    assert readers == {"questions/overview.py"}
