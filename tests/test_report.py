"""The report loads nothing, obeys no text, says the verdict first, and leads from any number to its dated source.

It is read as a reader would: as a parsed page, and, where a browser is found, as a drawn one.
"""

from __future__ import annotations

import dataclasses
import os
import re
import shutil
from collections.abc import Iterator
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import pytest
from questions import asked

from simulator.domain.findings import Comparison, CostCurve
from simulator.files import default_scenario_path, read_scenario
from simulator.formats import count, day, share
from simulator.report import PARTS, report_html
from simulator.studies.compare import compare, cost_curve

VOID = {"meta", "br", "img", "link", "input", "hr"}
ATTACK = "<script>document.title = 'obeyed'</script>"
QUESTION = f"""
question: "Does {ATTACK} & 'quotes' pay?"
start: 2027-01-01
horizon_days: 100
baseline: today
workload: {{calls_per_day: 20_000, tokens: {{input: 1_000, output: 100}}}}
options:
  today: {{kind: hosted_prompt, price: openai/gpt-5.4-mini, prefix_tokens: 2_600}}
  tuned:
    kind: hosted_fine_tuned
    price: tinker/qwen3-8b-ft
    prefix_tokens: 120
    training: {{examples: 800, tokens_per_example: 600, epochs: 3}}
    dataset: {{minutes_per_example: 2}}
    one_off_usd: {{"{ATTACK}": 40}}
  retires: {{kind: hosted_prompt, price: mine/old, prefix_tokens: 2_600}}
assumes: {{workload.calls_per_day: "the counter, {ATTACK}"}}
prices:
  mine/old:
    versions:
    - effective: 2026-01-01
      recorded: 2026-01-01
      usd_per_mtok: {{input: 2, output: 10}}
      source:
        {{title: "{ATTACK}", href: "https://example.org/?a=1&b=\\"2\\"", seen_on: 2026-01-01, confidence: estimated}}
      lifecycle: {{retires_on: 2027-03-02}}
"""


