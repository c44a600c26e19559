"""What is true in a simulated shop, in closed form. For tests only: no notebook reads it.

With p the chance of leaving after a purchase on day t and rate the purchases a year, a purchase within H
days has the chance ``(1 - p) * (1 - exp(-rate * (clock[t + H] - clock[t])))``; the effect of an experience is the
difference of that between its log-odds with and without it. A customer still alive makes in a further
time s on the clock, p held, ``(1 - exp(-rate * p * s)) / p`` purchases.
"""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from loyalty_lab.demo import lots
from loyalty_lab.demo.life import CONDITIONS, EXPERIENCES, TRAITS, Life, branch_names, clock, letter_chance, logistic, second_half
from loyalty_lab.demo.lots import Held
from loyalty_lab.demo.parameters import DAYS, FIRST_DAY, LAST_DAY, RETURN_DAYS, SLOW_HOURS

HORIZON_DAYS, CARD_DAYS = 91, 30
TRAP_EXPERIENCES = {
    "vip_greeting": "greeted", "remote_late": "late", "peak_slow": "slow", "immortal_card": "card", "winback_targeting": "letter",
    "referral_homophily": "referred", "simpson_branch": "letter", "carry_over": "named",
}  # fmt: skip
TRAP_ROUNDS = {"rtm_top": "assigned", "non_compliance": "assigned", "contaminated_control": "reached", "srm_bug": "assigned"}
TRAP_SCORES = {"answered_only": "mean_csat", "review_selection": "mean_rating"}
GIVEN = {"late": "delivered", "slow": "ticket", "refused": "returned", "letter": "first"}


def known_truth(life: Life, held: Held, said: dict, customer_ids: np.ndarray, seed: int, preset: str) -> dict:
    """Return parameters, effects and the customers' true state at the end, as plain values for JSON."""
    return {
        "preset": preset,
        "seed": seed,
        "first_day": FIRST_DAY.isoformat(),
        "last_day": LAST_DAY.isoformat(),
        "return_days": RETURN_DAYS,
        "slow_hours": SLOW_HOURS,
        "horizon_days": HORIZON_DAYS,
        "parameters": life.parameters.as_dict(),
        "effects": {name: effect(life, name) for name in (*EXPERIENCES, *CONDITIONS, "greeted", "referred")},
        "round": lots.effect(held, life.parameters.lot),
        "rollout": answered_sooner(life),
        **said,
        "return_rate": _share(return_chance(life, life.purchases["odds"])[evaluable(life)]),
        "purchases": len(life.purchases),
        "repeat_customer_rate": _share(life.traits["visits"] > 1),
        "alive_share": _share(life.traits["alive"]),
        "customers": _state(life, customer_ids),
    }


def of_trap(known: dict, trap: str) -> float:
    """Return the number that a reading of a trap is after, from the truth of its shop.

    Examples
    --------
    >>> of_trap({"mean_csat": 4.3}, "answered_only")
    4.3
    """
    if trap in TRAP_EXPERIENCES:
        return known["effects"][TRAP_EXPERIENCES[trap]]["tau_mean"]
    return known["round"][TRAP_ROUNDS[trap]] if trap in TRAP_ROUNDS else known[TRAP_SCORES[trap]]


def evaluable(life: Life) -> np.ndarray:
    """Return which purchases lie at least 90 days before the end, so that it is known whether another followed."""
    return life.purchases["day"].to_numpy() <= DAYS - 1 - RETURN_DAYS


def return_chance(life: Life, odds: pd.Series) -> np.ndarray:
    """Return the true chance that another purchase follows each purchase within 90 days, given log-odds of leaving."""
    passed, day = clock(), life.purchases["day"].to_numpy()
    rate = life.traits["rate"].to_numpy()[life.purchases["customer"]]
    return (1 - logistic(np.asarray(odds))) * (1 - np.exp(-rate * (passed[day + RETURN_DAYS] - passed[day])))


