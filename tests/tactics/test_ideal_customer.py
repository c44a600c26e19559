from __future__ import annotations

from math import exp, log, sqrt

import numpy as np
import pandas as pd
import pytest
from tactic_shops import CUTOFF, chain, forecast_of, frame, shop_of

from loyalty_lab import segments
from loyalty_lab.demo.words import words
from loyalty_lab.tactics import ideal_customer

A_YEAR_BEFORE, SINCE, LATELY = "2024-06-10", "2025-07-10", "2026-03-01"


def began(code, day, channel, n, again=0.0, first=10.0, **more):
    """Orders of n newcomers; each spends `again` a month later, where that is anything."""
    rows = []
    for number in range(n):
        told = {"customer_id": f"{code}{number:03d}", "channel": channel, **more}
        rows.append(told | {"ordered_at": day, "net_amount": first})
        if again:
            rows.append(told | {"ordered_at": pd.Timestamp(day) + pd.Timedelta(days=30), "net_amount": again})
    return rows


def orders(*parts):
    return frame("orders", *(row for part in parts for row in part))


def a_year(code, day, keen="web", others="counter"):
    """A hundred newcomers; the twenty who came by one channel come again."""
    return [*began(f"{code}k", day, keen, 20, again=30.0), *began(f"{code}o", day, others, 80)]


def nobody():
    return forecast_of().astype("float64")


def facts_of(shop):
    return ideal_customer.diagnose(shop, CUTOFF).facts


def test_a_profile_is_written_on_one_year_and_proves_itself_on_the_next():
    found = ideal_customer.diagnose(shop_of(orders(a_year("a", A_YEAR_BEFORE), a_year("b", SINCE))), CUTOFF)
    facts = found.facts

    assert (facts["written_on"].value, facts["hit"].value, facts["hit"].n, facts["base"].value) == (100, 1.0, 20, 0.2)
    assert facts["lift"].value == pytest.approx(5.0)
    assert found.messages[0].key == "ideal-customer.headline.told"


def test_a_profile_that_fits_only_the_year_it_was_made_of_proves_nothing():
    found = ideal_customer.diagnose(shop_of(orders(a_year("a", A_YEAR_BEFORE), a_year("b", SINCE, "counter", "web"))), CUTOFF)

    assert (found.facts["hit"].value, found.facts["lift"].value) == (0.0, 0.0)
    assert found.messages[0].key == "ideal-customer.headline.untold"


def test_where_nobody_writes_down_how_customers_begin_the_page_says_so():
    bare = orders(a_year("a", A_YEAR_BEFORE), a_year("b", SINCE)).drop(columns="channel")
    found = ideal_customer.diagnose(shop_of(bare), CUTOFF)

    assert found.messages[0].key == "ideal-customer.headline.same"
    assert found.figures == ()
    assert ideal_customer.act(shop_of(bare), CUTOFF, nobody()).empty


def test_newcomers_who_all_began_alike_are_not_called_too_few():
    bare = orders(a_year("a", A_YEAR_BEFORE), a_year("b", SINCE)).drop(columns="channel")
    few = orders(began("a", A_YEAR_BEFORE, "web", 3))
    reasons = [ideal_customer.value(shop_of(made), CUTOFF, nobody()).value.assumptions for made in (bare, few)]

    assert reasons == [["ideal-customer.assumption.alike"], ["ideal-customer.assumption.too_few"]]


def test_a_large_first_basket_alone_makes_nobody_one_of_the_best():
    rich, new = began("r", A_YEAR_BEFORE, "phone", 20, first=900.0), (began(name, LATELY, name, 1) for name in ("web", "phone"))
    shop = shop_of(orders(a_year("a", A_YEAR_BEFORE), rich, *new))
    traits = ideal_customer.diagnose(shop, CUTOFF).tables["traits"]

    assert traits.loc[traits["share_best"] > 0, "level"].tolist() == ["web"]
    assert ideal_customer.act(shop, CUTOFF, nobody())["pseudonym"].tolist() == ["web000"]


def test_the_lift_of_a_trait_is_its_share_among_the_best_over_that_among_the_rest():
    parts = [began("a", A_YEAR_BEFORE, "web", 12, again=30.0), began("b", A_YEAR_BEFORE, "counter", 8, again=30.0),
             began("c", A_YEAR_BEFORE, "web", 16), began("d", A_YEAR_BEFORE, "counter", 64)]  # fmt: skip
    web = ideal_customer.diagnose(shop_of(orders(*parts)), CUTOFF).tables["traits"].set_index("level").loc["web"]
    spread = sqrt(1 / 12 - 1 / 20 + 1 / 16 - 1 / 80)

    assert (web["share_best"], web["share_rest"], web["lift"]) == pytest.approx((0.6, 0.2, 3.0))
    assert (web["low"], web["high"]) == pytest.approx((3 * exp(-1.96 * spread), 3 * exp(1.96 * spread)), rel=1e-3)
    assert web["shown"]


def test_a_quarter_is_held_against_what_chance_makes_of_so_few():
    alike = [*began("b", "2025-08-10", "web", 40), *began("c", "2025-11-10", "phone", 40)]
    quarters = ideal_customer.diagnose(shop_of(orders(a_year("a", A_YEAR_BEFORE), alike)), CUTOFF).tables["quarters"]
    new, best = (np.array(counts) / sum(counts) for counts in ([40.5, 0.5, 0.5], [20.5, 0.5, 0.5]))

    assert quarters["apart"].tolist() == [False, True]
    assert quarters["index"].iloc[0] == pytest.approx(sum((p - q) * log(p / q) for p, q in zip(new, best, strict=True)))


