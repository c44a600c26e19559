"""What the shop did for its customers: deliveries, returns and answers, as far as they had happened on the last day."""

from __future__ import annotations

import numpy as np
import pandas as pd

from loyalty_lab.demo.life import STAFF_OF_A_BRANCH, Life, branch_names, calendar
from loyalty_lab.demo.parameters import ASKING_FROM, DAYS, LAST_DAY, SLOW_HOURS, Parameters

END = pd.Timestamp(LAST_DAY) + pd.Timedelta(days=1)
OPENS, CLOSES = 8, 19


def happened(moments: pd.Series) -> pd.Series:
    """Blank the moments that lie after the shop's last day.

    Examples
    --------
    >>> happened(pd.Series(pd.to_datetime(["2026-10-31 18:00", "2026-11-01 09:00"]))).isna().tolist()
    [False, True]
    """
    return moments.where(moments < END)


def at_hour(days: pd.Series, first: int, last: int, rng: np.random.Generator) -> pd.Series:
    """Return moments on the given days, to the minute, between two hours."""
    minutes = rng.integers(60 * first, 60 * last, len(days)).astype("timedelta64[m]")
    return days.dt.normalize().astype("datetime64[us]") + minutes


def days_later(moments: pd.Series, days: np.ndarray) -> pd.Series:
    """Return moments moved by whole days."""
    return moments + np.asarray(days).astype("timedelta64[D]")


def handled(sold: pd.DataFrame, truth: Parameters, rng: np.random.Generator) -> pd.DataFrame:
    """Add to each sale when it was delivered and taken back, and the fee; the future is blanked where it is written down."""
    n, paid = len(sold), sold["status"].eq("paid")
    sold = sold.assign(delivered=sold["delivered"] & paid, returned=sold["returned"] & paid)
    next_day = days_later(sold["at"], np.ones(n, int))
    promised = days_later(next_day, rng.integers(0, 2, n))
    in_time = next_day.where(pd.Series(rng.random(n) < 0.2), promised)
    arrived = in_time.where(~sold["late"], days_later(promised, rng.integers(1, 5, n)))
    requested = at_hour(days_later(sold["at"], rng.integers(1, 11, n)), OPENS, CLOSES, rng)
    decided = at_hour(days_later(requested, rng.integers(1, 5, n)), OPENS, CLOSES, rng)
    refunded = at_hour(days_later(decided, rng.integers(1, 8, n)), OPENS, CLOSES, rng)
    return sold.assign(
        promised_at=promised.dt.normalize() + pd.Timedelta(hours=18),
        dispatched_at=at_hour(next_day, 8, 10, rng),
        delivered_at=at_hour(arrived, 10, 18, rng),
        fee=np.where(sold["delivered"] & (sold["amount"] < truth.free_delivery_pence), 250, 0),
        requested_at=happened(requested).where(sold["returned"]),
        decided_at=happened(decided).where(sold["returned"]),
        refunded_at=happened(refunded).where(sold["returned"] & ~sold["refused"]),
    )


def deliveries(sold: pd.DataFrame) -> pd.DataFrame:
    """Return the table of deliveries."""
    rows = sold[sold["delivered"]]
    left, arrived = happened(rows["dispatched_at"]), happened(rows["delivered_at"])
    return pd.DataFrame(
        {
            "order_id": rows["order_id"],
            "promised_at": rows["promised_at"],
            "dispatched_at": left,
            "delivered_at": arrived,
            "method": np.where(rows["branch"] % 2 == 0, "own van", "cargo bike"),
            "fee": rows["fee"] / 100,
            "status": np.select([arrived.notna(), left.notna()], ["delivered", "on the way"], "packing"),
        }
    )


