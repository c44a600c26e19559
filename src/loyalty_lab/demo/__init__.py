"""A simulated shop whose truth is known: to try everything on, and to test what is said about it.

The shop is made by `make`, seen as the analyses see any shop by `Demo.shop`, and written as a
shop's folder by `write`. The same seed gives the same shop, to the byte.
"""

from __future__ import annotations

import hashlib
import json
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from loyalty_lab import tables
from loyalty_lab.demo.parameters import preset_parameters
from loyalty_lab.intake.identities import pseudonym
from loyalty_lab.language import catalogue
from loyalty_lab.ledger import append
from loyalty_lab.returned import READ, list_code
from loyalty_lab.shop import Shop, ShopSettings, whole_folder

if TYPE_CHECKING:
    from datetime import date

    import numpy as np
    import pandas as pd

    from loyalty_lab.demo import lots

SETTINGS = """\
# A simulated shop. Its exports and its truth were made by: loyalty-lab demo
name = "Corner Grocer"
currency = "GBP"
timezone = "Europe/London"
languages = ["en", "tr", "bn", "hy"]
margin = 0.30

[capacity]
letter = 40
phone = 20

[cost]
letter = 1.20
phone = 2.00
counter = 0.50
card = 0.15
gift = 0.80
new_customer = 15.00

[owners]
default = "owner"
answer-fast = "counter"
follow-up-letters = "back office"
vital-few = "owner"
"""
KEPT_STATUS = "paid"


@dataclass(frozen=True)
class Demo:
    """A simulated shop: its tables as the shop would export them, with names, what is true in it, and the round it held.

    `ledger` is as of `ledger.read_ledger`; `returned` holds what the shop wrote into the list of that round: `unit`,
    `outcome`, `round` and the code of the `list`.
    """

    tables: dict[str, pd.DataFrame]
    truth: dict
    salt_hex: str
    settings_toml: str
    ledger: pd.DataFrame
    returned: pd.DataFrame

    def rounds(self, cutoff: date) -> pd.DataFrame:
        """Return who had which arm in the round, as notebooks see it: see `rounds.for_notebooks`."""
        import pandas as pd

        from loyalty_lab import rounds

        known = self._pseudonyms()
        people = pd.DataFrame({"merged_id": list(known), "merged_into": None}, index=list(known.values()))
        return rounds.seen(self.ledger, self.returned[["round", "unit", "outcome"]], people, cutoff)

    def _pseudonyms(self) -> dict[str, str]:
        return {raw: pseudonym(self.salt_hex, raw) for raw in self.tables["customers"]["customer_id"]}

    def shop(self) -> Shop:
        """Return the shop as intake reads it from the written folder: pseudonyms, types, only orders that count.

        Examples
        --------
        >>> shop = make(customers=20).shop()
        >>> shop.last_day.isoformat(), "name" in shop.customers.columns
        ('2026-10-31', False)
        """
        known, typed = self._pseudonyms(), {}
        for name, frame in self.tables.items():
            columns = [column for column in tables.CUSTOMER_COLUMNS if column in frame.columns]
            frame = frame.assign(**{column: frame[column].map(known) for column in columns})
            typed[name] = tables.typed(name, _counted(frame) if name == "orders" else frame)
        return Shop(ShopSettings.model_validate(tomllib.loads(self.settings_toml)), typed)


def make(customers: int | None = None, seed: int = 7, preset: str = "tiny") -> Demo:
    """Simulate about two years of a small grocer's shop that end on 31 October 2026.

    Parameters
    ----------
    customers : int, optional
        How many customers; the preset says if not given.
    seed : int
        Another seed makes another shop.
    preset : str
        `tiny`, `small` or `standard`: 400, 2,000 or 20,000 customers, the last in twelve branches; `null`: 2,000, and nothing
        that happens changes who comes back; or one of `parameters.TRAPS`, in which one way of reading the numbers goes wrong.

    Returns
    -------
    Demo

    Raises
    ------
    UsageError
        If there is no such preset, or fewer than one customer is asked for.

    Examples
    --------
    >>> made = make(customers=30)
    >>> sorted(made.tables) == sorted(tables.SCHEMAS)
    True
    >>> bool(made.tables["orders"].equals(make(customers=30).tables["orders"]))
    True
    """
    import numpy as np

    from loyalty_lab.demo import goods, life, lots, register, service, truth, voice

    parameters = preset_parameters(preset, customers)
    lived_in, sold_in, served_in, said_in, known_in, drawn_in, bot_in, called_in = _streams(seed)
    salt = hashlib.sha256(f"loyalty_lab demo {seed}".encode()).hexdigest()
    ids = np.array([f"C{number:04d}" for number in range(1, parameters.customers + 1)], dtype=object)
    lives, held = lots.hold(life.live(parameters, lived_in), ids, salt, drawn_in)
    language = register.languages(parameters.customers, known_in)
    sold = service.handled(goods.sales(lives, sold_in), parameters, served_in)
    filled = goods.lines(sold, parameters, sold_in)
    orders, mood = goods.orders(sold, filled, parameters, ids, sold_in), voice.moods(sold, lives, said_in)
    first_at = sold[sold["visit"].notna()].groupby("customer")["at"].min()
    referrals = voice.referrals(first_at, lives.traits, ids, said_in)
    people = register.customers(lives, sold, orders, referrals, language, ids, known_in)
    letters = voice.contacts(sold, lots.letters(held, said_in), ids, said_in)
    previews = voice.previews(people, orders, register.spending_rank(orders, ids), parameters, called_in)
    calls, handed = voice.card_calls(sold, parameters, ids, called_in)
    made = {
        "orders": orders,
        "order_lines": goods.order_lines(sold, filled),
        "customers": people,
        "contacts": voice.numbered(letters, previews, calls),
        "tickets": service.through_bots(service.tickets(sold, parameters, ids, served_in), parameters, bot_in),
        "deliveries": service.deliveries(sold),
        "returns": service.returns(sold, filled, served_in),
        "surveys": voice.surveys(sold, mood, parameters, language, ids, said_in),
        "reviews": voice.reviews(sold, mood, parameters, ids, said_in),
        "referrals": referrals,
        "rollout": service.rollout(lives),
    }
    said = voice.true_scores(sold, mood) | truth.of_service(made["tickets"], made["contacts"], people, handed)
    made = {name: _in_order(name, frame) for name, frame in made.items() if len(frame)}
    known = truth.known_truth(lives, held, said, ids, seed, preset)
    return Demo(made, known, salt, SETTINGS + "".join(_source(name) for name in made), held.ledger, _returned(held, salt))


