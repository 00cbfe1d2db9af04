"""Replay: recorded bars or a recorded session instead of a seeded market, played by the same exchange."""

from station.brokers.replay.recorded import Recording, SessionTape, read_recording
from station.brokers.replay.recorder import Recorder
from station.brokers.replay.tape import RecordedTape

__all__ = ["RecordedTape", "Recorder", "Recording", "SessionTape", "read_recording"]
