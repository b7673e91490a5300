"""Results where people look at them: notebooks, and data frames."""

from collections.abc import Callable
from importlib import import_module
from typing import Any

HTML: list[Callable[[Any], str]] = []
"""What shows results as HTML; the package's door puts it here, because reports stand above what they show."""


class Displayed:
    """A result: a console shows its sentences (``str``), a notebook the first sentences and tables of its page."""

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str | None:
        """Return HTML; None where nothing was loaded that makes it: a notebook shows ``repr`` then."""
        return HTML[0](self) if HTML else None


def to_pandas(table: Any) -> Any:
    """Return a pyarrow.Table as a pandas.DataFrame; raises ImportError where pandas is not installed."""
    try:
        import_module("pandas")
    except ImportError:
        raise ImportError("pandas is not installed: pip install pandas, or take to_arrow()") from None
    return table.to_pandas()
