"""Writes every page that is made from the thing itself, or tells which of them is out of date.

python docs/generate.py            rewrite the generated pages of docs/ and the generated blocks of README.md
python docs/generate.py --check    exit with 1 where one of them differs
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

import click
from click.testing import CliRunner
from metrics_page import metrics_page
from notifiers_page import notifiers_page

from tracelens.cli import main as tracelens_command
from tracelens.passes.registry import Pass, load_passes
from tracelens.report.pass_page import render_pass_page

ROOT = Path(__file__).resolve().parents[1]
BLOCK = re.compile(r"(<!-- generated: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)


def pages() -> dict[Path, str]:
    """Return every generated page and what it should hold."""
    passes = load_passes()
    wanted = {ROOT / "docs" / "passes" / f"{entry.name}.md": render_pass_page(entry) for entry in passes}
    readme = ROOT / "README.md"
    blocks = {"passes": pass_table(passes), "help": command_help()}
    wanted[ROOT / "docs" / "metrics.md"] = metrics_page()
    wanted[ROOT / "docs" / "notifiers.md"] = notifiers_page()
    wanted[readme] = BLOCK.sub(lambda found: found[1] + blocks[found[2]] + found[3], readme.read_text(encoding="utf-8"))
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
