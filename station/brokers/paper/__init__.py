"""The paper exchange: a seeded market, an order book with a durable memory, and faults on demand."""

from station.brokers.paper.exchange import PaperExchange
from station.brokers.paper.faults import FAULTS, Fault, parse_fault, rare_halts
from station.brokers.paper.generated import GeneratedTape, generated_tape
from station.brokers.paper.tape import Tape, Ticks

__all__ = [
    "FAULTS", "Fault", "GeneratedTape", "PaperExchange", "Tape", "Ticks", "generated_tape", "parse_fault",
    "rare_halts",
]  # fmt: skip
