"""The real trials: compressed text inside the package, read into the frame asked for."""

from __future__ import annotations

import csv
import gzip
import importlib.util
import io
from importlib import resources
from typing import Any, Literal

import narwhals as nw
import numpy as np

from crewe.exceptions import InputError, fault
from crewe.frames.source import build

Backend = Literal["pandas", "polars", "pyarrow"]

_IMPLEMENTATIONS = {
    "pandas": nw.Implementation.PANDAS,
    "polars": nw.Implementation.POLARS,
    "pyarrow": nw.Implementation.PYARROW,
}


def achievement_awards(backend: Backend = "pandas") -> Any:
    """Give the Achievement Awards demonstration, randomised by school (Angrist and Lavy 2009).

    Low-achieving Israeli secondary schools were offered cash awards for pupils who earned the
    Bagrut, the matriculation certificate. 40 schools were randomised. The data hold 39 of them, in
    18 matched pairs and one set of three (``pair`` 7): all 39 have pupils in 1999, 2000 and 2001,
    and 38 in 2002. The cohort of 2001 took the examinations under the programme; those of 1999 and
    2000 came before it and that of 2002 after.

    The schools were randomised, not the pupils, so every analysis clusters by ``school_id``.

    Parameters
    ----------
    backend : {"pandas", "polars", "pyarrow"}
        The kind of frame to return. Text columns are plain text in each.

    Returns
    -------
    frame
        16,526 rows, one a pupil and year, with the columns

        ``school_id``
            School, 1 to 39 (made-up numbers).
        ``pair``
            Matched set of schools, 1 to 20 without 6.
        ``treated``
            1 where the school was randomised to the awards, in every year.
        ``school_type``
            ``Arab``, ``Religious`` (Jewish religious) or ``Secular`` (Jewish secular).
        ``year``
            Cohort: 1999, 2000, 2001 or 2002.
        ``student_id``
            Pupil, unique text.
        ``sex``, ``girl``
            ``Boy`` or ``Girl``; ``girl`` is 1 for the latter (derived here).
        ``siblings``
            Number of siblings.
        ``immigrant``
            1 for a recent immigrant.
        ``father_ed``, ``mother_ed``
            Parents' education, in years.
        ``lagscore``
            Lagged Bagrut score: the result of earlier Bagrut examinations, 0 to 100 points.
        ``qrtl``, ``half``
            Quarter (1 to 4) and half (1 lower, 2 upper) of ``lagscore`` within cohort and sex;
            missing in 1999.
        ``Bagrut_status``
            The outcome: 1 where the certificate was earned.
        ``attempted``, ``awarded``
            Bagrut credit units attempted and awarded, 0 to 24.
        ``achv_math``, ``achv_english``, ``achv_hebrew``
            1 where the subject's requirement was met.

    Raises
    ------
    InputError
        If the backend is unknown or not installed.

    Notes
    -----
    Taken from the data set ``AchievementAwardsRCT`` of the R package clubSandwich 0.5.8, which has
    it from the Angrist Data Archive; all rows, years and columns are kept. The numbers are
    published facts of the study: crewe's licence does not cover them. Cite the study.

    References
    ----------
    Angrist, J. D. and Lavy, V. (2009). The effects of high stakes high school achievement awards:
    evidence from a randomized trial. American Economic Review 99(4), 1384-1414.
    https://doi.org/10.1257/aer.99.4.1384

    Examples
    --------
    >>> import crewe as cw
    >>> pupils = cw.datasets.achievement_awards()
    >>> year = pupils[pupils["year"] == 2001]
    >>> len(year), year["school_id"].nunique()
    (3821, 39)
    """
    return _read("achievement_awards", backend)


def rossi(backend: Backend = "pandas") -> Any:
    """Give the Rossi recidivism trial: 432 released prisoners and the weeks until arrest.

    Men released from Maryland prisons in the 1970s were randomised, half and half, to financial aid
    or none, and followed for a year (Rossi, Berk and Lenihan 1980; the extract of Allison 1995).

    Parameters
    ----------
    backend : {"pandas", "polars", "pyarrow"}
        The kind of frame to return. Text columns are plain text in each.

    Returns
    -------
    frame
        432 rows, one a man, with the columns

        ``week``
            Week of the first arrest after release, 1 to 52; 52 also where the year ended without.
        ``arrest``
            1 where he was arrested within the year, 0 where ``week`` is censored.
        ``fin``
            The arm: financial aid, ``no`` or ``yes``.
        ``age``
            Age at release, in years.
        ``race``
            ``black`` or ``other``.
        ``wexp``
            Full-time work experience before prison, ``no`` or ``yes``.
        ``mar``
            At release, ``married`` or ``not married``.
        ``paro``
            Released on parole, ``no`` or ``yes``.
        ``prio``
            Number of convictions before the present imprisonment.
        ``educ``
            Schooling: 2 sixth grade or less, 3 seventh to ninth, 4 tenth to eleventh, 5 twelfth,
            6 some college.

    Raises
    ------
    InputError
        If the backend is unknown or not installed.

    Notes
    -----
    Taken from the data set ``Rossi`` of the R package carData 3.0.5. The weekly employment columns
    ``emp1`` to ``emp52`` are left out; text levels are as carData has them. The numbers are
    published facts of the study: crewe's licence does not cover them. Cite the study.

    References
    ----------
    Rossi, P. H., Berk, R. A. and Lenihan, K. J. (1980). Money, Work, and Crime: Some Experimental
    Results. New York: Academic Press.

    Allison, P. D. (1995). Survival Analysis Using the SAS System: A Practical Guide. Cary, NC: SAS
    Institute.

    Examples
    --------
    >>> import crewe as cw
    >>> men = cw.datasets.rossi()
    >>> len(men), int(men["arrest"].sum())
    (432, 114)
    """
    return _read("rossi", backend)


def _read(name: str, backend: str) -> Any:
    if backend not in _IMPLEMENTATIONS:
        raise fault(
            InputError,
            f"there is no backend {backend!r}",
            remedy=f"Choose one of {', '.join(_IMPLEMENTATIONS)}",
        )
    if importlib.util.find_spec(backend) is None:
        raise fault(
            InputError, f"{backend} is not installed", remedy=f"Install it: pip install {backend}"
        )
    packed = resources.files("crewe.datasets").joinpath(f"data/{name}.csv.gz").read_bytes()
    header, *rows = csv.reader(io.StringIO(gzip.decompress(packed).decode("utf-8")))
    columns = {
        column: _typed(values)
        for column, values in zip(header, zip(*rows, strict=True), strict=True)
    }
    return build(columns, _IMPLEMENTATIONS[backend])


def _typed(values: tuple[str, ...]) -> Any:
    """Whole numbers as int64, others as float64, else text; an empty field is missing."""
    gaps = "" in values
    for kind, dtype in ((int, np.int64), (float, np.float64)):
        try:
            numbers = [None if value == "" else kind(value) for value in values]
        except ValueError:
            continue
        return numbers if gaps else np.array(numbers, dtype=dtype)
    return [value or None for value in values]
