"""How every command ends and what it says beside its result: errors, log and progress, one line each on stderr."""

from __future__ import annotations

import gc
import logging
import os
import shutil
import signal
import sys
import threading
import traceback
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, Final, Never

import click

from tracelens.errors import TracelensError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

INTERRUPTED: Final = 130
DEFECT: Final = 70
"""As BSD's EX_SOFTWARE, since 1 says that there are findings."""

_ALLOCATIONS_BETWEEN_COLLECTIONS: Final = 50_000
"""Loading modules makes many objects and no garbage: to look through them every 700 takes 50 ms."""

_CLEAR: Final = "\r\033[K"

_LOG: Final = logging.getLogger("tracelens")


class Commands(click.Group):
    """A group whose errors are one line on stderr and an exit code; a traceback comes under -v only."""

    def main(self, args: Sequence[str] | None = None, prog_name: str | None = None, *_: Any, **extra: Any) -> Never:
        """Run the command that the arguments name, and end the process as click does.

        Where the arguments are the process's own, it ends at once: nothing is left to do, and taking apart what
        DuckDB and Arrow have loaded takes a tenth of what a small report does.
        """
        if args is None:
            gc.set_threshold(_ALLOCATIONS_BETWEEN_COLLECTIONS)
        _log_to_stderr()
        try:
            code = super().main(args, prog_name, **(extra | {"standalone_mode": False}))
        except click.exceptions.NoArgsIsHelpError as error:
            error.show()
            code = error.exit_code
        except click.ClickException as error:
            say_error(_usage(error), None)
            code = error.exit_code
        except TracelensError as error:
            say_error(str(error), error)
            code = error.exit_code
        except (click.Abort, KeyboardInterrupt):
            say_error("interrupted", None)
            code = INTERRUPTED
        except Exception as error:  # noqa: BLE001  (the outermost boundary: even a defect ends with one line)
            say_error(
                f"a defect of tracelens: {type(error).__name__}: {error}; "
                "run it again with -v and report what that shows",
                error,
            )
            code = DEFECT
        if args is None:
            _end(code)
        sys.exit(code)


def _end(code: object) -> Never:
    logging.shutdown()
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            with suppress(OSError, ValueError):  # nobody reads it any more; `put` has told of what was lost
                stream.flush()
    os._exit(code if isinstance(code, int) else 0)


def _usage(error: click.ClickException) -> str:
    text = error.format_message()
    context = error.ctx if isinstance(error, click.UsageError) else None
    if context is None:
        return text
    command = context.command_path.removeprefix(context.find_root().command_path).strip()
    stop = "" if text.endswith((".", "?")) else "."
    return f"{command}{': ' if command else ''}{text}{stop} See `{context.command_path} --help`"


def say(text: str) -> None:
    """Print a line on stderr, whatever is in the text."""
    click.echo(one_line(text), err=True)


def say_error(text: str, error: BaseException | None) -> None:
    """Print an error's line, after its traceback under -v."""
    if error is not None and is_verbose():
        traceback.print_exception(error)
    say(f"tracelens: {text}")


def one_line(text: str) -> str:
    """Return the text without line ends and control characters: names of files may hold any."""
    return "".join(character if character.isprintable() else " " for character in text)


def is_verbose() -> bool:
    """Say whether -v was given."""
    return _LOG.isEnabledFor(logging.DEBUG)


def _set_verbose(_context: click.Context, _parameter: click.Parameter, value: bool) -> None:  # noqa: FBT001
    if value:
        _LOG.setLevel(logging.DEBUG)


verbose = click.option(
    "-v", "--verbose", is_flag=True, expose_value=False, callback=_set_verbose, help="Say more; show tracebacks."
)


class _OneLine(logging.Formatter):
    """Shows an exception as its last line; with its traceback under -v only."""

    def format(self, record: logging.LogRecord) -> str:
        if is_verbose():
            return super().format(record)
        text = f"tracelens: {record.levelname.lower()}: {record.getMessage()}"
        if record.exc_info and record.exc_info[1] is not None:
            text += f": {type(record.exc_info[1]).__name__}: {record.exc_info[1]}"
        return one_line(text)


class _Stderr(logging.Handler):
    """Writes to what is standard error at that moment."""

    def emit(self, record: logging.LogRecord) -> None:
        click.echo(self.format(record), err=True)


_STDERR: Final = _Stderr()
_STDERR.setFormatter(_OneLine("tracelens: %(levelname)s: %(name)s: %(message)s"))


def _log_to_stderr() -> None:
    logging.getLogger().addHandler(_STDERR)
    _LOG.setLevel(logging.WARNING)


def one_thread_for_algebra() -> None:
    """Keep numpy from starting a thread per core for linear algebra, of which there is none here, while it loads.

    A program that this process starts would inherit it: not for `run`.
    """
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")


@contextmanager
def ctrl_c_ends() -> Iterator[None]:
    """Have Ctrl-C end the process at once: in DuckDB it would become an error of the pass that runs, and no more."""

    def end(_number: int, _frame: object) -> None:
        click.echo(_CLEAR if sys.stderr.isatty() else "", nl=False, err=True)
        say("tracelens: interrupted")
        os._exit(INTERRUPTED)

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    previous = signal.signal(signal.SIGINT, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, previous)


@contextmanager
def progress_line() -> Iterator[Callable[[str], None]]:
    """Show what is being done on a terminal's standard error, in one line that goes when it is done. Ctrl-C ends it."""
    with ctrl_c_ends():
        if not sys.stderr.isatty():
            yield lambda _text: None
            return

        def show(text: str) -> None:
            width = shutil.get_terminal_size((80, 24)).columns
            click.echo(f"{_CLEAR}{one_line(text)[: width - 1]}", nl=False, err=True)

        try:
            yield show
        finally:
            click.echo(_CLEAR, nl=False, err=True)
