"""Which notifiers a configuration gives, what it refuses, and what each of them is told."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from processes import environment
from told_events import event

from tracelens.errors import UsageError
from tracelens.escalation.notifiers import check_notifiers, kinds, load_notifiers
from tracelens.escalation.notifiers.registry import kind_module
from tracelens.settings import parse_settings

if TYPE_CHECKING:
    from collections.abc import Callable

    from tracelens.escalation.notifiers import Notifier

    Load = Callable[[str], Notifier]

KINDS = ("alertmanager", "email", "file", "otlp_logs", "pagerduty", "slack", "stdout", "teams", "webhook")


def checked(text: str, folder: Path = Path()) -> tuple[Notifier, ...]:
    return check_notifiers(parse_settings(tomllib.loads(text), source="test.toml", folder=folder).notifiers)


def test_every_kind_is_found_and_documents_itself() -> None:
    assert kinds() == KINDS
    for kind in kinds():
        module = kind_module(kind)
        assert module.__doc__
        assert all(entry.metadata.get("about", "").endswith(".") for entry in fields(module.Options))
        (notifier,) = checked(module.EXAMPLE)
        assert notifier.settings.kind == kind


def test_standard_output_where_nobody_is_configured() -> None:
    (notifier,) = load_notifiers(())
    assert (notifier.name, notifier.settings.kind, notifier.channel.target) == ("stdout", "stdout", "standard output")
    assert notifier.wants(event(state="resolved", severity="info"))


KNOWN_OF_TEAMS = (
    "ca_file, endpoint, kind, min_severity, name, rules, send_resolved, service, timeout_s, trace_url, url, url_env, "
    "url_file"
)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("[notifiers]\nname = 'a'", "notifiers must be a list: write [[notifiers]]"),
        ("[[notifiers]]\nkind = 'stdout'", "notifiers[0].name is missing"),
        ("[[notifiers]]\nname = 'a'", "notifiers[0].kind is missing"),
        (
            "[[notifiers]]\nname = 'a b'\nkind = 'stdout'",
            "notifiers[0].name 'a b' must be of letters, digits, dot, dash and underscore",
        ),
        (
            "[[notifiers]]\nname = 'a'\nkind = 'stdout'\n[[notifiers]]\nname = 'a'\nkind = 'stdout'",
            "notifiers[1].name 'a' is another notifier's already",
        ),
        (
            "[[notifiers]]\nname = 'a'\nkind = 'pager'",
            f"notifiers[0].kind: no kind 'pager'; known are {', '.join(KINDS)}",
        ),
        (
            "[[notifiers]]\nname = 'a'\nkind = 'stdout'\nmin_severity = 'bad'",
            "unknown severity notifiers[0].min_severity 'bad'; known are info, warning, critical",
        ),
        (
            "[[notifiers]]\nname = 'a'\nkind = 'stdout'\nrules = ['x']",
            "unknown rule notifiers[0].rules 'x'; known are slow_query, p95_breach, db_cpu, finding",
        ),
        (
            "[[notifiers]]\nname = 'a'\nkind = 'stdout'\nservice = '('",
            "notifiers[0].service '(' must be a regular expression: missing ), unterminated subpattern at position 0",
        ),
        (
            "[[notifiers]]\nname = 'a'\nkind = 'stdout'\nsend_resolved = 'no'",
            "notifiers[0].send_resolved must be true or false",
        ),
        (
            "[[notifiers]]\nname = 'a'\nkind = 'teams'\nurl = 'http://x'\nrouting_key = 'k'",
            f"notifiers[0]: unknown setting routing_key of the kind teams; known are {KNOWN_OF_TEAMS}",
        ),
        (
            "[[notifiers]]\nname = 'a'\nkind = 'teams'",
            "notifiers[0]: url is missing: write url, url_env or url_file",
        ),
        (
            "[[notifiers]]\nname = 'a'\nkind = 'teams'\nurl = 'http://x'\nurl_env = 'X'",
            "notifiers[0]: url and url_env exclude each other: give one of them",
        ),
        (
            "[[notifiers]]\nname = 'a'\nkind = 'teams'\nurl_env = 'X'\nurl_file = 'y'",
            "notifiers[0]: url_env and url_file exclude each other: give one of them",
        ),
        ("[[notifiers]]\nname = 'a'\nkind = 'teams'\nurl_file = ' '", "notifiers[0]: url_file is empty"),
        ("[[notifiers]]\nname = 'a'\nkind = 'teams'\nurl = 7", "notifiers[0]: url must be a text in quotes"),
        (
            "[[notifiers]]\nname = 'a'\nkind = 'teams'\nurl = 'http://x'\ntimeout_s = 'soon'",
            "notifiers[0]: timeout_s: 'soon' is not a duration such as 30s, 15m or 1h30m",
        ),
        (
            "[[notifiers]]\nname = 'a'\nkind = 'webhook'\nurl = 'http://x'\nheaders = { 'a b' = 'c' }",
            "notifiers[0]: headers.a b: not the name of a header",
        ),
        (
            "[[notifiers]]\nname = 'a'\nkind = 'webhook'\nurl = 'http://x'\nheaders = { webhook-id = 'c' }",
            "notifiers[0]: headers.webhook-id: this header is not for configuration",
        ),
        (
            "[[notifiers]]\nname = 'a'\nkind = 'webhook'\nurl = 'http://x'\nheaders = { a = \"b\\r\\nc\" }",
            "notifiers[0]: headers.a: a header's value is printable ASCII",
        ),
    ],
)
def test_what_is_refused(text: str, why: str) -> None:
    with pytest.raises(UsageError) as raised:
        checked(text)
    assert str(raised.value) == f"test.toml: {why}"


@pytest.mark.parametrize(
    "trace_url",
    [
        "https://x/",
        "ftp://x/{trace_id}",
        "https://{trace_id}/{span}",
        "//x/{trace_id}",
        "{trace_id}",
        "http://[/{trace_id}",
    ],
)
def test_a_trace_s_address_names_the_trace(trace_url: str) -> None:
    with pytest.raises(UsageError) as raised:
        checked(f"[[notifiers]]\nname = 'a'\nkind = 'stdout'\ntrace_url = '{trace_url}'")
    said = "notifiers[0].trace_url must be an address such as 'https://traces.example/{trace_id}'"
    assert str(raised.value) == f"test.toml: {said}"


def test_secrets_come_from_one_of_three_places(notifier: Load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "key").write_text("\n from-file \n")
    monkeypatch.setenv("KEY", "from-env")
    for given, expected in (
        ('routing_key = "inline"', "inline"),
        ('routing_key_env = "KEY"', "from-env"),
        ('routing_key_file = "key"', "from-file"),
        ('routing_key = { env = "KEY" }', "from-env"),
        ('routing_key = { file = "key" }', "from-file"),
    ):
        it: Any = notifier(f'kind = "pagerduty"\n{given}')
        assert it.channel._options.routing_key.read() == expected
        assert expected not in repr(it)


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ('routing_key_env = "NOT_SET"', "routing_key_env: the environment variable NOT_SET is not set; set it"),
        ('routing_key_env = "EMPTY"', "routing_key_env: EMPTY is empty; put the secret there"),
        (
            'routing_key_file = "none"',
            "routing_key_file: {folder}/none cannot be read: No such file or directory; correct its path",
        ),
    ],
)
def test_a_secret_that_is_not_there_stops_the_start_only(
    given: str, why: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EMPTY", " ")
    text = f"[[notifiers]]\nname = 'it'\nkind = 'pagerduty'\n{given}"
    checked(text, tmp_path)  # as commands do that tell nobody
    settings = parse_settings(tomllib.loads(text), source="test.toml", folder=tmp_path)
    with pytest.raises(UsageError) as raised:
        load_notifiers(settings.notifiers)
    assert str(raised.value) == f"test.toml: notifiers[0]: notifier it: {why.format(folder=tmp_path)}"


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ("", {"first", "mild", "over", "other", "nameless", "unknown"}),
        ('min_severity = "warning"', {"first", "over", "other", "nameless", "unknown"}),
        # Who was told of a breach is told of its end: that is known to those who deliver, and no filter asks again.
        ('rules = ["slow_query"]', {"other", "over"}),
        ("send_resolved = false", {"first", "mild", "other", "nameless", "unknown"}),
        ('service = "ord"', {"over"}),
        ('service = "ord.*"', {"first", "mild", "over", "unknown"}),
        ('endpoint = "GET .*"', {"first", "mild", "over", "other", "unknown"}),
        ('service = "pay|orders"\nmin_severity = "critical"\nsend_resolved = false', {"first", "unknown"}),
    ],
)
def test_what_a_notifier_is_told(given: str, wanted: set[str], notifier: Load) -> None:
    events = {
        "first": event(),
        "mild": event(severity="info"),
        "over": event(state="resolved"),
        "other": event(service_name="cart", rule="slow_query", severity="warning"),
        "nameless": event(service_name=None, endpoint=None),
        "unknown": event(severity="dire"),
    }
    it = notifier(f'kind = "stdout"\n{given}')
    assert {name for name, each in events.items() if it.wants(each)} == wanted


def test_loading_is_cheap() -> None:
    # What sends is loaded with the first delivery; the command line loads all kinds to check a configuration.
    script = (
        "import sys\n"
        "from tracelens.escalation.notifiers.registry import kinds, kind_module\n"
        "for kind in set(kinds()) - {'email'}: kind_module(kind)\n"
        "print(sorted({'urllib3', 'ssl', 'grpc', 'opentelemetry', 'http.client', 'duckdb'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, env=environment(), timeout=60, check=True
    )
    assert done.stdout == "[]\n"
