"""The simulated shop: the same seed gives the same bytes, every table holds, and what is true in it can be found again."""

from __future__ import annotations

import re
import stat
import unicodedata
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from loyalty_lab import cli, demo, tables
from loyalty_lab.demo.life import clock, live, logistic
from loyalty_lab.demo.parameters import DAYS, FIRST_DAY, PRESETS, RETURN_DAYS, TRAPS
from loyalty_lab.demo.service import END, through_bots
from loyalty_lab.demo.truth import drop_chance, effect
from loyalty_lab.errors import InputError, UsageError
from loyalty_lab.intake.identities import pseudonym
from loyalty_lab.shop import Shop, load_settings

DATA = Path(__file__).parent.parent / "data" / "demo"


@pytest.fixture(scope="module")
def tiny():
    return demo.make()


@pytest.fixture(scope="module")
def standard():
    return demo.make(preset="standard")


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def returned_within(made: demo.Demo, days: int) -> pd.DataFrame:
    """One row a customer and purchase day: whether another followed within so many days."""
    bought = made.shop().orders.dropna(subset=["customer_id"])
    rows = bought.assign(day=bought["ordered_at"].dt.normalize()).sort_values(["customer_id", "day"])
    after = rows.groupby("customer_id")["day"].shift(-1) - rows["day"]
    rows = rows.assign(back=after.dt.days.le(days))
    return rows[rows["day"] < END - pd.Timedelta(days=days)].set_index("order_id")


def pence(money: pd.Series) -> pd.Series:
    return (money * 100).round().astype(int)


def test_the_same_seed_gives_the_same_shop_and_another_seed_another(tmp_path):
    for name in ("one", "two"):
        demo.write(demo.make(customers=60), tmp_path / name)

    assert contents(tmp_path / "one") == contents(tmp_path / "two")
    assert not demo.make(customers=60, seed=8).tables["orders"].equals(demo.make(customers=60).tables["orders"])


def test_the_tracked_demo_shop_is_what_the_simulator_writes(tmp_path, tiny):
    demo.write(tiny, tmp_path)
    tracked = contents(DATA)

    assert {name: tracked.get(name) == data for name, data in contents(tmp_path).items()} == dict.fromkeys(contents(tmp_path), True)
    assert sum(map(len, contents(tmp_path).values())) < 1_000_000


def test_every_table_has_only_columns_of_its_schema_and_a_key_without_doubles(tiny):
    assert list(tiny.tables) == list(tables.SCHEMAS)
    for name, frame in tiny.tables.items():
        schema = tables.SCHEMAS[name]
        assert set(schema.required) <= set(frame.columns) <= set(schema.names), name
        assert not frame.duplicated(list(schema.key)).any(), name
        assert frame[list(schema.key)].notna().all(axis=None), name
        for column in schema.columns:
            values = frame[column.name].dropna() if column.name in frame.columns else pd.Series(dtype="float64")
            assert not column.choices or values.isin(column.choices).all(), column.name
            assert column.low is None or values.ge(column.low).all(), column.name
            assert column.high is None or values.le(column.high).all(), column.name


def test_the_shop_is_pseudonymous_and_typed(tiny):
    shop = tiny.shop()

    raw = set(tiny.tables["customers"]["customer_id"])
    for name, frame in shop.tables.items():
        assert not set(frame.columns) & set(tables.SCHEMAS[name].personal)
        for column in set(tables.CUSTOMER_COLUMNS) & set(frame.columns):
            assert frame[column].dropna().str.fullmatch("[a-z2-7]{12}").all(), (name, column)
            assert not set(frame[column].dropna()) & raw
        pd.testing.assert_frame_equal(tables.typed(name, frame), frame)


def test_rows_point_at_rows_that_exist(tiny):
    known, orders = set(tiny.tables["customers"]["customer_id"]), set(tiny.shop().orders["order_id"])
    for name, frame in tiny.tables.items():
        for column in set(tables.CUSTOMER_COLUMNS) & set(frame.columns):
            assert set(frame[column].dropna()) <= known, (name, column)
        if name != "orders" and "order_id" in frame.columns:
            assert set(frame["order_id"].dropna()) <= orders, name
    assert set(tiny.shop().orders["customer_id"].dropna()) == set(tiny.shop().customers["customer_id"])


