"""The batch page in a real browser: sorting, filters, keys, pictures, verdicts, and a thousand cases."""

import csv
import time

import pytest
from browser import LONG_ENOUGH_S, open_browser, press, wait_for
from page_factory import HOSTILE, REFUSED, TRUNCATED, result_of, write_small_batch

from DaTscanAILib.reporting.page import page_bytes
from DaTscanAILib.reporting.page_entry import page_entry
from DaTscanAILib.reporting.result_files import table_row

CASES = ["case-2", "case-10", "case-1", "refused", "broken", HOSTILE]


@pytest.fixture(scope="module")
def downloads(tmp_path_factory):
    return tmp_path_factory.mktemp("downloads")


@pytest.fixture(scope="module")
def driver(downloads):
    with open_browser(downloads) as driver:
        yield driver


@pytest.fixture(scope="module")
def folder(tmp_path_factory, driver):
    folder = tmp_path_factory.mktemp("a folder # of 50 %")
    write_small_batch(folder)
    return folder


@pytest.fixture
def page(driver, folder):
    """The page as it is the first time."""
    driver.get((folder / "index.html").as_uri())
    driver.execute_script("localStorage.clear()")
    driver.get("about:blank")
    driver.get_log("browser")
    driver.get((folder / "index.html").as_uri())
    return driver


def shown(driver) -> list[str]:
    return driver.execute_script(
        "return [...document.querySelectorAll('#rows td.case')].map((one) => one.textContent)"
    )


def heading(driver, column):
    return driver.find_element("css selector", f"[data-column='{column}'] button")


def sorting(driver) -> dict[str, str]:
    return driver.execute_script(
        "return Object.fromEntries([...document.querySelectorAll('th[aria-sort]')]"
        ".map((one) => [one.dataset.column, one.getAttribute('aria-sort')]))"
    )


def text_of(driver, identifier) -> str:
    return driver.execute_script("return document.getElementById(arguments[0]).textContent", identifier)


def focused(driver) -> str:
    return driver.execute_script("return document.activeElement.textContent")


def choose(driver, identifier, value):
    driver.execute_script(
        "const one = document.getElementById(arguments[0]); one.value = arguments[1];"
        "one.dispatchEvent(new Event(one.type === 'search' ? 'input' : 'change'))",
        identifier,
        value,
    )


def open_case(driver, case):
    driver.execute_script("location.hash = 'case=' + encodeURIComponent(arguments[0])", case)
    wait_for(driver, "return document.getElementById('name').textContent === arguments[0]", case)


def test_every_case_is_in_the_table_as_text_and_nothing_of_it_runs(page):
    assert shown(page) == CASES
    assert page.execute_script("return [typeof window.stolen, document.querySelectorAll('img[src=x]').length]") == [
        "undefined",
        0,
    ]
    remarks = page.execute_script(
        "return [...document.querySelectorAll('td.col-remarks')].map((one) => one.textContent)"
    )
    assert remarks == ["", "", f"{HOSTILE} is noisy.", REFUSED, TRUNCATED, TRUNCATED]
    assert text_of(page, "statement").startswith("Research use only")
    assert text_of(page, "counts") == "1 reduced1 normal1 uncertain3 failed1 with warnings"
    open_case(page, HOSTILE)
    assert text_of(page, "failure") == TRUNCATED
    assert page.execute_script("return typeof window.stolen") == "undefined"
    assert page.get_log("browser") == []  # neither an error of the script nor one against the content policy


def test_headings_sort_and_say_so_and_what_is_missing_goes_last(page):
    heading(page, "putamen-right").click()
    assert shown(page)[:3] == ["case-2", "case-1", "case-10"]
    assert sorting(page) == {"putamen-right": "ascending"}
    heading(page, "putamen-right").click()
    assert shown(page) == ["case-10", "case-1", "case-2", "refused", "broken", HOSTILE]
    assert sorting(page) == {"putamen-right": "descending"}
    heading(page, "case").click()  # by number, not by letter
    assert [case for case in shown(page) if case.startswith("case")] == ["case-1", "case-2", "case-10"]
    heading(page, "remarks").click()  # failures first, then warnings
    assert shown(page)[:4] == ["refused", "broken", HOSTILE, "case-1"]
    assert text_of(page, "summary") == "6 of 6 cases shown, sorted by Failures and warnings, ascending."