def effect(life: Life, name: str) -> dict:
    """Return the true mean effect of an experience on coming back within 90 days, over those who could have it.

    Parameters
    ----------
    life : Life
        A simulated shop.
    name : str
        What may act on it, of `EFFECTS`; `late` is taken over deliveries, `slow` over tickets, `refused` over returns,
        `letter` over first purchases, all others over all purchases.

    Returns
    -------
    dict
        `log_odds`, `tau_mean`, `n`, `n_exposed`, and the mean true chance of those with and without it.
    """
    rows, log_odds = life.purchases, life.parameters.effects[name]
    had = rows[name].to_numpy() if name in rows.columns else life.traits[name].to_numpy()[rows["customer"]]
    without = rows["odds"] - log_odds * had
    tau = return_chance(life, without + log_odds) - return_chance(life, without)
    chance, kept = return_chance(life, rows["odds"]), evaluable(life)
    if name in GIVEN:
        kept = kept & rows[GIVEN[name]].to_numpy()
    return {
        "log_odds": log_odds,
        "tau_mean": _share(tau[kept]),
        "n": int(kept.sum()),
        "n_exposed": int((kept & had).sum()),
        "return_exposed": _share(chance[kept & had]),
        "return_unexposed": _share(chance[kept & ~had]),
    }


def answered_sooner(life: Life) -> dict:
    """Return what the roll-out of answering fast truly did to the share of slow replies, over the tickets it touched."""
    truth, rows = life.parameters, life.purchases
    begun = {branch: (pd.Timestamp(day) - pd.Timestamp(FIRST_DAY)).days for branch, day in truth.rollout}
    start = np.array([begun.get(name, DAYS) for name in branch_names(truth)])
    touched = rows[rows["ticket"] & (rows["day"].to_numpy() >= start[life.traits["branch"].to_numpy()[rows["customer"]]])]
    after_backlog = touched["day"] >= (pd.Timestamp(truth.backlog_from) - pd.Timestamp(FIRST_DAY)).days
    odds = truth.odds_slow + truth.odds_slow_peak * touched["peak"] + truth.odds_slow_backlog * after_backlog
    return {"slow_share": _share(logistic(odds + truth.odds_slow_after_rollout) - logistic(odds)), "n": len(touched)}


def of_service(tickets: pd.DataFrame, contacts: pd.DataFrame, people: pd.DataFrame, handed: dict[str, int]) -> dict:
    """Return what is true of bots, previews and contact cards: how often each came about, and that none acts on coming back.

    Parameters
    ----------
    tickets, contacts, people : pandas.DataFrame
        The tables of tickets, contacts and customers.
    handed : dict
        How many contact cards were handed out, by code.

    Returns
    -------
    dict
        `support`, `previews` and `cards`; `effect` is on coming back within 90 days, of cards on the number of first orders.
    """
    return {"support": _support(tickets), "previews": _previews(contacts, people), "cards": _cards(contacts, people, handed)}


def _support(tickets: pd.DataFrame) -> dict:
    bot = tickets["channel"].eq("bot")
    alone, settled = bot & tickets["agent_id"].isna(), tickets["resolved_at"].notna()
    return {
        "tickets": len(tickets),
        "bot_share": _share(bot),
        "bot_only": int(alone.sum()),
        "bot_only_share": _share(alone[bot]),
        "mean_transfers": _share(tickets["transfers"]),
        "reopened_share": _share(tickets["reopened"][settled].astype(bool)),
        "reopened_bot_only": _share(tickets["reopened"][alone].astype(bool)),
        "effect": 0.0,
    }


def _previews(contacts: pd.DataFrame, people: pd.DataFrame) -> dict:
    asked = contacts[contacts["purpose"].eq("preview")]
    tier, came = asked["customer_id"].map(people.set_index("customer_id")["vip_tier"]), asked["outcome"].ne("none")
    of = {"gold": tier.eq("gold"), "silver": tier.eq("silver"), "near": tier.isna()}
    return {
        "invited": {name: int(which.sum()) for name, which in of.items()},
        "came": {name: _share(came[which]) for name, which in of.items()},
        "effect": 0.0,
    }


