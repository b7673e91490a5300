"""A page as one HTML file: no script, no network, nothing beside it."""

import re
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

from dcsim.report.charts import svg
from dcsim.report.document import Page, Picture
from dcsim.report.page import Passage, Table

if TYPE_CHECKING:
    from jinja2 import Template
    from markupsafe import Markup

TEMPLATES = "templates"


def html(page: Page) -> str:
    """Return the page: every text in it escaped, every picture with its finding and its table."""
    return _template().render(page=page)


def _whole(text: str) -> str:
    """Keep numbers and their units on one line."""
    return re.sub(r"(?<=\d) (?=[%$±]|pp\b|USD\b|million\b|GPUs?\b|h\b)|(?<=[±+]) (?=\d)", "\u00a0", text)


def _key(text: str) -> "Markup":
    """Let a dotted key break behind its dots and underscores only."""
    from markupsafe import Markup, escape

    return Markup(re.sub(r"([._])", r"\1<wbr>", str(escape(text))))


@cache
def _template() -> "Template":
    from jinja2 import DictLoader, Environment, StrictUndefined
    from markupsafe import Markup

    folder = files("dcsim.report") / TEMPLATES
    texts = {name: (folder / name).read_text(encoding="utf-8") for name in ("report.html", "report.css")}
    environment = Environment(
        loader=DictLoader(texts), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.globals["style"] = Markup(texts["report.css"])  # ours, not a reader's
    environment.globals["svg"] = lambda picture: Markup(svg(picture))  # escapes its texts itself
    environment.filters["whole"] = _whole
    environment.filters["key"] = _key
    environment.tests["table"] = lambda part: isinstance(part, Table)
    environment.tests["passage"] = lambda part: isinstance(part, Passage)
    environment.tests["picture"] = lambda part: isinstance(part, Picture)
    return environment.get_template("report.html")
