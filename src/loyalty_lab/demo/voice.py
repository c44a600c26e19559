"""What was said between shop and customers: letters and replies, surveys, reviews, invitations to friends."""

from __future__ import annotations

import numpy as np
import pandas as pd

from loyalty_lab.demo.life import Life
from loyalty_lab.demo.lots import ANSWERED_WITHIN
from loyalty_lab.demo.parameters import ASKING_FROM, Parameters
from loyalty_lab.demo.register import SILVER_ABOVE
from loyalty_lab.demo.service import END, at_hour, days_later, happened
from loyalty_lab.demo.words import words

TEMPLATES, LETTER_COST = 6, 1.20
NEAR_ABOVE = 0.75  # rank by spending from which somebody counts as just below the line to silver
CARDS, STRANGERS_PER_CALL = 8, 10
INVITED_IN_VAIN = 0.12
NOTES = ["Asked about opening hours", "Wishes more seasonal fruit", "Thanked for the letter", "Would like a delivery slot"]
CALLS = ["Asked what is in season", "Asked whether we deliver", "Asked how long it keeps", "Something in the bag was not right"]


def contacts(sold: pd.DataFrame, round_letters: pd.DataFrame, customer_ids: np.ndarray, rng: np.random.Generator) -> pd.DataFrame:
    """Return letters by rotating templates, those of a round among them, and the replies to them, as rows of contacts."""
    letters = pd.concat([_letters(sold, rng), round_letters], ignore_index=True).sort_values(["sent_at", "customer"], ignore_index=True)
    turn = letters.groupby("customer").cumcount() - (rng.random(len(letters)) < 0.12)
    template = [f"L{number}" for number in (letters["customer"] + turn) % TEMPLATES + 1]
    letters = letters.assign(
        customer_id=customer_ids[letters["customer"]], direction="out", channel="letter", template_id=template, cost=LETTER_COST
    )
    return pd.concat([letters.drop(columns="customer"), _replies(letters, rng)], ignore_index=True)


def numbered(*parts: pd.DataFrame) -> pd.DataFrame:
    """Return the table of contacts from its parts, numbered in order of time."""
    rows = pd.concat(parts, ignore_index=True).sort_values(["sent_at", "customer_id"], ignore_index=True)
    return rows.assign(contact_id=[f"K{number:04d}" for number in range(1, len(rows) + 1)])


def previews(people: pd.DataFrame, orders: pd.DataFrame, rank: np.ndarray, truth: Parameters, rng: np.random.Generator) -> pd.DataFrame:
    """Return the invitations to previews, as rows of contacts: to gold, silver and some just below the line, with consent.

    Tiers and consent are those of the last day, so whoever bought much after a preview is likelier to have been invited to it:
    those invited come back more often than others though the preview changes nobody.

    Parameters
    ----------
    people : pandas.DataFrame
        The table of customers.
    orders : pandas.DataFrame
        The table of orders; with one within 21 days, who came is told as `order`.
    rank : numpy.ndarray
        Of each of them: as of `register.spending_rank`.
    truth : Parameters
    rng : numpy.random.Generator
    """
    near = (rank > NEAR_ABOVE) & (rank <= SILVER_ABOVE) & (rng.random(len(people)) < truth.preview_near_share)
    chance = np.select([people["vip_tier"].eq("gold"), people["vip_tier"].eq("silver"), near], truth.preview_came, 0.0)
    able = people.assign(chance=chance)[(chance > 0) & people["consent_contact"]]
    rows = pd.concat([able.assign(day=pd.Timestamp(day)) for day in truth.preview_days], ignore_index=True)
    rows = rows.assign(sent_at=at_hour(rows["day"], 9, 12, rng), came=rng.random(len(rows)) < rows["chance"])
    rows = rows[rows["joined_at"] < rows["sent_at"]].reset_index(drop=True)
    channel = np.where(rows["preferred_channel"].eq("mail"), "mail", "letter")
    return pd.DataFrame(
        {
            "customer_id": rows["customer_id"],
            "sent_at": rows["sent_at"],
            "direction": "out",
            "channel": channel,
            "purpose": "preview",
            "cost": np.where(channel == "mail", 0.0, LETTER_COST),
            "outcome": np.select([~rows["came"], _ordered_soon(rows, orders)], ["none", "order"], "visit"),
        }
    )