def test_chance_alone_hardly_ever_makes_a_quarter_differ():
    dice, apart = np.random.default_rng(1), 0
    for _ in range(60):
        pool, new = (pd.DataFrame({name: dice.choice(list("abc"), n) for name in ideal_customer.TRAITS}) for n in (200, 40))
        index, chance = ideal_customer.stability(new, pool.iloc[:40], pool)
        apart += index > chance

    assert apart <= 3


def test_a_source_is_a_friend_or_a_channel_and_the_few_go_together():
    parts = [began("a", SINCE, "web", 40, again=30.0), began("f", SINCE, "counter", 20), began("p", SINCE, "phone", 3)]
    register = frame("customers", *({"customer_id": f"f{n:03d}", "referred_by": "a000"} for n in range(20)))
    found = ideal_customer.diagnose(shop_of(orders(*parts), customers=register), CUTOFF)
    sources = found.tables["sources"].set_index("source")

    assert sources["n"].to_dict() == {"web": 40, "friend": 20, "other": 3}
    assert sources["share"].to_dict() == pytest.approx({"web": 12.0, "friend": 3.0, "other": 3.0})
    assert found.facts["margin_new"].value == pytest.approx((40 * 12 + 23 * 3) / 63)


def test_whom_the_register_knew_long_before_is_no_newcomer():
    register = frame("customers", {"customer_id": "a000", "joined_at": "2021-01-01"}, {"customer_id": "a001", "joined_at": SINCE})

    assert facts_of(shop_of(orders(began("a", SINCE, "web", 3)), customers=register))["newcomers"].value == 2


def test_the_list_names_newcomers_who_began_like_the_best_and_allow_notes():
    parts = [a_year("a", A_YEAR_BEFORE), began("w", LATELY, "web", 3), began("c", LATELY, "counter", 3), began("o", "2026-01-30", "web", 1)]
    shop = shop_of(orders(*parts), customers=frame("customers", {"customer_id": "w001", "consent_profile": False}))
    listed = ideal_customer.act(shop, CUTOFF, forecast_of(w000=(0.5, 10.0), w002=(0.1, 20.0)))

    assert listed["pseudonym"].tolist() == ["w002", "w000"]
    assert listed["arguments"].tolist()[0] == {"days": 30, "level": "web"}
    assert listed["reason"].unique().tolist() == ["ideal-customer.reason.channel"]


def test_who_resembles_the_best_in_more_ways_comes_first_whatever_they_are_worth():
    homes = [began("n", A_YEAR_BEFORE, "web", 15, again=30.0, branch_id="B1"), began("m", A_YEAR_BEFORE, "web", 10, branch_id="B2")]
    rest = began("o", A_YEAR_BEFORE, "counter", 50, branch_id="B1"), began("p", A_YEAR_BEFORE, "counter", 25, branch_id="B2")
    new = began("x", LATELY, "web", 1, branch_id="B1"), began("y", LATELY, "web", 1), began("z", LATELY, "counter", 1, branch_id="B1")
    listed = ideal_customer.act(shop_of(orders(*homes, *rest, *new)), CUTOFF, forecast_of(x000=(0.1, 1.0), y000=(0.9, 90.0)))

    assert listed["pseudonym"].tolist() == ["x000", "y000"]


def test_where_somebody_lives_is_shown_and_changes_no_list():
    parts = orders(a_year("a", A_YEAR_BEFORE), began("w", LATELY, "web", 4), began("c", LATELY, "counter", 4))
    names = parts["customer_id"].unique()
    lists, shown = [], []
    for far in (lambda name: name.startswith("ak"), lambda name: name.startswith("w")):
        register = frame("customers", *({"customer_id": name, "region": "far" if far(name) else "near"} for name in names))
        shop = shop_of(parts, customers=register)
        lists.append(ideal_customer.act(shop, CUTOFF, nobody()))
        shown.append(ideal_customer.diagnose(shop, CUTOFF).tables["regions"]["group"].tolist())

    pd.testing.assert_frame_equal(*lists)
    assert shown == [["far", "near"], ["near"]]


def test_the_sum_is_a_tenth_of_the_newcomers_times_what_those_who_resemble_leave_more():
    shop = shop_of(orders(a_year("a", A_YEAR_BEFORE), a_year("b", SINCE)))
    worth = ideal_customer.value(shop, CUTOFF, nobody())

    assert worth.rows["value"].tolist() == pytest.approx([100, 0.1, 9.0, 90.0])
    assert (worth.value.grade, worth.value.amount) == ("D", None)


def test_in_the_chain_those_who_live_far_off_are_fewer_among_the_best_and_how_others_begin_says_little():
    shop, cutoff, truth = chain()
    found = ideal_customer.diagnose(shop, cutoff)
    regions, low = found.tables["regions"].set_index("group"), found.facts["lift"].interval[0]
    far = regions.index.isin(words()["far"])

    assert truth["parameters"]["effects"]["remote"] > 0
    assert regions.loc[far, "raw"].max() < regions.loc[~far, "raw"].min()
    assert low < 1
    assert not found.tables["traits"].query("attribute == 'branch_id'")["shown"].any()


def test_the_first_category_is_one_for_the_profile_and_for_the_segments():
    shop, cutoff, _ = chain()
    ours = ideal_customer.newcomers(shop, cutoff)["category"]
    theirs = segments._first_purchase(shop, cutoff)["category"].reindex(ours.index)

    assert ours.notna().any()
    assert ours.equals(theirs)
