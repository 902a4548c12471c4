"""POST over HTTP for notifiers: within a time, to the address itself, and with errors that say what to do.

Redirects are not followed: they would carry the event, and what authorises it, to somebody else. Certificates are
verified. Proxies are taken from the environment (HTTPS_PROXY, HTTP_PROXY, ALL_PROXY, NO_PROXY).

urllib3 does the sending: the standard library has no HTTPS through proxies that ask for a password and does not tell
failures apart; httpx takes twice as long to import. It is loaded with the first delivery.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote, urlsplit

import tracelens
from tracelens.errors import DeliveryError, UsageError
from tracelens.escalation.answers import Answer, place_of
from tracelens.report.layout import neutralise
from tracelens.retry_after import retry_after_s

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from tracelens.settings.notifying import Confidential, Headers

_ANSWER_BYTES: Final = 65_536
_LONGEST_PAUSE_S: Final = 86_400.0


@dataclass(frozen=True, slots=True)
class Sender:
    """How a notifier sends, whatever it sends.

    Attributes:
        notifier: the notifier's name, for messages.
        timeout_s: for connecting, for each read, and for the whole answer.
        ca_file: authorities to trust in place of the system's, in PEM.
    """

    notifier: str
    timeout_s: float
    ca_file: Path | None = None

    def post(self, url: str, body: bytes, headers: Mapping[str, str], hidden: Iterable[str] = ()) -> Answer:
        """Return the answer to a request that was accepted.

        Args:
            url: where to; only its host is ever shown.
            body: as it is sent.
            headers: as they are sent.
            hidden: what must not be shown, though an answer may repeat it.

        Raises:
            DeliveryError: it was not accepted.
        """
        answer = self.exchange(url, body, headers)
        if not answer.is_accepted:
            raise self.refusal(url, answer, hidden)
        if answer.is_page:
            raise self.failure(
                f"{place_of(url)} answered with a web page: is a login or a proxy's page in between? correct the url"
            )
        return answer

    def exchange(self, url: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        """Return the answer to a request, whatever it is.

        Raises:
            DeliveryError: there was none.
        """
        import urllib3  # noqa: PLC0415  (who never delivers must not pay for it)

        if (wrong := wrong_with(url)) is not None:
            raise self.failure(wrong)
        for name, value in headers.items():
            if not (value.isascii() and value.isprintable()):
                raise self.failure(f"the header {name} holds what no header may; correct its value")
        try:
            with self._manager(url) as manager:
                response: Any = manager.urlopen(
                    "POST",
                    url,
                    body=body,
                    headers={"user-agent": f"tracelens/{tracelens.__version__}", **headers},
                    timeout=urllib3.Timeout(self.timeout_s),
                    retries=False,
                    redirect=False,
                    preload_content=False,
                    decode_content=False,
                )
                return _answer(response, self.timeout_s)
        except (urllib3.exceptions.HTTPError, OSError, ValueError) as error:
            # Without its cause: urllib3 writes whole addresses into its messages, and they may be secret.
            raise self.failure(f"{place_of(url)} {_reason(error, self.timeout_s)}") from None

    def refusal(self, url: str, answer: Answer, hidden: Iterable[str] = ()) -> DeliveryError:
        """Return the error for an answer that does not accept, as its status means everywhere."""
        return self.failure(
            f"{place_of(url)} answered {answer.describe(hidden)}: {answer.remedy()}",
            is_final=answer.is_final,
            retry_after_s=answer.retry_after_s,
        )

    def failure(self, text: str, *, is_final: bool = False, retry_after_s: float | None = None) -> DeliveryError:
        """Return the error with this text, after the notifier's name."""
        return DeliveryError(f"notifier {self.notifier}: {text}", is_final=is_final, retry_after_s=retry_after_s)

    def check(self, wrong: str | None = None, headers: Headers = ()) -> None:
        """Check what can be checked without sending.

        Args:
            wrong: with the address, as `wrong_with` says it.
            headers: whose values must be there.

        Raises:
            DeliveryError: it could not send so.
        """
        if wrong is not None:
            raise self.failure(wrong)
        self.reveal_headers(headers)
        if self.ca_file is not None:
            self.tls_context()

    def reveal(self, secret: Confidential) -> str:
        """Return a secret as it is now.

        Raises:
            DeliveryError: there is none.
        """
        return self.reveal_lines(secret)[0]

    def reveal_lines(self, secret: Confidential) -> list[str]:
        """Return every line of a secret as it is now.

        Raises:
            DeliveryError: there is none.
        """
        try:
            return secret.read_lines()
        except UsageError as error:
            raise self.failure(str(error)) from error

    def reveal_headers(self, headers: Headers) -> dict[str, str]:
        """Return headers with their values as they are now.

        Raises:
            DeliveryError: one has none.
        """
        return {name: self.reveal(value) for name, value in headers}

    def tls_context(self) -> ssl.SSLContext:
        """Return what verifies a server's certificate.

        Raises:
            DeliveryError: the file of authorities cannot be read.
        """
        import ssl  # noqa: PLC0415  (who never delivers must not pay for it)

        try:
            return ssl.create_default_context(cafile=None if self.ca_file is None else str(self.ca_file))
        except OSError as error:
            reason = "no certificate in it" if isinstance(error, ssl.SSLError) else error.strerror
            raise self.failure(f"ca_file {self.ca_file} cannot be read: {reason}; correct it") from error

    def _manager(self, url: str) -> Any:
        import urllib3  # noqa: PLC0415

        context = self.tls_context() if urlsplit(url).scheme == "https" else None
        proxy = _proxy(url)
        if proxy is None:
            return urllib3.PoolManager(ssl_context=context)
        parts = urlsplit(proxy if "://" in proxy else f"http://{proxy}")
        if parts.scheme not in {"http", "https"}:
            raise self.failure(f"the environment's proxy is no HTTP proxy but {neutralise(parts.scheme)}; correct it")
        user = f"{unquote(parts.username)}:{unquote(parts.password or '')}" if parts.username else None
        return urllib3.ProxyManager(
            parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl(),
            proxy_headers=urllib3.make_headers(proxy_basic_auth=user) if user else None,
            ssl_context=context,
        )


