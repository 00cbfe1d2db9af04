"""What an audit answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Check:
    """One law: how many things were held against it, and one line for each that breaks it."""

    name: str
    checked: int
    violations: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class VerifyReport:
    """Every check that was made, in a fixed order."""

    checks: tuple[Check, ...]

    @property
    def ok(self) -> bool:
        return not any(check.violations for check in self.checks)

    def check(self, name: str) -> Check:
        """The check of that name. Raises KeyError where there is none."""
        found = next((check for check in self.checks if check.name == name), None)
        if found is None:
            raise KeyError(name)
        return found

    def shape(self) -> dict[str, Any]:
        """The document of the `verify` verb."""
        return {
            "v": 1,
            "ok": self.ok,
            "checks": [
                {"name": check.name, "checked": check.checked, "violations": list(check.violations)}
                for check in self.checks
            ],
        }
