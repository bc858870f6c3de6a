"""What the report printed, or what stands in for national figures: the same for every seed."""

from __future__ import annotations

from crewe.datasets._project_crewe.times import Record

# Table 1: type of participant, arm, participants, interviews.
INTERVIEWS = (
    ("Family Practitioner", "crewe", 13, 19),
    ("Cheshire East social worker", "control", 5, 7),
    ("Project Crewe case: family and child", "crewe", 8, 13),
    ("Cheshire East case: family and child", "control", 4, 6),
    ("Catch22 senior leader", "crewe", 1, 1),
    ("Cheshire East senior leader", "control", 2, 2),
)

NEED_NATIONAL = (
    ("N1", "abuse or neglect", 0.50),
    ("N2", "child's disability or illness", 0.10),
    ("N3", "parent's disability or illness", 0.03),
    ("N4", "family in acute stress", 0.09),
    ("N5", "family dysfunction", 0.18),
    ("N6", "socially unacceptable behaviour", 0.02),
    ("N7", "low income", 0.01),
    ("N8", "absent parenting", 0.03),
    ("N9", "cases other than children in need", 0.02),
    ("N0", "not stated", 0.02),
)

FACTOR_NATIONAL = (
    ("domestic violence", "parent_domestic_abuse_victim", 0.496),
    ("mental health", "parent_mental_health", 0.366),
    ("substance abuse", "parent_substance_abuse or family_substance_abuse", 0.193),
)

PRINTED = "printed in the report, Appendix 9"
COSTS = (
    ("weekly_cost", "crewe", 68.05, "GBP per case and week", PRINTED),
    ("weekly_cost", "control", 55.13, "GBP per case and week", PRINTED),
    ("mean_weeks_open", "crewe", 36.00, "weeks", "derived: printed cost per case / weekly cost"),
    ("mean_weeks_open", "control", 32.56, "weeks", "derived: printed cost per case / weekly cost"),
    ("cost_per_case", "crewe", 2450.0, "GBP", PRINTED),
    ("cost_per_case", "control", 1795.0, "GBP", PRINTED),
    ("share_closed", "crewe", 0.72, "share of cases", PRINTED),
    ("share_closed", "control", 0.64, "share of cases", PRINTED),
    ("lifetime_earnings", "both", 80_000.0, "GBP", PRINTED),
    ("earnings_share_closed", "both", 0.54, "share", PRINTED),
    ("earnings_share_open", "both", 0.15, "share", PRINTED),
    ("income_tax", "both", 0.20, "share of earnings", PRINTED),
    ("national_insurance", "both", 0.12, "share of earnings", PRINTED),
    ("employment_gain", "both", 0.143, "share", PRINTED + " (its text has 14%)"),
    ("re_referrals", "crewe", 5.0, "cases", PRINTED),
    ("re_referrals", "control", 3.0, "cases", PRINTED),
    ("re_referral_saving_all", "both", 3800.0, "GBP", PRINTED),
    ("re_referral_saving_per_case", "both", 29.68, "GBP", PRINTED),
    ("cases_analysed", "crewe", 83.0, "cases", "derived from the printed rates"),
    ("cases_analysed", "control", 45.0, "cases", "derived from the printed rates"),
    ("escalated_case_cost", "both", 2464.0, "GBP", PRINTED),
    ("unescalated_case_cost", "both", 1686.0, "GBP", PRINTED),
    ("escalations", "crewe", 2.0, "cases", PRINTED),
    ("escalations_averted", "crewe", 8.0, "cases", PRINTED),
    ("escalation_rate_national", "both", 0.125, "share of cases", PRINTED + " (its text has 12%)"),
    ("escalation_saving_all", "crewe", 6224.0, "GBP", PRINTED),
    ("escalation_saving_per_case", "crewe", 74.98, "GBP", PRINTED),
)


def costs() -> list[Record]:
    """Give the printed inputs and results of the cost-benefit analysis."""
    names = ("item", "arm", "value", "unit", "source")
    return [dict(zip(names, row, strict=True)) for row in COSTS]


def interviews() -> list[Record]:
    """Give participants and interviews by type of participant, as Table 1 prints them."""
    names = ("participant", "arm", "participants", "interviews")
    return [dict(zip(names, row, strict=True)) for row in INTERVIEWS]


def need_national() -> list[Record]:
    """Give an illustrative national share of each category of need."""
    return [
        {"need": code, "meaning": meaning, "national_share": share, "source": "ILLUSTRATIVE"}
        for code, meaning, share in NEED_NATIONAL
    ]


def factor_national() -> list[Record]:
    """Give the national prevalence of three factors as the report prints it."""
    return [
        {"factor": factor, "code": code, "national_share": share, "source": "report, Table 2"}
        for factor, code, share in FACTOR_NATIONAL
    ]
