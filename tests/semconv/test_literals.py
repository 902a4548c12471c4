"""SQL texts to shape texts: every row of the cases, and what holds for all texts."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tracelens.semconv.literals import StrippedTexts, strip_literals

CASES = tomllib.loads((Path(__file__).parent / "cases" / "literals.toml").read_text())["case"]
QUERY = "SELECT id FROM orders WHERE user_id = "
SYSTEMS = ("postgresql", "mysql", "microsoft.sql_server", "sqlite", "snowflake", "oracle.db", "other_sql")


def stripped(text: str | None, db_system: str = "postgresql") -> StrippedTexts:
    return strip_literals(pa.array([text], pa.string()), db_system)


def shape(text: str, db_system: str = "postgresql") -> str:
    found: str = stripped(text, db_system).shape_texts[0].as_py()
    return found


def parameter_hash(text: str, db_system: str = "postgresql") -> int | None:
    found: int | None = stripped(text, db_system).parameter_hashes[0].as_py()
    return found


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["text"][:60])
def test_case(case: dict[str, object]) -> None:
    found = stripped(str(case["text"]), str(case.get("db_system", "postgresql")))
    assert {
        "shape": found.shape_texts[0].as_py(),
        "hidden": found.parameter_hashes[0].as_py() is None,
        "offset": found.offset_rows[0].as_py(),
        "limit": found.limit_rows[0].as_py(),
        "rows": found.value_rows[0].as_py(),
        "truncated": found.truncated[0].as_py(),
    } == {
        "shape": case["shape"],
        "hidden": case.get("hidden", False),
        "offset": case.get("offset"),
        "limit": case.get("limit"),
        "rows": case.get("rows"),
        "truncated": case.get("truncated", False),
    }


def test_null_stays_null_and_rows_stay_in_place() -> None:
    found = strip_literals(pa.array([None, "SELECT 1", None, "SELECT 'a' /* b */"], pa.string()), "postgresql")
    assert found.shape_texts.to_pylist() == [None, "SELECT ?", None, "SELECT ?"]
    assert [value is None for value in found.parameter_hashes.to_pylist()] == [True, False, True, False]
    assert found.truncated.to_pylist() == [None, False, None, False]


def test_no_texts() -> None:
    found = strip_literals(pa.array([], pa.string()), "postgresql")
    assert [len(getattr(found, field)) for field in found.__dataclass_fields__] == [0] * 6


def test_drivers_with_different_placeholders_share_a_shape() -> None:
    texts = ("$1", "?", "%s", "%(user_id)s", ":user_id", "@p0", "5", "'5'", "-5", "?1", "{user_id:UInt32}")
    assert {shape(QUERY + text) for text in texts} == {"SELECT id FROM orders WHERE user_id = ?"}


def test_comments_with_trace_context_do_not_tell_calls_apart() -> None:
    comments = [f" /*traceparent='00-{n:032x}-{n:016x}-01',route='/orders/{n}'*/" for n in (1, 2)]
    found = strip_literals(pa.array([QUERY + "5" + comment for comment in (*comments, ";", "")]), "mysql")
    assert set(found.shape_texts.to_pylist()) == {"SELECT id FROM orders WHERE user_id = ?"}
    assert len(set(found.parameter_hashes.to_pylist())) == 1


def test_different_values_have_different_hashes() -> None:
    texts = [f"{QUERY}{n}" for n in range(100)]
    found = strip_literals(pa.array(texts), "mysql")
    assert len(set(found.shape_texts.to_pylist())) == 1
    assert len(set(found.parameter_hashes.to_pylist())) == 100


@pytest.mark.parametrize("cap", [1000, 1024, 2048, 4096, 32768])
def test_text_as_long_as_a_usual_limit_is_truncated(cap: int) -> None:
    text = "SELECT name FROM products WHERE description = 'x' AND note = "
    text += "n" * (cap - len(text))
    assert [stripped(each).truncated[0].as_py() for each in (text, text[:-2])] == [True, False]
    assert parameter_hash(text) is None


def test_text_cut_inside_a_list_is_truncated_at_any_length() -> None:
    text = QUERY.replace("= ", "IN (") + ", ".join(map(str, range(300)))
    found = stripped(text)
    assert found.shape_texts[0].as_py() == "SELECT id FROM orders WHERE user_id IN (?"
    assert found.truncated[0].as_py() is True


WORDS = st.sampled_from(
    [
        *("SELECT", "from", "WHERE", "IN", "VALUES", "LIMIT", "OFFSET", "AND", "INSERT INTO", "ARRAY", "NULL", "true"),
        *("a", "t1.c2", '"Col"', '"a 1"', "`x`", "`x 2`", "[y]", "[y 3]", "é4", "_x", "v$s", "@@v", "x1f", "data->>"),
        *(
            "1",
            "-2.5",
            "+7",
            ".5e3",
            "0xFF",
            "1e-9",
            "'x'",
            "'it''s'",
            "'a 1'",
            "E'b\\'c'",
            "N'd'",
            "$$e 5$$",
            "$q$f$q$",
        ),
        *("$1", "?", "%s", "%(n)s", ":n", "@p", "?2", "{i:Int8}", "/* c 1 */", "-- d\n", "# e\n", "...", "…"),
    ]
)
MARKS = st.sampled_from(
    [*" \n\t()[],=<*/-+;.%&'\"\\", "::int", "->", "#>>", "?|", "||", ", ", "), (", "IN (", "\x02", "\x04"]
)
SQL_LIKE = st.lists(st.tuples(MARKS, MARKS, WORDS), max_size=12).map(
    lambda triples: "".join(f"{mark}{other} {word}" for mark, other, word in triples)
)
ANY_TEXT = st.one_of(SQL_LIKE, st.text(max_size=60))


@settings(max_examples=80, deadline=None)
@given(st.lists(SQL_LIKE, min_size=1, max_size=12), st.sampled_from(SYSTEMS))
def test_stripping_a_shape_changes_nothing(texts: list[str], db_system: str) -> None:
    once = strip_literals(pa.array(texts), db_system).shape_texts
    assert strip_literals(once, db_system).shape_texts.to_pylist() == once.to_pylist()


@settings(max_examples=25, deadline=None)
@given(st.lists(st.one_of(st.none(), ANY_TEXT), max_size=8), st.sampled_from(SYSTEMS))
def test_a_text_is_read_alike_alone_and_among_others(texts: list[str | None], db_system: str) -> None:
    together = strip_literals(pa.array(texts, pa.string()), db_system)
    alone = [stripped(text, db_system) for text in texts]
    for field in together.__dataclass_fields__:
        assert getattr(together, field).to_pylist() == [getattr(each, field)[0].as_py() for each in alone]


NUMBER = st.one_of(
    st.integers(-(10**20), 10**20).map(str),
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
    st.integers(0, 2**32).map(hex),
)
STRING = st.text(st.characters(exclude_characters="\\\x00", exclude_categories=["Cs"]), max_size=20).map(
    lambda text: "'" + text.replace("'", "''") + "'"
)
LITERAL = st.one_of(NUMBER, STRING)
GAP = st.sampled_from([" ", "  ", "\n", "\t ", " /* note 'x' 1 */ ", " -- note: it's 2\n"])


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.tuples(LITERAL, LITERAL, LITERAL, LITERAL), min_size=1, max_size=6, unique=True),
    st.lists(GAP, min_size=8, max_size=8),
    st.sampled_from(SYSTEMS),
)
def test_literals_comments_and_white_space_do_not_change_the_shape(
    calls: list[tuple[str, str, str, str]], gaps: list[str], db_system: str
) -> None:
    template = "SELECT{} a2,{} t1.b FROM{} t1 WHERE{} a2 ={} {} AND{} b IN ({}, {}){} AND c <{} {}"
    texts = [
        template.format(*spaces[:5], values[0], spaces[5], values[1], values[2], spaces[6], spaces[7], values[3])
        for values in calls
        for spaces in ([" "] * 8, gaps)
    ]
    found = strip_literals(pa.array(texts), db_system)
    assert set(found.shape_texts.to_pylist()) == {"SELECT a2, t1.b FROM t1 WHERE a2 = ? AND b IN (?) AND c < ?"}
    hashes = found.parameter_hashes.to_pylist()[::2]
    assert None not in hashes
    assert len(set(hashes)) == len(calls)


PAIRS = st.lists(st.tuples(MARKS.filter(lambda mark: mark not in "'\"\\-#/"), WORDS), max_size=8)


@settings(max_examples=60, deadline=None)
@given(st.lists(PAIRS, min_size=1, max_size=8), st.sampled_from(SYSTEMS))
def test_the_quick_way_and_the_general_way_agree(texts: list[list[tuple[str, str]]], db_system: str) -> None:
    """A letter beyond ASCII keeps a text from the quick way."""
    quick = ["SELECT" + "".join(f"{mark} {word}" for mark, word in pairs) for pairs in texts]
    general = ["é " + text for text in quick]
    found = [strip_literals(pa.array(ways), db_system).shape_texts.to_pylist() for ways in (quick, general)]
    assert ["é " + text for text in found[0]] == found[1]