def test_all_by_the_keyboard(page):
    """Tab to a heading, Enter sorts; arrows and Enter open a case, Escape comes back to it."""
    heading(page, "case").send_keys("")
    press(page, "\ue004", "\ue004")  # Tab: answer, probability
    assert focused(page) == "Probability of reduced"
    outline = page.execute_script(
        "const style = getComputedStyle(document.activeElement); return [style.outlineStyle, style.outlineWidth]"
    )
    assert outline == ["solid", "3px"]
    press(page, "\ue007")
    assert shown(page)[:3] == ["case-10", "case-1", "case-2"]
    assert sorting(page) == {"probability": "ascending"}
    page.execute_script("document.querySelector('#rows a').focus()")
    press(page, "\ue015")  # down
    assert focused(page) == "case-1"
    press(page, "\ue007")
    wait_for(page, "return !document.getElementById('case').hidden")
    assert text_of(page, "name") == "case-1"
    press(page, "\ue014")  # right: the next one as the table is sorted
    wait_for(page, "return document.getElementById('name').textContent === 'case-2'")
    assert text_of(page, "position") == "3 of 6"
    press(page, "\ue00c")  # Escape
    wait_for(page, "return !document.getElementById('list').hidden")
    assert focused(page) == "case-2"
    press(page, "/")
    assert page.execute_script("return document.activeElement.id") == "search"


def test_filters(page):
    choose(page, "search", "TRUNCATED")
    assert shown(page) == ["broken", HOSTILE]
    choose(page, "search", "case 1")
    assert shown(page) == ["case-10", "case-1"]
    choose(page, "by-answer", "uncertain")
    assert shown(page) == ["case-1"]
    choose(page, "search", "nothing of this kind")
    assert shown(page) == []
    page.find_element("id", "clear").click()
    assert shown(page) == CASES
    choose(page, "by-state", "warnings")
    assert shown(page) == ["case-1"]


def test_scan_and_template_flicker_with_their_outlines(page):
    open_case(page, "case-2")
    loaded = "return [...document.querySelectorAll('.sheet img')].every((one) => one.naturalWidth > 1000)"
    assert wait_for(page, loaded)
    assert page.execute_script("return document.querySelectorAll('.sheet img').length") == 8

    def template():
        return page.execute_script(
            "const style = getComputedStyle(document.querySelector('.template'));"
            "return [style.visibility, style.animationName]"
        )

    assert template() == ["hidden", "none"]
    press(page, "t")
    assert template() == ["visible", "none"]
    press(page, "t", "f")
    assert template() == ["visible", "flicker"]
    press(page, "f")
    assert template() == ["hidden", "none"]
    hover(page, "#slices")
    assert template() == ["visible", "flicker"]
    emulate(page, "prefers-reduced-motion", "reduce")
    assert template() == ["visible", "none"]
    emulate(page)
    hover(page, "h1#name")
    outlines = "return getComputedStyle(document.querySelector('#slices .outlines')).visibility"
    assert page.execute_script(outlines) == "visible"
    press(page, "o")
    assert page.execute_script(outlines) == "hidden"
    press(page, "m")
    assert page.execute_script("return getComputedStyle(document.querySelector('.relevance')).visibility") == "hidden"


def emulate(driver, *feature):
    """A preference of the user's, or none."""
    features = [dict(zip(("name", "value"), feature, strict=True))] if feature else []
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})


def hover(driver, selector):
    from selenium.webdriver.common.action_chains import ActionChains

    ActionChains(driver).move_to_element(driver.find_element("css selector", selector)).perform()


def test_numbers_and_sentences_of_a_case(page):
    open_case(page, "case-2")
    assert "The striatal uptake is classified as reduced." in text_of(page, "texts")
    numbers = page.execute_script(
        "return [...document.querySelectorAll('#numbers tbody tr')].map((row) => [...row.children].map((one) => "
        "one.textContent))"
    )
    assert ["Putamen", "1.02", "1.02", "70.5 %"] in numbers
    assert page.execute_script("return [...document.querySelectorAll('#files a')].map((one) => one.href)")[
        0
    ].endswith("/case-2/report.pdf")
    open_case(page, "refused")
    assert page.execute_script("return document.getElementById('numbers-section').hidden")
    assert "NOT accepted" in text_of(page, "alarm")


