"""The page in a real browser: what its script does, what it must not do, and how it fits."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest
import report_samples as samples
from headless_chromium import Chromium, find_chromium

from tracelens.report.html import render_html
from tracelens.report.layout import neutralise
from tracelens.report.query_text import clauses

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tracelens.findings import Report

pytestmark = pytest.mark.skipif(
    find_chromium() is None, reason="needs Chromium or Chrome; or name one in TRACELENS_CHROMIUM"
)

SHOWN = "[...document.querySelectorAll('details.finding:not([hidden])')].filter(e => e.checkVisibility())"
NUMBERS_SHOWN = f"{SHOWN}.map(e => Number(e.querySelector('.number').textContent))"
ATTACKS = (
    "<script>window.ran = 1</script>",
    "<img src=x onerror='window.ran = 1'>",
    "<svg onload='window.ran = 1'>",
    "<svg/onload=window.ran=1>",
    "<iframe srcdoc='<script>parent.ran = 1</script>'></iframe>",
    "</style><style>*{background:red}</style><script>window.ran = 1</script>",
    '"><script>window.ran = 1</script>',
    "' autofocus onfocus='window.ran = 1' x='",
    '" onmouseover="window.ran = 1" x="',
    "--><script>window.ran = 1</script><!--",
    "]]><script>window.ran = 1</script>",
    "</textarea></title></noscript></template><script>window.ran = 1</script>",
    "javascript:window.ran=1",
    "<a href='javascript:window.ran=1'>x</a>",
    "<base href='http://e.vil/'>",
    "<meta http-equiv='refresh' content='0;url=http://e.vil/'>",
    "<link rel=stylesheet href=http://e.vil/x.css>",
    "<form action=http://e.vil><input name=q></form>",
    "\x00<scr\x00ipt>window.ran = 1</script>",
    "\u2028</script\u2029><script>window.ran = 1</script>",
    "\u202e<script>window.ran = 1</script>",
    "\ud800<script>window.ran = 1</script>",
    "&lt;script&gt;window.ran = 1&lt;/script&gt;",
    "${window.ran = 1}{{window.ran = 1}}",
)


@pytest.fixture(scope="module")
def browser() -> Iterator[Chromium]:
    executable = find_chromium()
    assert executable is not None
    chromium = Chromium(executable)
    yield chromium
    chromium.close()


@pytest.fixture
def show(browser: Chromium, tmp_path: Path) -> Iterator[Callable[..., Chromium]]:
    """Return a function that opens a report's page; when the test is over nothing may have been complained about."""

    def open_page(report: Report, fragment: str = "", **conditions: Any) -> Chromium:
        path = tmp_path / "report.html"
        path.write_text(render_html(report), encoding="utf-8")
        browser.open(path.as_uri() + fragment, **conditions)
        return browser

    yield open_page
    assert browser.complaints() == []
    assert [url.partition("#")[0] for url in browser.requested_urls()] == [(tmp_path / "report.html").as_uri()]


def _choose(page: Chromium, name: str, value: str) -> None:
    """Choose an entry of a list, as the browser does it for a reader."""
    page.evaluate(
        f"(() => {{ const list = document.querySelector('select[name={name}]'); list.value = {json.dumps(value)};"
        " for (const kind of ['input', 'change']) list.dispatchEvent(new Event(kind, {bubbles: true})); })()"
    )


def _amounts(page: Chromium) -> str:
    text: str = page.evaluate("document.querySelector('.filter output').textContent")
    return text


def test_a_filter_by_severity_adds_up(show: Callable[..., Chromium]) -> None:
    page = show(samples.SHOP)
    assert page.evaluate(NUMBERS_SHOWN) == [1, 2, 3, 4, 5]
    page.click(".choice:has([value=critical])")
    assert page.evaluate(NUMBERS_SHOWN) == [1, 2]
    assert _amounts(page) == "2 of 5 findings"
    page.click(".choice:has([value=info])")
    assert page.evaluate(NUMBERS_SHOWN) == [1, 2, 5]
    assert page.evaluate("location.hash") == "#severity=critical&severity=info"
    page.click(".choice:has([value=critical])")
    page.click(".choice:has([value=info])")
    assert page.evaluate(NUMBERS_SHOWN) == [1, 2, 3, 4, 5]
    assert _amounts(page) == "5 findings"


