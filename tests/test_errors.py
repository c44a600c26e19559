"""What the system refuses is told as a user's error; what is a fault of ours is not."""

from __future__ import annotations

import errno
import os

import pytest

from loyalty_lab import cli, clients, demo, report
from loyalty_lab.errors import InputError, of_storage
from loyalty_lab.report import Order
from loyalty_lab.shop import whole_folder


def full(*_, **__):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_full_disk_is_one_line_and_a_remedy_and_no_traceback(monkeypatch, capsys):
    monkeypatch.setattr(cli, "app", full)
    with pytest.raises(SystemExit) as ended:
        cli.main()

    assert ended.value.code == 3
    assert capsys.readouterr().err.splitlines() == [
        "the disk: cannot be written: No space left on device",
        "  To mend it: make room there, or let it be written, and run again",
    ]


def test_another_error_of_the_system_is_not_passed_off_as_the_users():
    assert of_storage(ConnectionResetError(errno.ECONNRESET, "reset"), "shop") is None


def test_a_temporary_name_is_not_told(tmp_path):
    refused = of_storage(PermissionError(errno.EACCES, "denied", str(tmp_path / ".overview.html.12.tmp")), "shop")
    assert refused.where == str(tmp_path)


def test_a_file_that_is_not_ours_to_open_is_not_told_as_full(tmp_path):
    refused = of_storage(PermissionError(errno.EACCES, "Permission denied", str(tmp_path / "secret.json")), "shop")

    assert str(refused) == (
        f"{tmp_path / 'secret.json'}: cannot be opened: Permission denied\n"
        "  To mend it: let it be read and written by whoever runs this, and run again"
    )


def test_among_many_shops_the_one_on_a_full_disk_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(report, "make", full)
    ended = clients.one(tmp_path, Order())

    assert (ended.state, ended.code) == ("refused", 3)
    assert "No space left" in ended.said


def test_a_fault_of_ours_among_many_shops_asks_to_be_reported(tmp_path, monkeypatch):
    def reset(*_):
        raise ConnectionResetError(errno.ECONNRESET, "reset")

    monkeypatch.setattr(report, "make", reset)
    assert "please report it" in clients.one(tmp_path, Order()).said


def half_written(place):
    with whole_folder(place) as made:
        (made / "shop.toml").write_text("name")
        full()


@pytest.mark.parametrize("there", [False, True], ids=["new", "empty"])
def test_a_folder_that_cannot_be_written_whole_is_not_left_half_written(tmp_path, there):
    place = tmp_path / "shop"
    if there:
        place.mkdir()
    with pytest.raises(InputError, match="No space left"):
        half_written(place)

    assert [path.name for path in tmp_path.rglob("*")] == (["shop"] if there else [])


def test_a_demo_shop_that_does_not_fit_leaves_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(demo, "_write_round", full)
    with pytest.raises(InputError, match="No space left"):
        demo.write(demo.make(customers=5), tmp_path / "shop")

    assert not list(tmp_path.iterdir())


def test_a_shop_may_be_made_in_the_empty_folder_one_stands_in(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    demo.write(demo.make(customers=5), ".")

    assert (tmp_path / "shop.toml").is_file()
