"""What one paint knows: the newest floor, how the link stands, and what time it is at the station."""

from __future__ import annotations

from dataclasses import dataclass

from station.domain.clock import SECOND
from station.link import Floor, LinkState
from widgets.preferences import Group
from widgets.sight import NOWHERE, Sight


@dataclass(frozen=True, slots=True)
class Scene:
    """`silence_s` is how long nothing was heard while the link is not well; `colours` False where nothing may
    be told by colour, `slow_link` while the screen paints at half its pace or less; `groups` are the
    watchlist's."""

    floor: Floor
    state: LinkState
    detail: str = ""
    silence_s: float = 0.0
    read_only: bool = False
    kill_pending: bool = False
    sight: Sight = NOWHERE
    colours: bool = True
    slow_link: bool = False
    groups: tuple[Group, ...] = ()

    @property
    def now_ns(self) -> int:
        """The station's now, as far as it is known."""
        return self.floor.header.now_ns if self.floor.header else 0

    @property
    def live(self) -> bool:
        """What is shown is the present."""
        return self.state is LinkState.CONNECTED

    def age_s(self, at_ns: int) -> float:
        """Seconds of station time since `at_ns`, and of silence since then."""
        return max((self.now_ns - at_ns) / SECOND, 0.0) + (0.0 if self.live else self.silence_s)
