"""data/README.md: what every table and every field of a result file means, written from the code that checks them."""

from __future__ import annotations

from typing import Any

from loyalty_lab import results, tables

INTRODUCTION = """\
# Data

`demo/` is the shop that `loyalty-lab demo` makes: simulated, with every table, and its truth in `truth.json`.

This page is written by `python -m loyalty_lab.dictionary`; change `tables.py` or `results.py`, not the page.

## Tables

A shop must have `orders`; every other table is optional, and so is every column not marked as required. A column that is
missing switches off the tactics that need it; their pages say what to collect. Kinds: *id* and *text* are kept as they
stand, *moment* is a date or a date with a time in the shop's time zone, *money* is in the shop's currency, *number* and
*whole* are numbers, *flag* is yes or no, *choice* is one of the words listed.

An export of orders may have one row for each order, or one row for each product on an order (profile `mapped-lines`); then it
maps `quantity`, `unit_price` and, if there is one, `product_id`, in place of `net_amount`.

Besides the columns below, `[sources.columns]` in shop.toml may map, for any table with a customer, `email`, `phone` and `name`,
by which a person is known again; and for orders `goods_amount` (goods after discounts, before refunds), `total_amount` (with
the tax and delivery that `tax_amount` and `shipping_amount` tell apart), `paid_amount` and `refund_total` (what was charged, and
what of it was paid back), `cancelled_at`, and `event` (the word that says sale or refund). A list of columns is joined for
names, addresses and moments; of other lists the first that holds something counts.
"""
RESULTS = """\
## Result files

Each notebook leaves one `results/<notebook>.json` of schema version {version}. Dates are ISO dates, what is missing is `null`.
No sentence, no formatted number and nothing personal stands in a result file: a `key` names a sentence in `playbook/text/`,
`args` what it speaks of.
"""


def data_readme() -> str:
    """Return the text of data/README.md.

    Examples
    --------
    >>> "| `customer_id` | id | yes | who bought; empty for an anonymous sale |" in data_readme()
    True
    """
    return "\n".join([INTRODUCTION, tables.dictionary(), RESULTS.format(version=results.SCHEMA_VERSION), result_schema()])


def result_schema() -> str:
    """Return a Markdown table for each kind of record in a result file."""
    schema = results.Result.model_json_schema()
    parts = {"Result": schema, **schema["$defs"]}
    return "\n".join(_record(name, part) for name, part in parts.items())


def _record(name: str, part: dict[str, Any]) -> str:
    rows = [
        f"| `{field}` | {_kind(about)} | {'yes' if field in part.get('required', ()) else ''} |"
        for field, about in part["properties"].items()
    ]
    meaning = " ".join(part.get("description", "").split())
    return "\n".join([f"### {name}", "", meaning, "", "| field | kind | required |", "|---|---|---|", *rows, ""])


def _kind(about: dict[str, Any]) -> str:
    """Say in words what a JSON schema allows."""
    if "$ref" in about:
        return about["$ref"].rpartition("/")[2]
    if "enum" in about or "const" in about:
        return ", ".join(str(word) for word in about.get("enum", [about.get("const")]))
    if "anyOf" in about:
        return " or ".join(dict.fromkeys(_kind(each) for each in about["anyOf"]))
    kind = about.get("format") or about.get("type", "anything")
    if kind == "array":
        within = about.get("prefixItems")
        return f"[{', '.join(map(_kind, within))}]" if within else f"list of {_kind(about.get('items', {}))}"
    if kind == "object" and isinstance(about.get("additionalProperties"), dict):
        return f"{_kind(about['additionalProperties'])} by name"
    return kind


if __name__ == "__main__":
    from loyalty_lab.share import CLONE

    results.write_atomically(CLONE / "data" / "README.md", data_readme().encode())