def wrong_with(url: str) -> str | None:
    """Return why an address cannot be posted to, without showing it; None where it can."""
    try:
        parts = urlsplit(url)
        wrong = parts.scheme not in {"http", "https"} or not parts.hostname or parts.port == 0
    except ValueError:
        wrong = True
    if wrong or not (url.isascii() and url.isprintable()) or " " in url:
        return "its url is no address: write http(s)://host[:port]/path"
    if parts.username or parts.password:
        return "its url must not hold a user name: send an authorization header"
    return None


def _answer(response: Any, timeout_s: float) -> Answer:
    deadline = time.monotonic() + timeout_s
    body = b""
    while len(body) < _ANSWER_BYTES and (chunk := response.read1(_ANSWER_BYTES)):
        body += chunk
        if time.monotonic() > deadline:
            raise TimeoutError
    return Answer(
        status=response.status,
        body=body[:_ANSWER_BYTES],
        retry_after_s=retry_after_s(response.headers.get("retry-after"), _LONGEST_PAUSE_S),
    )


def _reason(error: Exception, timeout_s: float) -> str:
    from urllib3 import exceptions  # noqa: PLC0415

    match error:
        case exceptions.ProxyError():
            reason = f"cannot be reached through the environment's proxy: {_said(error.original_error)}; correct it"
        case exceptions.NameResolutionError():
            reason = "is not known to the name service; correct the url, or wait until it is"
        case exceptions.NewConnectionError():
            reason = f"cannot be reached: {_said(error)}; correct the url, or start what should run there"
        case exceptions.SSLError():
            reason = f"is not trusted: {_said(error)}; correct the url or set ca_file"
        case exceptions.TimeoutError() | TimeoutError():
            reason = f"did not answer within {timeout_s:g} s; correct the url, or try again later"
        case exceptions.LocationValueError():
            reason = "is no address; correct the url"
        case _:
            reason = "broke off or does not speak HTTP; correct the url, or try again later"
    return reason


def _said(error: BaseException | None) -> str:
    """Return what the system said; urllib3's own messages hold addresses."""
    while error is not None:
        if isinstance(error, OSError) and (reason := getattr(error, "verify_message", "") or error.strerror):
            return neutralise(str(reason))
        first = error.args[0] if error.args and isinstance(error.args[0], BaseException) else None
        error = error.__cause__ or error.__context__ or first
    return "no connection"


def _proxy(url: str) -> str | None:
    from urllib.request import (  # type: ignore[attr-defined]  # noqa: PLC0415  # typeshed lacks one; it loads ssl
        getproxies_environment,
        proxy_bypass_environment,
    )

    parts = urlsplit(url)
    if proxy_bypass_environment(parts.netloc):
        return None
    proxies = getproxies_environment()
    return proxies.get(parts.scheme) or proxies.get("all")