def test_filters_by_service_pass_and_text_narrow_each_other(show: Callable[..., Chromium]) -> None:
    page = show(samples.SHOP)
    _choose(page, "service", "orders")
    assert page.evaluate(NUMBERS_SHOWN) == [1, 5]
    _choose(page, "pass", "repeated_query")
    assert page.evaluate(NUMBERS_SHOWN) == [5]
    _choose(page, "service", "")
    _choose(page, "pass", "")
    page.click(".filter [name=text]")
    page.type("EXPLAIN  revenue")
    assert page.evaluate(NUMBERS_SHOWN) == [2]
    page.type(" nowhere")
    assert page.evaluate(NUMBERS_SHOWN) == []
    assert page.evaluate("document.querySelector('.none-left').checkVisibility()") is True
    assert page.evaluate("[...document.querySelectorAll('div.severity')].every(e => e.hidden)") is True


def test_a_filtered_page_can_be_linked_to(show: Callable[..., Chromium]) -> None:
    page = show(samples.SHOP, "#severity=warning&service=catalogue&text=redis")
    assert page.evaluate(NUMBERS_SHOWN) == [3]
    assert page.evaluate("document.querySelector('[name=text]').value") == "redis"


@pytest.mark.parametrize("script", [True, False])
def test_a_link_opens_its_finding(show: Callable[..., Chromium], *, script: bool) -> None:
    finding = samples.SHOP.findings[3]
    page = show(samples.SHOP, f"#f-{finding.fingerprint}", script=script, height=500)
    assert page.evaluate(f"{SHOWN}.filter(e => e.open).map(e => e.querySelector('.number').textContent)") == ["1", "4"]
    top = page.evaluate(f"{SHOWN}[3].getBoundingClientRect().top")
    assert 0 <= top < 400


def test_a_link_shows_its_finding_even_where_the_filter_hides_it(show: Callable[..., Chromium]) -> None:
    page = show(samples.SHOP, "#severity=critical")
    assert page.evaluate(NUMBERS_SHOWN) == [1, 2]
    page.click("details.finding[open] .facts a[href='#f-2468ace013579bdf']")
    page.until(f"{SHOWN}.at(-1).open")
    assert page.evaluate(NUMBERS_SHOWN) == [1, 2, 3, 4, 5]
    assert page.evaluate(f"{SHOWN}[4].open && document.activeElement === {SHOWN}[4].firstElementChild") is True


def test_findings_open_by_mouse_by_key_and_all_at_once(show: Callable[..., Chromium]) -> None:
    page = show(samples.SHOP)
    opened = f"{SHOWN}.map(e => e.open)"
    page.click("details.finding:not([open]) summary")
    assert page.evaluate(opened) == [True, True, False, False, False]
    page.evaluate(f"{SHOWN}[2].firstElementChild.focus()")
    page.press("Enter", 13)
    assert page.evaluate(opened) == [True, True, True, False, False]
    page.click(".open-all")
    assert page.evaluate(opened) == [True] * 5
    page.click(".open-all")
    assert page.evaluate(opened) == [False] * 5


def test_queries_are_sorted_both_ways(show: Callable[..., Chromium]) -> None:
    page = show(samples.SHOP)
    calls = "[...document.querySelectorAll('.queries tbody tr')].map(row => row.cells[1].textContent)"
    sorts = "[...document.querySelectorAll('.queries th')].map(th => th.getAttribute('aria-sort'))"
    assert page.evaluate(calls) == ["31", "480", "318", "1,204"]
    assert page.evaluate(sorts) == ["descending", None, None, None, None, None]
    page.click(".queries th:nth-child(2) button")
    assert page.evaluate(calls) == ["1,204", "480", "318", "31"]
    page.click(".queries th:nth-child(2) button")
    assert page.evaluate(calls) == ["31", "318", "480", "1,204"]
    assert page.evaluate(sorts) == [None, "ascending", None, None, None, None]