def test_lines_add_up_to_orders_and_orders_add_up_to_the_penny(tiny):
    orders = tiny.shop().orders.set_index("order_id")
    parts = pence(orders["gross_amount"]) - pence(orders["discount_amount"]) - pence(orders["refund_amount"])

    lines = pence(tiny.tables["order_lines"]["net_amount"]).groupby(tiny.tables["order_lines"]["order_id"]).sum()
    assert (lines - pence(orders["net_amount"]).reindex(lines.index)).eq(0).all()
    assert len(lines) == len(orders)
    assert parts.equals(pence(orders["net_amount"]))
    assert orders["net_amount"].gt(0).all()


def test_nothing_is_known_from_after_the_last_day(tiny):
    assert tiny.shop().last_day.isoformat() == "2026-10-31"
    for name, frame in tiny.tables.items():
        for column in tables.SCHEMAS[name].columns:
            if column.kind == "moment" and not column.planned and column.name in frame.columns:
                assert frame[column.name].dropna().between(pd.Timestamp(FIRST_DAY), END, inclusive="left").all(), (name, column.name)
                assert frame[column.name].dt.hour.dropna().between(7, 23).all(), (name, column.name)


def test_a_shop_cut_at_its_last_day_loses_nothing(tiny):
    shop = tiny.shop()
    for name, frame in shop.until(shop.last_day).tables.items():
        lasting = [column.name for column in tables.SCHEMAS[name].columns if column.name in frame.columns and column.known_at is None]
        pd.testing.assert_frame_equal(frame[lasting], shop.tables[name][lasting])


def test_orders_that_came_to_nothing_are_exported_but_not_counted(tiny):
    exported, counted = tiny.tables["orders"], tiny.shop().orders

    assert {"paid", "cancelled", "unpaid"} == set(exported["status"])
    assert 10 <= len(exported) - len(counted) <= 60
    assert exported["customer_id"].isna().sum() > 10


def test_names_are_in_the_scripts_of_the_four_languages_and_can_be_told_apart(tiny):
    people = tiny.tables["customers"]
    script = people["name"].map(lambda name: unicodedata.name(name[0]).split()[0])

    assert people.assign(script=script).groupby("preferred_language")["script"].unique().map(list).to_dict() == {
        "bn": ["BENGALI"], "en": ["LATIN"], "hy": ["ARMENIAN"], "tr": ["LATIN"],
    }  # fmt: skip
    assert people["name"].str.contains("[ışİğ]").any()
    assert people["email"].dropna().str.fullmatch(r"[a-z]+\.[a-z]+\d+@[a-z]+\.example").all()
    assert people["phone"].dropna().map(lambda phone: bool(re.fullmatch(r"0[\d ]{9,12}", phone))).all()
    assert not people["email"].dropna().duplicated().any()
    assert not people["phone"].dropna().duplicated().any()


