"""Reporters: a `Report` in, text out.

Pure functions: nothing here reads a clock, a file, the environment or the terminal. Whoever calls
decides width, colour and encoding, and the same report always gives the same text.
"""
