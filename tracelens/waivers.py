"""Waivers: findings that somebody decided to live with until a day."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from tracelens.findings import WaivedFinding
from tracelens.settings.selection import selects

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from tracelens.findings import Finding, Report
    from tracelens.settings import Waiver


def waive(report: Report, waivers: Sequence[Waiver], today: date) -> Report:
    """Return the report with its waived findings moved from `findings` to `waived`.

    Args:
        report: as analysed; its checklist stays as it is, since a waiver mends nothing.
        waivers: the first that matches a finding and has not expired is the one that is named.
        today: a waiver holds up to its last day, included.
    """
    kept: list[Finding] = []
    waived = list(report.waived)
    for finding in report.findings:
        waiver = next((each for each in waivers if today <= each.expires and _covers(each, finding)), None)
        if waiver is None:
            kept.append(finding)
        else:
            waived.append(
                WaivedFinding(
                    fingerprint=finding.fingerprint,
                    pass_name=finding.pass_name,
                    severity=finding.severity,
                    service_name=finding.service_name,
                    endpoint=finding.endpoint,
                    subject=finding.subject,
                    reason=waiver.reason,
                    expires=waiver.expires.isoformat(),
                )
            )
    return replace(report, findings=tuple(kept), waived=tuple(waived))


def _covers(waiver: Waiver, finding: Finding) -> bool:
    return (
        (not waiver.fingerprint or waiver.fingerprint == finding.fingerprint)
        and (not waiver.pass_name or waiver.pass_name == finding.pass_name)
        and selects(waiver, finding.service_name, finding.endpoint)
    )
