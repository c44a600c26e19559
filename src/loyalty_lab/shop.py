"""One client: its settings in shop.toml, and its tables once they are read."""

from __future__ import annotations

import re
import tempfile
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from loyalty_lab import logo, tables
from loyalty_lab.errors import InputError, near_match
from loyalty_lab.language import LOCALES

if TYPE_CHECKING:
    import pandas as pd

LANGUAGES = tuple(LOCALES)
# Where things lie in a shop's folder.
CACHE, REPORTS = Path("cache"), Path("reports")
IDENTITIES, SALT = Path("private") / "identities.parquet", Path("private") / "salt"
LEDGER, RETURNED = Path("rounds") / "assignments.csv", Path("rounds") / "returned"
Share = Annotated[float, Field(ge=0, le=1)]
Money = Annotated[float, Field(ge=0)]


class _Settings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Brand(_Settings):
    """How the shop's pages look, and how its cards and letters say it can be reached. `logo` is a file; once read, the picture itself."""

    accent: Annotated[str, Field(pattern=r"^#[0-9a-fA-F]{6}$")] = "#0b5351"
    logo: str | None = None
    phone: str | None = None
    hours: str | None = None
    address: str | None = None
    review_url: Annotated[str, Field(pattern=r"^https?://\S+$", max_length=200)] | None = None


class Source(_Settings):
    """One export file (or several, by a pattern) and how to read it."""

    file: str
    table: Literal[tuple(tables.SCHEMAS)] = "orders"
    profile: str = "mapped"
    date_order: Literal["dmy", "mdy", "ymd"] | None = None
    decimal: Literal[".", ","] | None = None
    encoding: str | None = None
    keep_unpaid: bool = False
    columns: dict[str, str | list[str]] = {}


class Identity(_Settings):
    """What the shop says about who is who."""

    keep_apart: list[tuple[str, str]] = []


class Targets(_Settings):
    """What the shop wants the year's scorecard to reach, by metric; a metric without one has none."""

    customer_retention_rate: Share | None = None
    churn_rate: Share | None = None
    repeat_customer_rate: Share | None = None
    purchase_frequency: Annotated[float, Field(ge=1, allow_inf_nan=False)] | None = None
    net_promoter_score: Annotated[float, Field(ge=-100, le=100)] | None = None
    expected_revenue_next_year: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None


class ShopSettings(_Settings):
    """The content of shop.toml; everything after `timezone` has a default."""

    name: Annotated[str, Field(min_length=1)]
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")]
    timezone: str
    languages: Annotated[list[Literal[LANGUAGES]], Field(min_length=1)] = ["en"]
    margin: Share = 0.30
    discount_rate: Share = 0.10
    clv_years: Annotated[int, Field(ge=1, le=10)] = 3
    contact_gap_days: Annotated[int, Field(ge=0)] = 21
    freshness_days: Annotated[int, Field(ge=0)] = 14
    brand: Brand = Brand()
    capacity: dict[str, Annotated[int, Field(ge=0)]] = {}
    cost: dict[str, Money] = {}
    owners: dict[str, str] = {"default": "owner"}
    targets: Targets = Targets()
    identity: Identity = Identity()
    sources: list[Source] = []

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (KeyError, ValueError, OSError):
            raise ValueError(f"{name!r} is not a time zone such as 'Europe/London'") from None
        return name


def new_folder(folder: str | Path) -> Path:
    """Return the path of a folder that a shop may be made in.

    Raises
    ------
    InputError
        If there is something already.

    Examples
    --------
    >>> new_folder("build/no-such-shop").name
    'no-such-shop'
    """
    folder = Path(folder)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(str(folder), "there is something already", "name a folder that is new or empty")
    return folder


@contextmanager
def whole_folder(folder: str | Path) -> Iterator[Path]:
    """Give a folder beside a new one's place, and move it there once all is written in it; if not all can be, nothing is left.

    Raises
    ------
    InputError
        If there is something already, or it cannot be written.

    Examples
    --------
    >>> with tempfile.TemporaryDirectory() as home:
    ...     with whole_folder(Path(home) / "shop") as made:
    ...         (made / "shop.toml").touch()
    ...     [path.name for path in Path(home).rglob("*")]
    ['shop', 'shop.toml']
    """
    folder = new_folder(folder)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}.") as place:
            made = Path(place) / "shop"
            made.mkdir()
            yield made
            if not folder.exists():
                made.rename(folder)
            else:  # it may be where somebody stands
                for part in sorted(made.iterdir()):
                    part.rename(folder / part.name)
    except OSError as error:
        raise InputError(str(folder), f"cannot be written: {error.strerror}", "make room there, or choose another folder") from None