class Page(HTMLParser):
    """A page as its elements: what opens, closes, is linked, and stands as text in cells and paragraphs."""

    def __init__(self, source: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self.seen = ""
        self.rows: list[list[str]] = []
        self.row_ids: dict[str, list[str]] = {}
        self.links: list[list[str]] = []
        self.feed(source)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        told = dict(attrs)
        self.tags.append((tag, told))
        if tag not in VOID:
            self.open.append(tag)
        if tag == "tr":
            self.rows.append([])
            self.links.append([])
            if told.get("id"):
                self.row_ids[str(told["id"])] = self.rows[-1]
        if tag in ("td", "th"):
            self.rows[-1].append("")
        if tag == "a" and "tr" in self.open:
            self.links[-1].append(str(told["href"]))
        if tag == "br" and "tr" in self.open:
            self.rows[-1][-1] += " "

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag, f"</{tag}> closes something else"

    def handle_data(self, data: str) -> None:
        if "script" in self.open or "style" in self.open:
            return
        self.seen += data
        if {"td", "th"} & set(self.open):
            self.rows[-1][-1] += data

    def ids(self) -> list[str]:
        return [str(told["id"]) for _, told in self.tags if told.get("id")]


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> tuple[Comparison, CostCurve]:
    scenario = asked(tmp_path_factory.mktemp("report"), QUESTION, bare=False)
    return dataclasses.replace(compare(scenario), scenario_name=ATTACK), cost_curve(scenario, points=21)


@pytest.fixture(scope="module")
def source(found: tuple[Comparison, CostCurve]) -> str:
    return report_html(*found)


@pytest.fixture(scope="module")
def page(source: str) -> Page:
    return Page(source)


def number(cell: str) -> float:
    return float(cell.replace("$", "").replace(",", ""))


# One file that loads nothing

def test_nothing_in_the_page_could_be_loaded(page: Page, source: str) -> None:
    for tag, told in page.tags:
        assert tag not in ("link", "img", "iframe", "object", "embed", "base", "form", "video", "audio", "source"), tag
        assert not {"src", "srcset", "data", "background", "action", "poster"} & set(told), (tag, told)
        assert (told.get("href") or "#").startswith("#"), told
        assert not [name for name in told if name.startswith("on")], told
    style = source[source.index("<style>"):source.index("</style>")]
    assert not re.search(r"url\(|@import|https?:", style)


def test_the_browser_is_told_to_refuse_every_request(page: Page) -> None:
    (policy,) = [told["content"] for tag, told in page.tags if told.get("http-equiv") == "Content-Security-Policy"]
    rules = {rule.partition(" ")[0]: rule.partition(" ")[2] for rule in str(policy).split("; ")}
    assert rules["default-src"] == "'none'"
    assert "http" not in str(policy)
    assert not {"connect-src", "frame-src", "object-src", "worker-src"} & set(rules)     # default-src speaks for them


def test_the_drawing_library_stands_in_the_page_once_and_draws_every_chart(page: Page, source: str) -> None:
    assert len(re.findall(r"plotly\.js v\d", source)) == 1
    rooms = [told["id"] for tag, told in page.tags if told.get("class") == "chart"]
    assert rooms == ["chart-cumulative", "chart-volume", "chart-bill", "chart-day-1", "chart-day-2"]
    assert [source.count(f'Plotly.newPlot("{room}"') for room in rooms] == [1] * len(rooms)


# Text is text

def test_every_text_of_the_scenario_is_shown_and_none_is_obeyed(page: Page, source: str) -> None:
    assert page.seen.count(ATTACK) >= 5                 # name, question, origin, title of a source, line of a bill
    assert ATTACK not in source
    scripts = [tag for tag, _ in page.tags].count("script")
    assert scripts == 1 + 5 + 1                         # the library, one a chart, the one for paper


def test_every_element_is_closed_where_it_should_be_and_every_id_is_given_once(page: Page) -> None:
    assert page.open == []
    assert len(page.ids()) == len(set(page.ids()))


# What is said, in which order

def test_the_verdict_comes_first_then_pictures_and_all_that_they_rest_on(page: Page, source: str) -> None:
    places = [source.index(f'<section id="{part}"') for part in PARTS]
    assert places == sorted(places)
    assert " ".join(PARTS) == "verdict pictures break-even assumptions prices lines caveats provenance"


def test_the_first_sentence_after_the_question_is_the_verdict(found: tuple[Comparison, CostCurve], page: Page) -> None:
    verdict = found[0].verdict
    seen = " ".join(page.seen.replace("\xa0", " ").split())
    head = seen.index("Verdict", seen.index("Provenance"))              # past the list of parts
    assert seen[head + len("Verdict"):].startswith(verdict.money)
    for sentence in (*verdict.because, *verdict.flips, *verdict.caveats):
        assert " ".join(sentence.split()) in seen


def test_quality_stands_before_money_and_a_close_call_is_called_one(found: tuple[Comparison, CostCurve]) -> None:
    comparison, curve = found
    changed = dataclasses.replace(comparison.verdict, with_quality="Quality changes the choice.", too_close=True)
    seen = Page(report_html(dataclasses.replace(comparison, verdict=changed), curve)).seen
    order = [seen.index(words) for words in ("Too close to call", "Quality changes the choice.", changed.money[:20])]
    assert order == sorted(order)


def test_every_break_even_is_told_in_words_with_its_payback(found: tuple[Comparison, CostCurve], page: Page) -> None:
    for pair in found[0].break_even:
        (row,) = [row for row in page.rows if row[0] == f"{pair.between[1]} against {pair.between[0]}"]
        assert pair.payback.reason in row[2]
        assert pair.payback.date is None or day(pair.payback.date) in row[2]
        for crossing in pair.crossings:
            assert f"{crossing.below} is cheaper, above it {crossing.above}" in row[1]
            assert all(flag in row[1] for flag in crossing.flags)


def test_an_option_that_stops_has_no_total_but_what_it_cost_until_then(page: Page) -> None:
    row = next(row for row in page.rows if row and row[0].startswith("retires"))
    assert "no choice: it stops serving on 2027-03-02" in row[0]
    assert "until 2 Mar 2027" in row[1]
    assert number(row[6]) > 0                                           # of the calls it served until then
    assert row[7] == "n/a"                                              # nobody can buy one more


# From a number to its source

def bills(page: Page) -> Iterator[tuple[list[str], list[str]]]:
    """The rows of the bills with their links."""
    for row, links in zip(page.rows, page.links, strict=True):
        if len(row) == 7 and row[6] in ("once", "recurring"):
            yield row, links


def test_quantity_times_price_is_the_dollars_beside_it_for_every_line(page: Page) -> None:
    rows = [row for row, _ in bills(page)]
    assert len(rows) > 10
    for line, quantity, _, rate, usd, _, _ in rows:
        assert number(quantity) * number(rate) == pytest.approx(number(usd), rel=1e-5, abs=0.00501), line


def test_the_lines_of_each_bill_add_up_to_the_total_below_them(found: tuple[Comparison, CostCurve], page: Page) -> None:
    totals = [number(row[4]) for row in page.rows if row[:1] == ["Total"] and len(row) == 7]
    expected = [float(option.result.total_usd[0]) for option in found[0].options.values()]
    assert totals == pytest.approx(expected, abs=0.005)
    assert sum(number(row[4]) for row, _ in bills(page)) == pytest.approx(sum(expected), abs=0.005 * len(page.rows))


def test_every_line_leads_to_the_row_of_its_price_with_days_confidence_and_source(
    found: tuple[Comparison, CostCurve], page: Page
) -> None:
    prices = {price.id: price for price in found[0].prices_used}
    assert len(prices) == 3
    led = set()
    for row, links in bills(page):
        if row[5] in prices:
            (link,) = links
            told, price = page.row_ids[link.removeprefix("#")], prices[row[5]]
            assert told[:3] == [price.id, day(price.effective), day(price.recorded)]
            assert told[4] == price.confidence
            assert told[5].startswith(price.title)
            assert price.href is None or price.href in told[5]
            led.add(row[5])
    assert led == set(prices)


def test_every_link_leads_somewhere(page: Page) -> None:
    targets = [str(told["href"]).removeprefix("#") for tag, told in page.tags if tag == "a"]
    assert set(targets) <= set(page.ids())
    wages = [links for row, links in bills(page) if row[5].startswith("wages_usd_per_hour")]
    assert wages
    assert all(page.row_ids[link[0][1:]][0].startswith("wages_usd_per_hour") for link in wages)


def test_assumptions_that_the_user_set_come_first_each_with_its_origin(
    found: tuple[Comparison, CostCurve], page: Page
) -> None:
    told = [page.row_ids[f"value-{i}"] for i in range(1, len(found[0].assumptions) + 1)]
    assert [row[0] for row in told] == [one.path for one in found[0].assumptions]
    assert [row[2].replace("\xa0", " ") for row in told] == [one.source for one in found[0].assumptions]
    set_by_user = [one.set_by_user for one in found[0].assumptions]
    assert set_by_user == sorted(set_by_user, reverse=True)
    assert page.seen.index("Set in the scenario") < page.seen.index("Not set there")


def test_an_old_or_doubtful_price_is_marked(page: Page, source: str) -> None:
    row = next(row for key, row in page.row_ids.items() if key.startswith("price") and row[0].startswith("mine/old"))
    assert row[3] == "365 days aged"
    assert '<span class="warn">estimated</span>' in source


def test_version_digests_and_engine_stand_at_the_end(found: tuple[Comparison, CostCurve], page: Page) -> None:
    end = page.seen[page.seen.rindex("Provenance"):]
    for words in (found[0].version, found[0].digest, found[0].prices_digest, found[0].engine, "1 Jan 2027, 100 days"):
        assert words in end


def test_tables_and_charts_can_be_read_aloud(page: Page) -> None:
    tags = [tag for tag, _ in page.tags]
    assert tags.count("table") == tags.count("caption") == tags.count("thead")
    assert all(told.get("scope") in ("col", "row") for tag, told in page.tags if tag == "th")
    charts = [told for _, told in page.tags if told.get("class") == "chart"]
    assert all(told["role"] == "img" and len(str(told["aria-label"])) > 40 for told in charts)
    headings = [int(tag[1]) for tag in tags if tag in ("h1", "h2", "h3")]
    assert headings[0] == 1
    assert all(after - before <= 1 for before, after in pairwise(headings))


# In a browser

QUIET = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking", "--disable-sync",
         "--disable-component-update", "--no-first-run"]


