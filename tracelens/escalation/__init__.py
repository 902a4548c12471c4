"""Escalation: which findings reach a person, once when they fire and once when they are resolved."""
