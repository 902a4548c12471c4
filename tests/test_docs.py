"""Generated pages equal what their generator gives now, and what a page names exists."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

from click import Context, UsageError

from tracelens.cli import main
from tracelens.settings import parse_settings

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_generated_pages_are_current() -> None:
    outcome = subprocess.run(
        [sys.executable, ROOT / "docs" / "generate.py", "--check"], capture_output=True, text=True, check=False
    )
    assert (outcome.returncode, outcome.stdout) == (0, ""), outcome.stderr


def test_the_readme_s_configuration_is_valid() -> None:
    (example,) = re.findall(r"```toml\n(.*?)```", README, re.DOTALL)
    settings = parse_settings(tomllib.loads(example), source="README.md", folder=ROOT)
    assert settings.thresholds == {"n_plus_one": {"min_repeats": 10}}
    assert settings.escalation.window_s == 600


def test_the_readme_s_make_targets_exist() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    assert set(re.findall(r"make ([a-z]+)", README)) - {"them"} <= targets


def test_every_command_has_an_example_that_parses() -> None:
    for name in main.list_commands(Context(main)):
        command = main.get_command(Context(main), name)
        assert command is not None
        assert command.help is not None
        (example,) = re.findall(r"Example: tracelens (.+)", command.help)
        words = example.split()
        assert words[0] == name
        try:
            command.make_context(name, words[1:], resilient_parsing=False)
        except UsageError as error:
            raise AssertionError(f"{example}: {error}") from error
