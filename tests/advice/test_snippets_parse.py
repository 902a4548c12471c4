"""Every snippet that any of the fact sets gets is code that its language accepts."""

from __future__ import annotations

import ast
import json
import re
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest
import sqlglot
from sqlglot import exp

from tracelens.advice.dialects import dialect_of

from .fact_sets import every_advice

if TYPE_CHECKING:
    from pathlib import Path

    from tracelens.findings import Snippet

GRAMMARS = {
    "javascript": ("tree_sitter_javascript", "language"),
    "java": ("tree_sitter_java", "language"),
    "csharp": ("tree_sitter_c_sharp", "language"),
    "ruby": ("tree_sitter_ruby", "language"),
    "php": ("tree_sitter_php", "language_php"),
    "go": ("tree_sitter_go", "language"),
}
NODE_PARSES_MODULES = """
const vm = require('node:vm');
const sources = JSON.parse(require('node:fs').readFileSync(process.argv[1], 'utf8'));
const refused = sources.flatMap((source) => {
  try {
    new vm.SourceTextModule(source);
    return [];
  } catch (error) {
    return [`${error}\\n${source}`];
  }
});
process.stdout.write(JSON.stringify(refused));
"""


def snippets_in(language: str) -> list[Snippet]:
    found = {advice.snippet for _, advice in every_advice() if advice.snippet and advice.snippet.language == language}
    assert found
    return sorted(found, key=lambda snippet: snippet.code)


def parses_as_sql(code: str, db_system: str | None) -> bool:
    """Whether every statement is one that sqlglot understands; what EXPLAIN stands before is judged without it."""
    dialect = dialect_of(db_system)
    assert dialect is not None
    opaque = {dialect.explain, "CREATE EXTENSION IF NOT EXISTS pg_trgm;"}
    text = "\n".join(line for line in code.split("\n") if line not in opaque)
    text = re.sub(r"\$\d+", ":p", text)  # sqlglot takes `$1, $` for the start of a quoted string
    trees = sqlglot.parse(text, read=dialect.sqlglot)
    return bool(trees) and all(tree is not None and not isinstance(tree, exp.Command) for tree in trees)


def test_sql_parses_in_its_dialect() -> None:
    checked = 0
    for facts, advice in every_advice():
        if advice.snippet is not None and advice.snippet.language == "sql":
            assert parses_as_sql(advice.snippet.code, facts.db_system), (facts, advice.snippet.code)
            checked += 1
    assert checked > 100


def test_python_compiles() -> None:
    for snippet in snippets_in("python"):
        compile(snippet.code, snippet.framework, "exec", flags=ast.PyCF_ONLY_AST | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)


def test_javascript_is_accepted_by_node(tmp_path: Path) -> None:
    node = shutil.which("node")
    if node is None:
        pytest.skip("node is not installed")
    sources = tmp_path / "snippets.json"
    sources.write_text(json.dumps([snippet.code for snippet in snippets_in("javascript")]))
    command = [node, "--experimental-vm-modules", "--no-warnings", "-e", NODE_PARSES_MODULES, str(sources)]
    answer = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert json.loads(answer.stdout) == []


@pytest.mark.parametrize("language", GRAMMARS)
def test_code_parses_by_its_grammar(language: str) -> None:
    tree_sitter = pytest.importorskip("tree_sitter")
    module, function = GRAMMARS[language]
    grammar = getattr(pytest.importorskip(module), function)()
    parser = tree_sitter.Parser(tree_sitter.Language(grammar))
    for snippet in snippets_in(language):
        source = as_file(language, snippet.code)
        assert not parser.parse(source.encode()).root_node.has_error, source


def as_file(language: str, code: str) -> str:
    """A snippet is part of a file: put around it what the grammar of a whole file asks for."""
    if language == "php":
        members = re.search(r"^(public|static|protected) ", code, re.MULTILINE) and not re.search(
            r"^(?:final )?class ", code, re.MULTILINE
        )
        return f"<?php\nclass Example\n{{\n{code}\n}}" if members else f"<?php\n{code}"
    if language == "go":
        declares = re.search(r"^func ", code, re.MULTILINE)
        return f"package example\n{code}" if declares else f"package example\n\nfunc example() {{\n{code}\n}}"
    return code


def test_no_grammar_is_forgotten() -> None:
    languages = {advice.snippet.language for _, advice in every_advice() if advice.snippet}
    configuration = {"http", "nginx", "prisma", "properties", "text", "yaml"}
    assert languages - configuration == {"sql", "python", *GRAMMARS}


def test_advice_is_safe_as_json_and_on_one_line_where_it_is_prose() -> None:
    for _, advice in every_advice():
        prose = [advice.summary, *advice.steps]
        assert all(text.isprintable() and "{{" not in text for text in prose), prose
        assert advice.summary
        text = json.dumps([prose, advice.snippet.code if advice.snippet else None])
        assert json.loads(text)[0] == prose
