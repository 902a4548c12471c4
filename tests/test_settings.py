"""The configuration file: what it sets, and what stops a process that is started with it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracelens.errors import UsageError
from tracelens.settings import (
    EscalationSettings,
    Objective,
    ReceiverSettings,
    Settings,
    StoreSettings,
    load_settings,
)
from tracelens.settings.reading import parse_duration_s

if TYPE_CHECKING:
    from pathlib import Path

WHOLE = """
[thresholds.n_plus_one]
min_repeats = 3
info_below_ms = 12.5

[[objectives]]
service = "orders|carts"
endpoint = "GET /.*"
p95_ms = "1s500ms"

[passes]
folders = ["own", "/absolute"]

[store]
memory_limit = "512MB"
flush_interval_s = "250ms"
flush_rows = 1000

[receiver]
max_request_bytes = 1000
max_pending_bytes = 2000
allowed_origins = ["https://shop.example"]

[escalation]
window_s = "1h30m"
interval_s = 5
slow_query_s = 0.5
p95_s = 3
finding_severity = "never"
"""


def load(folder: Path, text: str | bytes) -> Settings:
    path = folder / "c.toml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return load_settings(path)


def test_every_setting(tmp_path: Path) -> None:
    assert load(tmp_path, WHOLE) == Settings(
        thresholds={"n_plus_one": {"min_repeats": 3.0, "info_below_ms": 12.5}},
        objectives=(Objective(service="orders|carts", endpoint="GET /.*", p95_ms=1500.0),),
        pass_folders=(tmp_path / "own", tmp_path.parents[-1] / "absolute"),
        store=StoreSettings(memory_limit="512MB", flush_interval_s=0.25, flush_rows=1000),
        receiver=ReceiverSettings(
            max_request_bytes=1000, max_pending_bytes=2000, allowed_origins=("https://shop.example",)
        ),
        escalation=EscalationSettings(
            window_s=5400.0, interval_s=5.0, slow_query_s=0.5, p95_s=3.0, finding_severity="never"
        ),
    )


def test_the_default_file_is_read_where_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert load_settings(None) == Settings()
    (tmp_path / "tracelens.toml").write_text("[store]\nflush_rows = 7\n")
    assert load_settings(None) == Settings(store=StoreSettings(flush_rows=7))


SECTIONS = "databases, escalation, forward, notifiers, objectives, passes, receiver, store, thresholds, waivers"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("thresholds = 1", "thresholds must be a table: write [thresholds]"),
        ("[thresholds]\nslow_query = 1", "thresholds.slow_query must be a table: write [thresholds.slow_query]"),
        ('[thresholds.slow_query]\nslow_ms = "1"', "thresholds.slow_query.slow_ms must be a number, 0 or more"),
        ("[thresholds.slow_query]\nslow_ms = true", "thresholds.slow_query.slow_ms must be a number, 0 or more"),
        ("[thresholds.slow_query]\nslow_ms = -1", "thresholds.slow_query.slow_ms must be a number, 0 or more"),
        ("[thresholds.slow_query]\nslow_ms = inf", "thresholds.slow_query.slow_ms must be a number, 0 or more"),
        ("[escalation]\nwindow_s = nan", "escalation.window_s must be a number, 0 or more"),
        (
            '[escalation]\nwindow_s = "5x"',
            "escalation.window_s: '5x' is not a duration such as 30s, 15m or 1h30m",
        ),
        (
            '[escalation]\nfinding_severity = "bad"',
            "escalation.finding_severity 'bad' must be one of info, warning, critical, never",
        ),
        ("[escalation]\nenabled = 0", "escalation.enabled must be true or false"),
        ("[escalation]\nrecover_ratio = 1.1", "escalation.recover_ratio must be above 0 and at most 1"),
        ("[escalation]\nworse_ratio = 1", "escalation.worse_ratio must be above 1"),
        ("[escalation.rules]\nrule = 'finding'", "escalation.rules must be a list: write [[escalation.rules]]"),
        ("[[escalation.rules]]\nlimit = 1", "escalation.rules[0].rule is missing"),
        (
            "[[escalation.rules]]\nrule = 'slow'",
            "escalation.rules[0].rule 'slow' must be one of slow_query, p95_breach, db_cpu, finding",
        ),
        (
            "[[escalation.rules]]\nrule = 'finding'\nlimit = 1",
            "escalation.rules[0].limit does not go with the rule finding: give a severity",
        ),
        (
            "[[escalation.rules]]\nrule = 'db_cpu'\nseverity = 'info'",
            "escalation.rules[0].severity goes with the rule finding only: give a limit",
        ),
        ("[[escalation.quiet]]\nstart = '22:00'", "escalation.quiet[0].reason is missing"),
        (
            "[[escalation.quiet]]\nreason = 'night'\nend = '7:00'",
            "escalation.quiet[0].end '7:00' must be a time such as '22:00'",
        ),
        (
            "[[escalation.quiet]]\nreason = 'night'\ndays = ['monday']",
            "escalation.quiet[0].days 'monday' must be one of mon, tue, wed, thu, fri, sat, sun",
        ),
        (
            "[[escalation.quiet]]\nreason = 'night'\ntimezone = 'Paris'",
            "escalation.quiet[0].timezone 'Paris' must be a name such as 'Europe/Paris'",
        ),
        ("[store]\nmax_size = '5'", "store.max_size '5' must be a size such as '2GiB' or '512MB'"),
        ("[objectives]\nservice = 'a'", "objectives must be a list: write [[objectives]]"),
        ("[[objectives]]\nservice = 'a'\nendpoint = 'b'", "objectives[0].p95_ms is missing"),
        (
            "[[objectives]]\nservice = '['\nendpoint = 'b'\np95_ms = 1",
            "objectives[0].service '[' must be a regular expression: unterminated character set at position 0",
        ),
        ("[passes]\nfolders = 'own'", "passes.folders must be a list of texts"),
        ("[passes]\nfolder = ['own']", "unknown setting passes.folder; known are folders"),
        ("[receiver]\nallowed_origins = '*'", "receiver.allowed_origins must be a list of texts"),
        ("[receiver]\nmax_request_bytes = 0", "receiver.max_request_bytes must be a whole number above 0"),
        ("[receiver]\nmax_request_bytes = 1.5", "receiver.max_request_bytes must be a whole number above 0"),
        ("[store]\nmemory_limit = 5", "store.memory_limit must be a text in quotes"),
        ("[store]\nmemory_limit = 'lots'", "store.memory_limit 'lots' must be a size such as '2GiB' or '512MB'"),
        (
            "[store]\nmemory = '2GiB'",
            "unknown setting store.memory; known are flush_interval_s, flush_rows, keep_s, max_size, memory_limit",
        ),
        ("[databases]\nhosts = 'db-1'", "databases.hosts must be a list of texts"),
        (
            "[databases]\nhosts = ['db-(']",
            "databases.hosts 'db-(' must be a regular expression: missing ), unterminated subpattern at position 3",
        ),
        ("store = 5", "store must be a table: write [store]"),
        ("[stores]", f"unknown section [stores]; known are {SECTIONS}"),
        (
            "[store",
            (
                "not TOML: Expected ']' at the end of a table declaration (at end of document); "
                "correct it, or choose another with --config"
            ),
        ),
    ],
)
def test_a_wrong_setting_is_named(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(UsageError) as raised:
        load(tmp_path, text)
    assert str(raised.value) == f"{tmp_path}/c.toml: {said}"


def test_unreadable_files(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as raised:
        load_settings(tmp_path / "none.toml")
    assert str(raised.value) == f"{tmp_path}/none.toml: no such file; correct --config"
    with pytest.raises(UsageError) as raised:
        load_settings(tmp_path)
    assert str(raised.value) == f"{tmp_path}: cannot be read: Is a directory; correct --config"
    with pytest.raises(UsageError, match=r"c\.toml: not TOML: 'utf-8' codec can't decode"):
        load(tmp_path, b"\xff\xfe")


UNITS = {"d": 86_400_000, "h": 3_600_000, "m": 60_000, "s": 1000, "ms": 1}


@given(st.dictionaries(st.sampled_from(sorted(UNITS)), st.integers(0, 10_000), min_size=1))
def test_durations_add_up(parts: dict[str, int]) -> None:
    text = "".join(f"{number}{unit}" for unit, number in parts.items())
    expected_ms = sum(number * UNITS[unit] for unit, number in parts.items())
    assert round(parse_duration_s(text) * 1000, 3) == expected_ms


@given(st.text(max_size=6).filter(lambda text: not any(text.strip().endswith(unit) for unit in UNITS)))
def test_other_texts_are_no_durations(text: str) -> None:
    with pytest.raises(ValueError, match="is not a duration"):
        parse_duration_s(text)
