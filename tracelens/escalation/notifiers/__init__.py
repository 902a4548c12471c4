"""Notifiers: one module for each kind, found by its name.

A module `<kind>.py` holds its documentation, `EXAMPLE`, a configuration of it in TOML, `Options`, a frozen dataclass of
what may be configured, and `Channel`, which delivers. A new kind is a new file.
"""

from tracelens.escalation.notifiers.registry import Channel, Notifier, check_notifiers, kinds, load_notifiers

__all__ = ["Channel", "Notifier", "check_notifiers", "kinds", "load_notifiers"]
