"""The shop's register of customers: names, ways to reach them, consents, card and tier."""

from __future__ import annotations

import numpy as np
import pandas as pd

from loyalty_lab.demo.life import Life
from loyalty_lab.demo.words import names, phone, words

GOLD_ABOVE, SILVER_ABOVE = 0.95, 0.85


def languages(n: int, rng: np.random.Generator) -> np.ndarray:
    """Draw each customer's language, as its place in words.toml; the first four customers have one each."""
    shares = [people["share"] for people in words()["people"]]
    drawn = rng.choice(len(shares), n, p=shares)
    drawn[: len(shares)] = np.arange(len(shares))[:n]
    return drawn


def customers(
    life: Life, sold: pd.DataFrame, orders: pd.DataFrame, referrals: pd.DataFrame, language: np.ndarray, customer_ids: np.ndarray,
    rng: np.random.Generator,
) -> pd.DataFrame:  # fmt: skip
    """Return the table of customers; no two share an address or a number that would make them one person."""
    n, traits = len(customer_ids), life.traits
    chance = rng.random((6, n))
    name, latin = names(language, rng)
    bought = sold[sold["visit"].notna()]
    sender = referrals.dropna(subset=["referred_id"]).set_index("referred_id")["referrer_id"]
    homes = [f"{house} {_pick('streets', house * 7 + i)}" for i, house in enumerate(rng.integers(1, 120, n))]
    return pd.DataFrame(
        {
            "customer_id": customer_ids,
            "name": name,
            "email": _some([f"{who}{i}@{_pick('domains', i)}" for i, who in enumerate(latin, 1)], chance[0] < 0.8),
            "phone": _some([phone(i) for i in range(n)], chance[1] < 0.7),
            "address": _some(homes, chance[2] < 0.95),
            "joined_at": bought.groupby("customer")["at"].min().to_numpy(),
            "region": [_pick("far" if far else "near", i) for i, far in enumerate(traits["remote"])],
            "birthday_md": _some([f"{month:02d}-{day:02d}" for month, day in rng.integers(1, [13, 29], (n, 2))], chance[3] < 0.6),
            "consent_contact": traits["consent"].to_numpy(),
            "consent_profile": traits["consent"].to_numpy() & (chance[4] < 0.7),
            "preferred_channel": rng.choice(["letter", "mail", "phone"], n, p=[0.5, 0.3, 0.2]),
            "preferred_language": [words()["people"][place]["language"] for place in language],
            "vip_tier": _tiers(spending_rank(orders, customer_ids)),
            "card_joined_at": bought[bought["card"].eq(True)].groupby("customer")["at"].min().reindex(range(n)).to_numpy(),
            "referred_by": sender.reindex(customer_ids).to_numpy(),
            "greeted_by_name": traits["greeted"].to_numpy(),
        }
    )


def _pick(kind: str, place: int) -> str:
    return words()[kind][place % len(words()[kind])]


def _some(values: list[str], kept: np.ndarray) -> pd.Series:
    column = pd.Series(values, dtype="str")
    return column.where(kept & column.ne(""))


def spending_rank(orders: pd.DataFrame, customer_ids: np.ndarray) -> np.ndarray:
    """Return each customer's rank by what was spent in the last year, above 0 to 1; nan for who bought nothing."""
    year = orders[(orders["ordered_at"] > orders["ordered_at"].max() - pd.Timedelta(days=365)) & orders["status"].eq("paid")]
    return year.groupby("customer_id")["net_amount"].sum().reindex(customer_ids).rank(pct=True).to_numpy()


def _tiers(rank: np.ndarray) -> pd.Series:
    """Gold for the twentieth, silver for the next tenth who spent most in the last year."""
    return pd.Series(np.select([rank > GOLD_ABOVE, rank > SILVER_ABOVE], ["gold", "silver"], ""), dtype="str").replace("", None)
