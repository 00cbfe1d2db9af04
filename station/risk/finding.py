"""The verdict of one rule and of them all."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NamedTuple

from station.domain.signals import Decision

OVERRIDDEN: Final = "overridden by hand"


class Finding(NamedTuple):
    """One rule's answer: measured `value` and `limit` as text with units; `code` is the reason code that a
    failure counts under, empty on a pass."""

    rule: str
    passed: bool
    code: str
    value: str
    limit: str
    reason: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """Every rule's finding, in the rules' order; approved when all passed."""

    findings: tuple[Finding, ...]

    @property
    def approved(self) -> bool:
        return all(finding.passed for finding in self.findings)

    @property
    def overridden(self) -> bool:
        """Whether a hand has passed advice that would have refused."""
        return any(finding.reason.startswith(OVERRIDDEN) for finding in self.findings)

    @property
    def failed(self) -> tuple[Finding, ...]:
        return tuple(finding for finding in self.findings if not finding.passed)

    @property
    def codes(self) -> tuple[str, ...]:
        """The reason codes of what failed, in order."""
        return tuple(finding.code for finding in self.failed)

    def text(self) -> str:
        """One line for the trader: approved, or each failure with its value and limit."""
        if self.approved:
            return f"approved by all {len(self.findings)} rules"
        return "; ".join(
            f"{each.rule}: {each.reason} ({each.value}, limit {each.limit})" for each in self.failed
        )

    def decisions(self, trade_id: str, at_ns: int) -> tuple[Decision, ...]:
        """One decision a rule for the trade's trace, stage `risk`."""
        return tuple(
            Decision(trade_id, "risk", "pass" if each.passed else "block", f"{each.rule}: {each.reason}",
                     at_ns, each.value, each.limit)
            for each in self.findings
        )  # fmt: skip


def passed(rule: str, value: str, limit: str, reason: str = "within the limit") -> Finding:
    return Finding(rule, True, "", value, limit, reason)


def failed(rule: str, code: str, value: str, limit: str, reason: str) -> Finding:
    return Finding(rule, False, code, value, limit, reason)


def judged(rule: str, code: str, ok: bool, value: str, limit: str, reason: str) -> Finding:
    """Passed, or failed with `code` and `reason`."""
    return passed(rule, value, limit) if ok else failed(rule, code, value, limit, reason)
