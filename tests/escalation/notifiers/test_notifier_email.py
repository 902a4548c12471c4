"""Mail: to a real server with STARTTLS, TLS, users, and refusals at every step."""

from __future__ import annotations

import socket
import traceback
from html.parser import HTMLParser
from typing import TYPE_CHECKING

import pytest
from mail_server import PASSWORD, USER, MailServer
from told_events import HOSTILE, STEERING, TRACE_ID, TRACE_URL, event, hostile_event

from tracelens.errors import DeliveryError, UsageError
from tracelens.escalation.wording import plain, tell

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterator
    from email.message import EmailMessage
    from pathlib import Path

    from tracelens.escalation.notifiers import Notifier

    Load = Callable[[str], Notifier]


@pytest.fixture
def serve() -> Iterator[Callable[[MailServer], MailServer]]:
    """Have servers end with the test."""
    servers: list[MailServer] = []

    def keep(server: MailServer) -> MailServer:
        servers.append(server)
        return server

    yield keep
    for server in servers:
        server.close()


def configured(server: MailServer, more: str = 'security = "none"', to: str = '"ops@b.example"') -> str:
    return (
        f'kind = "email"\nhost = "127.0.0.1"\nport = {server.port}\nfrom = "Tracelens Büro <t@a.example>"\n'
        f'to = [{to}]\ntrace_url = "{TRACE_URL}"\n{more}'
    )


def part(mail: EmailMessage, kind: str) -> str:
    found = mail.get_body((kind,))
    assert found is not None
    return str(found.get_content())