def _ordered_soon(rows: pd.DataFrame, orders: pd.DataFrame) -> np.ndarray:
    pairs = rows[["customer_id", "sent_at"]].reset_index(names="row").merge(orders[orders["status"].eq("paid")], on="customer_id")
    wait = pairs["ordered_at"] - pairs["sent_at"]
    return np.isin(np.arange(len(rows)), pairs.loc[wait.between(pd.Timedelta(0), pd.Timedelta(days=ANSWERED_WITHIN)), "row"])


def card_calls(
    sold: pd.DataFrame, truth: Parameters, customer_ids: np.ndarray, rng: np.random.Generator
) -> tuple[pd.DataFrame, dict[str, int]]:
    """Return the calls and messages that quote a contact card, as rows of contacts, and how many cards were handed out, by code.

    Cards go to some who buy at the counter or much, and to people who have not bought yet. Of the latter, some call and then buy
    for the first time; they would have come anyway.
    """
    bought = sold[sold["visit"].notna()]
    counter = bought["channel"].eq("counter") & (rng.random(len(bought)) < truth.card_counter_share)
    given = bought[counter | (bought["amount"].ge(truth.card_large_pence) & (rng.random(len(bought)) < truth.card_large_share))]
    given = given.assign(code=_card_codes(len(given), rng))
    first = bought[bought["visit"].eq(0) & (rng.random(len(bought)) < truth.card_first_share)]
    first = first.assign(code=_card_codes(len(first), rng), wait=-rng.integers(1, 29, len(first)))
    first = first[first["day"] + first["wait"] >= 0]
    called = given[rng.random(len(given)) < truth.card_call_share]
    called = called.assign(wait=rng.integers(1, 61, len(called)))
    callers = first["code"].value_counts().sort_index()
    strangers = callers + rng.poisson((STRANGERS_PER_CALL - 1) * callers)
    handed = given["code"].value_counts().add(strangers, fill_value=0).astype(int)
    rows = pd.concat([called, first], ignore_index=True)
    return _calls(rows, customer_ids, rng), {str(code): int(n) for code, n in handed.sort_index().items()}


def _card_codes(n: int, rng: np.random.Generator) -> pd.array:
    return pd.array([f"CARD-{number}" for number in rng.integers(1, CARDS + 1, n)], dtype="str")


def _calls(rows: pd.DataFrame, customer_ids: np.ndarray, rng: np.random.Generator) -> pd.DataFrame:
    n, before = len(rows), rows["wait"].lt(0)
    made = pd.DataFrame(
        {
            "customer_id": pd.array(customer_ids[rows["customer"].astype(int)], dtype="str"),
            "sent_at": at_hour(days_later(rows["at"], rows["wait"].astype(int)), 9, 18, rng),
            "direction": "in",
            "channel": rng.choice(["phone", "mail"], n, p=[0.7, 0.3]),
            "purpose": np.where(before | (rng.random(n) < 0.5), "info", "support"),
            "card_code": rows["code"],
            "notes": rng.choice(CALLS, n),
        }
    )
    return made[made["sent_at"] < END]