def test_what_is_not_known_is_sorted_last(show: Callable[..., Chromium]) -> None:
    first, second, third, fourth = samples.TOP_QUERIES
    queries = (replace(first, p95_ms=float("nan")), second, replace(third, p95_ms=float("inf")), fourth)
    page = show(replace(samples.SHOP, top_queries=queries))
    p95s = "[...document.querySelectorAll('.queries tbody tr')].map(row => row.cells[3].textContent)"
    page.click(".queries th:nth-child(4) button")
    assert page.evaluate(p95s) == ["12 ms", "0.93 ms", "—", "—"]
    page.click(".queries th:nth-child(4) button")
    assert page.evaluate(p95s) == ["0.93 ms", "12 ms", "—", "—"]


def test_a_snippet_is_copied_as_it_was_written(show: Callable[..., Chromium]) -> None:
    page = show(samples.SHOP)
    page.evaluate("window.copied = []; navigator.clipboard.writeText = async (text) => { copied.push(text); }")
    for what in ("snippet", "query", "trace id"):
        page.click(f"details.finding[open] button[aria-label='Copy {what}']")
    snippet = samples.N_PLUS_ONE.advice.snippet
    assert snippet is not None
    assert page.evaluate("copied") == [
        snippet.code.rstrip("\n"),
        "\n".join(clauses(samples.N_PLUS_ONE.subject)),
        samples.N_PLUS_ONE.exemplar.trace_id,
    ]
    page.until("document.querySelector('button[aria-label=\"Copy trace id\"]').textContent === 'Copied'")


def test_without_script_everything_is_there_but_what_needs_one(show: Callable[..., Chromium]) -> None:
    page = show(samples.SHOP, script=False)
    assert page.evaluate(NUMBERS_SHOWN) == [1, 2, 3, 4, 5]
    for selector in (".filter", ".copy", "th button"):
        found = f"[...document.querySelectorAll('{selector}')].filter(e => e.checkVisibility()).length"
        assert page.evaluate(found) == 0
    page.click("details.finding:not([open]) summary")
    assert page.evaluate("document.querySelectorAll('details.finding[open]').length") == 2


def _attacked(attack: str) -> Report:
    finding = samples.HOSTILE.findings[0]
    snippet = samples.N_PLUS_ONE.advice.snippet
    assert snippet is not None
    return replace(
        samples.HOSTILE,
        findings=tuple(
            replace(
                finding,
                fingerprint=attack + severity,
                severity=severity,
                pass_name=attack + severity,
                service_name=attack + severity,
                endpoint=attack,
                subject=f"select {attack}",
                message=attack,
                evidence=((attack, attack), ("list", (attack, attack)), ("long", attack * 50)),
                advice=replace(
                    finding.advice,
                    summary=attack,
                    steps=(attack,),
                    snippet=replace(snippet, framework=attack, language=attack, code=attack),
                ),
            )
            for severity in ("critical", "info")
        ),
        coverage=(replace(samples.HOSTILE.coverage[0], service_name=attack),),
        checklist=(replace(samples.HOSTILE.checklist[0], item=attack, why=attack),),
        top_queries=(replace(samples.TOP_QUERIES[0], query_shape=attack, db_system=attack, endpoints=(attack,)),),
    )


@pytest.mark.parametrize("attack", ATTACKS)
def test_no_text_from_spans_is_obeyed(show: Callable[..., Chromium], attack: str) -> None:
    page = show(_attacked(attack))
    page.click(".open-all")
    page.click("details.finding[open] .facts a")
    assert page.evaluate("window.ran ?? null") is None
    assert (
        page.evaluate("[...document.querySelectorAll('.endpoint')].map(e => e.textContent)") == [neutralise(attack)] * 2
    )
    foreign = (
        "script + script, style + style, img, iframe, base, form:not(.filter), link:not([rel=icon]), [onload], textarea"
    )
    assert page.evaluate(f"document.querySelectorAll({json.dumps(foreign)}).length") == 0
    _choose(page, "service", neutralise(attack + "info"))
    assert page.evaluate(NUMBERS_SHOWN) == [2]


