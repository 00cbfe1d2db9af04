"""The families, found by themselves: every module in station/scanners/families that names a `FAMILY`."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from pkgutil import iter_modules

from station.domain.errors import BadInput
from station.domain.specs import ScannerSpec
from station.scanners import families as package
from station.scanners.family import Family, sides_of


@cache
def all_families() -> dict[str, Family]:
    """Every family by name, in name order."""
    found: dict[str, Family] = {}
    for name in sorted(module.name for module in iter_modules(package.__path__)):
        family = getattr(import_module(f"{package.__name__}.{name}"), "FAMILY", None)
        if isinstance(family, Family):
            found[family.name] = family
    return found


def family_of(spec: ScannerSpec) -> Family:
    """The family a spec names. Raises BadInput where there is none."""
    found = all_families().get(spec.family)
    if found is None:
        raise BadInput(f"scanner {spec.name}: no family {spec.family!r}; there are {', '.join(all_families())}")
    return found


def check(spec: ScannerSpec) -> None:
    """Raises BadInput, naming the fault, unless the spec's family, parameters, side and cooldown can run."""
    family = family_of(spec)
    family.params(spec)
    sides_of(spec)
    if spec.effective_cooldown_s < 0:
        raise BadInput(f"scanner {spec.name}: cooldown {spec.effective_cooldown_s} s must be at least 0")


def warmup_bars(spec: ScannerSpec) -> int:
    """How many bars the spec's series needs before it may fire."""
    family = family_of(spec)
    return family.warmup(family.params(spec))
