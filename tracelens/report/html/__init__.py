"""The report as a page: one HTML file that needs nothing but a browser."""

from tracelens.report.html.page import render_html

__all__ = ["render_html"]
