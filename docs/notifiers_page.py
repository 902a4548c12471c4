"""docs/notifiers.md, made from what the notifiers' modules say of themselves."""

from __future__ import annotations

from dataclasses import MISSING, fields
from typing import TYPE_CHECKING, Any

from tracelens.escalation.notifiers import kinds
from tracelens.escalation.notifiers.registry import kind_module
from tracelens.settings.notifying import CommonOptions

if TYPE_CHECKING:
    from dataclasses import Field

INTRODUCTION = """\
# Notifiers

Who is told of escalation events. Each `[[notifiers]]` entry of `tracelens.toml` is one notifier; without any, events
are printed on standard output as lines of JSON.

```console
$ tracelens notify list            # where each delivers, and what it is told
$ tracelens notify test on-call    # a marked test event, and that it is resolved
```

## What every notifier has

"""

PROMISES = """
## Secrets

A setting whose value is a secret is given in one of three ways: `url = "…"` in the file itself, `url_env = "NAME"`
for an environment variable, or `url_file = "path"` for a file, relative to the configuration's folder.
`url = { env = "NAME" }` and `url = { file = "path" }` mean the same. A file is read with every delivery, so its secret
can be exchanged while tracelens runs. `serve` does not start while one is missing. The value of a header is a text,
`{ env = "NAME" }` or `{ file = "path" }`. Secrets appear neither in messages nor in the log nor in
`tracelens notify list`, even where a receiver repeats them.

## Delivery

Events of one service and endpoint that wait at the same time are told together. What is not accepted is sent again,
later and later, or when the receiver asks for it (`Retry-After`); the event's `id` stays the same, so a receiver can
recognise it. What is refused for what it is (400, 410, 413, 415, 422, and what means the same elsewhere) is not sent
again. A wrong token, a wrong address or a page in between can be corrected while tracelens runs, so they are no reason
to give up.

Redirects are not followed. Certificates are verified; `ca_file` names the authorities to trust in place of the
system's. Proxies are taken from `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY` and `NO_PROXY`.

Texts from spans (service names, endpoints, query shapes) are shown as they are in every channel: they cannot mention
people, make links, add headers or change a layout. Query literals are not in an event at all.

## Kinds
"""


def notifiers_page() -> str:
    """Return the page."""
    parts = [INTRODUCTION, options_table(CommonOptions), PROMISES]
    for kind in kinds():
        module = kind_module(kind)
        parts.append(f"\n### `{kind}`\n\n{module.__doc__.strip()}\n\n```toml\n{module.EXAMPLE}```\n")
        if fields(module.Options):
            parts.append("\n" + options_table(module.Options))
    return "".join(parts)


def options_table(options: type[Any]) -> str:
    """Return a table of a dataclass's fields."""
    rows = [
        f"| {setting(entry)} | {value_of(entry)} | {entry.metadata['about'].replace('|', '&#124;')} |"
        for entry in fields(options)
    ]
    return "\n".join(["| setting | default | meaning |", "| --- | --- | --- |", *rows]) + "\n"


def setting(entry: Field[Any]) -> str:
    """Return a setting's name in the file; a secret's three names."""
    name = entry.name.rstrip("_")
    if str(entry.type).startswith("Confidential"):
        return f"`{name}`, `{name}_env` or `{name}_file`"
    return f"`{name}`"


def value_of(entry: Field[Any]) -> str:
    """Return a setting's default as it would be written in the file."""
    default = entry.default
    if default is MISSING:
        return "required"
    if default in (None, "", ()):
        return "none"
    if isinstance(default, bool):
        return f"`{str(default).lower()}`"
    return f'`"{default}"`' if isinstance(default, str) else f"`{default:g}`"
