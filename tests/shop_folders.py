"""Shops' folders made for a test: exports as text, shop.toml around them."""

from __future__ import annotations

from pathlib import Path

from loyalty_lab import intake
from loyalty_lab.intake import saying
from loyalty_lab.language import Texts

HEAD = 'name = "Corner Grocer"\ncurrency = "GBP"\ntimezone = "Europe/London"\n'
ORDERS = "order_id,customer_id,ordered_at,net_amount\n"
RETAIL = "Invoice,StockCode,Description,Quantity,InvoiceDate,Price,Customer ID,Country\n"


def source(file: str, table: str = "orders", profile: str = "mapped", **more: str) -> str:
    """One [[sources]] of shop.toml; `more` are its further keys as they stand in TOML."""
    keys = {"file": f'"exports/{file}"', "table": f'"{table}"', "profile": f'"{profile}"', **more}
    return "\n[[sources]]\n" + "".join(f"{name} = {value}\n" for name, value in keys.items())


def make(folder: Path, exports: dict[str, str | bytes], sources: str | None = None, head: str = HEAD) -> Path:
    """A shop's folder with these exports; without sources each is a mapped table called as its file."""
    (folder / "exports").mkdir(parents=True)
    for name, content in exports.items():
        (folder / "exports" / name).write_bytes(content.encode() if isinstance(content, str) else content)
    listed = sources if sources is not None else "".join(source(name, name.partition(".")[0]) for name in exports)
    (folder / "shop.toml").write_text(head + listed, encoding="utf-8")
    return folder


def read(folder: Path, exports: dict[str, str | bytes], sources: str | None = None, head: str = HEAD) -> intake.Intake:
    """What intake makes of these exports."""
    return intake.read(make(folder, exports, sources, head))


def warnings(taken: intake.Intake) -> list[str]:
    """What `check` asks the shop to look at, in English."""
    return saying.warnings(taken.report, Texts("en", taken.settings.currency))


def report(taken: intake.Intake) -> dict:
    """What ``check --json`` prints, without the tactics."""
    return taken.report.as_json(taken.settings, None, {}, warnings(taken))