def load_settings(folder: Path) -> ShopSettings:
    """Read and check ``<folder>/shop.toml``.

    Parameters
    ----------
    folder : pathlib.Path
        The shop's folder.

    Returns
    -------
    ShopSettings

    Raises
    ------
    InputError
        If the folder or file is missing, is not TOML, or holds an unknown key (the nearest
        known one is offered) or a value out of range, or names a logo that is no picture.
    """
    path = Path(folder) / "shop.toml"
    if not path.is_file():
        raise InputError(str(path), "there is no such file", "give the shop's folder, or make one with: loyalty-lab new DIR EXPORT...")
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError("shop.toml", f"is not valid TOML: {error}", "correct that line") from None
    try:
        settings = ShopSettings.model_validate(content)
    except ValidationError as error:
        raise _settings_error(error.errors()[0]) from None
    if settings.brand.logo is None:
        return settings
    picture = logo.read(path.parent, settings.brand.logo)
    return settings.model_copy(update={"brand": settings.brand.model_copy(update={"logo": picture})})


def _settings_error(first: dict) -> InputError:
    where = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        hint = near_match(str(first["loc"][-1]), _known_keys(first["loc"][:-1]))
        return InputError("shop.toml", f"the key {where!r} is unknown.{hint}", "correct or remove it")
    if first["type"] == "missing":
        return InputError("shop.toml", f"the key {where!r} is missing", f"add a line such as {_example(where)}")
    message = re.sub(r"^Value error, ", "", first["msg"])
    return InputError("shop.toml", f"{where} = {first['input']!r}: {message}", "correct the value")


def _known_keys(path: tuple) -> list[str]:
    model = {"brand": Brand, "targets": Targets, "identity": Identity, "sources": Source}.get(path[0] if path else "", ShopSettings)
    return list(model.model_fields)


def _example(key: str) -> str:
    return {"name": 'name = "Corner Grocer"', "currency": 'currency = "GBP"', "timezone": 'timezone = "Europe/London"'}.get(
        key, f"{key} = ..."
    )


class Shelf(Mapping):
    """The tables of a shop, read from Parquet when somebody first asks for one.

    `asked` names those that were asked for, also in vain: what is made of the shop depends on no other.

    Examples
    --------
    >>> shelf = Shelf({})
    >>> Shop(ShopSettings(name="Corner Grocer", currency="GBP", timezone="Europe/London"), shelf).lacks(("tickets",)), shelf.asked
    ('tickets', {'tickets'})
    """

    def __init__(self, paths: Mapping[str, Path]):
        self._paths, self._read = dict(paths), {}
        self.asked: set[str] = set()

    def __getitem__(self, name: str) -> pd.DataFrame:
        self.asked.add(name)
        if name not in self._read:
            self._read[name] = tables.read(name, self._paths[name])
        return self._read[name]

    def __iter__(self) -> Iterator[str]:
        self.asked.update(tables.SCHEMAS)  # whoever looks through them all depends on all
        return iter(self._paths)

    def __len__(self) -> int:
        return len(self._paths)


class _Until(Mapping):
    """The tables as they stood at the end of a day, each cut when it is first asked for."""

    def __init__(self, whole: Mapping[str, pd.DataFrame], cutoff: date):
        self._whole, self._cutoff, self._seen = whole, cutoff, {}

    def __getitem__(self, name: str) -> pd.DataFrame:
        if name not in self._seen:
            self._seen[name] = self._cut(name)
        return self._seen[name]

    def _cut(self, name: str) -> pd.DataFrame:
        frame = tables.cut(name, self._whole[name], self._cutoff)
        # A return stays although its order has left the sales: refunded in full, it would make refusals look more frequent.
        if name in ("order_lines", "deliveries") and (orders := self.get("orders")) is not None:
            frame = frame[frame["order_id"].isin(orders["order_id"])].reset_index(drop=True)
        return frame

    def __iter__(self) -> Iterator[str]:
        return iter(self._whole)

    def __len__(self) -> int:
        return len(self._whole)


@dataclass(frozen=True)
class Shop:
    """One shop as the analyses see it: settings and pseudonymous tables. A table that is not there is None.

    Examples
    --------
    >>> shop = Shop(ShopSettings(name="Corner Grocer", currency="GBP", timezone="Europe/London"), {})
    >>> shop.tickets is None, shop.settings.margin
    (True, 0.3)
    """

    settings: ShopSettings
    tables: Mapping[str, pd.DataFrame] = field(default_factory=dict)

    def __getattr__(self, name: str) -> pd.DataFrame | None:
        if name in tables.SCHEMAS:
            return self.tables.get(name)
        raise AttributeError(name)

    def lacks(self, needs: tuple[str, ...]) -> str | None:
        """Return the first of ``table`` or ``table.column`` that the shop does not have, else None."""
        for need in needs:
            name, _, column = need.partition(".")
            frame = self.tables.get(name)
            if frame is None or frame.empty or (column and (column not in frame.columns or frame[column].isna().all())):
                return need
        return None

    def until(self, cutoff: date) -> Shop:
        """Return the shop as it stood at the end of `cutoff`; no later row or value is left."""
        return replace(self, tables=_Until(self.tables, cutoff))

    @property
    def last_day(self) -> date:
        """The last day with an order: the default cutoff."""
        return self.tables["orders"]["ordered_at"].max().date()

    def margin_of(self, orders: pd.DataFrame) -> pd.Series:
        """Return what the shop keeps of each order: its own margin where known, else the shop's margin rate."""
        by_rate = orders["net_amount"] * self.settings.margin
        return orders["margin_amount"].fillna(by_rate) if "margin_amount" in orders.columns else by_rate