def returns(sold: pd.DataFrame, filled: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """Return the table of returns; a return that was paid back has reduced its order."""
    rows = sold[sold["requested_at"].notna()]
    asked = filled.groupby("sale")["asked"].sum()
    decision = np.where(rows["refused"], "refused", "accepted")
    return pd.DataFrame(
        {
            "return_id": [f"R{number:04d}" for number in range(1, len(rows) + 1)],
            "order_id": rows["order_id"],
            "requested_at": rows["requested_at"],
            "decided_at": rows["decided_at"],
            "decision": np.where(rows["decided_at"].isna(), "pending", decision),
            "refunded_at": rows["refunded_at"],
            "reason": rng.choice(["damaged", "not fresh", "wrong item", "changed mind"], len(rows)),
            "amount": asked.reindex(rows.index).to_numpy() / 100,
        }
    )


def tickets(sold: pd.DataFrame, truth: Parameters, customer_ids: np.ndarray, rng: np.random.Generator) -> pd.DataFrame:
    """Return the table of tickets; a reply is slow when it comes after more than 48 hours."""
    rows = sold[sold["ticket"]]
    soon = rows["at"] + rng.integers(5, 51, len(rows)).astype("timedelta64[m]")
    opened = soon.where(~rows["late"], at_hour(days_later(rows["promised_at"], np.ones(len(rows), int)), OPENS, CLOSES, rng))
    rows = rows.assign(opened_at=opened)[opened < END].sort_values(["opened_at", "order_id"])
    n, slow = len(rows), rows["slow"].to_numpy()
    replied = _replies(rows, truth, rng)
    settled = _in_hours(replied + _hours(rng.exponential(np.where(slow, 96.0, 20.0))))
    resolved, transfers = happened(settled), rng.poisson(np.where(slow, 0.9, 0.2))
    promised = at_hour(days_later(rows["opened_at"], rng.integers(1, 4, n)), 16, 18, rng)
    topic = rng.choice(["product", "price", "order", "complaint", "opening hours"], n, p=[0.35, 0.2, 0.25, 0.12, 0.08])
    return pd.DataFrame(
        {
            "ticket_id": [f"T{number:04d}" for number in range(1, n + 1)],
            "customer_id": customer_ids[rows["customer"]],
            "order_id": rows["order_id"],
            "opened_at": rows["opened_at"],
            "first_reply_at": happened(replied),
            "resolved_at": resolved,
            "promised_by": promised.where(pd.Series(rng.random(n) < 0.65, rows.index)),
            "category": np.select([rows["late"], rows["returned"]], ["delivery", "return"], topic),
            "transfers": transfers,
            "reopened": pd.array(rng.random(n) < 0.07, dtype="boolean"),
            "repeat_explained": (transfers > 0) & (rng.random(n) < 0.5),
            "channel": rng.choice(["phone", "mail", "chat", "counter"], n, p=[0.4, 0.3, 0.1, 0.2]),
            "agent_id": [f"S{number}" for number in STAFF_OF_A_BRANCH * rows["branch"] + rows["staff"] + 1],
        }
    ).assign(reopened=lambda made: made["reopened"].where(made["resolved_at"].notna()))


def through_bots(made: pd.DataFrame, truth: Parameters, rng: np.random.Generator) -> pd.DataFrame:
    """Return the table of tickets in which a bot took some first: some of those end with it, and a person gets the rest.

    Chance alone sends somebody to the bot, and only what is answered in time and settled can end with it. A ticket that does has no
    `agent_id` and no transfer, is opened again more often, and the customer may have to explain it again in the next one. No moment
    is moved, so what a slow answer does to coming back stays as it was.
    """
    met, ends, repeats, reopens = rng.random((4, len(made))) < np.reshape(
        [truth.bot_share, truth.bot_ends_share, truth.bot_repeat_share, truth.bot_reopened_share], (4, 1)
    )
    in_time = (made["first_reply_at"] - made["opened_at"]).le(pd.Timedelta(hours=SLOW_HOURS)) & made["resolved_at"].notna()
    alone = met & ends & in_time
    handed_on = met & ~alone
    after_bot = alone.groupby(made["customer_id"]).shift(1, fill_value=False)
    return made.assign(
        channel=made["channel"].mask(met, "bot"),
        agent_id=made["agent_id"].mask(alone),
        transfers=(made["transfers"] + handed_on) * ~alone,
        repeat_explained=(made["repeat_explained"] | (repeats & (handed_on | after_bot))) & ~alone,
        reopened=made["reopened"].mask(alone & reopens, True),
    )


def _replies(rows: pd.DataFrame, truth: Parameters, rng: np.random.Generator) -> pd.Series:
    n, backlog = len(rows), rows["opened_at"].ge(pd.Timestamp(truth.backlog_from)).to_numpy()
    quick = np.clip(np.exp(rng.normal(np.log(5.0), 1.0, n)), 0.2, SLOW_HOURS - 18)
    slow = SLOW_HOURS + 2 + rng.exponential(np.where(backlog, 500.0, 80.0))
    forgotten = rng.random(n) < 0.05
    hours = np.where(rows["slow"], np.where(forgotten, 24 * 365 * 5.0, slow), quick)
    return _in_hours(rows["opened_at"] + _hours(hours))


def _hours(hours: np.ndarray) -> np.ndarray:
    return np.rint(60 * hours).astype("timedelta64[m]")


def _in_hours(moments: pd.Series) -> pd.Series:
    """Move what would fall into the night to the next opening of the shop."""
    early, late = moments.dt.hour < OPENS, moments.dt.hour >= CLOSES
    opening = moments.dt.normalize() + pd.Timedelta(hours=OPENS, minutes=10)
    return moments.mask(early, opening).mask(late, opening + pd.Timedelta(days=1))


def rollout(life: Life) -> pd.DataFrame:
    """Return the table of which branch began what when; weeks drawn by lot stand there as ``B1 2026-03-02``."""
    truth, opening = life.parameters, pd.Timedelta(hours=OPENS)
    rows = [(branch, "answer-fast", pd.Timestamp(day) + opening) for branch, day in truth.rollout]
    rows += [(branch, "ask-every-time", pd.Timestamp(ASKING_FROM) + opening) for branch in branch_names(truth)]
    for branch, weeks in zip(branch_names(truth), life.named, strict=True):
        begun = [calendar()[7 * week] for week in np.flatnonzero(weeks) if 7 * week < DAYS]
        rows += [(f"{branch} {day.date().isoformat()}", "acknowledge-by-name", day + opening) for day in begun]
    return pd.DataFrame(rows, columns=["unit_id", "tactic", "started_at"]).astype({"started_at": "datetime64[us]"})
