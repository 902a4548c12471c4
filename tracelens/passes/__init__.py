"""The passes: one folder each, found by their names."""
