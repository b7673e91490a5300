"""Which renderer writes which kind of report."""

from dcsim.cli.report import _renderer
from dcsim.report.csv_export import csv_text
from dcsim.report.html import html
from dcsim.report.markdown import markdown


def test_each_kind_of_report_has_its_renderer() -> None:
    """Markdown and CSV by name; whatever else is asked for is a page."""
    assert [_renderer(kind) for kind in ("markdown", "csv", "html")] == [markdown, csv_text, html]