def _streams(seed: int) -> list[np.random.Generator]:
    """Sources of chance that do not disturb each other: a further one, at the end, leaves what the others draw as it was."""
    import numpy as np

    return [np.random.default_rng([seed, stage]) for stage in range(8)]


def _returned(held: lots.Held, salt: str) -> pd.DataFrame:
    """The list as the shop sent it back: who was reached, and what came of it."""
    rows = held.people[held.people["outcome"] != ""]
    return (
        rows[["unit", "outcome"]]
        .assign(round=held.cycle.name, list=list_code(salt, held.cycle.name))
        .sort_values("unit", ignore_index=True)
    )


def write(demo: Demo, folder: str | Path) -> None:
    """Write a simulated shop as a shop's folder, with its truth beside it.

    Parameters
    ----------
    demo : Demo
        What `make` returned.
    folder : str or pathlib.Path
        A folder that is new or empty.

    Raises
    ------
    InputError
        If the folder holds something already, or cannot be written; nothing is left then.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as place:
    ...     write(make(customers=60), place)
    ...     sorted(path.name for path in Path(place).iterdir())
    ['exports', 'private', 'rounds', 'shop.toml', 'truth.json']
    """
    with whole_folder(folder) as made:
        (made / "exports").mkdir()
        for name, frame in demo.tables.items():
            (made / "exports" / f"{name}.csv").write_text(_csv(name, frame), encoding="utf-8", newline="\n")
        (made / "private").mkdir(mode=0o700)
        salt = made / "private" / "salt"
        salt.touch(mode=0o600)
        salt.write_text(demo.salt_hex + "\n", encoding="ascii", newline="\n")
        _write_round(demo, made / "rounds")
        (made / "shop.toml").write_text(demo.settings_toml, encoding="utf-8", newline="\n")
        (made / "truth.json").write_text(json.dumps(demo.truth, ensure_ascii=False) + "\n", encoding="utf-8", newline="\n")


def _write_round(demo: Demo, place: Path) -> None:
    """Write the ledger, and the list as the shop filled it in, under the names of columns that lists have in English."""
    if demo.ledger.empty:
        return
    names = catalogue("en")["lists"]["column"]
    filled = demo.returned.rename(columns={"unit": names["number"], "list": names["list"], "outcome": names["outcome"]})
    append(place / "assignments.csv", demo.ledger)
    (place / "returned").mkdir()
    text = filled[[names[name] for name in READ]].to_csv(index=False, lineterminator="\n")
    (place / "returned" / f"{demo.ledger['slug'].iloc[0]}.csv").write_text(text, encoding="utf-8", newline="\n")


def _counted(orders: pd.DataFrame) -> pd.DataFrame:
    return orders[orders["status"].eq(KEPT_STATUS) & orders["net_amount"].ne(0)]


def _in_order(name: str, frame: pd.DataFrame) -> pd.DataFrame:
    columns = [column for column in tables.SCHEMAS[name].names if column in frame.columns]
    return frame[columns].reset_index(drop=True)


def _source(name: str) -> str:
    return f'\n[[sources]]\nfile = "exports/{name}.csv"\ntable = "{name}"\nprofile = "mapped"\n'


def _csv(name: str, frame: pd.DataFrame) -> str:
    flags = [column.name for column in tables.SCHEMAS[name].columns if column.kind == "flag" and column.name in frame.columns]
    frame = frame.assign(**{flag: frame[flag].map({True: "yes", False: "no"}) for flag in flags})
    return frame.to_csv(index=False, float_format="%.2f", date_format="%Y-%m-%d %H:%M", lineterminator="\n")
