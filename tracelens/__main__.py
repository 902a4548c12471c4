"""Run the command line with `python -m tracelens`."""

from tracelens.cli import main

main()