def test_the_policy_stops_a_script_that_got_in_all_the_same(browser: Chromium, tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    injected = "<script>window.ran = 1</script><img src='x' onerror='window.ran = 1'><link rel=stylesheet href=x.css>"
    path.write_text(render_html(samples.SHOP).replace("</main>", injected + "</main>"), encoding="utf-8")
    browser.open(path)
    assert browser.evaluate("window.ran ?? null") is None
    assert len([text for text in browser.complaints() if "Content Security Policy" in text]) >= 2


@pytest.mark.parametrize("name", ["SHOP", "SILENT", "CLEAN", "THIN", "NO_SPANS", "MANY", "HOSTILE"])
@pytest.mark.parametrize("width", [360, 700, 1280])
def test_no_page_is_wider_than_its_window(show: Callable[..., Chromium], name: str, width: int) -> None:
    page = show(getattr(samples, name), width=width)
    page.evaluate("for (const fold of document.querySelectorAll('details')) fold.open = true")
    assert page.evaluate("document.documentElement.scrollWidth") == width
    # Also nothing that is cut off: only what scrolls by itself may be wider than what is around it.
    too_wide = (
        "[...document.body.querySelectorAll('*')].filter(e => e.checkVisibility() && !e.closest('.spoken, .skip, svg')"
        " && !e.closest('pre')?.matches('pre') && e.getBoundingClientRect().right > innerWidth + 1)"
        ".map(e => e.outerHTML.slice(0, 120))"
    )
    assert page.evaluate(too_wide) == []


def test_text_stands_out_from_its_ground(show: Callable[..., Chromium]) -> None:
    """WCAG's contrast of 4.5 for every text, in the light and in the dark."""
    measure = """
    (() => {
      const canvas = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
      const rgb = (colour) => {
        canvas.clearRect(0, 0, 1, 1);
        canvas.fillStyle = colour;
        canvas.fillRect(0, 0, 1, 1);
        return [...canvas.getImageData(0, 0, 1, 1).data];
      };
      const luminance = ([r, g, b]) => [r, g, b]
        .map((v) => (v /= 255) <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
        .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
      const ground = (e) => {
        for (; e; e = e.parentElement) {
          const found = rgb(getComputedStyle(e).backgroundColor);
          if (found[3] === 255) return found;
        }
        return [255, 255, 255];
      };
      const faint = [];
      for (const e of document.body.querySelectorAll('*')) {
        const own = [...e.childNodes].some((n) => n.nodeType === 3 && n.data.trim());
        if (!own || !e.checkVisibility()) continue;
        const [a, b] = [rgb(getComputedStyle(e).color), ground(e)].map(luminance).sort((x, y) => y - x);
        if ((a + 0.05) / (b + 0.05) < 4.5) faint.push(e.outerHTML.slice(0, 100));
      }
      return faint;
    })()
    """
    for dark in (False, True):
        page = show(samples.SHOP, dark=dark)
        page.evaluate("for (const fold of document.querySelectorAll('details')) fold.open = true")
        assert page.evaluate(measure) == []


def test_headings_landmarks_and_names_are_there_for_assistive_technology(show: Callable[..., Chromium]) -> None:
    page = show(samples.SHOP)
    levels = page.evaluate("[...document.querySelectorAll('h1,h2,h3,h4')].map(e => Number(e.tagName[1]))")
    assert levels[0] == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
    for landmark in ("header", "nav[aria-label]", "main", "footer", "form[role=search][aria-label]"):
        assert page.evaluate(f"document.querySelectorAll('{landmark}').length") == 1
    nameless = (
        "[...document.querySelectorAll('button, select, input, a, [role=region]')]"
        ".filter(e => !(e.textContent.trim() || e.ariaLabel || e.labels?.length)).length"
    )
    assert page.evaluate(nameless) == 0
    assert page.evaluate("document.querySelector('details.finding summary .spoken').textContent") == "critical: "


def test_on_paper_every_finding_is_written_out(show: Callable[..., Chromium]) -> None:
    page = show(samples.SHOP)
    page.emulate(media="print")
    heights = page.evaluate(
        "[...document.querySelectorAll('.finding .body')].map(e => e.getBoundingClientRect().height)"
    )
    assert len(heights) == 5
    assert min(heights) > 100
    assert page.evaluate("document.querySelector('.filter').checkVisibility()") is False
