"""Why a strategy did not trade on a signal that would have suited it: kept with the signal, once a reason."""

from __future__ import annotations

from collections.abc import Iterable

from station.domain.signals import Decision, passed_over
from station.strategy import Block, Verdict
from station.strategy.hunter import BLOCK


class PassedOver:
    """Turns the hunter's blocks into decisions under the signal's id; the same reason is told once in a row."""

    def __init__(self) -> None:
        self._said: dict[tuple[str, str], tuple[str, str]] = {}

    def news(self, verdicts: Iterable[Verdict]) -> tuple[Decision, ...]:
        """What is new in these verdicts, in their order."""
        found: list[Decision] = []
        for block in verdicts:
            if not isinstance(block, Block) or not block.signals:
                continue
            strategy = block.spec.strategy_id
            last = next(one for one in reversed(block.decisions) if one.verdict == BLOCK)
            for signal in block.signals:
                key, said = (signal.id, strategy), (block.stage, block.reason)
                if self._said.get(key) != said:
                    self._said[key] = said
                    found.append(
                        last._replace(
                            trade_id=signal.id,
                            stage=passed_over(strategy, block.stage),
                            reason=block.reason,
                        )
                    )
        return tuple(found)
