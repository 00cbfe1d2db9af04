"""The clocks: time that never goes back, timers in order, and lockstep that waits for quiescence."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

import pytest

from station.clock import Activity, FollowingClock, Lockstep, LockstepLoop, VirtualClock
from station.domain.clock import SECOND

T = TypeVar("T")


def in_lockstep(work: Coroutine[Any, Any, T]) -> T:
    with asyncio.Runner(loop_factory=LockstepLoop) as runner:
        return runner.run(work)


class Pulses:
    """A venue with an event every second; what it finds written is what the engine had done by then."""

    def __init__(self, count: int) -> None:
        self.left = count
        self.at = 0
        self.told: asyncio.Queue[int] = asyncio.Queue()

    def next_instant(self) -> int | None:
        return self.at + SECOND if self.left else None

    async def advance(self, at_ns: int) -> None:
        if self.left and at_ns >= self.at + SECOND:
            self.at, self.left = at_ns, self.left - 1
            self.told.put_nowait(at_ns)


def test_time_never_goes_back() -> None:
    clock = VirtualClock(100)
    with pytest.raises(ValueError, match="cannot go back"):
        clock.move_to(99)


def test_timers_of_one_instant_run_in_the_order_they_were_set() -> None:
    clock, seen = VirtualClock(0), []
    for name in "abc":
        clock.call_at(5, lambda name=name: seen.append(name))
    clock.call_at(4, lambda: seen.append("first")).cancel()
    clock.move_to(5)
    assert clock.fire_due()
    assert seen == ["a", "b", "c"]
    assert clock.next_timer is None


def test_a_timer_in_the_past_is_due_now() -> None:
    clock, seen = VirtualClock(50), []
    clock.call_at(10, lambda: seen.append(clock.now()))
    clock.fire_due()
    assert seen == [50]


def test_time_moves_only_when_every_consequence_has_settled() -> None:
    """A chain of tasks hands each pulse on; by the next pulse the whole chain has seen it."""

    async def main() -> list[tuple[int, int]]:
        clock, venue = VirtualClock(0), Pulses(50)
        seen: list[tuple[int, int]] = []
        second: asyncio.Queue[int] = asyncio.Queue()

        async def relay() -> None:
            while True:
                second.put_nowait(await venue.told.get())

        async def write() -> None:
            while True:
                pulse = await second.get()
                await asyncio.sleep(0)  # noqa: TID251 - one bare turn of the loop, as any await may take
                seen.append((pulse, clock.now()))

        tasks = [asyncio.create_task(relay()), asyncio.create_task(write())]
        await Lockstep(clock, venue).run(60 * SECOND)
        for task in tasks:
            task.cancel()
        return seen

    seen = in_lockstep(main())
    assert len(seen) == 50
    assert all(pulse == now for pulse, now in seen)


def test_work_out_on_a_thread_holds_time_still() -> None:
    async def main() -> list[int]:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, LockstepLoop)
        clock, venue = VirtualClock(0), Pulses(5)
        seen: list[int] = []

        async def save() -> None:
            while True:
                pulse = await venue.told.get()
                async with loop.activity.op():
                    await loop.run_in_executor(None, sum, range(200_000))
                assert clock.now() == pulse
                seen.append(pulse)

        task = asyncio.create_task(save())
        await Lockstep(clock, venue).run(60 * SECOND)
        task.cancel()
        return seen

    assert in_lockstep(main()) == [n * SECOND for n in range(1, 6)]


def test_work_aside_holds_time_still_and_no_commit_back_and_comes_in_last() -> None:
    async def main() -> tuple[list[str], list[int]]:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, LockstepLoop)
        clock, venue, gate = VirtualClock(0), Pulses(2), threading.Event()
        told: list[str] = []

        async def aside(name: str, work: Callable[[], object]) -> int:
            await loop.activity.aside(work)
            told.append(name)
            return clock.now()

        async def commits() -> None:
            for number in range(3):
                async with loop.activity.op():
                    await asyncio.to_thread(int)
                told.append(f"commit {number}")
            gate.set()

        tasks = [asyncio.create_task(aside("long", gate.wait)), asyncio.create_task(aside("short", int))]
        await asyncio.gather(asyncio.create_task(commits()), Lockstep(clock, venue).run(60 * SECOND))
        return told, [await task for task in tasks]

    told, instants = in_lockstep(main())
    assert told == ["commit 0", "commit 1", "commit 2", "long", "short"]
    assert instants == [0, 0]


def test_what_was_quick_aside_waits_for_the_commits_of_its_instant() -> None:
    async def main() -> list[str]:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, LockstepLoop)
        done, told = threading.Event(), list[str]()

        async def quick() -> None:
            await loop.activity.aside(done.set)
            told.append("aside")

        async def commit() -> None:
            async with loop.activity.op():
                await asyncio.to_thread(done.wait)
            told.append("commit")

        await asyncio.gather(quick(), commit())
        return told

    assert in_lockstep(main()) == ["commit", "aside"]


def test_aside_on_a_loop_of_wall_time_answers_by_itself() -> None:
    assert asyncio.run(Activity(ordered=False).aside(sum, (1, 2))) == 3


def test_ordered_activity_answers_in_the_order_it_was_asked() -> None:
    async def main() -> list[str]:
        activity, told = Activity(ordered=True), []

        async def ask(name: str, turns: int) -> None:
            async with activity.op():
                for _ in range(turns):
                    await asyncio.sleep(0)  # noqa: TID251 - bare turns of the loop stand for a slow answer
                told.append(name)

        await asyncio.gather(ask("slow", 20), ask("quick", 1))
        assert activity.outstanding == 0
        return told

    assert asyncio.run(main()) == ["slow", "quick"]


def test_a_halt_stops_at_the_present_instant() -> None:
    async def main() -> int:
        clock, venue = VirtualClock(0), Pulses(100)
        lockstep = Lockstep(clock, venue)
        clock.call_at(10 * SECOND, lockstep.halt)
        await lockstep.run(60 * SECOND)
        return clock.now()

    assert in_lockstep(main()) == 10 * SECOND


def test_a_following_clock_takes_the_first_anchor_and_never_goes_back_after_it() -> None:
    clock = FollowingClock(20.0)
    clock.anchor(1_000 * SECOND)
    first = clock.now()
    assert 1_000 * SECOND <= first < 1_060 * SECOND
    clock.anchor(500 * SECOND)
    assert clock.now() >= first
