from __future__ import annotations

import math

import pytest

from tracelens.report.layout import Canvas, cell_width, neutralise
from tracelens.report.quantities import duration, evidence, percent, size, window, words
from tracelens.report.query_text import clauses, is_query, without_select_list


@pytest.mark.parametrize(
    ("milliseconds", "text"),
    [
        (None, "—"), (math.nan, "—"), (math.inf, "—"), (0.0, "0 ms"), (0.004, "<0.01 ms"), (0.42, "0.42 ms"),
        (0.996, "1.0 ms"), (7.84, "7.8 ms"), (9.96, "10 ms"), (312.4, "312 ms"), (999.4, "999 ms"), (999.7, "1.00 s"),
        (3443.9, "3.44 s"), (9_996, "10.0 s"), (59_960, "1 min"), (125_000, "2 min 5 s"), (3_599_600, "1 h"),
        (7_320_000, "2 h 2 min"), (1e12, "277,777 h 46 min"), (-3.1, "-3.1 ms"),
    ],
)  # fmt: skip
def test_duration(milliseconds: float | None, text: str) -> None:
    assert duration(milliseconds) == text


@pytest.mark.parametrize(
    ("size_bytes", "text"),
    [(0, "0 B"), (1023, "1023 B"), (1024, "1.0 KiB"), (1834, "1.8 KiB"), (5 * 2**50, "5,120.0 TiB")],
)
def test_size(size_bytes: float, text: str) -> None:
    assert size(size_bytes) == text


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (0, "0 %"), (0.004, "<1 %"), (0.5, "50 %"), (0.29, "29 %"), (0.975, "97 %"), (0.996, ">99 %"), (1, "100 %"),
        (1.999, "199 %"), (1.5, "150 %"), (math.nan, "—"),
    ],
)  # fmt: skip
def test_percent(share: float, text: str) -> None:
    assert percent(share) == text


@pytest.mark.parametrize(
    ("name", "value", "row"),
    [
        ("repeats", 1234, ("repeats", "1,234")),
        ("wait_ms", 12.31, ("wait", "12 ms")),
        ("ttl_s", 300, ("TTL", "5 min")),
        ("calls_per_s", 0.3531, ("calls per s", "0.353")),
        ("body_bytes", 2048, ("body", "2.0 KiB")),
        ("breach_ratio", 0.875, ("breach ratio", "87 %")),
        ("hit_rate", 0.987, ("hit rate", "98 %")),
        ("cpu_percent", 91.2, ("CPU", "91 %")),
        ("n_plus_one", True, ("N+1", "yes")),
        ("ms", 3, ("ms", "3")),
        ("wait_ms", None, ("wait", "—")),
        ("gaps_ms", (1.5, 2000.0, None), ("gaps", "1.5 ms, 2.00 s, —")),
        ("tables", tuple("abcdefg"), ("tables", "a, b, c, d, e +2 more")),
    ],
)
def test_evidence_says_its_unit(name: str, value: float | str | tuple[str, ...] | None, row: tuple[str, str]) -> None:
    assert evidence(name, value) == row


def test_words() -> None:
    assert words("no_n_plus_one_http_ttl") == "no N+1 HTTP TTL"


@pytest.mark.parametrize(
    ("start_ns", "end_ns", "text"),
    [
        (0, 900_000_000_000, "1970-01-01 00:00:00 to 00:15:00 UTC (15 min)"),
        (0, 90_000_000_000_000, "1970-01-01 00:00:00 to 1970-01-02 01:00:00 UTC (25 h)"),
        (500_000_000, 502_000_000, "1970-01-01 00:00:00 UTC (2.0 ms)"),
    ],
)
def test_window(start_ns: int, end_ns: int, text: str) -> None:
    assert window(start_ns, end_ns) == text


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("plain é 漢", "plain é 漢"),
        ("a\nb\r\tc\x0b\u2028\u00a0d", "a b  c   d"),
        ("\x1b[31m\x00\x7f\x9b", "\\x1b[31m\\x00\\x7f\\x9b"),
        ("\u202e\u200b\ufeff\ud800", "\\u202e\\u200b\\ufeff\\ud800"),
    ],
)
def test_control_characters_are_shown(text: str, line: str) -> None:
    assert neutralise(text) == line


def test_cells_are_not_characters() -> None:
    assert [cell_width(text) for text in ("abc", "漢字", "e\u0301", "\uff57")] == [3, 4, 1, 2]
    canvas = Canvas(width=10)
    assert canvas.flow(("漢字漢字漢字", "")) == ["漢字漢字漢", "字"]
    assert canvas.clip("漢字漢字漢字", 6) == "漢字…"
    assert canvas.shorten("漢字漢字漢字", 8) == "漢字…字"


def test_lead_hangs_and_words_wrap() -> None:
    canvas = Canvas(width=12)
    assert canvas.flow(("one two", ""), ("three fourteen-letters", ""), lead=[("- ", "")]) == [
        "- one two",
        "  three",
        "  fourteen-l",
        "  etters",
    ]


def test_a_number_keeps_its_unit() -> None:
    assert Canvas(width=12).flow(("it took about 2.41 s, 80 % more", "")) == [
        "it took",
        "about",
        "2.41 s, 80 %",
        "more",
    ]


@pytest.mark.parametrize(
    ("subject", "answer"),
    [
        ("select 1", True),
        ("  SELECT\n a from b", True),
        ("with x as (select 1) select 2", True),
        ("(select 1) union (select 2)", True),
        ("insert into a values (?)", True),
        ("UPDATE a set b = ?", True),
        ("delete from a", True),
        ("/* app */ select 1", True),
        ("GET /select", False),
        ("orders", False),
        ("selected items", False),
        ("with care", False),
        ("Update available", False),
    ],
)
def test_queries_are_told_from_other_subjects(subject: str, *, answer: bool) -> None:
    assert is_query(subject) is answer


def test_clauses() -> None:
    shape = "select a from b left outer join c on b.x = c.x where from_date > ? group by a order by a limit ?"
    assert clauses(shape) == [
        "select a",
        "from b",
        "left outer join c on b.x = c.x",
        "where from_date > ?",
        "group by a",
        "order by a",
        "limit ?",
    ]


def test_long_select_lists_are_left_out() -> None:
    assert without_select_list("select id, name from users") == "select id, name from users"
    assert without_select_list("select distinct a, b, c, d, e, f, g, h, i, j from t") == "select distinct … from t"
