"""Results where people look at them: notebooks, and data frames."""

from collections.abc import Callable
from importlib import import_module
from typing import Any

HTML: list[Callable[[Any], str]] = []
"""What shows results as HTML; the package's door puts it here, because reports stand above what they show."""


def html_of(result: Any) -> str | None:
    """Return the first sentences and tables of a result as HTML, as a notebook shows it; None: it shows ``repr``."""
    return HTML[0](result) if HTML else None


def to_pandas(table: Any) -> Any:
    """Return a pyarrow.Table as a pandas.DataFrame; raises ImportError where pandas is not installed."""
    try:
        import_module("pandas")
    except ImportError:
        raise ImportError("pandas is not installed: pip install pandas, or take to_arrow()") from None
    return table.to_pandas()
