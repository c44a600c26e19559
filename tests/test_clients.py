"""Many shops at once: what is there already is found without work, one that fails holds up no other, and each is named with its reason."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from loyalty_lab import clients, report
from loyalty_lab.clients import Ended
from loyalty_lab.errors import InputError, RenderError
from loyalty_lab.report import Order, Report
from loyalty_lab.run import Manner

SHOPS = [Path("clients") / name for name in ("a", "b", "c", "d")]


@pytest.fixture
def made(monkeypatch):
    """Reports that are made in name only; a shop called as a fault has that fault."""
    asked = []
    faults = {
        "refused": InputError("orders.csv", "is empty", "export it again"),
        "unprinted": RenderError("playbook.typ", "no font has the letter 'x'", "correct it"),
        "bug": KeyError("nobody thought of this"),
    }

    def make(shop, order):
        asked.append((shop, order.manner.jobs))
        if shop.name in faults:
            raise faults[shop.name]
        failed = ("churn",) if shop.name == "gaps" else ()
        return Report(shop / "reports" / "2026-10-31", failed, front={"warnings": ["odd"] if shop.name == "odd" else []})

    def at_hand(shop, order):
        if shop.name == "unread":
            raise InputError("shop.toml", "is missing", "make it")
        return Report(shop / "reports" / "2026-10-31", kept=True) if shop.name == "kept" else None

    monkeypatch.setattr(report, "make", make)
    monkeypatch.setattr(report, "at_hand", at_hand)
    return asked


def states(ended) -> dict[str, tuple[str, int]]:
    return {each.shop.name: (each.state, each.code) for each in ended}


def test_every_shop_ends_in_its_own_way_and_none_stops_the_others(made):
    shops = [Path("clients") / name for name in ("refused", "bug", "kept", "gaps", "unread", "odd", "good", "unprinted")]
    told = []

    ended = clients.make(shops, Order(), told=told.append)

    assert states(ended) == {
        "refused": ("refused", 3),
        "bug": ("refused", 4),
        "kept": ("kept", 0),
        "gaps": ("failed", 4),
        "unread": ("refused", 3),
        "odd": ("attention", 0),
        "good": ("done", 0),
        "unprinted": ("refused", 5),
    }
    assert [each.shop for each in ended] == shops
    assert sorted(told, key=lambda each: each.shop) == sorted(ended, key=lambda each: each.shop)
    said = {each.shop.name: each.said for each in ended}
    assert said["refused"] == "clients/refused, orders.csv: is empty\n  To mend it: export it again"
    assert "KeyError: 'nobody thought of this'" in said["bug"]
    assert "these notebooks failed: churn" in said["gaps"]


def test_what_is_there_already_or_cannot_be_read_costs_no_work(made):
    clients.make([Path("clients/kept"), Path("clients/unread")], Order())

    assert made == []


def test_a_shop_named_twice_is_made_once(made):
    assert len(clients.make([SHOPS[0], SHOPS[0]], Order())) == 1
    assert made == [(SHOPS[0], 1)]


@pytest.mark.skipif(os.name != "posix", reason="kills a process by signal")
def test_a_shop_whose_process_is_killed_is_named_and_the_others_are_made():
    shops = {name: (Path("clients") / name,) for name in ("heavy", "a", "b")}

    ended = dict(clients.workers.side_by_side(killed_if_heavy, shops, 2))

    assert isinstance(ended["heavy"], clients.workers.Lost)
    lost = clients._lost(Path("clients/heavy"))
    assert (lost.state, lost.code) == ("refused", 4)
    assert "had no memory left" in lost.said
    assert ended["a"] == "a"


def killed_if_heavy(shop: Path) -> str:
    if shop.name == "heavy":
        os.kill(os.getpid(), signal.SIGKILL)
    return shop.name


@pytest.mark.parametrize(
    ("codes", "code"), [((0, 0), 0), ((3, 3), 3), ((0, 3), 4), ((0, 4), 4), ((3, 5), 5), ((2, 2), 2), ((0,), 0)], ids=str
)
def test_the_exit_code_of_all(codes, code):
    assert clients.exit_code([Ended(Path("a"), "", "", each) for each in codes]) == code


def test_the_page_of_all_lies_beside_the_shops_or_the_reports(tmp_path):
    assert clients.place_of_overview(SHOPS, None) == Path("clients/overview.html")
    assert clients.place_of_overview([tmp_path / "x" / "a", tmp_path / "y" / "b"], None) == tmp_path / "overview.html"
    assert clients.place_of_overview(SHOPS, tmp_path) == tmp_path / "overview.html"


def test_notebooks_and_shops_share_the_jobs(monkeypatch):
    asked = {}

    def noted(work, arguments, jobs, backend):
        asked.update(jobs=jobs, inside=[order.manner.jobs for _, order in arguments.values()])
        return iter(())

    monkeypatch.setattr(report, "at_hand", lambda shop, order: None)
    monkeypatch.setattr(clients.workers, "side_by_side", noted)
    for shops, jobs, shared in ((SHOPS, 2, (2, 1)), (SHOPS[:2], 8, (2, 4)), (SHOPS[:1], 3, (1, 3))):
        with pytest.raises(KeyError):  # nothing is made here
            clients.make(shops, Order(manner=Manner(jobs=jobs)))
        assert (asked["jobs"], set(asked["inside"])) == (shared[0], {shared[1]})