class Tags(HTMLParser):
    """Collects the tags of a page and what it says."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def test_a_whole_mail(serve: Callable[[MailServer], MailServer], notifier: Load) -> None:
    server = serve(MailServer())
    notifier(configured(server, to='"ops@b.example", "Ann <ann@b.example>"')).deliver([event()])
    ((sender, recipients, mail),) = server.received
    assert (sender, recipients) == ("t@a.example", ["ops@b.example", "ann@b.example"])
    assert {name: str(value) for name, value in mail.items() if name != "Content-Type"} == {
        "Subject": "[tracelens] Critical: p95 over its limit, GET /orders/{id} in orders",
        "From": "Tracelens Büro <t@a.example>",
        "To": "ops@b.example, Ann <ann@b.example>",
        "Date": "Mon, 02 Mar 2026 09:15:00 +0000",
        "Message-ID": "<297c64a9319d5fac95be033ec9e1ed52@a.example>",
        "Auto-Submitted": "auto-generated",
        "MIME-Version": "1.0",
    }
    assert mail.get_content_type() == "multipart/alternative"
    assert part(mail, "plain").replace("\r\n", "\n") == plain(tell(event(), TRACE_URL))
    page = Tags(part(mail, "html"))
    for line in (*plain(tell(event())).splitlines()[:2], "Investigate and add a cache", TRACE_ID):
        assert line in "".join(page.texts)
    links = [attributes["href"] for tag, attributes in page.tags if tag == "a"]
    assert links == [trace.url for trace in tell(event(), TRACE_URL).exemplars]


def test_mails_about_one_breach_belong_together(serve: Callable[[MailServer], MailServer], notifier: Load) -> None:
    server = serve(MailServer())
    it = notifier(configured(server))
    it.deliver([event()])
    it.deliver([event(reason="worse")])
    it.deliver([event(state="resolved")])
    it.deliver([event(state="resolved")])
    it.deliver([event(since="2026-03-03T00:00:00Z")])
    it.deliver([event(number=2), event(number=3)])
    it.deliver([event(number=3, state="resolved")])
    first, worse, over, again, later, two, over_3 = (mail for _, _, mail in server.received)
    root = first["Message-ID"]
    assert (first["In-Reply-To"], first["References"]) == (None, None)
    for mail in (worse, over):
        assert (mail["In-Reply-To"], mail["References"]) == (root, root)
    assert len({mail["Message-ID"] for mail in (first, worse, over, later, two, over_3)}) == 6
    assert over["Message-ID"] == again["Message-ID"], "a repeated delivery is the same mail"
    assert later["References"] is None
    assert over["Subject"] == "[tracelens] Resolved: p95 over its limit, GET /orders/{id} in orders"
    # The mail about two breaches is the beginning of one thread and part of the other.
    assert over_3["In-Reply-To"] == two["References"]


def test_hostile_texts_stay_texts(serve: Callable[[MailServer], MailServer], notifier: Load) -> None:
    server = serve(MailServer())
    it = notifier(configured(server))
    it.deliver([hostile_event(HOSTILE), hostile_event(STEERING, number=2)] * 200)
    ((_, recipients, mail),) = server.received
    assert recipients == ["ops@b.example"]
    assert "Bcc" not in mail
    assert len(mail.as_bytes()) < 1_000_000
    page = Tags(part(mail, "html"))
    assert {tag for tag, _ in page.tags} == {"html", "body", "h2", "p", "table", "tr", "td", "b", "ul", "li", "a"}
    assert all(
        str(attributes["href"]).startswith("https://traces.example/") for tag, attributes in page.tags if tag == "a"
    )
    assert HOSTILE in "".join(page.texts)
    assert all(line.isprintable() for line in part(mail, "plain").splitlines())
    assert len(str(mail["Subject"])) <= 200
    assert "and 380 more events" in part(mail, "plain")
    assert "and 380 more events" in "".join(page.texts)


@pytest.mark.filterwarnings("ignore:Requiring AUTH")  # the server does not count TLS from the beginning
@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_encrypted_and_as_a_user(  # noqa: PLR0917  (fixtures)
    security: str,
    serve: Callable[[MailServer], MailServer],
    server_context: ssl.SSLContext,
    ca_file: Path,
    notifier: Load,
    tmp_path: Path,
) -> None:
    server = serve(
        MailServer(
            starttls=server_context if security == "starttls" else None,
            tls=server_context if security == "tls" else None,
            needs_login=True,
        )
    )
    (tmp_path / "password").write_text(PASSWORD)
    user = f'security = "{security}"\nusername = "{USER}"\npassword_file = "password"'
    it = notifier(configured(server, f'{user}\nca_file = "{ca_file}"'))
    it.deliver([event()])
    assert len(server.received) == 1
    (tmp_path / "password").write_text("wrong-password")
    error = failure(it)
    said = "5.7.8 Authentication credentials invalid"
    assert (
        str(error) == f"notifier it: 127.0.0.1:{server.port} answered 535 ({said}): correct its username and password"
    )
    assert not error.is_final
    assert "wrong-password" not in "".join(traceback.format_exception(error))
    distrusted = str(failure(notifier(configured(server, user))))
    assert distrusted.startswith(f"notifier it: 127.0.0.1:{server.port} cannot be reached: unable to get local issuer")
    assert len(server.received) == 1


def test_no_password_without_encryption(serve: Callable[[MailServer], MailServer], notifier: Load) -> None:
    server = serve(MailServer(needs_login=False))
    error = failure(notifier(configured(server, f'username = "{USER}"\npassword = "{PASSWORD}"')))
    said = "does not offer what its security or password needs: correct them"
    assert str(error) == f"notifier it: 127.0.0.1:{server.port} {said}"
    assert PASSWORD not in "".join(traceback.format_exception(error))


def failure(notifier: Notifier) -> DeliveryError:
    with pytest.raises(DeliveryError) as raised:
        notifier.deliver([event()])
    return raised.value


@pytest.mark.parametrize(
    ("command", "answer", "expected"),
    [
        ("MAIL", "451 busy", ("answered 451 (busy): correct its from, or give a username and password", False)),
        ("MAIL", "550 who are you", ("answered 550 (who are you): correct its from", False)),
        ("MAIL", "552 too large", ("answered 552 (too large): the mail was refused for what it is", True)),
        ("RCPT", "550 nobody", ("refused everybody in its to: correct the addresses, or try again later", False)),
        ("RCPT", "450 grey", ("refused everybody in its to: correct the addresses, or try again later", False)),
        ("DATA", "451 busy", ("answered 451 (busy): try again later", False)),
        ("DATA", "554 spam", ("answered 554 (spam): the mail was refused for what it is and is not sent again", True)),
    ],
)
def test_refused(
    command: str,
    answer: str,
    expected: tuple[str, bool],
    serve: Callable[[MailServer], MailServer],
    notifier: Load,
) -> None:
    server = serve(MailServer(answers={command: answer}))
    error = failure(notifier(configured(server)))
    assert str(error).startswith(f"notifier it: 127.0.0.1:{server.port} {expected[0]}")
    assert error.is_final == expected[1]


def test_one_of_several_refused_is_delivered(
    serve: Callable[[MailServer], MailServer], notifier: Load, caplog: pytest.LogCaptureFixture
) -> None:
    server = serve(MailServer(answers={"RCPT gone@b.example": "550 nobody", "QUIT": "421 too late"}))
    notifier(configured(server, to='"gone@b.example", "ops@b.example"')).deliver([event()])
    assert [recipients for _, recipients, _ in server.received] == [["ops@b.example"]]
    assert caplog.messages == ["notifier it: the mail server refused gone@b.example"]


def test_no_mail_server(notifier: Load) -> None:
    text = 'kind = "email"\nhost = "{}"\nport = {}\nfrom = "t@a.example"\nto = ["o@b.example"]\nsecurity = "none"'
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
        error = failure(notifier(text.format("127.0.0.1", port)))
    said = "cannot be reached: Connection refused; correct its host, port, security or ca_file"
    assert str(error) == f"notifier it: 127.0.0.1:{port} {said}"
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        error = failure(notifier(text.format("127.0.0.1", port) + "\ntimeout_s = 0.2"))
    assert (
        str(error) == f"notifier it: 127.0.0.1:{port} did not answer within 0.2 s; correct its host, or try again later"
    )
    assert not error.is_final


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ('security = "ssl"', "security 'ssl' must be one of starttls, tls, none"),
        ("to = []", "to must name somebody"),
        ('to = ["nobody"]', "'nobody' is no mail address"),
        ('to = ["a@b.example\\r\\nBcc: x@y"]', "'a@b.example\\r\\nBcc: x@y' is no mail address"),
        ('from = ""', "'' is no mail address"),
        ('username = "u"', "username and password belong together: set both or none"),
        ('username = "u"\npassword = "p"\nsecurity = "none"', "a password is sent over an encrypted connection only"),
    ],
)
def test_what_stops_the_start(change: str, why: str, notifier: Load) -> None:
    base = {"kind": '"email"', "host": '"h"', "from": '"a@b.example"', "to": '["a@b.example"]'}
    changes = dict(line.split(" = ", 1) for line in change.split("\n"))
    with pytest.raises(UsageError) as raised:
        notifier("\n".join(f"{name} = {value}" for name, value in (base | changes).items()))
    assert str(raised.value).startswith(f"test.toml: notifiers[0]: {why}")
