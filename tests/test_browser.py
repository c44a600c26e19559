"""The HTML page in a real browser: it fits small screens, loads nothing, draws its pictures, and can be used by keyboard."""

from __future__ import annotations

import itertools
import shutil

import pytest

BROWSER, DRIVER = (next(filter(None, map(shutil.which, names)), None) for names in (("chromium", "google-chrome"), ("chromedriver",)))
pytestmark = pytest.mark.skipif(not (BROWSER and DRIVER), reason="needs Debian's chromium and chromium-driver")
LANGUAGES = ("en", "tr", "bn", "hy")


@pytest.fixture(scope="module")
def browser():
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = BROWSER
    for word in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"):
        options.add_argument(word)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    with webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER)) as opened:
        yield opened


def look(browser, page, width: int) -> None:
    browser.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride", {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": width < 500}
    )
    browser.get(page.as_uri())


@pytest.mark.parametrize("width", [360, 1280])
@pytest.mark.parametrize("language", LANGUAGES)
def test_the_page_fits_the_screen_and_complains_of_nothing(browser, demo_report, language, width):
    look(browser, demo_report / f"playbook-{language}.html", width)

    assert browser.execute_script("return document.documentElement.scrollWidth") <= width
    assert browser.find_element("tag name", "html").get_attribute("lang") == language
    assert [entry for entry in browser.get_log("browser") if entry["level"] in ("SEVERE", "WARNING")] == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_picture_is_drawn_and_described_and_no_letter_falls_back_to_a_system_font(browser, demo_report, language):
    look(browser, demo_report / f"playbook-{language}.html", 1280)
    browser.execute_async_script("document.fonts.ready.then(arguments[0])")
    pictures = browser.execute_script("return [...document.images].map(i => [i.complete && i.naturalWidth > 0, i.alt.length])")
    faces = browser.execute_script("return [...document.fonts].filter(f => f.status === 'loaded').map(f => f.family)")

    assert len(pictures) >= 10
    assert all(drawn and described > 10 for drawn, described in pictures)
    assert {name.strip("'\"") for name in faces} >= {"Source Sans 3"} | ({"Kurinto Sans"} if language in ("bn", "hy") else set())
    assert browser.execute_script("return performance.getEntriesByType('resource').filter(r => !r.name.startsWith('data:')).length") == 0


def test_the_keyboard_reaches_the_content_and_every_link_leads_somewhere(browser, demo_report):
    from selenium.webdriver.common.keys import Keys

    look(browser, demo_report / "playbook-en.html", 1280)
    browser.find_element("tag name", "body").send_keys(Keys.TAB)
    first = browser.switch_to.active_element

    assert first.text == "Skip to the content"
    assert first.location["x"] >= 0
    dead = "return [...document.querySelectorAll('a[href^=\"#\"]')].filter(a => !document.getElementById(a.hash.slice(1))).length"
    assert browser.execute_script(dead) == 0


def test_headings_go_down_one_step_at_a_time(browser, demo_report):
    look(browser, demo_report / "playbook-en.html", 1280)
    levels = browser.execute_script("return [...document.querySelectorAll('h1,h2,h3,h4')].map(h => +h.tagName[1])")

    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in itertools.pairwise(levels))
