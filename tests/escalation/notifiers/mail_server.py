"""A mail server on a free port: STARTTLS or TLS, a user with a password, and answers as a test wants them."""

from __future__ import annotations

import asyncio
import threading
from dataclasses import dataclass, field
from email import message_from_bytes
from email.policy import default
from typing import TYPE_CHECKING, Any

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

if TYPE_CHECKING:
    import ssl
    from email.message import EmailMessage

USER, PASSWORD = "tracelens", "s3cret-of-the-mail-server"


@dataclass
class MailServer:
    """Keeps mails with their envelopes; `answers` replaces the answer to a command, by the hook's name."""

    starttls: ssl.SSLContext | None = None
    tls: ssl.SSLContext | None = None
    needs_login: bool = False
    answers: dict[str, str] = field(default_factory=dict)
    received: list[tuple[str, list[str], EmailMessage]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        starting = asyncio.run_coroutine_threadsafe(
            self._loop.create_server(self._session, "127.0.0.1", 0, ssl=self.tls), self._loop
        )
        self._server = starting.result(10)
        self.port: int = self._server.sockets[0].getsockname()[1]

    def close(self) -> None:
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    async def _end(self) -> None:
        self._server.close()
        open_sessions = asyncio.all_tasks() - {asyncio.current_task()}
        for each in open_sessions:
            each.cancel()
        await asyncio.gather(*open_sessions, return_exceptions=True)

    def _session(self) -> SMTP:
        return SMTP(
            self,
            tls_context=self.starttls,
            require_starttls=self.starttls is not None,
            authenticator=self._authenticate,
            auth_required=self.needs_login,
            auth_require_tls=self.tls is None,
            hostname="mail.test",
            enable_SMTPUTF8=True,
            loop=self._loop,
        )

    def _authenticate(self, _server: SMTP, _session: Session, _envelope: Envelope, _how: str, given: Any) -> AuthResult:
        assert isinstance(given, LoginPassword)
        return AuthResult(success=(given.login, given.password) == (USER.encode(), PASSWORD.encode()), handled=False)

    async def handle_MAIL(  # noqa: N802  (aiosmtpd's name)
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        envelope.mail_from = address
        return self.answers.get("MAIL", "250 OK")

    async def handle_RCPT(  # noqa: N802  (aiosmtpd's name)
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        answer = self.answers.get(f"RCPT {address}", self.answers.get("RCPT", "250 OK"))
        if answer.startswith("250"):
            envelope.rcpt_tos.append(address)
        return answer

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802
        answer = self.answers.get("DATA", "250 OK")
        if answer.startswith("250"):
            assert isinstance(envelope.content, bytes)
            assert envelope.content.isascii()
            mail = message_from_bytes(envelope.content, policy=default)
            self.received.append((str(envelope.mail_from), envelope.rcpt_tos, mail))
        return answer

    async def handle_QUIT(self, _server: SMTP, _session: Session, _envelope: Envelope) -> str:  # noqa: N802
        return self.answers.get("QUIT", "221 Bye")
