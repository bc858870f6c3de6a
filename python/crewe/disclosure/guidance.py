"""What the presets rest on: where each rule was read, when, and what it says there."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Guidance:
    """A page that a rule was read on.

    Attributes
    ----------
    title, url : str
        The page.
    dated : str
        The date that the page gives itself, or nothing.
    read : str
        When it was read, and in which copy.
    says : str
        What it says, in our words.
    """

    title: str
    url: str
    dated: str
    read: str
    says: str


_READ = "29 November 2026, in a stored copy of the page"

SYMBOLS = Guidance(
    "Analysis Function: Using symbols and shorthand",
    "https://gss.civilservice.gov.uk/policy-store/symbols-in-tables-definitions-and-help/",
    "11 January 2022",
    f"{_READ} that holds its first part",
    "shorthand is letters, in tables in square brackets, one pair each, and every table says what its own mean",
)

DFE_SYMBOLS = Guidance(
    "Department for Education, Analysts' guide: Open data standards, data symbols",
    "https://dfe-analytical-services.github.io/analysts-guide/statistics-production/ud.html",
    "14 August 2026 (commit 8962528)",
    "29 November 2026, in the repository of the guide",
    "z not applicable, x not available for other reasons, c confidential and suppressed, low (k where the word "
    "would offend) what rounds to 0 and is not 0, u of low reliability; 0 is for true zeros alone",
)

CHILDREN_IN_NEED = Guidance(
    "Department for Education: Characteristics of children in need, 2020, about the data",
    "https://explore-education-statistics.service.gov.uk/find-statistics/children-in-need/2020/explore",
    "2020",
    _READ,
    "numbers from 1 to 5 are suppressed and replaced by c, with secondary suppression where necessary; totals of "
    "England and of regions are rounded to the nearest 10, percentages to one decimal place",
)

CHILDREN_LOOKED_AFTER = Guidance(
    "Department for Education: Children looked after, a focus on placement location, methodology",
    "https://explore-education-statistics.service.gov.uk/methodology/"
    "children-looked-after-a-focus-on-placement-location",
    "",
    _READ,
    "national and regional figures are rounded to the nearest 10, those of local authorities are not; a number "
    "shown as zero was zero; c protects confidentiality, and secondary suppression may be required; z not "
    "applicable; k would round to zero and is not zero",
)

SRS_CHECKING = Guidance(
    "Office for National Statistics: SRS Output Checking Guidance Document, version 1.1",
    "https://www.scribd.com/document/830914130/srsoutputcheckingguidance",
    "5 September 2022, revised 12 June 2023",
    f"{_READ} that holds its title page and contents only",
    "its rules of thumb treat low counts and zeros, structural zeros and class disclosure, with suppression, "
    "rounding and reformatting as remedies",
)

SRS_THRESHOLD = Guidance(
    "CeLSIUS: advice of the Office for National Statistics on small cells",
    "http://celsius.lshtm.ac.uk/onscell.html",
    "",
    _READ,
    "ONS, as quoted: outputs of research are checked in their context, and a threshold of 10 observations is part "
    "of the model",
)

SRS_OUTPUTS = Guidance(
    "Office for National Statistics: Getting your research outputs approved",
    "https://www.ons.gov.uk/aboutus/whatwedo/statistics/requestingstatistics/secureresearchservice/"
    "gettingyourresearchoutputsapproved",
    "",
    _READ,
    "what leaves the Secure Research Service is cleared by its Statistical Support team, and researchers apply "
    "disclosure control before they ask",
)