def _letters(sold: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """The letters that follow a purchase: to whom, when, what for, and what came of it."""
    sold = sold.assign(next_day=sold[sold["visit"].notna()].sort_values(["customer", "visit"]).groupby("customer")["day"].shift(-1))
    rows = sold[sold["letter"]].sort_values(["letter_day", "order_id"])
    n, chance, wait = len(rows), rng.random((3, len(rows))), (rows["next_day"] - rows["letter_day"]).to_numpy(float)
    ordered = (wait > 0) & (wait <= ANSWERED_WITHIN) & (chance[0] < 0.35)
    return pd.DataFrame(
        {
            "customer": rows["customer"],
            "sent_at": at_hour(days_later(rows["at"], (rows["letter_day"] - rows["day"]).astype(int)), 9, 12, rng),
            "purpose": np.where(rows["visit"].eq(0), "thanks", rng.choice(["follow-up", "offer"], n, p=[0.8, 0.2])),
            "outcome": np.select(
                [rows["opt_out"], ordered, chance[1] < 0.08, chance[2] < 0.05], ["opt_out", "order", "reply", "visit"], "none"
            ),
        }
    )


def _replies(letters: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    answered = letters[letters["outcome"].eq("reply")]
    n = len(answered)
    card = pd.Series([f"CARD-{number}" for number in rng.integers(1, CARDS + 1, n)], answered.index, "str")
    rows = pd.DataFrame(
        {
            "customer_id": answered["customer_id"],
            "sent_at": at_hour(days_later(answered["sent_at"], rng.integers(2, 10, n)), 9, 18, rng),
            "direction": "in",
            "channel": "mail",
            "purpose": "support",
            "card_code": card.where(rng.random(n) < 0.5),
            "notes": rng.choice(NOTES, n),
        }
    )
    return rows[rows["sent_at"] < END]


def moods(sold: pd.DataFrame, life: Life, rng: np.random.Generator) -> np.ndarray:
    """Return how content each sale left its customer: hidden, about zero in the mean."""
    traits = life.traits.iloc[sold["customer"].clip(lower=0)]
    bad = 1.0 * sold["late"] + 1.1 * sold["slow"] + 1.5 * sold["refused"]
    return 0.5 * traits["warm"].to_numpy() + 0.3 * traits["greeted"].to_numpy() - bad.to_numpy() + rng.normal(0.05, 0.7, len(sold))


def surveys(
    sold: pd.DataFrame, mood: np.ndarray, truth: Parameters, language: np.ndarray, customer_ids: np.ndarray, rng: np.random.Generator
) -> pd.DataFrame:
    """Return the table of surveys; those with something to say answer more often, the content ones more than the others.

    Where a shop has `till_weeks`, everybody is asked at the till every fourth week, and nearly all answer.
    """
    wanted = (sold["at"] >= pd.Timestamp(ASKING_FROM)) & (rng.random(len(sold)) < truth.survey_share)
    chosen = np.flatnonzero(_by_customer(sold) & wanted)
    rows, mood, n = sold.iloc[chosen], mood[chosen], len(chosen)
    asked = rows["at"] + pd.Timedelta(minutes=4)
    odds = truth.odds_answer_strong * np.abs(mood) + truth.odds_answer_mood * mood - 0.9
    everyone = truth.till_weeks & (rows["at"].dt.isocalendar().week % 4 == 0).to_numpy()
    answers = rng.random(n) < np.where(everyone, 0.97, 1 / (1 + np.exp(-odds)))
    answered = happened(at_hour(days_later(rows["at"], rng.integers(1, 7, n)), 9, 20, rng)).where(pd.Series(answers, rows.index))
    comment = _comments(mood, language[rows["customer"]], rng)
    made = pd.DataFrame(
        {
            "survey_id": [f"Q{number:04d}" for number in range(1, n + 1)],
            "customer_id": customer_ids[rows["customer"]],
            "order_id": rows["order_id"],
            "asked_at": asked,
            "answered_at": answered,
            "csat": _csat(mood),
            "nps": _scale(7.9 + 1.5 * mood, 0, 10),
            "care": _scale(4.0 + 0.6 * mood + rng.normal(0, 0.3, n), 1, 5),
            "comment": pd.Series(comment, rows.index, "str").where(rng.random(n) < 0.3),
        }
    )
    said = ["csat", "nps", "care", "comment"]
    return made.assign(**{name: made[name].where(made["answered_at"].notna()) for name in said})


def reviews(sold: pd.DataFrame, mood: np.ndarray, truth: Parameters, customer_ids: np.ndarray, rng: np.random.Generator) -> pd.DataFrame:
    """Return the table of reviews, mostly by those who are very content or not at all; the lot decides who is asked for one."""
    asked = rng.random(len(sold)) < truth.review_asked_share
    odds = 1.1 * np.abs(mood) + truth.odds_review_mood * mood + 0.9 * asked - 5.0
    chance = 1 / (1 + np.exp(-odds))
    if truth.review_answers_asked is not None:
        chance = np.where(asked, truth.review_answers_asked, chance)
    writes = rng.random(len(sold)) < chance
    posted = at_hour(days_later(sold["at"], rng.integers(1, 15, len(sold))), 9, 22, rng)
    chosen = np.flatnonzero(_by_customer(sold) & writes & (posted < END))
    rows, n = sold.iloc[chosen].assign(posted_at=posted.iloc[chosen], mood=mood[chosen]), len(chosen)
    rows = rows.sort_values(["posted_at", "order_id"])
    named, asked = pd.Series(rng.random(n) < 0.85, rows.index), asked[rows.index]
    replied = happened(at_hour(days_later(rows["posted_at"], rng.integers(1, 12, n)), 9, 18, rng))
    return pd.DataFrame(
        {
            "review_id": [f"V{number:04d}" for number in range(1, n + 1)],
            "customer_id": pd.Series(customer_ids[rows["customer"]], rows.index, "str").where(named),
            "order_id": rows["order_id"].astype("str").where(named),
            "posted_at": rows["posted_at"],
            "rating": _rating(rows["mood"].to_numpy()),
            "asked": asked,
            "incentivised": asked & (rng.random(n) < 0.15),
            "replied_at": replied.where(pd.Series(rng.random(n) < 0.55, rows.index)),
        }
    )


def referrals(first_at: pd.Series, traits: pd.DataFrame, customer_ids: np.ndarray, rng: np.random.Generator) -> pd.DataFrame:
    """Return the table of invitations: some brought a friend, who then stands in `referred_id`, many did not.

    Parameters
    ----------
    first_at : pandas.Series
        Moment of each customer's first purchase, rising.
    traits : pandas.DataFrame
        Of each customer: hidden warmth (of two possible senders the warmer one invited) and whether a friend sent them.
    customer_ids : numpy.ndarray
        The shop's numbers of the customers.
    rng : numpy.random.Generator
        Source of chance.
    """
    n, warm, first = len(first_at), traits["warm"].to_numpy(), first_at.to_numpy()
    came, in_vain = traits["referred"].to_numpy(), rng.random(n) < INVITED_IN_VAIN
    day = first.astype("datetime64[D]")
    older = np.searchsorted(day, day - 1)
    guest = np.flatnonzero((came | in_vain) & (older > 0))
    either = (rng.random((2, len(guest))) * older[guest]).astype(int)
    host = np.where(warm[either[0]] >= warm[either[1]], *either)
    between = (rng.random(len(guest)) * (day[guest] - day[host] - 1).astype(int)).astype(int)
    invited = at_hour(pd.Series(day[host] + 1 + between), 9, 18, rng)
    came = came[guest]
    made = pd.DataFrame(
        {
            "referrer_id": customer_ids[host],
            "referred_id": pd.Series(customer_ids[guest], dtype="str").where(came),
            "invited_at": invited,
            "first_order_at": pd.Series(first[guest]).where(came),
            "reward_cost": np.where(came, 5.0, np.nan),
        }
    ).sort_values(["invited_at", "referrer_id"], ignore_index=True)
    return made.assign(referral_id=[f"F{number:04d}" for number in range(1, len(made) + 1)])


def true_scores(sold: pd.DataFrame, mood: np.ndarray) -> dict:
    """Return what purchases would have been given, had everybody been asked and answered: `mean_csat` since the shop asks."""
    bought = _by_customer(sold).to_numpy()
    lately = bought & sold["at"].ge(pd.Timestamp(ASKING_FROM)).to_numpy()
    scores = {"mean_csat": _csat(mood[lately]), "mean_rating": _rating(mood[bought])}
    return {name: round(float(given.mean()), 6) if len(given) else None for name, given in scores.items()}


def _csat(mood: np.ndarray) -> pd.array:
    return _scale(4.1 + 0.7 * mood, 1, 5)


def _rating(mood: np.ndarray) -> pd.array:
    return _scale(4.1 + 1.3 * mood, 1, 5)


def _by_customer(sold: pd.DataFrame) -> pd.Series:
    return sold["customer"].ge(0) & sold["visit"].notna()


def _scale(value: np.ndarray, low: int, high: int) -> pd.array:
    return pd.array(np.clip(np.rint(value), low, high).astype(int), dtype="Int64")


def _comments(mood: np.ndarray, language: np.ndarray, rng: np.random.Generator) -> list[str]:
    pick = (3 * rng.random(len(mood))).astype(int)
    people = words()["people"]
    return [people[place]["praise" if glad else "blame"][i] for place, glad, i in zip(language, mood > 0, pick, strict=True)]
