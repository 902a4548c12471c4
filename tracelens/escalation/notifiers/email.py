"""Sends mail over SMTP, one for the events that belong together, as plain text and HTML.

Mails about one breach refer to its first one, so mail programs show them together.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import smtplib
import socket
from dataclasses import dataclass, field
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, parseaddr
from typing import TYPE_CHECKING, Any, Final

from tracelens.escalation.answers import excerpt
from tracelens.escalation.posting import Sender
from tracelens.escalation.wording import data_of, fitting, heading, key_of, plain, tell, time_of
from tracelens.report.layout import neutralise
from tracelens.report.markdown_text import clip

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tracelens.errors import DeliveryError
    from tracelens.escalation.wording import Event, Telling
    from tracelens.settings.notifying import Confidential, NotifierSettings

_log = logging.getLogger(__name__)

EXAMPLE: Final = """\
[[notifiers]]
name = "mail"
kind = "email"
host = "smtp.example"
from = "tracelens@example"
to = ["backend@example", "on-call@example"]
username = "tracelens"
password_file = "/run/secrets/smtp"
"""

_PORTS: Final = {"starttls": 587, "tls": 465, "none": 25}
_SUBJECT_LENGTH: Final = 200
_MOST_BYTES: Final = 500_000
_TOO_LARGE: Final = 552
_FIRST_PERMANENT: Final = 500

# Mail servers that do not take eight bits are rare, and those that change them on the way are not.
_POLICY: Final = SMTP.clone(cte_type="7bit")


@dataclass(frozen=True, slots=True)
class Options:
    """The mail server, and who writes to whom."""

    host: str = field(metadata={"about": "The mail server."})
    from_: str = field(metadata={"about": "Who writes, as an address or `Name <address>`."})
    to: tuple[str, ...] = field(metadata={"about": "Who is written to."})
    port: int | None = field(default=None, metadata={"about": "587 with STARTTLS, 465 with TLS, 25 without."})
    security: str = field(default="starttls", metadata={"about": "`starttls`, `tls`, or `none` for no encryption."})
    username: str = field(default="", metadata={"about": "Whom the server knows us as."})
    password: Confidential | None = field(default=None, metadata={"about": "The password of that name."})
    ca_file: Path | None = field(default=None, metadata={"about": "Authorities to trust in place of the system's."})
    timeout_s: float = field(default=30.0, metadata={"about": "How long each answer of the server may take."})

    def __post_init__(self) -> None:
        """Refuse addresses that are none, and a password that would be sent for all to read."""
        if self.security not in _PORTS:
            raise ValueError(f"security {self.security!r} must be one of {', '.join(_PORTS)}")
        if not self.to:
            raise ValueError("to must name somebody")
        for address in (self.from_, *self.to):
            _mailbox(address)
        if bool(self.username) != (self.password is not None):
            raise ValueError("username and password belong together: set both or none")
        if self.username and self.security == "none":
            raise ValueError("a password is sent over an encrypted connection only: set security to starttls or tls")


class Channel:
    """Writes and sends mails."""

    def __init__(self, notifier: NotifierSettings, options: Options) -> None:
        self._options = options
        self._trace_url = notifier.trace_url
        self._sender = Sender(notifier.name, options.timeout_s, options.ca_file)
        self._port = options.port or _PORTS[options.security]

    @property
    def target(self) -> str:
        """Where it delivers to."""
        return f"{self._options.host}:{self._port} to {', '.join(self._options.to)}"

    def check(self) -> None:
        """Check that the password is there.

        Raises:
            DeliveryError: it is not.
        """
        if self._options.password is not None:
            self._sender.reveal(self._options.password)
        self._sender.check()

    def deliver(self, events: Sequence[Event]) -> None:
        """Send one mail about the events.

        Raises:
            DeliveryError: nobody was written to.
        """
        mail = self.mail_of(events)
        password = self._sender.reveal(self._options.password) if self._options.password is not None else ""
        try:
            with contextlib.closing(self._connection()) as server:
                if self._options.username:
                    server.login(self._options.username, password)
                refused = server.send_message(mail)
                with contextlib.suppress(OSError, smtplib.SMTPException):  # it has taken the mail, whatever comes now
                    server.quit()
        except (OSError, smtplib.SMTPException, ValueError) as error:
            raise self._failure(error, password) from None  # its text may repeat what was sent
        for address in refused:
            _log.warning("notifier %s: the mail server refused %s", self._sender.notifier, neutralise(address))

    def mail_of(self, events: Sequence[Event]) -> EmailMessage:
        """Return the mail about some events."""
        tellings = [tell(event, self._trace_url) for event in events]
        mail = EmailMessage(policy=_POLICY)
        mail["Subject"] = clip(f"[tracelens] {heading(tellings)}", _SUBJECT_LENGTH)
        mail["From"] = _mailbox(self._options.from_)
        mail["To"] = [_mailbox(address) for address in self._options.to]
        time = time_of(events[0])
        if time is not None:
            mail["Date"] = format_datetime(time)
        domain = _mailbox(self._options.from_).domain
        roots = list(dict.fromkeys(f"<{_root(event)}@{domain}>" for event in events))
        if all(data_of(event).get("reason") in {None, "first"} and not _is_over(event) for event in events):
            mail["Message-ID"] = roots.pop(0)  # the one that later mails refer to
        else:
            mail["Message-ID"] = f"<{_digest(*(str(event.get('id')) for event in events))}@{domain}>"
            mail["In-Reply-To"] = roots[0]
        if roots:
            mail["References"] = " ".join(roots)
        mail["Auto-Submitted"] = "auto-generated"
        text, html = fitting(
            len(events), lambda shown: _bodies(tellings, shown), lambda bodies: sum(map(len, bodies)) <= _MOST_BYTES
        )
        mail.set_content(text)
        mail.add_alternative(html, subtype="html")
        return mail

    def _connection(self) -> smtplib.SMTP:
        options, name = self._options, _own_name()
        if options.security == "tls":
            context = self._sender.tls_context()
            return smtplib.SMTP_SSL(options.host, self._port, name, timeout=options.timeout_s, context=context)
        server = smtplib.SMTP(options.host, self._port, name, timeout=options.timeout_s)
        if options.security == "starttls":
            try:
                server.starttls(context=self._sender.tls_context())
            except BaseException:
                server.close()
                raise
        return server

    def _failure(self, error: Exception, password: str) -> DeliveryError:
        place = f"{self._options.host}:{self._port}"
        code: int = getattr(error, "smtp_code", 0)
        answer = getattr(error, "smtp_error", b"")
        said = excerpt(answer if isinstance(answer, bytes) else str(answer).encode(), [password])
        answered = f"answered {code}{f' ({said})' if said else ''}"
        is_refused = isinstance(error, smtplib.SMTPDataError | smtplib.SMTPSenderRefused) and (
            code == _TOO_LARGE or (isinstance(error, smtplib.SMTPDataError) and code >= _FIRST_PERMANENT)
        )
        match error:
            case _ if is_refused:
                reason = f"{answered}: the mail was refused for what it is and is not sent again"
            case smtplib.SMTPAuthenticationError():
                reason = f"{answered}: correct its username and password"
            case smtplib.SMTPRecipientsRefused():
                reason = "refused everybody in its to: correct the addresses, or try again later"
            case smtplib.SMTPSenderRefused():
                reason = f"{answered}: correct its from, or give a username and password"
            case smtplib.SMTPResponseException():
                reason = f"{answered}: try again later"
            case smtplib.SMTPNotSupportedError():
                reason = "does not offer what its security or password needs: correct them"
            case _ if isinstance(error, TimeoutError) or isinstance(error.__context__, TimeoutError):
                reason = f"did not answer within {self._options.timeout_s:g} s; correct its host, or try again later"
            case smtplib.SMTPServerDisconnected():
                reason = "broke off or does not speak SMTP so; correct its host, port and security"
            case OSError():
                why = getattr(error, "verify_message", "") or error.strerror or type(error).__name__
                reason = f"cannot be reached: {neutralise(str(why))}; correct its host, port, security or ca_file"
            case _:
                reason = "could not be written to; correct its from and to"
        return self._sender.failure(f"{place} {reason}", is_final=is_refused)


def _bodies(tellings: Sequence[Telling], shown: int) -> tuple[str, str]:
    from tracelens.report.html.markup import joined, listing, tag  # noqa: PLC0415  (only mails need HTML)

    more = f"and {len(tellings) - shown:,} more events" if shown < len(tellings) else ""
    text = ("\n" + "-" * 60 + "\n\n").join(map(plain, tellings[:shown])) + (f"\n{more}\n" if more else "")
    parts: list[str] = []
    for telling in tellings[:shown]:
        rows = [
            tag("tr", tag("td", name, style="padding-right:1em;color:#666"), tag("td", value))
            for name, value in telling.facts
        ]
        rest = [f"and {telling.more_causes:,} more"] if telling.more_causes else []
        causes = (*telling.causes, *rest)
        traces = [tag("a", each.trace_id, href=each.url) if each.url else each.trace_id for each in telling.exemplars]
        parts += [
            tag("h2", telling.title, style="font-size:1.2em"),
            tag("p", telling.message) if telling.message else "",
            tag("table", *rows) if rows else "",
            tag("p", tag("b", "Do: "), telling.action) if telling.action else "",
            joined(tag("p", tag("b", "Explained by")), listing("ul", causes)) if causes else "",
            joined(tag("p", tag("b", "Traces")), listing("ul", traces)) if traces else "",
        ]
    return text, tag("html", tag("body", *parts, tag("p", more) if more else "")) + "\n"


def _mailbox(text: str) -> Address:
    name, address = parseaddr(text)
    try:
        if not (text.isprintable() and address.isascii()):
            raise ValueError  # noqa: TRY301  (told as the others are)
        mailbox = Address(name, addr_spec=address)
    except (ValueError, IndexError) as error:
        raise ValueError(f"{text!r} is no mail address") from error
    if not (mailbox.username and mailbox.domain):
        raise ValueError(f"{text!r} is no mail address")
    return mailbox


def _is_over(event: Event) -> bool:
    return bool(data_of(event).get("state") == "resolved")


def _root(event: Event) -> str:
    """Return what all mails about a breach, from its beginning to its end, have in common."""
    return _digest(key_of(event), str(data_of(event).get("since")))


def _digest(*parts: Any) -> str:
    return hashlib.sha256("\n".join(parts).encode("utf-8", "backslashreplace")).hexdigest()[:32]


def _own_name() -> str:
    """Return what to call ourselves; smtplib's own way asks the name service, which may take long."""
    name = socket.gethostname()
    return name if "." in name and name.isascii() else "localhost"
