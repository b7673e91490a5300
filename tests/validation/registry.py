"""Published facts as data: what was published, from which inputs, how near dcsim must come, and who says so.

The files in anchors/ hold them, one for each section of docs/validation.md. A number may be written as arithmetic
("419 / 54"), so that a reader sees where it is from.
"""

import ast
import operator
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

FOLDER = Path(__file__).parent / "anchors"
OPERATORS: dict[type[ast.AST], Callable[[float, float], float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: operator.pow,
}


def number(value: Any) -> Any:
    """Return what arithmetic in a text gives; anything else as it is. Raises ValueError."""
    if not isinstance(value, str):
        return value

    def of(node: ast.expr) -> float:
        match node:
            case ast.Constant(value=int() | float() as found):
                return found
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return -of(operand)
            case ast.BinOp(left=left, op=op, right=right) if type(op) in OPERATORS:
                return OPERATORS[type(op)](of(left), of(right))
        raise ValueError(f"found {value!r}; allowed: numbers with + - * / ** and brackets")

    try:
        return of(ast.parse(value, mode="eval").body)
    except SyntaxError:
        raise ValueError(f"found {value!r}; allowed: arithmetic of numbers") from None


Arithmetic = Annotated[float, BeforeValidator(number)]
Label = Literal["calibrated", "emergent", "sanity", "declined"]
Road = Literal["formula", "theory", "simulation", "record"]


class Frozen(BaseModel):
    """A value whose keys are all known."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Question(Frozen):
    """What is asked of dcsim: a function with its inputs, or a figure of a scenario, estimated or simulated.

    ``formula``: a function of dcsim by its dotted name, called with ``inputs``, each of which may be another formula.
    ``scenario``: a shipped name, or a file in scenarios/ beside this one; ``set`` changes it; ``figure`` names what is
    looked at. ``runs``: of a simulation. ``scale``: what the figure is multiplied by, for its unit.
    """

    formula: str = ""
    inputs: dict[str, Any] = Field(default_factory=dict)
    scenario: str = ""
    set: tuple[str, ...] = ()
    figure: str = ""
    runs: int = 0
    scale: Arithmetic = 1.0


class Anchor(Question):
    """A published figure, and how near to it dcsim must come.

    ``expected`` with ``within``, both in ``unit``; or ``at_least``, ``at_most``, or both of them. ``why``: why that
    near. ``label``: "calibrated" (an input was set from it, so it proves nothing), "emergent" (a prediction of what was
    measured or simulated elsewhere), "sanity" (what was computed elsewhere) or "declined" (an input, or it does not
    follow from what was published). ``reason``: why that label. ``needs``: a file of field data that does not come with
    dcsim. ``headline``: what README.md calls it, if it is shown there.
    """

    id: str = Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")
    about: str
    source: str = Field(pattern=r"\b(19|20)\d\d\b")
    label: Label
    reason: str = ""
    road: Road | None = None
    published: str = ""
    expected: Arithmetic | None = None
    within: Arithmetic = Field(0.0, ge=0)
    why: str = ""
    at_least: Arithmetic | None = None
    at_most: Arithmetic | None = None
    unit: str = ""
    digits: int = Field(2, ge=0)
    needs: str = ""
    headline: str = ""

    @model_validator(mode="after")
    def _fits(self) -> Self:
        """Refuse an anchor that says too little or contradicts itself."""
        one_sided = self.at_least is not None or self.at_most is not None
        if self.label == "declined":
            if self.road or self.expected is not None or one_sided:
                raise ValueError("a declined anchor is not run")
            if not (self.reason and self.published):
                raise ValueError("a declined anchor says what was published, and its reason")
            return self
        if self.road is None:
            raise ValueError("road: missing")
        if one_sided == (self.expected is not None):
            raise ValueError("either expected, or at_least and at_most")
        if not self.why:
            raise ValueError("why: missing")
        if self.label == "calibrated" and not self.reason:
            raise ValueError("a calibrated anchor says what was set from it")
        if bool(self.formula) == bool(self.scenario) and self.road != "record":
            raise ValueError("either a formula or a scenario")
        if (self.road == "simulation") != (self.runs > 1):
            raise ValueError("runs: a simulation needs two or more, nothing else has any")
        return self

    @property
    def bounds(self) -> tuple[float, float]:
        """What is accepted, from and to."""
        if self.expected is not None:
            return self.expected - self.within, self.expected + self.within
        low, high = self.at_least, self.at_most
        return (-float("inf") if low is None else low), (float("inf") if high is None else high)

    def shown(self, value: float) -> str:
        """Return a value in the anchor's unit and digits."""
        return f"{value:,.{self.digits}f} {self.unit}".rstrip()

    @property
    def printed(self) -> str:
        """What was published, as text."""
        if self.published:
            return self.published
        if self.expected is not None:
            return self.shown(self.expected)
        return self.limits

    @property
    def limits(self) -> str:
        """Bounds of a figure that has no single value, as text."""
        low, high = self.at_least, self.at_most
        if low is not None and high is not None:
            return f"{low:,.{self.digits}f} to {self.shown(high)}"
        return f"at least {self.shown(low)}" if low is not None else f"at most {self.shown(high or 0.0)}"


class Control(Question):
    """A known wrong model: an anchor asked with one thing wrong, which must not come near what was published.

    What is given here takes the place of what the anchor has; ``set`` and ``inputs`` are added to the anchor's.
    """

    id: str = Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")
    of: str
    about: str
    runs: int = 0

    def wrong(self, anchor: Anchor) -> Anchor:
        """Return the anchor with what is wrong."""
        given = self.model_dump(exclude_unset=True, exclude={"id", "of", "about"})
        given["set"] = (*anchor.set, *self.set)
        given["inputs"] = {**anchor.inputs, **self.inputs}
        return anchor.model_copy(update=given)


class Section(Frozen):
    """A file of anchors: a heading of docs/validation.md, sentences below it, and the table."""

    title: str
    about: str
    anchor: tuple[Anchor, ...]
    control: tuple[Control, ...] = ()


class RegistryError(Exception):
    """A file of anchors with mistakes, one line each."""


def _with_defaults(document: dict[str, Any]) -> dict[str, Any]:
    """Return a file's text with what its table ``defaults`` gives to each anchor."""
    defaults = document.pop("defaults", {})
    anchors = [{**defaults, **each} for each in document.get("anchor", [])]
    for each in anchors:
        if each.get("label") == "declined":
            each.pop("road", None)
    return {**document, "anchor": anchors}


def sections(folder: Path = FOLDER) -> tuple[Section, ...]:
    """Return all anchors, by file name. Raises RegistryError."""
    found, wrong = [], []
    for path in sorted(folder.glob("*.toml")):
        try:
            found.append(Section.model_validate(_with_defaults(tomllib.loads(path.read_text(encoding="utf-8")))))
        except ValidationError as error:
            for each in error.errors():
                where = ".".join(str(part) for part in each["loc"])
                wrong.append(f"{path.name}: {where}: {each['msg']}")
        except tomllib.TOMLDecodeError as error:
            wrong.append(f"{path.name}: {error}")
    anchors = [each for section in found for each in section.anchor]
    controls = [each for section in found for each in section.control]
    names = [each.id for each in (*anchors, *controls)]
    wrong += [f"{name}: stands twice" for name in sorted({each for each in names if names.count(each) > 1})]
    asked = {each.id for each in anchors if each.label != "declined"}
    wrong += [f"{each.id}: of {each.of}: no anchor that is run" for each in controls if each.of not in asked]
    if wrong:
        raise RegistryError("\n".join(wrong))
    return tuple(found)
