"""The commands, as installed: what they print, what they write, and how they refuse."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from loyalty_lab import demo, results, tactics
from loyalty_lab.intake.cells import ascii_digits

ORDERS = "order_id,customer_id,ordered_at,net_amount\n"
SHOP = 'name = "Corner Grocer"\ncurrency = "GBP"\ntimezone = "Europe/London"\n[[sources]]\nfile = "exports/orders.csv"\ntable = "orders"\n'


def make_shop(folder: Path, orders: str, settings: str = SHOP) -> Path:
    (folder / "exports").mkdir(parents=True)
    (folder / "shop.toml").write_text(settings, encoding="utf-8")
    (folder / "exports" / "orders.csv").write_text(orders, encoding="utf-8")
    return folder


def refused(done, code: int, *words: str) -> None:
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    said = [line for line in done.stderr.splitlines() if not line.endswith("reading the exports")]
    assert len(said) == 2, done.stderr
    assert said[1].startswith("  To mend it: ")
    for word in words:
        assert word in said[0]


def test_every_command_has_a_help_text_with_an_example(command):
    listed = command("--help").stdout
    for name in ("demo", "new", "check", "playbook", "tactics"):
        assert name in listed
        assert f"Example: loyalty-lab {name}" in command(name, "--help").stdout


def test_the_whole_chain_leaves_every_file_the_report_promises(demo_report):
    for language in ("en", "tr", "bn", "hy"):
        assert (demo_report / f"playbook-{language}.pdf").read_bytes().startswith(b"%PDF")
        assert "<!doctype html>" in (demo_report / f"playbook-{language}.html").read_text(encoding="utf-8").lower()
    stored = {path.stem: results.load(path) for path in (demo_report / "results").glob("*.json") if path.stem != "actions"}
    assert set(stored) == {
        "start-here",
        "scorecard",
        "churn",
        "lifetime-value",
        "segments",
        "last-round",
        *(tactic.slug for tactic in tactics.CATALOGUE),
    }
    assert {slug for slug, result in stored.items() if result.status != "ready"} == set()
    assert {path.name for path in demo_report.iterdir()} >= {"lists", "notebooks", "results", "run.json"}
    assert not [path for path in demo_report.rglob("*") if path.name.endswith(".tmp")]


def test_the_log_of_a_run_names_no_person_and_no_absolute_path(demo_shop, demo_report):
    log = (demo_report / "run.json").read_text(encoding="utf-8")

    assert str(demo_shop) not in log
    assert {"version", "inputs", "cutoff", "notebooks", "outputs", "warnings"} <= set(json.loads(log))


def digits_of(text: str) -> str:
    return re.sub(r"\D", "", ascii_digits(text))


def test_names_and_contacts_stand_in_the_lists_alone(demo_shop, demo_report):
    import csv

    with (demo_shop / "exports" / "customers.csv").open(encoding="utf-8") as file:
        people = list(csv.DictReader(file))
    words = {person[field] for person in people for field in ("name", "email", "customer_id") if person[field]}
    numbers = {digits_of(person["phone"])[-7:] for person in people if person["phone"]}
    hidden = [path for path in demo_report.rglob("*") if path.is_file() and "lists" not in path.parts and path.suffix != ".pdf"]

    assert len(hidden) > 20
    for path in hidden:
        text = re.sub(r"base64,[\w+/=]+", "", f"{path.name} {path.read_text(encoding='utf-8')}")
        assert not [word for word in words if word in text], path.name
        written = re.findall(r"(?<![\w.])[+\d][\d ()\-]{6,}(?![\w.])", ascii_digits(text))
        assert not [number for number in written if digits_of(number)[-7:] in numbers], path.name
    assert any(person["name"] in (demo_report / "lists" / "answer-fast.csv").read_text(encoding="utf-8-sig") for person in people)


def test_another_path_user_clock_locale_and_number_of_cores_give_the_same_bytes(demo_shop, demo_report, command, tmp_path):
    import shutil

    elsewhere = shutil.copytree(demo_shop, tmp_path / "another path" / "demo", ignore=shutil.ignore_patterns("cache", "reports"))
    odd = {"TZ": "Asia/Dhaka", "LC_ALL": "C", "LANG": "tr_TR.UTF-8", "PYTHONHASHSEED": "77", "OMP_NUM_THREADS": "4", "USER": "somebody"}
    again = command("playbook", elsewhere, "--language", "en,bn", "--warm", "--jobs", "4", env=odd | {"HOME": str(tmp_path)}, cores={0})
    assert again.returncode == 0, again.stderr
    other = elsewhere / "reports" / "2026-10-31"
    first, second = ({path.relative_to(place) for path in place.rglob("*") if path.is_file()} for place in (demo_report, other))

    assert second == {path for path in first if path.stem not in ("playbook-tr", "playbook-hy")}
    different = [
        str(name) for name in second if name.name != "run.json" and (demo_report / name).read_bytes() != (other / name).read_bytes()
    ]
    assert different == []
    assert (elsewhere / "rounds" / "assignments.csv").read_bytes() == (demo_shop / "rounds" / "assignments.csv").read_bytes()
    logs = [without_seconds(place / "run.json") for place in (demo_report, other)]
    assert logs[1]["notebooks"] == logs[0]["notebooks"]
    assert logs[1]["outputs"].items() <= logs[0]["outputs"].items()


def without_seconds(log: Path) -> dict:
    told = json.loads(log.read_text(encoding="utf-8"))
    return told | {"notebooks": [{name: value for name, value in each.items() if name != "seconds"} for each in told["notebooks"]]}


def test_check_prints_one_object_whose_sums_hold(demo_shop, command):
    done = command("check", demo_shop, "--json")
    told = json.loads(done.stdout)

    assert done.returncode == 0
    assert set(told) == {"shop", "cutoff", "currency", "tables", "orders", "tactics", "warnings"}
    for table in told["tables"].values():
        assert table["rows_in"] - table["rows_out"] == sum(table["dropped"].values())
    from decimal import Decimal

    money = {name: Decimal(told["orders"][name]) for name in ("gross", "discounts", "refunds", "dropped", "net")}
    assert money["gross"] - money["discounts"] - money["refunds"] - money["dropped"] == money["net"]


@pytest.mark.parametrize(
    ("orders", "words"),
    [
        ("", ("orders.csv", "empty")),
        (ORDERS, ("orders.csv",)),
        ("order_id,customer_id,net_amount\n1,a,3.00\n", ("orders.csv", "ordered_at")),
        (ORDERS + "1,a,2026-01-05,3.00\n2,b,31/02/2026,4.00\n", ("orders.csv", "31/02/2026")),
    ],
    ids=["empty export", "headers only", "missing column", "unreadable date"],
)
def test_a_bad_export_is_refused_in_one_line_with_a_remedy(command, tmp_path, orders, words):
    shop = make_shop(tmp_path / "shop", orders)

    refused(command("check", shop), 3, *words)
    refused(command("playbook", shop), 3, *words)
    assert not (shop / "reports").exists()
    assert not (shop / "rounds" / "assignments.csv").exists()


def test_an_unknown_key_is_refused_with_the_nearest_one(command, tmp_path):
    shop = make_shop(tmp_path / "shop", ORDERS + "1,a,2026-01-05,3.00\n", 'curency = "GBP"\n' + SHOP)

    refused(command("check", shop), 3, "shop.toml", "'curency'", "Did you mean 'currency'?")


def test_a_wrong_path_is_refused(command, tmp_path):
    refused(command("check", tmp_path / "nowhere"), 3, "nowhere")
    refused(command("new", tmp_path / "made", tmp_path / "no.csv"), 3, "no.csv")
    assert not (tmp_path / "made").exists()


def test_an_unwritable_output_folder_is_refused_before_any_work_is_lost(command, tmp_path, demo_shop):
    (tmp_path / "taken").write_text("a file, not a folder")

    refused(command("playbook", demo_shop, "--out", tmp_path / "taken"), 3, "taken")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--as-of", "1 Nov"), "'1 Nov' is not a date"),
        (("--language", "xx"), "'xx' is not one of"),
        (("--language", "en", "--language", "xx"), "'xx' is not one of"),
        (("--paper", "a5"), "'a5' is not one of"),
        (("--paper", "a4,letter"), "'a4,letter' is not one of"),
        (("--paper", ""), "'' is not one of"),
        (("--only", "anser-fast"), "Did you mean 'answer-fast'?"),
        (("--as-of", "1999-01-01"), "before the first order"),
    ],
)
def test_a_mistaken_option_is_a_usage_error(command, demo_shop, words, said):
    refused(command("playbook", demo_shop, *words), 2, said)


def test_stale_data_make_no_report(command, demo_shop, tmp_path):
    refused(command("playbook", demo_shop, "--as-of", "2027-01-31", "--out", tmp_path), 3, "92 days after the last order")
    assert not list(tmp_path.rglob("*.pdf"))


@pytest.mark.parametrize(
    "orders",
    [ORDERS + "1,a,2026-01-05,3.00\n", ORDERS + "".join(f"{i},c{i},2026-0{1 + i % 9}-05,{i + 3}.00\n" for i in range(40))],
    ids=["one customer", "one-time buyers only"],
)
def test_a_shop_with_too_little_history_gets_a_playbook_that_says_so(command, tmp_path, orders):
    shop = make_shop(tmp_path / "shop", orders)
    done = command("playbook", shop, "--warm")
    assert done.returncode == 0, done.stderr
    report = next((shop / "reports").iterdir())

    assert results.load(report / "results" / "churn.json").status in ("too early", "ready")
    assert results.load(report / "results" / "answer-fast.json").status == "needs data"
    assert "too early to say" in (report / "playbook-en.html").read_text(encoding="utf-8").lower()


def test_several_shops_are_made_and_the_refused_one_is_named(command, demo_shop, tmp_path):
    bad = make_shop(tmp_path / "bad", "")
    done = command("playbook", bad, tmp_path / "missing")

    assert done.returncode == 3
    assert "orders.csv" in done.stderr
    assert "missing" in done.stderr


@pytest.fixture
def acted(demo_report, demo_shop, tmp_path):
    """A copy of the demo shop that has opened its rounds."""
    import shutil

    folder = tmp_path / "demo"
    shutil.copytree(demo_shop, folder)
    return folder


def test_round_says_what_runs_and_undoes_a_list_that_was_never_sent(acted, command):
    shown = command("round", acted)
    assert shown.returncode == 0, shown.stderr
    assert "follow-up-letters: opened 2026-10-31, begins 2026-11-01, read on 2026-12-31; " in shown.stdout

    undone = command("round", acted, "--void", "07-follow-up-letters")

    assert undone.returncode == 0, undone.stderr
    assert "follow-up-letters: opened 2026-10-31" not in undone.stdout
    assert "follow-up-letters: opened 2026-06-30" in undone.stdout
    again = command("round", acted, "--void", "follow-up-letters")
    assert again.returncode == 3
    assert "2026-06-30" in again.stderr


def test_an_older_copy_of_the_ledger_is_completed_to_the_byte(acted, command):
    ledger = acted / "rounds" / "assignments.csv"
    before = ledger.read_bytes()
    assert command("round", acted, "--rebuild").returncode == 3
    demo.make().ledger.to_csv(ledger, index=False, lineterminator="\n")

    done = command("round", acted, "--rebuild")

    assert done.returncode == 0, done.stderr
    assert ledger.read_bytes() == before
    assert {path.name for path in (acted / "rounds").iterdir()} == {"assignments.csv", "returned"}


FRONT, PRACTICES, END = 10, 2 * len(tactics.CATALOGUE), 3  # cover to groups, a spread each, rounds and method
LADDER = {"bn": 1, "hy": 1}  # on A4 it does not fit below their contents
FORMS = 29  # and for each round a card for the till


def pages_of(report: Path, language: str, paper: str = "a4") -> int:
    """How many pages the book of a full shop has."""
    actions = json.loads((report / "results" / "actions.json").read_text(encoding="utf-8"))
    cards = [action for action in actions if action["held_out"] and action["read_on"]]
    return FRONT + (paper == "a4") * LADDER.get(language, 0) + PRACTICES + END + FORMS + len(cards)


def page_count(pdf: bytes) -> int:
    return len(re.findall(rb"/Type\s*/Page\b", pdf))


@pytest.mark.parametrize("language", ["en", "tr", "bn", "hy"])
def test_a_full_shop_prints_one_spread_a_practice_and_no_page_runs_over(demo_report, language):
    printed = page_count((demo_report / f"playbook-{language}.pdf").read_bytes())

    assert FRONT + PRACTICES + END + LADDER.get(language, 0) <= 60
    assert printed == pages_of(demo_report, language)


@pytest.mark.parametrize("language", ["bn", "hy"])  # the two whose words take most room
def test_nor_on_letter_paper(demo_shop, demo_report, language, tmp_path):
    from loyalty_lab import intake, report

    taken = intake.read(demo_shop)
    (tmp_path / "results").symlink_to(demo_report / "results")
    actions = json.loads((demo_report / "results" / "actions.json").read_text(encoding="utf-8"))
    about = json.loads((demo_report / "run.json").read_text(encoding="utf-8")) | {"paper": "letter"}
    report.print_pages(taken, actions, about, language, tmp_path)

    assert page_count((tmp_path / f"playbook-{language}.pdf").read_bytes()) == pages_of(demo_report, language, "letter")
