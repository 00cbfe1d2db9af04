"""When an instrument's stream was not there: only that makes a gap (SPEC §2)."""

from __future__ import annotations

from station.calendars import Calendar
from station.domain.instruments import Hours


class Outages:
    """Holes in one stream, UTC ns, that reach into sessions and that history has not filled yet."""

    def __init__(self, calendar: Calendar, hours: Hours) -> None:
        self._calendar = calendar
        self._hours = hours
        self._down_ns: int | None = None
        self._holes: list[tuple[int, int]] = []
        self.count = 0

    @property
    def down_since_ns(self) -> int | None:
        """When the stream stopped; None while it runs."""
        return self._down_ns

    @property
    def earliest_ns(self) -> int | None:
        """Start of the oldest hole, the present one included; None while the stream is whole."""
        if self._holes:
            return self._holes[0][0]
        return self._down_ns

    def down(self, at_ns: int) -> None:
        """The stream stopped; repeated news of it changes nothing."""
        if self._down_ns is None:
            self._down_ns = at_ns

    def up(self, at_ns: int) -> None:
        """The stream runs again."""
        if self._down_ns is None:
            return
        start_ns, self._down_ns = self._down_ns, None
        self.add(start_ns, at_ns)

    def add(self, start_ns: int, end_ns: int, *, counted: bool = True) -> None:
        """A hole `[start_ns, end_ns)`; one that no session sees is none. `counted` holes are gaps to report."""
        if end_ns <= start_ns or not self._in_session(start_ns, end_ns):
            return
        self._holes.append((start_ns, end_ns))
        self._holes.sort()
        self.count += counted

    def _in_session(self, start_ns: int, end_ns: int) -> bool:
        if self._calendar.at(self._hours, start_ns) is not None:
            return True
        return self._calendar.next_after(self._hours, start_ns).open_ns < end_ns

    def pierce(self, start_ns: int, close_ns: int) -> bool:
        """Whether a hole reaches into `[start_ns, close_ns)`."""
        if self._down_ns is not None and self._down_ns < close_ns:
            return True
        return any(low < close_ns and high > start_ns for low, high in self._holes)

    def filled_through(self, at_ns: int) -> None:
        """History now covers everything before `at_ns`."""
        self._holes = [(max(low, at_ns), high) for low, high in self._holes if high > at_ns]
        if self._down_ns is not None:
            self._down_ns = max(self._down_ns, at_ns)