def test_the_tiny_shop_has_work_for_every_first_tactic(tiny):
    shop = tiny.shop()
    waiting = shop.tickets[shop.tickets["first_reply_at"].isna()]
    orders = shop.orders.dropna(subset=["customer_id"])
    days = orders.assign(day=orders["ordered_at"].dt.normalize()).groupby("customer_id")["day"].agg(["min", "max", "nunique"])
    regular = days[days["nunique"] >= 3]
    gap = (regular["max"] - regular["min"]) / (regular["nunique"] - 1)
    quiet = (END - regular["max"]) > 1.5 * gap
    consent = shop.customers.set_index("customer_id")["consent_contact"]
    year = orders[orders["ordered_at"] > END - pd.Timedelta(days=365)]
    spent = year.groupby("customer_id")["net_amount"].sum().sort_values(ascending=False)

    assert 8 <= len(waiting) <= 15
    assert (waiting["promised_by"] < END).sum() >= 2
    assert 0.60 <= (days["nunique"] > 1).mean() <= 0.70
    assert 0.25 <= quiet.mean() <= 0.60
    assert consent.reindex(quiet.index[quiet]).sum() >= 40
    assert 0.5 <= spent.iloc[: len(spent) // 5].sum() / spent.sum() <= 0.7
    assert 0.27 <= orders["margin_amount"].sum() / orders["net_amount"].sum() <= 0.33


def slow(shop: Shop) -> pd.Series:
    waited = shop.tickets["first_reply_at"] - shop.tickets["opened_at"]
    return waited.isna() | (waited > pd.Timedelta(hours=48))


@pytest.mark.parametrize(
    ("table", "name", "had"),
    [
        ("tickets", "slow", slow),
        ("returns", "refused", lambda shop: shop.returns["decision"].eq("refused")),
        ("deliveries", "late", lambda shop: shop.deliveries["delivered_at"] > shop.deliveries["promised_at"]),
    ],
)
def test_customers_come_back_as_often_as_the_truth_says(standard, table, name, had):
    shop, known = standard.shop(), standard.truth["effects"][name]
    exposed = shop.tables[table][["order_id"]].assign(had=had(shop)).set_index("order_id")
    back = returned_within(standard, RETURN_DAYS).join(exposed, how="inner")

    for was, expected in ((True, known["return_exposed"]), (False, known["return_unexposed"])):
        seen = back.loc[back["had"].eq(was), "back"]
        assert abs(seen.mean() - expected) < 3 * np.sqrt(expected * (1 - expected) / len(seen))
    assert known["tau_mean"] < -0.02


def test_all_purchases_together_come_back_as_often_as_the_truth_says(standard):
    back = returned_within(standard, RETURN_DAYS)["back"]

    assert back.mean() == pytest.approx(standard.truth["return_rate"], abs=3 * np.sqrt(0.16 / len(back)) + 0.002)


def test_those_still_alive_buy_at_the_rate_that_is_written_down():
    life = live(PRESETS["small"], np.random.default_rng(3))
    passed, rows = clock(), life.purchases
    gaps = rows.assign(clock=passed[rows["day"]]).groupby("customer")["clock"].diff()
    kept = rows["day"].to_numpy() < DAYS - 300
    came = rows.groupby("customer")["day"].shift(-1).notna() & ~rows["lost"] & kept
    waited = gaps.groupby(rows["customer"]).shift(-1)[came]
    standardised = waited * life.traits["rate"].to_numpy()[rows.loc[came, "customer"]]

    assert standardised.mean() == pytest.approx(1.0, abs=0.06)


def test_the_mean_chance_of_leaving_is_that_of_the_purchases_it_stands_for():
    life = live(PRESETS["standard"], np.random.default_rng(5))
    rows, truth = life.purchases, life.parameters
    begins, ends = ((day - FIRST_DAY).days for day in (max(day for _, day in truth.rollout), truth.backlog_from))
    ordinary = rows["visit"].ge(truth.regular_after) & rows["day"].between(begins, ends - 1)
    by_formula = drop_chance(life)[rows.loc[ordinary, "customer"]]
    difference = (logistic(rows.loc[ordinary, "odds"]) - by_formula).to_numpy()

    assert abs(difference.mean()) < 4 * difference.std() / np.sqrt(len(difference))
    assert by_formula.std() > 0.005


def test_the_effect_is_the_difference_that_the_experience_makes_by_itself():
    with_effect = live(PRESETS["small"], np.random.default_rng(3))
    known = effect(with_effect, "refused")

    assert known["tau_mean"] < 0
    assert known["n_exposed"] < known["n"]
    assert known["log_odds"] == PRESETS["small"].effects["refused"]


def test_in_the_null_shop_nothing_has_an_effect():
    known = demo.make(preset="null").truth["effects"]

    assert {one["tau_mean"] for one in known.values()} == {0.0}


def test_late_parcels_are_late_and_the_others_are_not(tiny):
    parcels = tiny.tables["deliveries"].dropna(subset=["delivered_at"])

    assert 0.08 < (parcels["delivered_at"] > parcels["promised_at"]).mean() < 0.35
    assert (parcels["delivered_at"] > parcels["dispatched_at"]).all()


def test_nobody_is_written_to_after_opting_out(tiny):
    letters = tiny.tables["contacts"].query("direction == 'out'")
    left = letters[letters["outcome"].eq("opt_out")].set_index("customer_id")["sent_at"]
    later = letters[letters["customer_id"].isin(left.index)]
    consent = tiny.tables["customers"].set_index("customer_id")["consent_contact"]

    assert len(left) >= 3
    assert (later["sent_at"] <= later["customer_id"].map(left)).all()
    assert not consent[left.index].any()


def differ(one: pd.Series, other: pd.Series) -> float:
    """By how many standard errors the shares of two groups differ."""
    one, other = one.astype(float), other.astype(float)
    return (one.mean() - other.mean()) / np.sqrt(one.var() / len(one) + other.var() / len(other))


def near(seen: pd.Series, expected: float) -> bool:
    return abs(seen.mean() - expected) < 3 * np.sqrt(expected * (1 - expected) / len(seen))


def test_some_tickets_end_with_the_bot_and_a_person_gets_the_others(standard):
    tickets, truth = standard.tables["tickets"], PRESETS["standard"]
    bot = tickets["channel"].eq("bot")
    alone, passed_on = tickets[bot & tickets["agent_id"].isna()], tickets[bot & tickets["agent_id"].notna()]
    after_bot = tickets["agent_id"].isna().groupby(tickets["customer_id"]).shift(1, fill_value=False) & tickets["agent_id"].notna()

    assert near(bot, truth.bot_share)
    assert 0.45 < len(alone) / bot.sum() < 0.65
    assert tickets["agent_id"][~bot].notna().all()
    assert passed_on["transfers"].ge(1).all()
    assert alone["transfers"].eq(0).all()
    assert not alone["repeat_explained"].any()
    assert alone["resolved_at"].notna().all()
    assert (alone["first_reply_at"] - alone["opened_at"]).le(pd.Timedelta(hours=48)).all()
    assert differ(alone["reopened"], tickets["reopened"][~bot].dropna()) > 5
    assert differ(tickets["repeat_explained"][after_bot], tickets["repeat_explained"][~bot & ~after_bot]) > 5


def test_what_is_open_or_was_answered_late_cannot_end_with_the_bot(standard):
    tickets, always = standard.tables["tickets"], replace(PRESETS["standard"], bot_share=1.0, bot_ends_share=1.0)
    alone = through_bots(tickets, always, np.random.default_rng(1))["agent_id"].isna()
    is_open, waited = tickets["resolved_at"].isna(), tickets["first_reply_at"] - tickets["opened_at"]

    assert alone.equals(~is_open & waited.le(pd.Timedelta(hours=48)))
    assert is_open[waited.le(pd.Timedelta(hours=48))].any()


def test_what_is_true_of_bots_can_be_counted_and_meeting_one_changes_nobody(standard):
    tickets, known = standard.shop().tickets, standard.truth["support"]
    bot = tickets["channel"].eq("bot")
    back = returned_within(standard, RETURN_DAYS).join(tickets.assign(bot=bot).set_index("order_id")["bot"], how="inner")

    assert known["tickets"] == len(tickets)
    assert known["bot_only"] == tickets["agent_id"].isna().sum() == round(known["bot_only_share"] * bot.sum())
    assert known["mean_transfers"] == pytest.approx(tickets["transfers"].mean(), abs=1e-6)
    assert known["reopened_share"] == pytest.approx(tickets["reopened"].mean(), abs=1e-6)
    assert known["reopened_bot_only"] == pytest.approx(tickets["reopened"][tickets["agent_id"].isna()].mean(), abs=1e-6)
    assert known["effect"] == 0.0
    assert abs(differ(back["back"][back["bot"]], back["back"][~back["bot"]])) < 3


def test_the_best_customers_and_some_just_below_the_line_are_asked_to_two_previews(standard):
    people = standard.tables["customers"].set_index("customer_id")
    invited = standard.tables["contacts"].query("purpose == 'preview'").join(people, on="customer_id")
    tier, came, days = invited["vip_tier"].fillna("near"), invited["outcome"].isin(["visit", "order"]), invited["sent_at"].dt.normalize()
    known, expected = standard.truth["previews"], dict(zip(["gold", "silver", "near"], PRESETS["standard"].preview_came, strict=True))

    assert set(days) == {pd.Timestamp("2026-03-10"), pd.Timestamp("2026-06-09")}
    assert invited["direction"].eq("out").all()
    assert invited["consent_contact"].all()
    assert (invited["joined_at"] < invited["sent_at"]).all()
    assert not invited.assign(day=days).duplicated(["customer_id", "day"]).any()
    assert set(invited["channel"]) == {"letter", "mail"}
    assert known["invited"] == tier.value_counts().to_dict()
    assert known["came"] == pytest.approx(came.groupby(tier).mean().to_dict(), abs=1e-6)
    assert all(near(came[tier.eq(name)], chance) for name, chance in expected.items())


def test_whoever_came_to_a_preview_and_bought_soon_after_is_told_as_an_order(tiny):
    orders = tiny.tables["orders"].query("status == 'paid'")
    for each in tiny.tables["contacts"].query("purpose == 'preview' and outcome != 'none'").itertuples():
        mine = orders.loc[orders["customer_id"].eq(each.customer_id), "ordered_at"]
        assert (each.outcome == "order") == mine.between(each.sent_at, each.sent_at + pd.Timedelta(days=21)).any()


def test_some_first_orders_follow_a_call_that_quotes_a_card(standard):
    people, calls = standard.shop().customers, standard.shop().contacts.dropna(subset=["card_code"])
    wait = calls["customer_id"].map(people.set_index("customer_id")["joined_at"]) - calls["sent_at"]
    before = calls[wait > pd.Timedelta(0)]
    known, share = standard.truth["cards"], PRESETS["standard"].card_first_share

    assert calls["direction"].eq("in").all()
    assert set(calls["channel"]) == {"phone", "mail"}
    assert wait.max() <= pd.Timedelta(days=30)
    assert before["purpose"].eq("info").all()
    assert known["first_orders"] == before["customer_id"].nunique() == len(before)
    assert near(people["customer_id"][people["joined_at"] > pd.Timestamp("2024-12-01")].isin(before["customer_id"]), share)
    assert set(calls[wait < pd.Timedelta(0)]["purpose"]) == {"info", "support"}


def test_more_cards_are_handed_out_than_come_back(standard):
    known, calls = standard.truth["cards"], standard.tables["contacts"].dropna(subset=["card_code"])
    quoted = calls["card_code"].value_counts()

    assert set(known["handed_out"]) == set(quoted.index)
    assert known["quoted"] == quoted.sum() > known["first_orders"]
    assert all(handed > 3 * quoted[code] for code, handed in known["handed_out"].items())


def test_contacts_are_numbered_in_order_of_time(tiny, standard):
    for made in (tiny, standard):
        contacts = made.tables["contacts"]
        assert contacts["sent_at"].is_monotonic_increasing
        assert contacts["contact_id"].str[1:].astype(int).tolist() == list(range(1, len(contacts) + 1))


def test_who_was_sent_by_a_friend_says_so_and_came_after_the_invitation(tiny):
    came = tiny.tables["referrals"].dropna(subset=["referred_id"])
    people = tiny.tables["customers"].set_index("customer_id")

    assert len(came) >= 20
    assert people["referred_by"].dropna().to_dict() == came.set_index("referred_id")["referrer_id"].to_dict()
    assert (came["invited_at"] < came["first_order_at"]).all()
    assert (came["first_order_at"].to_numpy() == people.loc[came["referred_id"], "joined_at"].to_numpy()).all()


@pytest.mark.parametrize("preset", PRESETS | TRAPS)
def test_every_preset_makes_a_shop_of_any_size(preset):
    made = demo.make(customers=40, preset=preset)

    assert made.truth["preset"] == preset
    assert len(made.shop().orders) >= 40


def test_the_help_names_every_trap():
    assert cli.TRAPS.split(", ") == list(TRAPS)


def test_letters_by_lot_bring_back_as_many_as_the_truth_says():
    made = demo.make(customers=12_000)
    known, arm = made.truth["round"], made.ledger.set_index("unit")["arm"]
    back = came_back(made)

    rates = back.groupby(arm).mean()
    error = np.sqrt(back.var() * 4 / len(back))
    assert known["assigned"] > 0.1
    assert rates["treated"] - rates["control"] == pytest.approx(known["assigned"], abs=3 * error)
    assert rates["control"] == pytest.approx(known["chance"], abs=3 * error)


def came_back(made: demo.Demo) -> pd.Series:
    """Whether everybody on the list of the round bought within its window."""
    lot = PRESETS["tiny"].lot
    begins = pd.Timestamp(lot.opened_on) + pd.Timedelta(days=1)
    orders = made.tables["orders"].query("status == 'paid' and net_amount > 0")
    during = orders[orders["ordered_at"].between(begins, begins + pd.Timedelta(days=lot.window_days), inclusive="left")]
    units = made.ledger["unit"]
    return pd.Series(units.isin(during["customer_id"]).to_numpy(), index=units)


def test_what_the_shop_wrote_into_its_list_is_of_those_it_reached(tiny):
    arm = tiny.ledger.set_index("unit")["arm"]
    letters = tiny.tables["contacts"].query("direction == 'out' and sent_at >= '2026-07-01' and sent_at < '2026-07-04'")

    assert set(tiny.returned["unit"]) == set(arm.index[arm == "treated"])
    assert set(tiny.returned["unit"]) <= set(letters["customer_id"])
    assert set(tiny.returned["outcome"]) <= {"none", "reply", "visit", "order"}


def test_whoever_is_on_the_list_had_been_away_longer_than_a_purchase_waits_for_the_next(tiny):
    orders = tiny.shop().orders
    before = orders[orders["ordered_at"] < pd.Timestamp("2026-07-01")].groupby("customer_id")["ordered_at"].max()
    last = before.reindex([pseudonym(tiny.salt_hex, unit) for unit in tiny.ledger["unit"]])

    assert (pd.Timestamp("2026-06-30") - last.dt.normalize()).dt.days.gt(RETURN_DAYS).all()


def test_letters_that_bounce_are_told_of_those_written_to_alone():
    made = demo.make(customers=4_000, preset="srm_bug")
    told = made.ledger["unit"].isin(made.returned["unit"])

    assert told[made.ledger["arm"] == "control"].sum() == 0
    assert 0.3 < told[made.ledger["arm"] == "treated"].mean() < 0.7
    assert made.truth["round"]["assigned"] == 0.0


def test_a_chain_has_twelve_branches_that_begin_in_steps_and_staff_of_its_own(standard):
    begun = standard.tables["rollout"].query("tactic == 'answer-fast'")

    assert begun["started_at"].nunique() == 3
    assert len(begun) == 9
    assert standard.tables["orders"]["branch_id"].nunique() == 12
    assert standard.tables["orders"]["staff_id"].nunique() == 36
    assert (standard.tables["orders"].groupby("staff_id")["branch_id"].nunique() == 1).all()
    assert standard.truth["rollout"]["slow_share"] < -0.05


def test_baskets_gather_where_delivery_becomes_free(standard):
    orders = standard.tables["orders"].merge(standard.tables["deliveries"], on="order_id")["gross_amount"]
    at, below = orders.between(25, 25.99), orders.between(24, 24.99)

    assert at.sum() > 1.6 * below.sum()


def test_friends_of_warm_customers_are_warm_themselves():
    life = live(PRESETS["standard"], np.random.default_rng(1))

    assert life.traits.groupby("referred")["warm"].mean().diff().iloc[-1] > 0.3


def test_private_files_can_be_read_by_their_owner_alone(tmp_path, tiny):
    demo.write(tiny, tmp_path / "shop")

    assert stat.S_IMODE((tmp_path / "shop" / "private").stat().st_mode) == 0o700
    assert stat.S_IMODE((tmp_path / "shop" / "private" / "salt").stat().st_mode) == 0o600
    assert re.fullmatch("[0-9a-f]{64}\n", (tmp_path / "shop" / "private" / "salt").read_text())


def test_the_written_settings_are_those_of_the_shop(tmp_path, tiny):
    demo.write(tiny, tmp_path / "shop")

    assert load_settings(tmp_path / "shop") == tiny.shop().settings
    assert {source.file for source in tiny.shop().settings.sources} == {f"exports/{name}.csv" for name in tables.SCHEMAS}


def test_a_folder_with_something_in_it_is_refused_and_left_as_it_was(tmp_path, tiny):
    (tmp_path / "note.txt").write_text("mine")

    with pytest.raises(InputError, match="something already"):
        demo.write(tiny, tmp_path)
    assert contents(tmp_path) == {"note.txt": b"mine"}


def test_an_unknown_preset_is_refused_with_the_nearest():
    with pytest.raises(UsageError, match="Did you mean 'small'"):
        demo.make(preset="smal")
    with pytest.raises(UsageError, match="0 customers"):
        demo.make(customers=0)


@pytest.mark.parametrize("customers", [1, 2, 7])
def test_a_shop_of_a_few_customers_can_be_made_and_written(tmp_path, customers):
    made = demo.make(customers=customers)
    demo.write(made, tmp_path / "shop")

    assert len(made.shop().customers) == customers
    assert made.shop().last_day.isoformat() == "2026-10-31"


def test_the_smallest_shops_can_be_made_whatever_their_chance():
    for seed in range(10):
        assert all(demo.make(customers=few, seed=seed).truth["cards"]["effect"] == 0 for few in (1, 2))


def test_intake_reads_the_written_shop_as_it_was_made(tmp_path):
    pytest.importorskip("loyalty_lab.intake.identities")
    from loyalty_lab import intake

    made = demo.make(customers=60)
    demo.write(made, tmp_path / "shop")

    read = intake.read(tmp_path / "shop").shop()
    assert read.settings == made.shop().settings
    for name, frame in made.shop().tables.items():
        pd.testing.assert_frame_equal(read.tables[name], frame, obj=name)
