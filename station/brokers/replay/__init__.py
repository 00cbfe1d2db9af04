"""Replay: recorded bars instead of a seeded market, played by the same exchange."""

from station.brokers.replay.tape import RecordedTape

__all__ = ["RecordedTape"]
