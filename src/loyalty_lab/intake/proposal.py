"""`loyalty-lab new`: recognise exports, copy them into a new shop's folder and write its shop.toml."""

from __future__ import annotations

import json
import shutil
import tempfile
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from loyalty_lab import tables
from loyalty_lab.errors import InputError
from loyalty_lab.intake import identities
from loyalty_lab.intake.formats import Profile, profiles
from loyalty_lab.intake.reading import first_rows
from loyalty_lab.shop import ShopSettings

OFTEN = {
    "order_id": ("order", "order number", "order no", "invoice", "invoice no", "receipt number", "name"),
    "customer_id": ("customer", "customer id", "customerid", "client", "client id", "buyer", "email", "phone"),
    "ordered_at": ("date", "order date", "created at", "created", "invoice date", "time"),
    "net_amount": ("amount", "total", "net", "net sales", "order total", "value", "price"),
}


@dataclass(frozen=True)
class Understood:
    """One export: its table, its profile, a proposed mapping, and which parts of it are only guessed."""

    path: Path
    table: str
    profile: str
    form: Profile
    columns: dict[str, str]

    @property
    def unsure(self) -> list[str]:
        return [ours for ours, theirs in self.columns.items() if theirs.startswith("?")]


@dataclass(frozen=True)
class Proposal:
    """What was understood, in lines to print."""

    lines: tuple[str, ...]


def propose(folder: Path, exports: list[Path]) -> Proposal:
    """Make a shop's folder from its exports.

    Parameters
    ----------
    folder : pathlib.Path
        New, or empty.
    exports : list of pathlib.Path
        CSV, CSV.gz or XLSX; they are copied, never changed.

    Returns
    -------
    Proposal

    Raises
    ------
    InputError
        If an export cannot be read or recognised, or the folder holds something. Nothing is made then.
    """
    folder = Path(folder)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(str(folder), "there is something already", "name a folder that is new or empty")
    understood = [understand(Path(path)) for path in exports]
    if len({each.path.name for each in understood}) < len(understood):
        raise InputError(understood[0].path.name, "two exports have the same file name", "rename one of them")
    if not any(each.table == "orders" for each in understood):
        raise InputError(
            understood[0].path.name, f"holds {understood[0].table}; no export of orders was given", "give the export of orders too"
        )
    text = settings_text(folder.resolve().name, understood)
    _make(folder, understood, text)
    said = [f"{each.path.name}: {each.table}, {each.form.about}" + _guesses(each) for each in understood]
    return Proposal((*said, f"{folder / 'shop.toml'}: written"))


def _guesses(each: Understood) -> str:
    return f"; unsure of {', '.join(each.unsure)}: see the question marks in shop.toml" if each.unsure else ""


def understand(path: Path) -> Understood:
    """Recognise one export by its header: a known profile, our own column names, or a guess.

    Raises
    ------
    InputError
        If it is missing, empty, or none of its columns looks like one of ours.
    """
    header = [cell.strip() for cell in first_rows(path, 1)[0]]
    for name, form in profiles().items():
        if form.fits(header):
            return Understood(path, form.table, name, form, {})
    mapped = profiles()["mapped"]
    ours = [schema for schema in tables.SCHEMAS.values() if set(schema.required) <= set(header)]
    if ours:
        closest = max(ours, key=lambda schema: (len(set(schema.names) & set(header)), len(schema.required)))
        return Understood(path, closest.name, "mapped", mapped, {})
    return Understood(path, "orders", "mapped", mapped, _guess(path, header))


def _guess(path: Path, header: list[str]) -> dict[str, str]:
    plain = {theirs.casefold().replace("_", " "): theirs for theirs in header}
    found = {}
    for ours in tables.SCHEMAS["orders"].required:
        words = (ours.replace("_", " "), *OFTEN[ours])
        near = next((hit for word in words for hit in get_close_matches(word, list(plain), n=1, cutoff=0.85)), None)
        if near:
            found[ours] = f"?{plain[near]}"
    if not found:
        raise InputError(
            path.name, f"is not recognised; its columns are {header}", "write shop.toml by hand with [sources.columns], see data/README.md"
        )
    return found | {ours: "?" for ours in tables.SCHEMAS["orders"].required if ours not in found}


def settings_text(name: str, understood: list[Understood]) -> str:
    """Return the text of shop.toml; it is checked against the settings before it is written."""
    currency = next((each.form.currency for each in understood if each.form.currency), None)
    zone = next((each.form.timezone for each in understood if each.form.timezone), None)
    lines = [
        f"name = {_quoted(name.replace('-', ' ').replace('_', ' ').title() or 'Shop')}",
        f"currency = {_quoted(currency or 'EUR')}" + ("" if currency else "             # please check"),
        f"timezone = {_quoted(zone or 'UTC')}" + ("" if zone else "             # please check, such as Europe/London"),
        'languages = ["en"]           # en, tr, bn, hy',
        "margin = 0.30                # of net sales, where an order has no margin of its own: please check",
        "",
        "[cost]                       # one contact; the break-even needs it",
        "letter = 1.20",
    ]
    for each in understood:
        lines += ["", "[[sources]]", f"file = {_quoted('exports/' + each.path.name)}", f"table = {_quoted(each.table)}"]
        lines += [f"profile = {_quoted(each.profile)}"]
        if each.columns:
            lines += ["[sources.columns]             # ours = theirs; take the question marks away when they are right"]
            lines += [f"{ours} = {_quoted(theirs)}" for ours, theirs in each.columns.items()]
    text = "\n".join(lines) + "\n"
    import tomllib

    ShopSettings.model_validate(tomllib.loads(text))
    return text


def _quoted(text: str) -> str:
    """A JSON string is a TOML string too."""
    return json.dumps(text, ensure_ascii=False)


def _make(folder: Path, understood: list[Understood], text: str) -> None:
    """Make the folder beside its place and move it there whole."""
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}.") as place:
            made = Path(place) / "shop"
            (made / "exports").mkdir(parents=True)
            (made / "rounds" / "returned").mkdir(parents=True)
            for each in understood:
                shutil.copyfile(each.path, made / "exports" / each.path.name)
            (made / "shop.toml").write_text(text, encoding="utf-8")
            identities.salt(made / "private")
            if folder.exists():
                folder.rmdir()
            made.rename(folder)
    except OSError as error:
        raise InputError(str(folder), f"cannot be written: {error.strerror}", "choose another folder") from None
