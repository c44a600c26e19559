"""A shop's logo stands on its pages, is checked when the settings are read, and is no business of the notebooks."""

from __future__ import annotations

import io

import pytest
import sample_results as sample
from PIL import Image

from loyalty_lab import document, inputs, intake, logo, pages, playbook
from loyalty_lab.errors import InputError
from loyalty_lab.shop import load_settings

SETTINGS = 'name = "Corner"\ncurrency = "GBP"\ntimezone = "Europe/London"\n'
ORDERS = """
[[sources]]
file = "orders.csv"
columns = {order_id = "id", customer_id = "who", ordered_at = "when", net_amount = "paid"}
"""
ROWS = "id,who,when,paid\n" + "".join(f"{at},c{at % 3},2026-0{1 + at % 6}-05,10\n" for at in range(12))


def picture(kind: str = "PNG", size: tuple[int, int] = (60, 20), colour: str = "#b43c28") -> bytes:
    out = io.BytesIO()
    Image.new("RGB", size, colour).save(out, kind)
    return out.getvalue()


def shop(folder, name: str | None = "logo.png", content: bytes | None = None):
    brand = "" if name is None else f'[brand]\nlogo = "{name}"\n'
    (folder / "shop.toml").write_text(SETTINGS + brand + ORDERS, encoding="utf-8")
    (folder / "orders.csv").write_text(ROWS, encoding="utf-8")
    if content is not None:
        (folder / name).write_bytes(content)
    return folder


@pytest.mark.parametrize(("kind", "name"), [("PNG", "logo.png"), ("JPEG", "our sign.jpg")])
def test_a_picture_in_the_shops_folder_is_carried_by_every_document(tmp_path, kind, name):
    settings = load_settings(shop(tmp_path, name, picture(kind)))
    drawn = pages.face(settings, "en")["brand"]["logo"]

    assert drawn["url"].startswith(f"data:image/{kind.lower()};base64,")
    assert drawn["shape"] == "3.000"
    assert drawn["url"] in drawn["svg"]


def test_a_shop_without_one_has_pages_without_one(tmp_path):
    assert pages.face(load_settings(shop(tmp_path, None)), "en")["brand"]["logo"] is None


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (None, "No such file"),
        (b"", "no whole PNG or JPEG"),
        (picture()[:60], "no whole PNG or JPEG"),
        (picture("GIF"), "no whole PNG or JPEG"),
        (b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>', "no whole PNG or JPEG"),
        (picture() + b"\0" * logo.LARGEST, "bytes"),
    ],
    ids=["missing", "empty", "cut off", "gif", "svg", "large"],
)
def test_what_is_no_picture_is_refused_with_the_line_to_mend(tmp_path, content, why):
    with pytest.raises(InputError, match=why) as refused:
        load_settings(shop(tmp_path, "logo.png", content))
    assert "brand.logo = 'logo.png'" in str(refused.value)


def test_a_file_outside_the_shops_folder_is_refused(tmp_path):
    (tmp_path / "secret.png").write_bytes(picture())
    (tmp_path / "shop").mkdir()
    with pytest.raises(InputError, match="outside"):
        load_settings(shop(tmp_path / "shop", "../secret.png"))


def test_another_logo_makes_another_report_and_the_same_notebooks(tmp_path):
    first = intake.read(shop(tmp_path, "logo.png", picture()))
    (tmp_path / "logo.png").write_bytes(picture(colour="#123456"))
    second = intake.read(tmp_path)

    assert first.key != second.key
    assert first.hashes == second.hashes
    assert inputs.told(first) == inputs.told(second)
    assert "logo" not in inputs.told(first)["brand"]


def test_it_is_printed_on_the_cover_and_shown_on_the_page(tmp_path):
    (tmp_path / "logo.png").write_bytes(picture())
    url = logo.read(tmp_path, "logo.png")
    without = document.build(sample.everything(), sample.ACTIONS, sample.shop(), sample.INTAKE, sample.RUN, "en")
    with_it = without | {"brand": without["brand"] | {"logo": logo.drawn(url)}}

    assert dots_of_its_colour(without) == 0
    assert dots_of_its_colour(with_it) > 1000
    assert f'<img class="logo" src="{url}"' in playbook.html(with_it)
    assert 'class="logo"' not in playbook.html(without)


def dots_of_its_colour(made: dict) -> int:
    cover = Image.open(io.BytesIO(playbook.png(made)[0])).convert("RGB")
    return sum(count for count, colour in cover.getcolors(1 << 20) if colour == (0xB4, 0x3C, 0x28))
