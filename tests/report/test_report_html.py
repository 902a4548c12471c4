from __future__ import annotations

import base64
import copy
import hashlib
import re
from dataclasses import replace
from html.parser import HTMLParser
from typing import TYPE_CHECKING

import pytest
import report_samples as samples
from hypothesis import example, given, settings
from hypothesis import strategies as st
from report_strategies import ANY_TEXT, reports

from tracelens.report.html import render_html
from tracelens.report.html.markup import identifier, lines, prose, tag
from tracelens.report.layout import neutralise

if TYPE_CHECKING:
    from report_snapshots import Snapshot

    from tracelens.findings import Report

VOID = {"input", "link", "meta"}
TRAPS = st.sampled_from(
    (
        *("<", ">", "&", "&lt;", "&#60;", '"', "'", "</script>", "</style>", "<!--", "-->", "<![CDATA[", "]]>"),
        *("<script>", "</details>", "</summary>", "</pre>", '" onclick="x()', "' autofocus", "javascript:"),
        *("\x00", "\x1b", "\u202e", "\u2028", "\ud800", "\r\n", "\t", "x", " "),
    )
)
HOSTILE_TEXT = st.lists(TRAPS | st.characters(exclude_characters="`"), min_size=1, max_size=12).map("".join)


class Page(HTMLParser):
    """A page as its elements and its text; an element that is not closed where it should be fails."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, tuple[str, ...]]] = []
        self.attributes: list[tuple[str, str, str | None]] = []
        self.texts: list[str] = []
        self.within: dict[str, list[str]] = {}
        self._open: list[str] = []
        self.feed(html)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, tuple(name for name, _ in attrs)))
        self.attributes += [(tag, name, value) for name, value in attrs]
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)
        if self._open:
            self.within.setdefault(self._open[-1], []).append(data)

    def handle_comment(self, data: str) -> None:
        pytest.fail(f"a comment: {data}")

    def unknown_decl(self, data: str) -> None:
        pytest.fail(f"a declaration: {data}")

    def handle_pi(self, data: str) -> None:
        pytest.fail(f"an instruction: {data}")


def _body(html: str) -> str:
    return html[html.index("<body>") :]


@pytest.mark.parametrize("name", ["shop", "silent", "clean", "thin", "client_spans_only", "no_spans", "hostile"])
def test_report(name: str, snapshot: Snapshot) -> None:
    snapshot(f"{name}.body.html", _body(render_html(getattr(samples, name.upper()))))


def test_the_policy_knows_the_script_and_the_style_that_stand_in_the_page_and_nothing_else() -> None:
    page = Page(render_html(samples.HOSTILE))

    def source(element: str) -> str:
        (text,) = page.within[element]
        return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"

    (policy,) = [value for tag, name, value in page.attributes if tag == "meta" and name == "content" and value][:1]
    assert policy == (
        f"default-src 'none'; style-src {source('style')}; script-src {source('script')}; img-src data:; "
        "base-uri 'none'; form-action 'none'; require-trusted-types-for 'script'"
    )


def test_nothing_is_loaded_and_no_attribute_runs_or_styles() -> None:
    for tag_name, name, value in Page(render_html(samples.HOSTILE)).attributes:
        assert not name.startswith("on")
        assert name not in {"style", "src", "srcset", "action", "formaction", "background", "srcdoc"}
        if name == "href":
            assert (value or "").startswith("data:image/svg+xml," if tag_name == "link" else "#")


def test_every_link_within_the_page_leads_somewhere_and_ids_are_unique() -> None:
    attributes = Page(render_html(samples.SHOP)).attributes
    ids = [value for _, name, value in attributes if name == "id"]
    assert len(ids) == len(set(ids))
    assert {f"f-{finding.fingerprint}" for finding in samples.SHOP.findings} < set(ids)
    links = {value for tag, name, value in attributes if name == "href" and tag != "link"}
    assert {link for link in links if link and link[1:] not in ids} == set()


@settings(max_examples=40, deadline=None)
@given(reports())
def test_any_report_gives_one_well_formed_page_and_equal_reports_equal_pages(report: Report) -> None:
    html = render_html(report)
    assert html == render_html(copy.deepcopy(report))
    assert html.encode().endswith(b"</html>\n")
    assert all(line.replace("\t", " ").isprintable() for line in _body(html).split("\n"))
    elements = [name for name, _ in Page(html).elements]
    assert [elements.count(name) for name in ("html", "head", "body", "script", "style", "h1", "main")] == [1] * 7


@settings(max_examples=60, deadline=None)
@example('"><script>alert(1)</script>')
@given(HOSTILE_TEXT.filter(lambda text: bool(neutralise(text).strip())))
def test_hostile_names_do_not_change_the_structure(text: str) -> None:
    assert Page(render_html(_named(f"q{text}"))).elements == Page(render_html(_named("q"))).elements


def _named(text: str) -> Report:
    """Return the hostile sample with this text in every place that spans can fill."""
    finding = samples.HOSTILE.findings[0]
    assert finding.advice.snippet is not None
    one, other = (
        replace(
            finding,
            fingerprint=text + number,
            pass_name=text,
            service_name=text + number,
            endpoint=f"e{text}",
            subject=f"s{text}",
            message=text,
            evidence=((text, text), ("list", (text, None))),
            exemplar=replace(finding.exemplar, trace_id=text, offender_span_ids=(text,)),
            advice=replace(
                finding.advice,
                summary=text,
                steps=(text, text),
                snippet=replace(finding.advice.snippet, framework=text, language=text, code=text),
            ),
        )
        for number in "12"
    )
    return replace(
        samples.HOSTILE,
        findings=(one, other),
        coverage=(replace(samples.HOSTILE.coverage[0], service_name=text),),
        checklist=(replace(samples.HOSTILE.checklist[0], item=text, why=text),),
        top_queries=(replace(samples.TOP_QUERIES[0], query_shape=text, db_system=text, endpoints=(text,)),),
    )


@settings(max_examples=200, deadline=None)
@given(HOSTILE_TEXT | ANY_TEXT)
def test_text_reads_as_its_text(text: str) -> None:
    assert "".join(Page(tag("b", text)).texts) == neutralise(text)


@settings(max_examples=200, deadline=None)
@given(HOSTILE_TEXT | ANY_TEXT)
def test_an_attribute_reads_as_its_text(text: str) -> None:
    assert Page(tag("b", data_name=text)).attributes == [("b", "data-name", neutralise(text))]


@settings(max_examples=100, deadline=None)
@given(st.lists(HOSTILE_TEXT, max_size=5).map("\n".join) | ANY_TEXT)
def test_a_block_keeps_its_lines_and_tabs(text: str) -> None:
    def neutral(line: str) -> str:
        return "\t".join(map(neutralise, line.rstrip().split("\t")))

    expected = "\n".join(map(neutral, text.strip("\r\n").split("\n")))
    assert "".join(Page(f"<b>{lines(text)}</b>").texts) == expected


def test_words_between_backticks_are_code() -> None:
    assert prose("Run `EXPLAIN <x>` or `a`, not `.") == ("Run <code>EXPLAIN &lt;x&gt;</code> or <code>a</code>, not `.")


def test_attributes_without_value_and_none() -> None:
    assert tag("details", open=True, hidden=False, title=None, class_="a b", data_value=0) == (
        '<details open class="a b" data-value="0"></details>\n'
    )


@given(ANY_TEXT)
def test_an_identifier_is_fit_for_a_link(text: str) -> None:
    assert re.fullmatch(r"f-[0-9A-Za-z_-]*", identifier("f-", text))


def test_a_text_without_end_is_cut() -> None:
    endless = replace(samples.N_PLUS_ONE, subject="x" * 3_000_000, message="y" * 3_000_000)
    assert len(render_html(replace(samples.SHOP, findings=(endless,)))) < 200_000


def test_of_many_queries_the_first_hundred_are_shown() -> None:
    queries = tuple(replace(samples.TOP_QUERIES[0], query_shape=f"GET key:{number}") for number in range(250))
    page = Page(render_html(replace(samples.SHOP, top_queries=queries)))
    assert "the first 100 of 250; tracelens top shows the others" in page.texts
    assert "GET key:99" in page.texts
    assert "GET key:100" not in page.texts