def test_verdicts_stay_and_are_exported(page, folder, downloads):
    open_case(page, "case-2")
    press(page, "2")
    comment = page.find_element("id", "comment")
    comment.send_keys('=left, "low" 3')  # digits in a comment are no verdict
    open_case(page, "case-10")
    press(page, "1", "3")
    page.refresh()
    choose(page, "by-state", "given")
    assert shown(page) == ["case-2", "case-10"]
    choose(page, "by-state", "differs")
    assert shown(page) == ["case-10"]
    assert export(page, downloads) == [
        {
            "case": "case-2",
            "verdict": "reduced",
            "comment": '\'=left, "low" 3',
            "answer_hidden": "false",
            "result_changed_since": "false",
            "answer": "reduced",
            "probability_reduced": "0.974",
        },
        {
            "case": "case-10",
            "verdict": "uncertain",
            "comment": "",
            "answer_hidden": "false",
            "result_changed_since": "false",
            "answer": "normal",
            "probability_reduced": "0.021",
        },
    ]
    write_small_batch(folder, stamp="6b" * 32)
    page.refresh()
    assert {row["result_changed_since"] for row in export(page, downloads)} == {"true"}
    open_case(page, "case-2")
    assert text_of(page, "stale").startswith("This verdict was given on an earlier result")
    press(page, "1")
    assert text_of(page, "stale") == ""
    press(page, "0")


def export(driver, downloads) -> list[dict]:
    path = downloads / "verdicts.csv"
    path.unlink(missing_ok=True)
    driver.execute_script("document.getElementById('export').click()")
    end = time.monotonic() + LONG_ENOUGH_S
    while not path.exists() and time.monotonic() < end:
        time.sleep(0.05)
    with path.open(newline="", encoding="utf-8-sig") as file:
        return list(csv.DictReader(file))


def test_with_the_answers_hidden_nothing_tells_them(page, downloads):
    heading(page, "probability").click()
    page.find_element("id", "blind").click()
    assert shown(page) == CASES  # nor does the order
    visible = page.find_element("tag name", "body").text
    for word in ("Reduced", "Uncertain", "97 %", "is noisy", "1 reduced"):
        assert word not in visible, word
    open_case(page, "case-2")
    visible = page.find_element("tag name", "body").text
    for word in ("classified", "97 %", "argues for", "Relevance", "12 %"):
        assert word not in visible, word
    assert "1.02" in visible
    press(page, "2")
    page.refresh()
    assert "classified" not in page.find_element("tag name", "body").text
    assert [row["answer_hidden"] for row in export(page, downloads)] == ["true"]


def test_a_thousand_cases(driver, tmp_path):
    results = (result_of(f"case-{n}", "reduced", n * 7 % 1000 / 1000, 1.0, 0.9) for n in range(1000))
    entries = [page_entry(table_row(result["case"], result, None), result) for result in results]
    data = page_bytes(entries)
    assert len(data) < 4e6
    (tmp_path / "index.html").write_bytes(data)
    driver.get((tmp_path / "index.html").as_uri())
    wait_for(driver, "return document.querySelectorAll('#rows tr').length >= 60")  # the first, before the others
    wait_for(driver, "return document.querySelectorAll('#rows tr').length === 1000")
    lazy = "return [...document.querySelectorAll('#rows img')].filter((one) => one.loading === 'lazy').length"
    assert driver.execute_script(lazy) == 1000
    heading(driver, "probability").click()
    wait_for(driver, "return document.querySelectorAll('#rows tr').length === 1000")
    expected = sorted(range(1000), key=lambda n: n * 7 % 1000)
    assert shown(driver) == [f"case-{n}" for n in expected]
    choose(driver, "search", "case-99")
    assert shown(driver) == [f"case-{n}" for n in expected if str(n).startswith("99")]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_texts_stand_out_from_their_ground(page, scheme):
    """At least 4.5 to 1, as WCAG 2 asks, in both schemes."""
    page.execute_cdp_cmd(
        "Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
    )
    variables = ("ink", "muted", "accent", "reduced", "normal", "uncertain", "failed", "surface", "page", "raised")
    found = page.execute_script(
        "const probe = document.body.appendChild(document.createElement('p'));"
        "return Object.fromEntries(arguments[0].map((name) => { probe.style.color = `var(--${name})`;"
        "return [name, getComputedStyle(probe).color.match(/[\\d.]+/g).slice(0, 3).map(Number)]; }))",
        variables,
    )
    light = {name: luminance(color) for name, color in found.items()}
    assert (light["page"] > 0.5) == (scheme == "light")
    for ground in ("surface", "page", "raised"):
        for ink in variables[:7]:
            low, high = sorted((light[ink], light[ground]))
            assert (high + 0.05) / (low + 0.05) >= 4.5, (ink, ground)
    emulate(page)


def luminance(color) -> float:
    linear = [((part / 255 + 0.055) / 1.055) ** 2.4 if part > 10 else part / 255 / 12.92 for part in color]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
