"""The command line: parse, call, print. The only package that imports click, prints, or ends the process."""

from tracelens.cli.commands import main

__all__ = ["main"]