WIDTHS = "[...document.querySelectorAll('.chart > .plot-container > .svg-container')].map(e => e.clientWidth)"
PRINTED = f"""(() => {{
  dispatchEvent(new Event("beforeprint"));             // what is read at once is what the browser would print
  return {{charts: {WIDTHS}, page: document.documentElement.scrollWidth}};
}})()"""


@pytest.fixture(scope="module")
def browser_path() -> str:
    path = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if path is None:
        why = "no chromium, chromium-browser or google-chrome is installed"
        if os.environ.get("REQUIRE_BROWSER") == "1":
            pytest.fail(f"REQUIRE_BROWSER is 1, but {why}")
        pytest.skip(why)
    return path


def test_a_browser_draws_every_chart_asks_the_network_for_nothing_and_fits_screen_and_paper(
    browser_path: str, source: str, tmp_path: Path
) -> None:
    from playwright.sync_api import sync_playwright

    place = tmp_path / "report.html"
    place.write_text(source, "utf-8")
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=browser_path, args=QUIET)
        try:
            view = browser.new_page(viewport={"width": 900, "height": 800})
            requests: list[str] = []
            troubles: list[str] = []
            view.on("request", lambda request: requests.append(request.url))
            view.on("pageerror", lambda error: troubles.append(str(error)))
            view.on("console", lambda message: troubles.append(message.text))
            view.goto(place.as_uri())
            for room in ("cumulative", "volume", "bill", "day-1", "day-2"):
                view.locator(f"#chart-{room} .gtitle").wait_for()
            assert requests == [place.as_uri()]
            assert troubles == []
            assert view.title() == f"Does {ATTACK} & 'quotes' pay?"
            assert view.evaluate("document.documentElement.scrollWidth") == 900
            assert "<script>" in str(view.locator("#chart-bill .legend").text_content())
            view.set_viewport_size({"width": 688, "height": 800})       # A4 less its margins
            view.emulate_media(media="print")
            assert view.evaluate(PRINTED) == {"charts": [680] * 5, "page": 688}
            view.emulate_media(media="screen")
            view.set_viewport_size({"width": 900, "height": 800})
            view.evaluate("dispatchEvent(new Event('afterprint'))")
            view.wait_for_timeout(500)                                  # a chart is resized a moment after its room
            assert view.evaluate(WIDTHS) == [834] * 5                   # 900 less the margins of page and figure
        finally:
            browser.close()


def test_machines_are_told_where_there_are_any_and_linked_from_the_top() -> None:
    scenario = read_scenario(default_scenario_path())
    found = compare(scenario)
    page = report_html(found, cost_curve(scenario))
    assert 'href="#machines"' in page
    use = found.options["own-4090"].result.fleet
    assert use is not None
    row = page.split('<section id="machines"')[1].split("</section>")[0].split("own-4090</th>")[1].split("</tr>")[0]
    assert share(float(use.utilisation[0])) in row
    assert count(float(use.paid_hours[0])) in row
    assert "kept" in row
    hosted = dataclasses.replace(scenario, options={"long-prompt": scenario.options["long-prompt"]})
    assert "machines" not in report_html(compare(hosted), cost_curve(hosted)).split("<section")[0]
