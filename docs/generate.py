"""Writes every page that is made from the thing itself, or tells which of them is out of date.

python docs/generate.py            rewrite the generated pages of docs/ and the generated blocks of README.md
python docs/generate.py --check    exit with 1 where one of them differs
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import click
from click.testing import CliRunner
from metrics_page import metrics_page
from notifiers_page import notifiers_page
from scale_page import scale_page

from tracelens.analysis import analyse
from tracelens.cli import main as tracelens_command
from tracelens.escalation.lifecycle import Lifecycle
from tracelens.escalation.rules import Rules
from tracelens.model import MODEL, ROWS_FROM, Scope, model_parameters
from tracelens.passes.registry import Pass, load_passes
from tracelens.report.pass_page import render_pass_page
from tracelens.settings import Settings, parse_settings
from tracelens.sources.files import load_files
from tracelens.store.store import Reader, Store

ROOT = Path(__file__).resolve().parents[1]
EXAMPLE_SETTINGS = {"objectives": [{"service": ".*", "endpoint": ".*", "p95_ms": 100}]}
BLOCK = re.compile(r"(<!-- generated: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)
_SPACED = re.compile(r",\s*")


def pages() -> dict[Path, str]:
    """Return every generated page and what it should hold."""
    passes = load_passes()
    wanted = {ROOT / "docs" / "passes" / f"{entry.name}.md": render_pass_page(entry) for entry in passes}
    readme = ROOT / "README.md"
    blocks = {"passes": pass_table(passes), "help": command_help(), "event": example_event()}
    wanted[ROOT / "tracelens" / "store" / "model" / "empty.sql"] = empty_relations()
    wanted[ROOT / "docs" / "metrics.md"] = metrics_page()
    wanted[ROOT / "docs" / "notifiers.md"] = notifiers_page()
    wanted[ROOT / "docs" / "scale.md"] = scale_page()
    for page in (readme, ROOT / "docs" / "escalation.md"):
        text = page.read_text(encoding="utf-8")
        wanted[page] = BLOCK.sub(lambda found: found[1] + blocks[found[2]] + found[3], text)
    return wanted


def pass_table(passes: tuple[Pass, ...]) -> str:
    """Return the README's table of passes."""
    rows = [f"| [`{entry.name}`](docs/passes/{entry.name}.md) | {entry.question} |" for entry in passes]
    return "\n".join(["| pass | question |", "| --- | --- |", *rows]) + "\n"


def command_help() -> str:
    """Return every command's help, as it prints it."""
    blocks = []
    for name in ("", *tracelens_command.list_commands(click.Context(tracelens_command))):
        arguments = [name] if name else []
        output = CliRunner().invoke(tracelens_command, [*arguments, "--help"], prog_name="tracelens").output
        blocks.append(f"```text\n$ {' '.join(['tracelens', *arguments, '--help'])}\n{output.rstrip()}\n```\n")
    return "\n".join(blocks)


def example_event() -> str:
    """Return the event that the recorded slow endpoint gives, on lines of its own."""
    settings = parse_settings(EXAMPLE_SETTINGS, source="docs/generate.py", folder=ROOT)
    rules = Rules(settings)
    store = Store(None)
    try:
        load_files(store, [ROOT / "sample_traces" / "n_plus_one"], sys.exit)
        with store.reader() as reader:
            report = analyse(reader, rules.judging(), Scope(from_files=True))
    finally:
        store.close()
    moment = report.window_end_ns or 0
    changes = Lifecycle(settings.escalation, {}, moment).step(rules.observations(report), report, moment)
    event = next(change.event for change in changes if change.event["data"]["causes"])
    event |= {"id": "6c1b2f0e-7a35-4c0e-9d55-1d3c1f6f3b10"}
    return f"```json\n{json.dumps(event, indent=2, ensure_ascii=False)}\n```\n"


def empty_relations() -> str:
    """Return the script that makes the model's relations as empty tables."""
    store = Store(None)
    try:
        with store.reader() as reader:
            for script in MODEL:
                reader.run_file(f"model/{script}.sql", model_parameters(Settings(), Scope()))
            tables = [empty_relation(relation, reader) for relation in ROWS_FROM]
    finally:
        store.close()
    return "-- Made by docs/generate.py: what model.py makes of a relation that can have no rows.\n\n" + "\n".join(
        tables
    )


def empty_relation(relation: str, reader: Reader) -> str:
    """Return the statement that makes one relation as an empty table."""
    columns = reader.rows(
        "select column_name, lower(data_type) as data_type from duckdb_columns() "
        "where database_name = 'temp' and table_name = $relation order by column_index",
        {"relation": relation},
    )
    listed = ",\n".join(f"  {column['column_name']} {_SPACED.sub(', ', column['data_type'])}" for column in columns)
    return f"create or replace temp table {relation} (\n{listed}\n);\n"


def main() -> None:
    """Rewrite or check."""
    wanted = pages()
    stale = [path for path, text in wanted.items() if not path.exists() or path.read_text(encoding="utf-8") != text]
    orphans = [path for path in (ROOT / "docs" / "passes").glob("*.md") if path not in wanted]
    if "--check" in sys.argv:
        for path in stale + orphans:
            print(f"{path.relative_to(ROOT)} is out of date: run make docs")
        sys.exit(bool(stale or orphans))
    for path in stale:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(wanted[path], encoding="utf-8")
        print(f"wrote {path.relative_to(ROOT)}")
    for path in orphans:
        path.unlink()


if __name__ == "__main__":
    main()
