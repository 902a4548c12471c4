from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
import report_samples as samples
from hypothesis import example, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from report_strategies import ANY_TEXT, reports

from tracelens.report.layout import neutralise
from tracelens.report.markdown import render_markdown
from tracelens.report.markdown_text import code, fence, prose, table

if TYPE_CHECKING:
    from collections.abc import Iterator

    from markdown_it.token import Token
    from report_snapshots import Snapshot

    from tracelens.findings import Report

PARSER = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
OWN_HTML = {"<code>", "</code>"}
TRAPS = st.sampled_from(
    [
        "`",
        "``` ",
        "|",
        "\\|",
        "\\",
        "*",
        "_",
        "a_b",
        "<b>",
        "</details>",
        "&lt;",
        "&#42;",
        "[x](y)",
        "![",
        "# ",
        "- ",
        "+ ",
        "1. ",
        "1) ",
        "> ",
        "=",
        "---",
        "~~~",
        "~~",
        "http://e.vil",
        "www.e.vil",
        "@org/team",
        "#1",
        "$x$",
        "\n",
        "\r",
        "\t",
        "    ",
        " ",
        "x",
    ]
)
HOSTILE_TEXT = st.lists(TRAPS | st.characters(), min_size=1, max_size=12).map("".join)


@pytest.mark.parametrize("name", ["shop", "silent", "clean", "thin", "client_spans_only", "no_spans", "hostile"])
def test_report(name: str, snapshot: Snapshot) -> None:
    snapshot(f"{name}.md", render_markdown(getattr(samples, name.upper())))


def _one_line(text: str) -> str:
    return " ".join(neutralise(text).split())


def _text(inline: Token) -> str:
    assert inline.children is not None
    kinds = {(token.type, token.content if token.type == "html_inline" else "") for token in inline.children}
    assert kinds <= {
        ("text", ""),
        ("code_inline", ""),
        ("text_special", ""),
        *(("html_inline", tag) for tag in OWN_HTML),
    }
    texts = (token.content for token in inline.children if token.type != "html_inline")
    return "".join(texts).replace("\u200b", "")


def _blocks(markdown: str) -> Iterator[tuple[str, str]]:
    for token in PARSER.parse(markdown):
        yield token.type, token.content if token.type == "html_block" and "<summary>" not in token.content else ""


@settings(max_examples=300, deadline=None)
@example("a\\|b")
@example("#1 then ## 2")
@given(HOSTILE_TEXT | ANY_TEXT)
def test_prose_reads_as_its_text(text: str) -> None:
    tokens = PARSER.parse(f"before\n\n{prose(text)}\n\nafter\n")
    line = _one_line(text)
    expected = ["before", *([line] if line else []), "after"]
    assert [token.type for token in tokens] == ["paragraph_open", "inline", "paragraph_close"] * len(expected)
    assert [_text(token) for token in tokens if token.type == "inline"] == expected


@settings(max_examples=300, deadline=None)
@given(HOSTILE_TEXT | ANY_TEXT)
def test_a_table_cell_reads_as_its_text(text: str) -> None:
    tokens = PARSER.parse(table(["a", "b", "c"], [[prose(text), code(text), "end"]]))
    cells = [_text(token) for token in tokens if token.type == "inline"]
    assert cells == ["a", "b", "c", _one_line(text), _one_line(text) or "—", "end"]


@settings(max_examples=200, deadline=None)
@given(text=st.lists(HOSTILE_TEXT, max_size=4).map("\n".join) | ANY_TEXT, language=HOSTILE_TEXT)
def test_a_fence_holds_its_text(text: str, language: str) -> None:
    tokens = PARSER.parse(f"{fence(text, language)}\n\nafter\n")
    assert [token.type for token in tokens] == ["fence", "paragraph_open", "inline", "paragraph_close"]
    lines = [neutralise(line.expandtabs(4)).rstrip() for line in text.strip("\r\n").split("\n")]
    assert tokens[0].content == "\n".join(lines) + "\n"


@pytest.mark.parametrize(
    "text", ["see http://e.vil now", "HTTPS://e.vil", "www.e.vil", "x@e.vil", "@org/team", "#12", "$a$"]
)
def test_nothing_for_a_renderer_to_link_is_left(text: str) -> None:
    markdown = prose(text).lower()
    assert not any(trap in markdown for trap in ("http:", "https:", "www.", "@e", "@o", "#12", "$"))


@settings(max_examples=40, deadline=None)
@given(HOSTILE_TEXT.filter(lambda text: bool(_one_line(text))))
def test_hostile_names_do_not_change_the_structure(text: str) -> None:
    assert list(_blocks(render_markdown(_named(f"q{text}")))) == list(_blocks(render_markdown(_named("q"))))


def _named(text: str) -> Report:
    """Return the hostile sample with this text in every place that spans can fill."""
    finding = samples.HOSTILE.findings[0]
    assert finding.advice.snippet is not None
    return replace(
        samples.HOSTILE,
        findings=(
            replace(
                finding,
                pass_name=text,
                service_name=text,
                endpoint=f"e{text}",
                subject=f"s{text}",
                message=text,
                evidence=((text, text), ("list", (text, None))),
                exemplar=replace(finding.exemplar, trace_id=text),
                advice=replace(
                    finding.advice,
                    summary=text,
                    steps=(text, text),
                    snippet=replace(finding.advice.snippet, framework=text, language=text, code=text),
                ),
            ),
        ),
        coverage=(replace(samples.HOSTILE.coverage[0], service_name=text),),
        checklist=(replace(samples.HOSTILE.checklist[0], item=text, why=text),),
        top_queries=(replace(samples.TOP_QUERIES[0], query_shape=text, db_system=text, endpoints=(text,)),),
    )


@settings(max_examples=60, deadline=None)
@given(reports())
def test_any_report_gives_printable_text(report: Report) -> None:
    text = render_markdown(report)
    assert all(line.isprintable() for line in text.split("\n"))
    assert text.encode().endswith(b"\n")


def test_a_report_fits_a_comment_and_tells_what_is_left_out() -> None:
    report = replace(
        samples.SHOP,
        findings=samples.MANY.findings * 60,
        coverage=samples.SHOP.coverage * 400,
        checklist=samples.SHOP.checklist * 60,
    )
    text = render_markdown(report)
    assert 40_000 < len(text) <= 60_000
    tables = [token for token in PARSER.parse(text) if token.type == "table_open"]
    assert len(tables) > 10
    for what in ("findings", "findings in full", "services", "checklist items"):
        assert f" more {what} left out for length" in text


@settings(max_examples=20, deadline=None)
@given(report=reports(), max_characters=st.integers(10_000, 30_000))
def test_length_is_kept_whatever_the_text(report: Report, max_characters: int) -> None:
    many = replace(
        report, findings=report.findings * 30, coverage=report.coverage * 30, checklist=report.checklist * 30
    )
    assert len(render_markdown(many, max_characters=max_characters)) <= max_characters
