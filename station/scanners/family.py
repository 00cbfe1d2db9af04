"""What a scanner family is: one pure rule over a window of bars that answers for every bar."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from station.domain.errors import BadInput
from station.domain.specs import ScannerSpec
from station.market import KEPT_BEFORE_SESSION
from station.scanners.study import Study

WARMUP_PERIODS: Final = 5
"""A scanner is warm with this many times its longest period (SPEC §2)."""

SHORTEST: Final = 2
LONGEST: Final = KEPT_BEFORE_SESSION // WARMUP_PERIODS
"""The limits of a period: TA-Lib's, and what still can be warm at a session's first bar."""

CALL: Final = 1
PUT: Final = -1
_SIDES: Final = {"CALL": (CALL,), "PUT": (PUT,), "BOTH": (CALL, PUT)}

Params = Mapping[str, float]


@dataclass(frozen=True, slots=True, eq=False)
class Marks:
    """An answer bar by bar: `side` int8, +1 CALL, −1 PUT, 0 no firing; `score` int16, 0–100."""

    side: NDArray[np.int8]
    score: NDArray[np.int16]


@dataclass(frozen=True, slots=True)
class Family:
    """One rule.

    `defaults` declares every parameter with its shipped value; `periods` names those that are lengths in bars,
    each a whole number from 2 to 400. `evaluate` must be causal: what it says of a bar does not change, to the
    last bit, when later bars follow, nor with where the question begins. It gives one row for each row of the
    study's arrays, and need not mind the warm-up nor the scanner's side.
    """

    name: str
    defaults: Params
    periods: tuple[str, ...]
    evaluate: Callable[[Study, Params], Marks]

    def params(self, spec: ScannerSpec) -> dict[str, float]:
        """The defaults with the spec's values over them. Raises BadInput for an unknown name or a bad value."""
        merged = dict(self.defaults)
        for name, value in spec.params:
            if name not in merged:
                raise BadInput(
                    f"scanner {spec.name}: family {self.name} has no parameter {name!r}; "
                    f"it has {', '.join(self.defaults)}"
                )
            if not np.isfinite(value) or value < 0:
                raise BadInput(f"scanner {spec.name}: {name} = {value} must be a number of at least 0")
            if name in self.periods and not (SHORTEST <= value <= LONGEST and value == int(value)):
                raise BadInput(
                    f"scanner {spec.name}: {name} = {value} must be a whole number of bars "
                    f"from {SHORTEST} to {LONGEST}"
                )
            merged[name] = float(value)
        return merged

    def answer(self, study: Study, params: Params) -> Marks:
        """The marks of the bars from `study.since` on."""
        found = self.evaluate(study, params)
        skip = study.since - study.lead
        return Marks(found.side[skip:], found.score[skip:]) if skip else found

    def warmup(self, params: Params) -> int:
        """How many bars a window needs before the rule may fire."""
        return WARMUP_PERIODS * int(max(params[name] for name in self.periods))


def sides_of(spec: ScannerSpec) -> tuple[int, ...]:
    """The sides that a spec lets through. Raises BadInput unless it says CALL, PUT or BOTH."""
    sides = _SIDES.get(spec.side)
    if sides is None:
        raise BadInput(f"scanner {spec.name}: side {spec.side!r} must be CALL, PUT or BOTH")
    return sides


def crossed_above(fast: NDArray[np.float64], slow: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Where `fast` goes from at or below `slow` to above it on this bar; False while either is undefined."""
    crossed = fast > slow
    crossed[1:] &= fast[:-1] <= slow[:-1]
    crossed[:1] = False
    return crossed


def before(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Each row's value of the row before it; NaN in the first."""
    shifted = np.empty(len(values))
    shifted[:1] = np.nan
    shifted[1:] = values[:-1]
    return shifted


def ratio(part: NDArray[np.float64], whole: NDArray[np.float64]) -> NDArray[np.float64]:
    """`part / whole`; 0 where `whole` is not above 0 or undefined."""
    return np.divide(part, whole, out=np.zeros(len(part)), where=whole > 0)


def marks(
    call: NDArray[np.bool_], put: NDArray[np.bool_], strength: Callable[[], NDArray[np.float64]]
) -> Marks:
    """Marks where `call` or `put` holds; the score runs from 50 at strength 0 to 100 at strength 1. `strength`
    is asked only where something fires."""
    side = call.view(np.int8) - put.view(np.int8)
    score = np.zeros(len(side), np.int16)
    if np.count_nonzero(side):
        fires = side != 0
        capped = np.fmin(np.fmax(strength(), 0.0), 1.0)
        score[fires] = np.rint(50.0 + 50.0 * capped[fires])
    return Marks(side, score)
