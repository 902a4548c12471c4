"""The exceptions that tracelens raises on purpose.

    TracelensError              one line for the user, with an exit code
    ├── UsageError              2  wrong option or configuration
    ├── DamagedInputError       3  a trace file that cannot be read
    ├── StoreError              4  the store cannot be opened, read or written
    │   └── StoreBusyError      4  another process holds the store's file
    ├── ServerError             4  an address cannot be bound or reached
    ├── InvalidRequestError     -  an OTLP request that can never succeed
    ├── OverloadedError         -  an OTLP request to be sent again later
    └── DeliveryError           4  an event that a notifier did not deliver

Only `cli.py` turns them into an exit.
"""


class TracelensError(Exception):
    """Something the user can act on; its text is one line that says what to do."""

    exit_code = 1


class UsageError(TracelensError):
    """A wrong option, or a configuration file that does not validate."""

    exit_code = 2


class DamagedInputError(TracelensError):
    """A trace file that is not readable, or not a trace file."""

    exit_code = 3


class StoreError(TracelensError):
    """The store cannot be opened, read or written."""

    exit_code = 4


class StoreBusyError(StoreError):
    """Another process holds the store's file."""


class ServerError(TracelensError):
    """An address that cannot be bound or reached."""

    exit_code = 4


class InvalidRequestError(TracelensError):
    """An OTLP request that can never succeed: the sender must not send it again."""


class OverloadedError(TracelensError):
    """An OTLP request that may succeed later.

    Attributes:
        retry_after_s: seconds the sender is asked to wait. Short on purpose: the Python exporters
            drop a batch whose delay is longer than what is left of their 10 s.
    """

    def __init__(self, message: str, retry_after_s: float = 1.0) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class DeliveryError(TracelensError):
    """A notifier could not deliver an event.

    Attributes:
        is_final: sending the same again cannot succeed: it was refused for what it is, not for when it came.
        retry_after_s: seconds after which the receiver asks for it again; None where it did not say.
    """

    exit_code = 4

    def __init__(self, message: str, *, is_final: bool = False, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.is_final = is_final
        self.retry_after_s = retry_after_s
