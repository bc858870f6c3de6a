"""What each frame and column of the synthetic Project Crewe holds, and where its numbers come from.

Origins: "calibrated" columns meet marginals that the report prints, for every seed; "printed" ones
repeat the report's numbers; "derived" ones follow from other columns; "invented" ones are plausible
and mean nothing.
"""

from __future__ import annotations

# Frame: (what a row is, {column: (meaning, origin)}).
FRAMES: dict[str, tuple[str, dict[str, tuple[str, str]]]] = {
    "recommended": (
        "A family recommended to the trial, in the order in which it was decided about",
        {
            "family_id": ("Family; those not randomised are numbered after the others", "invented"),
            "recommended_on": ("Day of the recommendation", "invented"),
            "decided_on": ("Day of randomisation, or on which it came to nothing", "invented"),
            "outcome": (
                '"randomised", "opted out", or "overflow": Project Crewe was full, and the family '
                "went to the council's service without being a control",
                "invented",
            ),
            "arm": ("The arm of those randomised, else missing", "calibrated"),
            "history": ('CIN support before 1 August 2015, "yes" or "no"', "invented"),
            "n_children": ("Children in the family", "invented"),
            "places_free": ("Places of Project Crewe free at the decision", "derived"),
        },
    ),
    "capacity": (
        "A day from which Project Crewe had so many places: pods of four practitioners with at most "
        "12 cases each",
        {
            "date": ("Day", "invented"),
            "pods": ("Pods", "invented"),
            "practitioners": ("Four a pod", "printed"),
            "places": ("48 a pod", "printed"),
        },
    ),
    "families": (
        "A family randomised: 87 to Project Crewe, 45 to the council's service",
        {
            "family_id": ("Family, numbered in order of randomisation", "invented"),
            "arm": ('"control" (the council\'s service) or "crewe"', "calibrated"),
            "history": (
                'CIN support before 1 August 2015, "yes" or "no": the stratum',
                "calibrated",
            ),
            "n_children": ("Children in the family, 1 to 9, 326 in all", "calibrated"),
            "randomised_on": ("Day of randomisation, August 2015 to March 2016", "calibrated"),
        },
    ),
    "children": (
        "A child of a randomised family, one of them the index child",
        {
            "child_id": ("Child: family and number, the eldest first", "invented"),
            "family_id": ("Family", "invented"),
            "age": ("Age in years at randomisation", "invented"),
            "gender": ('"female" or "male"', "invented"),
            "disability": ('"yes" or "no"', "invented"),
            "history": ("The family's history of social care", "calibrated"),
            "index_child": ("Whether the case is this child's", "calibrated"),
            "re_referred": (
                "1 if re-referred inside the window: the index children of `cases` and most of "
                "their siblings; missing where the case is not analysed",
                "invented",
            ),
        },
    ),
    "cases": (
        "An index child's case: the rows of the primary analysis where `analysed` is true",
        {
            "case_id": ("Case", "invented"),
            "family_id": ("Family", "invented"),
            "child_id": ("Index child", "invented"),
            "arm": ('"control" or "crewe"', "calibrated"),
            "analysed": ("Whether the outcome is complete: 83 crewe and 45 control", "calibrated"),
            "exclusion": ("Why a case is not analysed: empty but for four of crewe", "calibrated"),
            "closed": (
                "1 if stepped down by 1 November 2016 and not re-referred, else 0",
                "calibrated",
            ),
            "days": (
                "Days from start_date to the first closure or to 1 November 2016",
                "calibrated",
            ),
            "event": ("1 if days ends in a closure, re-referred cases included", "calibrated"),
            "re_referred": ("1 if closed and re-referred inside the window", "calibrated"),
            "escalated": ("1 if escalated: two crewe cases and one control case", "calibrated"),
            "weeks_open": (
                "days / 7, in which open cases count as closed at the end; means 36.0 and 32.56",
                "calibrated",
            ),
            "history": ('CIN support before 1 August 2015, "yes" or "no"', "calibrated"),
            "gender": ('"female" or "male"', "invented"),
            "age": ("Age in years, 1 to 16; a categorical control", "invented"),
            "disability": ('"yes" or "no"', "invented"),
            "ethnicity": ("Ethnic group; six are missing", "invented"),
            "accommodation": ("Tenure; nine are missing", "invented"),
            "need": ("Category of need, N0 to N9", "invented"),
            "referral_date": ("Referral as recorded; some before the pilot's start", "invented"),
            "support_date": ("First CIN support: before 1 August 2015 it sets history", "invented"),
            "start_date": ("Day of randomisation, the origin of days", "calibrated"),
            "closure_date": (
                "First closure as recorded; some after the window's end",
                "calibrated",
            ),
            "rereferral_date": (
                "Re-referral as recorded; some do not count by the rules",
                "calibrated",
            ),
        },
    ),
    "absences": (
        "A pupil matched to school records: 109 primary and 65 secondary",
        {
            "child_id": ("Child", "invented"),
            "family_id": ("Family: siblings cluster", "invented"),
            "arm": ('"control" or "crewe"', "calibrated"),
            "history": ("The family's history of social care", "calibrated"),
            "phase": ('"primary" (ages 5 to 10) or "secondary" (11 to 15)', "calibrated"),
            "days_autumn": ("Days absent in the autumn term", "invented"),
            "days_spring": ("Days absent in the spring term", "invented"),
            "days_absent": (
                "Days absent over the two terms; the arms differ in the directions of Figure 3",
                "calibrated",
            ),
        },
    ),
    "sdq": (
        "A questionnaire about an index child, by one informant",
        {
            "child_id": ("Index child", "invented"),
            "case_id": ("Case", "invented"),
            "family_id": ("Family", "invented"),
            "arm": ('"control" or "crewe"', "invented"),
            "age": ("Age in years, 4 to 16", "invented"),
            "informant": ('"parent" or "practitioner"', "invented"),
            "sdq_01 .. sdq_25": (
                "Answer 0, 1 or 2 as ticked, not reversed; some missing",
                "calibrated",
            ),
        },
    ),
    "risk": (
        "A code of the risk framework for one of 15 + 15 cases at one of two times",
        {
            "case_id": ("Case", "invented"),
            "family_id": ("Family", "invented"),
            "arm": ('"control" or "crewe"', "calibrated"),
            "time": ('"referral" or "latest" information', "calibrated"),
            "code": ("Code of a risk, a protective factor or a rating of engagement", "calibrated"),
            "present": ("1 if present, else 0; always 1 for engagement", "calibrated"),
            "value": ("As present; for engagement 2, 1, -1 or -2", "calibrated"),
        },
    ),
    "visits": (
        "A case open for the whole month counted in a wave",
        {
            "case_id": ("Case", "invented"),
            "family_id": ("Family", "invented"),
            "arm": ('"control" or "crewe"', "calibrated"),
            "wave": ('"autumn" (November 2015) or "spring" (April 2016)', "calibrated"),
            "visits": ("Visits in the month; means 11 and 9, in control a third", "calibrated"),
        },
    ),
    "survey": (
        "A member of staff who answered: 9 of the council's, 19 of Project Crewe's",
        {
            "staff_id": ("Member of staff", "invented"),
            "arm": ('"control" or "crewe"', "calibrated"),
            "role": ("Job", "invented"),
            "stress_1 .. stress_5": ("Answer from 1 to 5, 5 the most stress", "invented"),
            "stress_score": (
                "Sum of the five, 5 to 25; higher in the council on average",
                "invented",
            ),
            "named_workload": ("Whether workload was named: 8 of 9 and 6 of 19", "calibrated"),
        },
    ),
    "costs": (
        "An input or a result of the cost-benefit analysis",
        {
            "item": ("What it is", "printed"),
            "arm": ('"control", "crewe" or "both"', "printed"),
            "value": ("The number", "printed"),
            "unit": ("Its unit", "printed"),
            "source": ("Where it stands, or how it was derived", "printed"),
        },
    ),
    "caseload": (
        "A family practitioner at one of three dates",
        {
            "practitioner_id": ("Practitioner", "invented"),
            "date": ("November 2015, April or November 2016", "calibrated"),
            "cases": ("Cases held, at most 12; means 7, 9 and 11", "calibrated"),
        },
    ),
    "outcomes": (
        "A case studied in depth (Table 3)",
        {
            "case_id": ("Case", "invented"),
            "arm": ('"control" or "crewe"', "calibrated"),
            "outcome": ('"closed", "improved", "no change" or "escalated"', "calibrated"),
        },
    ),
    "interviews": (
        "A type of participant interviewed, by arm (Table 1)",
        {
            "participant": ("Type of participant", "printed"),
            "arm": ('"control" or "crewe"', "printed"),
            "participants": ("Participants, 33 in all", "printed"),
            "interviews": ("Interviews, 48 in all", "printed"),
        },
    ),
    "need_national": (
        "A category of need, with an ILLUSTRATIVE national share: put the census's in its place",
        {
            "need": ("Category, N0 to N9", "printed"),
            "meaning": ("What the category is", "printed"),
            "national_share": ("Share of cases, illustrative; they sum to 1", "invented"),
            "source": ('"ILLUSTRATIVE"', "invented"),
        },
    ),
    "factor_national": (
        "A factor whose prevalence the report sets beside England's (Table 2)",
        {
            "factor": ("Domestic violence, mental health or substance abuse", "printed"),
            "code": ("The codes of `risk` that count", "derived"),
            "national_share": ("Share of assessments in England", "printed"),
            "source": ("Where it stands", "printed"),
        },
    ),
}
