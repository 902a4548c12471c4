"""Stack traces as runtimes write them: the innermost frame that is the application's own.

No library reads the traces of all these languages, so each has a regular expression in `stack_traces.toml`.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final

from tracelens.findings import CodeLocation

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_LONGEST: Final = 200_000
"""Characters of a stack trace that are read: an exception's message may be of any length, and stands first."""
_LONGEST_LINE: Final = 1_000
"""Characters of a frame: what is longer is a message, and would make the patterns slow."""

_URL: Final = re.compile(r"^(?:file|webpack(?:-internal)?)://+(?=/)|^webpack(?:-internal)?:///(?:\./)?")


@dataclass(frozen=True, slots=True)
class _Format:
    """One entry of `stack_traces.toml`."""

    frame: re.Pattern[str]
    is_innermost_last: bool
    cause: re.Pattern[str] | None
    is_cause_last: bool
    forget: re.Pattern[str] | None
    names_callee: bool
    renames: tuple[tuple[re.Pattern[str], str], ...]
    library_files: re.Pattern[str] | None
    library_functions: re.Pattern[str] | None
    extensions: frozenset[str]

    def frames(self, text: str) -> Iterator[CodeLocation]:
        """Return the frames of a text that is of this format, innermost first."""
        if self.forget is not None:
            text = text[max((found.end() for found in self.forget.finditer(text)), default=0) :]
        starts = [0, *(found.start() for found in self.cause.finditer(text))] if self.cause is not None else [0]
        stacks = [text[start:end] for start, end in zip(starts, [*starts[1:], len(text)], strict=True)]
        for stack in reversed(stacks) if self.is_cause_last else stacks:
            found = [self._location(match) for match in self.frame.finditer(stack)]
            if self.names_callee:
                callers = [frame.function for frame in found[1:]] + [None]
                found = [
                    CodeLocation(caller, frame.file, frame.line)
                    for frame, caller in zip(found, callers, strict=True)
                    if frame.file is not None
                ]
            yield from reversed(found) if self.is_innermost_last else found

    def is_library(self, place: CodeLocation) -> bool:
        """Tell whether a place is not the application's."""
        return _matches(self.library_files, place.file) or _matches(self.library_functions, place.function)

    def _location(self, match: re.Match[str]) -> CodeLocation:
        function, file, line = match["function"], match["file"], match["line"]
        for pattern, replacement in self.renames:
            function = function and pattern.sub(replacement, function)
        return CodeLocation(function or None, file and _URL.sub("", file), None if line is None else int(line[:9]))


def application_frame(stack_trace: str) -> CodeLocation | None:
    """Return the frame nearest to where a stack trace was taken that is application code.

    Frames of the runtime, its standard library, frameworks and installed packages are passed over.

    Returns:
        None where no frame is the application's, or the text is no stack trace of a language that is known.
    """
    lines = stack_trace[-_LONGEST:].replace("\r\n", "\n").split("\n")
    text = "\n".join(line for line in lines if len(line) <= _LONGEST_LINE)
    counts = [(len(known.frame.findall(text)), known) for known in _formats()]
    most, best = max(counts, key=lambda counted: counted[0])
    if not most:
        return None
    return next((frame for frame in best.frames(text) if not best.is_library(frame)), None)


def is_application(place: CodeLocation) -> bool:
    """Tell whether a function and file, as `code.*` names them, may be the application's.

    Instrumentations of a library name the library's own function, such as `PDO::query`.
    """
    ending = (place.file or "").rpartition(".")[2].lower()
    named = [known for known in _formats() if ending in known.extensions]
    return not any(known.is_library(place) for known in named or _formats())


@cache
def _formats() -> tuple[_Format, ...]:
    document = tomllib.loads(files("tracelens.semconv").joinpath("stack_traces.toml").read_text(encoding="utf-8"))
    return tuple(_format(entry) for entry in document["formats"].values())


def _format(entry: dict[str, Any]) -> _Format:
    return _Format(
        frame=re.compile(entry["frame"], re.MULTILINE),
        is_innermost_last=entry["innermost"] == "last",
        cause=_pattern(entry, "cause"),
        is_cause_last=entry.get("innermost_cause") == "last",
        forget=_pattern(entry, "forget"),
        names_callee=entry.get("calls", False),
        renames=tuple((re.compile(pattern), replacement) for pattern, replacement in entry.get("rename", ())),
        library_files=_any_of(entry.get("library_files", ())),
        library_functions=_any_of(entry.get("library_functions", ())),
        extensions=frozenset(entry["extensions"]),
    )


def _pattern(entry: dict[str, Any], name: str) -> re.Pattern[str] | None:
    return re.compile(entry[name], re.MULTILINE) if name in entry else None


def _any_of(patterns: Sequence[str]) -> re.Pattern[str] | None:
    return re.compile("|".join(patterns)) if patterns else None


def _matches(pattern: re.Pattern[str] | None, text: str | None) -> bool:
    return pattern is not None and text is not None and pattern.search(text) is not None
