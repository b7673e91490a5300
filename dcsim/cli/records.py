"""Records of a site as the command line names them, read and estimated."""

import shlex
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from dcsim.calibrate import Calibration
    from dcsim.records.gathered import Records, Shares

NONE = "none"
"""The word for no prior."""


class RecordsError(Exception):
    """Records that cannot be used: ``RecordsError(*problems)``, one line each."""

    @property
    def problems(self) -> tuple[str, ...]:
        """What is wrong."""
        return self.args


@dataclass(frozen=True)
class Wanted:
    """What was asked of the record: values of the verb's options."""

    files: tuple[Path, ...]
    form: str | None
    columns: tuple[str, ...]
    where: tuple[str, ...]
    dates: str | None
    year: int | None
    incident: str | None
    classes: str | None
    together: bool
    failures: int | None
    units: int | None
    span: str | None
    last: str | None
    component: str
    topology: str
    prior: str
    prior_weight: float

    @property
    def record(self) -> str:
        """The names of the files, or what was said in their place."""
        return ", ".join(each.name for each in self.files) or f"{self.failures} failures"


def settled(wanted: Wanted) -> Wanted:
    """Return what was asked with the form that its files have, and the component that this form is of."""
    from dcsim.records import RecordError
    from dcsim.records.forms import same_form

    form = wanted.form
    if form is None and wanted.files:
        try:
            form = same_form(wanted.files)
        except RecordError as error:
            raise RecordsError(f"{wanted.files[0]}: {error}" if len(wanted.files) == 1 else str(error)) from None
    return replace(wanted, form=form, component=wanted.component or ("gpu" if form == "dcgm" else "node"))


def _hours(option: str, text: str | None) -> float | None:
    if text is None:
        return None
    from pydantic_core import PydanticCustomError

    from dcsim.units import MS_PER_H, POSITIVE_DURATION, parse

    try:
        return parse(text, POSITIVE_DURATION) / MS_PER_H
    except PydanticCustomError as error:
        raise click.BadParameter(f"{error.message()}.", param_hint=option) from None


def calibration(wanted: Wanted, gpus: int) -> "Calibration":
    """Read the record and estimate; raises RecordsError."""
    from dcsim.calibrate import Prior, blamed, calibrated
    from dcsim.calibrate.records import SpanError, joined, last_part
    from dcsim.calibrate.site import UnitsError, of_count

    prior: Prior | None = None
    if wanted.prior != NONE:
        prior = Prior.of(wanted.prior, gpus, wanted.prior_weight)
    span_h, last_h = _hours("--span", wanted.span), _hours("--last", wanted.last)
    if wanted.failures is not None:
        assert wanted.units is not None
        assert span_h is not None
        return of_count(wanted.failures, wanted.units, span_h, prior)
    try:
        records = _read(wanted)
        told = [each.outages for each in records if each.outages is not None]
        if not told:
            raise RecordsError(f"{wanted.record}: the form {records[0].form} tells no outages, so no rate can be told")
        outages = joined(told)
        if last_h is not None:
            outages, span_h = last_part(outages, last_h, span_h), last_h
        found = calibrated(outages, wanted.units, span_h, wanted.together, prior)
        runs = [each.runs for each in records if each.runs is not None]
        return replace(found, blame=blamed(runs[0])) if len(runs) == 1 else found
    except UnitsError as error:
        raise RecordsError(f"{wanted.record}: units: {error}; say how many are in service: --units") from None
    except SpanError as error:
        raise RecordsError(f'{wanted.record}: span: {error}; say how long the record is: --span "180 d"') from None


def shares_of(wanted: Wanted) -> "tuple[Shares, tuple[str, ...], list[str]]":
    """Return how a job spent its time, how that was read, and which lines were broken; raises RecordsError."""
    (found,) = _read(wanted)
    assert found.shares is not None
    return found.shares, found.told, found.broken.told()


def _read(wanted: Wanted) -> "list[Records]":
    """Read the files, tables one by one and those of another form together; raises RecordsError."""
    from dcsim.records import RecordError
    from dcsim.records.forms import read

    given: dict[str, Any] = {"columns": _columns(wanted), "where": wanted.where}
    given |= {"dates": wanted.dates, "year": wanted.year}
    if (within := _hours("--incident", wanted.incident)) is not None:
        given["incident_s"] = 3600 * within
    found, problems = [], []
    for files in [[file] for file in wanted.files] if wanted.form == "table" else [list(wanted.files)]:
        try:
            found.append(read(files, wanted.form, **given))
        except RecordError as error:
            hint = f"; if nothing failed: {_of_none(wanted)}" if "holds no outage" in str(error) else ""
            problems.append(f"{files[0]}: {error}{hint}" if len(files) == 1 else f"{error}{hint}")
    if problems:
        raise RecordsError(*problems)
    return found


def _of_none(wanted: Wanted) -> str:
    """Return the command that estimates from no failure at all; what was not given is left to be filled in."""
    units = "N" if wanted.units is None else str(wanted.units)
    span = wanted.last or wanted.span or "180 d"
    about = [] if wanted.component in ("", "node") else ["--component", wanted.component]
    words = ["dcsim", "calibrate", "--failures", "0", "--units", units, "--span", span, *about]
    missing = [
        *(["N components in service"] if wanted.units is None else []),
        *(["for how long somebody watched"] if not (wanted.last or wanted.span) else []),
    ]
    return shlex.join(words) + (f" ({' and '.join(missing)})" if missing else "")


def _columns(wanted: Wanted) -> dict[str, str]:
    """Return what columns hold, role -> column."""
    from dcsim.problems import not_one_of
    from dcsim.records.outages import ROLES

    columns: dict[str, str] = {} if wanted.classes is None else {"kind": wanted.classes}
    for text in wanted.columns:
        role, equals, column = text.partition("=")
        role = role.strip()
        if not equals or not column.strip():
            raise click.BadParameter(f'found "{text}"; must be ROLE=COLUMN.', param_hint="--columns")
        if role not in ROLES:
            why = not_one_of(list(ROLES), role, f'found "{role}"')
            raise click.BadParameter(f"{why}.", param_hint="--columns")
        if role in columns:
            twice = "--class" if role == "kind" and wanted.classes is not None else "twice"
            raise click.BadParameter(f'"{role}" is given {twice}.', param_hint="--columns")
        columns[role] = column.strip()
    return columns