def _cards(contacts: pd.DataFrame, people: pd.DataFrame, handed: dict[str, int]) -> dict:
    quoted = contacts[contacts["card_code"].notna()]
    joined = quoted["customer_id"].map(people.set_index("customer_id")["joined_at"])
    before = (joined - quoted["sent_at"]).between(pd.Timedelta(0), pd.Timedelta(days=CARD_DAYS), inclusive="right")
    return {"handed_out": handed, "quoted": len(quoted), "first_orders": quoted["customer_id"][before].nunique(), "effect": 0}


def drop_chance(life: Life) -> np.ndarray:
    """Return each customer's mean chance of leaving at the next purchase on an ordinary day, over what may happen at it."""
    truth, traits = life.parameters, life.traits
    visits, branch = traits["visits"].to_numpy(), traits["branch"].to_numpy()
    base = truth.odds_drop + truth.odds_drop_per_visit * np.minimum(visits, truth.regular_after)
    for name in TRAITS:
        base = base + truth.effects[name] * traits[name].to_numpy(float)
    base = (
        base + truth.effects["card"] * (visits >= traits["card_from"].to_numpy()) + truth.effects["far_branch"] * second_half(truth, branch)
    )
    return np.mean([_mean_over_experiences(life, base + life.staff[branch, member]) for member in range(life.staff.shape[1])], axis=0)


def _mean_over_experiences(life: Life, base: np.ndarray) -> np.ndarray:
    truth, traits = life.parameters, life.traits
    remote, branch = traits["remote"].to_numpy(float), traits["branch"].to_numpy()
    begun = [name for name, _ in truth.rollout]
    late = np.where(remote > 0, 0.75, 0.22) * logistic(truth.odds_late + truth.odds_late_remote * remote)
    rolled_out = np.isin(branch_names(truth), begun)[branch]
    slow_given = logistic(truth.odds_slow + truth.odds_slow_after_rollout * rolled_out)
    letter = letter_chance(truth, traits) * traits["consent"].to_numpy()
    total = np.zeros(len(traits))
    for code in range(2 ** len(EXPERIENCES)):
        had = {name: bool(code >> place & 1) for place, name in enumerate(EXPERIENCES)}
        slow = slow_given * logistic(truth.odds_ticket + truth.odds_ticket_late * had["late"])
        chances = {"late": late, "slow": slow, "refused": truth.return_share * truth.refused_share, "letter": letter}
        weight = math.prod(chances[name] if yes else 1 - chances[name] for name, yes in had.items())
        total += weight * logistic(base + sum(truth.effects[name] * yes for name, yes in had.items()))
    return total


def _state(life: Life, customer_ids: np.ndarray) -> dict[str, list]:
    truth, traits, passed = life.parameters, life.traits, clock()
    rate, alive, drop = traits["rate"].to_numpy(), traits["alive"].to_numpy(), drop_chance(life)
    quarter, year = (passed[DAYS - 1 + days] - passed[DAYS - 1] for days in (HORIZON_DAYS, 365))
    orders = alive * (1 - np.exp(-rate * drop * year)) / drop
    cut = truth.discount_share * float(np.mean(truth.discount_rates))
    margin = traits["basket"].to_numpy() * (truth.margin_rate - cut)
    columns = {
        "purchase_rate": rate,
        "drop_chance": drop,
        "mean_basket": traits["basket"].to_numpy(),
        "stays_away": np.where(alive, np.exp(-rate * quarter), 1.0),
        "expected_orders": orders,
        "expected_margin": orders * margin,
    }
    rounded = {name: [round(float(value), 4) for value in values] for name, values in columns.items()}
    return {"customer_id": customer_ids.tolist(), "alive": alive.tolist(), **rounded}


def _share(values: np.ndarray) -> float | None:
    return round(float(np.mean(values)), 6) if len(values) else None
