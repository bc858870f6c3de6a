"""Dates: which day a cell names.

A time with a zone has a day only in a place: midnight in London of 1 July is 23:00 on 30 June in Universal Time. So
such a time is refused, unless the place is named.
"""

from __future__ import annotations

import datetime as dt
import re
import zoneinfo
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from crewe.exceptions import InputError, fault, said
from crewe.frames.source import Source

Zone = str | dt.tzinfo | None

_TEXT = re.compile(
    r"""(?P<day>\d{4}-\d{2}-\d{2})
    (?: (?:[Tt]|\s+) (?P<hour>\d{2}):(?P<minute>\d{2}) (?: :(?P<second>\d{2}) (?:[.,]\d+)? )?
        (?: \s* (?P<utc>Z|z|UTC|GMT)
          | \s* (?P<sign>[+-]) (?P<off_hour>\d{2}) :? (?P<off_minute>\d{2})? (?: \s*\[[\w/+-]+\] )?
          | \s* \[? (?P<place>[A-Z][A-Za-z]+/[\w/+-]+) \]? )? )?""",
    re.VERBOSE,
)


def zone_of(tz: Zone) -> dt.tzinfo | None:
    """Read the name of a time zone."""
    if tz is None or isinstance(tz, dt.tzinfo):
        return tz
    try:
        if isinstance(tz, str):
            return zoneinfo.ZoneInfo(tz)
    except (KeyError, ValueError, OSError):
        pass
    raise fault(
        InputError,
        "there is no such time zone",
        values=[said(tz)],
        remedy="Name it as the tz database does, for instance tz='Europe/London'",
    )


def moment(value: Any) -> dt.date | None:
    """Give a cell as a date, or as a time with the zone that it carries; None where it is neither.

    Months, years and whatever else is longer than a day are no dates.

    Examples
    --------
    >>> moment("2015-07-01"), moment("2015-07"), moment("2015-06-30T23:00Z").tzinfo
    (datetime.date(2015, 7, 1), None, datetime.timezone.utc)
    """
    value = value.as_py() if hasattr(value, "as_py") else value
    if isinstance(value, str):
        return _from_text(value.strip())
    if isinstance(value, np.datetime64):
        if np.datetime_data(value)[0] in ("Y", "M", "W", "generic"):
            return None
        value = value.astype("datetime64[us]").item()
    if isinstance(value, pd.Period):
        same = value.start_time.date() == value.end_time.date()
        value = value.start_time if same else None
    # NaT is an instance of datetime, and is no date.
    return value if isinstance(value, dt.date) and value == value else None


def _from_text(text: str) -> dt.date | None:
    found = _TEXT.fullmatch(text)
    try:
        if found is None or found["hour"] is None:
            return dt.date.fromisoformat(found["day"]) if found else None
        day = dt.date.fromisoformat(found["day"])
        time = dt.time(int(found["hour"]), int(found["minute"]), int(found["second"] or 0))
        zone: dt.tzinfo | None = dt.timezone.utc if found["utc"] else None
        if found["sign"]:
            ahead = dt.timedelta(
                hours=int(found["off_hour"]), minutes=int(found["off_minute"] or 0)
            )
            zone = dt.timezone(ahead if found["sign"] == "+" else -ahead)
        if found["place"]:
            zone = zoneinfo.ZoneInfo(found["place"])
        return dt.datetime.combine(day, time, zone)
    except (KeyError, ValueError, OSError):
        return None


def zoned(found: dt.date | None) -> bool:
    """Say whether a date is a time that carries its zone."""
    return isinstance(found, dt.datetime) and found.utcoffset() is not None


def day(found: dt.date | None, zone: dt.tzinfo | None = None) -> int | None:
    """Give the number of the day of a date, of a time with a zone that in `zone`; None where it has none."""
    if found is None or not isinstance(found, dt.datetime):
        return None if found is None else found.toordinal()
    if not zoned(found):
        return found.toordinal()
    try:
        return None if zone is None else found.astimezone(zone).toordinal()
    except OverflowError:
        return None


def days(source: Source, name: str, zone: dt.tzinfo | None = None) -> list[int | None]:
    """Give a column of dates as day numbers; what is neither a date nor empty is refused."""
    cells = source.cells(name)
    found = [None if cell is None else moment(cell) for cell in cells]
    if zone is None:
        refuse_zones(
            found,
            name,
            "Name the place, for instance tz='Europe/London', or give local dates without a zone",
        )
    numbers = [day(one, zone) for one in found]
    bad = [i for i, cell in enumerate(cells) if cell is not None and numbers[i] is None]
    if bad:
        raise fault(
            InputError,
            "these are not dates",
            column=name,
            rows=bad,
            labels=list(dict.fromkeys(str(cells[i]) for i in bad)),
            remedy="Write dates as year-month-day (2015-08-31) or give a column of dates; "
            "31/08/15 can be read in two ways",
        )
    return numbers


def refuse_zones(found: Sequence[dt.date | None], column: str, remedy: str) -> None:
    """Refuse times that carry their zone."""
    rows = [i for i, one in enumerate(found) if zoned(one)]
    if rows:
        raise fault(
            InputError,
            "times carry a time zone, so their day depends on the place",
            column=column,
            rows=rows,
            remedy=remedy,
        )


def window_day(value: Any, what: str, zone: dt.tzinfo | None = None) -> int:
    """Give an argument that is a date as its day number."""
    found = moment(value)
    if zoned(found) and zone is None:
        raise fault(
            InputError,
            f"{what} carries a time zone, so its day depends on the place",
            values=[str(value)],
            remedy="Give a date, for instance '2015-08-01', or name the place with tz=",
        )
    number = day(found, zone)
    if number is None:
        raise fault(
            InputError,
            f"{what} is not a date",
            values=[said(value)],
            remedy="Write it as year-month-day, for instance '2015-08-01'",
        )
    return number
