"""The clocks: wall for live trading, virtual for paper and replay. The only room that may read host time."""

from station.clock.following import FollowingClock
from station.clock.lockstep import Activity, Lockstep, LockstepLoop, Venue
from station.clock.virtual import VirtualClock
from station.clock.wall import WallClock

__all__ = ["Activity", "FollowingClock", "Lockstep", "LockstepLoop", "Venue", "VirtualClock", "WallClock"]
