"""Virtual time: one process, one loop, and a clock that stands still while anybody works (docs/simulator/time.md).

1. Time is a number. It moves only from one timer of the loop to the next, and only when nothing else can happen.
2. Whoever works on another thread holds the clock (`hold`): the writer from the first job queued until all are durable,
   each job of an executor until its result is with the loop, each check of a self-test. Who only waits lets go.
3. The loop and the others take turns: whoever else works does so while the loop rests, and what he says to the loop
   (`call_soon_threadsafe`) is heard when all are done. So nothing depends on who is faster.
4. When virtual time is over, sleepers and who waits for a turn are let go (`TimeIsOver`), and who works is waited for:
   this process's next time never meets a thread of this one.
5. So whatever is done at an instant happens at that instant, however long this machine takes for it.
"""

from __future__ import annotations

import asyncio
import contextlib
import heapq
import selectors
import threading
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor, wait
from contextvars import Context
from typing import Any, Final, TypeVarTuple

from hal import program_time
from simulator.drivers.runner import Steps
from simulator.turns import STUCK_S, NothingWillHappen, TimeIsOver, Turns

_Ts = TypeVarTuple("_Ts")
NS_PER_S: Final = 1_000_000_000
_WAIT_STEP_S: Final = 0.02
"""How often a thread that waits for an event looks (virtual seconds)."""
_END_S: Final = 120.0
"""How long what still works may take when virtual time is over (real seconds)."""
BOOTED_NS: Final = 30 * NS_PER_S
"""What CLOCK_BOOTTIME says when virtual time begins."""


class VirtualTime:
    """`hal.program_time.ProgramTime` of a loop of its own."""

    def __init__(self, utc_ns: int) -> None:
        """`utc_ns` is UTC at the beginning, nanoseconds since 1970."""
        self._ns = BOOTED_NS
        self._utc_less_boottime_ns = utc_ns - BOOTED_NS
        self.turns = Turns()
        self._asleep: set[threading.Event] = set()
        self._waited_s, self._waited_ns = 0.0, 0
        self._home = threading.get_ident()
        """The thread on which the loop runs."""
        self.loop = VirtualLoop(self)

    def boottime_ns(self) -> int:
        return self._ns

    def monotonic_ns(self) -> int:
        return self._ns

    def utc_ns(self) -> int:
        return self._ns + self._utc_less_boottime_ns

    def hold(self) -> int:
        return self.turns.hold()

    def release(self) -> None:
        self.turns.release()

    def turn(self, number: int) -> None:
        self.turns.turn(number)

    def lent(self) -> contextlib.AbstractContextManager[None]:
        return self.turns.lent()

    def end(self) -> None:
        """Nothing happens any more (rule 4). Raises `NothingWillHappen` for a job that does not end."""
        self.turns.end()
        asleep = tuple(self._asleep)
        for one in asleep:
            one.set()
        self.loop.end_jobs()

    def advance(self, to_ns: int) -> None:
        """The loop's: it is later now."""
        self._ns = max(self._ns, to_ns)

    def sleep(self, seconds: float) -> None:
        """Wait on another thread than the loop's, which holds the clock before and after. Raises `TimeIsOver`."""
        over, numbers = threading.Event(), list[int]()

        def wake() -> None:
            numbers.append(self.hold())  # before the clock can move on
            over.set()

        if self.turns.over:
            raise TimeIsOver("virtual time is over: nobody sleeps in it any more")
        self._asleep.add(over)
        self.loop.call_soon_threadsafe(self.loop.call_later, seconds, wake)
        self.release()
        over.wait()
        self._asleep.discard(over)
        self.turn(numbers[0] if numbers else 0)

    def wait_here(self, seconds: float) -> None:
        """As `sleep`, or on the loop's own thread: then everybody else waits too, and it is later afterwards.

        Raises `NothingWillHappen` when the loop waits for a thing that only the loop could bring about.
        """
        if threading.get_ident() != self._home:
            self.sleep(seconds)
            return
        self._waited_s = self._waited_s + seconds if self._ns == self._waited_ns else seconds
        if self._waited_s > STUCK_S:
            raise NothingWillHappen(f"the loop itself has waited for {STUCK_S:g} s of virtual time")
        self._ns += int(seconds * NS_PER_S)
        self._waited_ns = self._ns

    def wait(self, event: threading.Event, timeout_s: float) -> bool:
        """As `sleep`, until somebody sets the event."""
        end_ns = self._ns + int(timeout_s * NS_PER_S)
        while not event.is_set() and self._ns < end_ns:
            self.sleep(_WAIT_STEP_S)
        return event.is_set()

    # --- `simulator.drivers.runner.Runner` ----------------------------------------------------------------------------

    def play(self, name: str, steps: Steps) -> Callable[[], None]:  # noqa: ARG002 - threads have names
        """Let a driver take its steps on the loop."""
        running = _Stepping(self, steps)
        running.step()
        return running.stop


class _Stepping:
    """One driver."""

    __slots__ = ("_handle", "_steps", "_stopped", "_time")

    def __init__(self, time: VirtualTime, steps: Steps) -> None:
        self._time = time
        self._steps = steps
        self._handle: asyncio.TimerHandle | None = None
        self._stopped = False

    def step(self) -> None:
        due_ns = next(self._steps, None)
        if due_ns is not None and not self._stopped:
            self._handle = self._time.loop.call_at(due_ns / NS_PER_S, self.step)

    def stop(self) -> None:
        self._stopped = True
        if self._handle is not None:
            # From a thread: the loop stands still meanwhile, or looks again before it takes the step.
            self._handle.cancel()


class _Timer(asyncio.TimerHandle):
    """One of a loop's timers, with its place among those of the same instant."""

    __slots__ = ("number",)
    number: int

    def __lt__(self, other: object) -> bool:
        if not isinstance(other, _Timer):
            return NotImplemented
        mine, others = self.when(), other.when()
        return mine < others if mine != others else self.number < other.number


class VirtualLoop(asyncio.SelectorEventLoop):
    """asyncio's loop on virtual time."""

    def __init__(self, clock: VirtualTime) -> None:
        self._virtual = clock
        self._timers = 0
        self._jobs: set[Future[Any]] = set()
        self._said: deque[asyncio.Handle] = deque()
        """What other threads said since the loop rested."""
        super().__init__(_PatientSelector(clock, self))
        self._clock_resolution = 1e-9

    def time(self) -> float:
        """Virtual CLOCK_BOOTTIME in seconds."""
        return self._virtual.boottime_ns() / NS_PER_S

    def call_soon_threadsafe(  # type: ignore[override]  # the stubs are narrower
        self, callback: Callable[..., Any], *args: Any, context: Context | None = None
    ) -> asyncio.Handle:
        """From another thread: when the loop has rested. From its own: soon."""
        if asyncio._get_running_loop() is self:
            return self.call_soon(callback, *args, context=context)
        handle = asyncio.Handle(callback, args, self, context)
        self._said.append(handle)
        return handle

    def call_at(
        self, when: float, callback: Callable[[*_Ts], object], *args: *_Ts, context: Context | None = None
    ) -> asyncio.TimerHandle:
        """Timers of one instant come in the order in which they were set; asyncio promises none."""
        self._check_closed()  # type: ignore[attr-defined]
        self._timers += 1
        timer = _Timer(when, callback, args, self, context)
        timer.number = self._timers
        heapq.heappush(self._scheduled, timer)  # type: ignore[attr-defined]  # where the loop keeps them
        timer._scheduled = True  # type: ignore[attr-defined]
        return timer

    def run_in_executor(
        self, executor: Executor | None, func: Callable[[*_Ts], Any], *args: *_Ts
    ) -> asyncio.Future[Any]:
        """The job holds the clock until its result is said to the loop, and waits for its turn."""
        virtual = self._virtual
        number = virtual.hold()
        begun: list[bool] = []

        def work() -> Any:
            begun.append(True)
            virtual.turn(number)
            return func(*args)

        def done(_: Future[Any]) -> None:
            if begun:  # on its own thread, which may have got another number since
                virtual.release()
            else:  # taken back before it began
                virtual.turns.give_back(number)

        if executor is None:
            executor = self._own = self._own or ThreadPoolExecutor(32, thread_name_prefix="virtual")
        try:
            job = executor.submit(work)
        except BaseException:
            virtual.turns.give_back(number)
            raise
        future = asyncio.wrap_future(job, loop=self)
        job.add_done_callback(done)  # after the one that tells the loop
        self._jobs.add(job)
        job.add_done_callback(self._jobs.discard)
        return future

    _own: ThreadPoolExecutor | None = None

    def end_jobs(self) -> None:
        """Wait for the jobs that are still at work. Raises `NothingWillHappen` for one that does not end."""
        _, stuck = wait(tuple(self._jobs), _END_S)
        if stuck:
            raise NothingWillHappen(f"{len(stuck)} jobs of this virtual time have not ended within {_END_S:g} s")

    def heard(self) -> bool:
        """Take over what others said; whether there was anything."""
        if not self._said:
            return False
        ready: deque[asyncio.Handle] = self._ready  # type: ignore[attr-defined]  # where call_soon puts it
        while self._said:
            ready.append(self._said.popleft())
        return True

    def close(self) -> None:
        if self._own is not None:
            self._own.shutdown(wait=False)
        super().close()


class _PatientSelector(selectors.DefaultSelector):
    """Where the loop would sleep, time moves on instead; but only when nobody works any more."""

    def __init__(self, clock: VirtualTime, loop: VirtualLoop) -> None:
        super().__init__()
        self._virtual = clock
        self._loop = loop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """What is ready now; nothing, and it is `timeout` later, if nothing is."""
        if timeout is not None and timeout <= 0:
            return []  # what is ready comes first; the rest is asked for when nothing is
        self._virtual.turns.rest()
        if self._loop.heard():
            return []
        events = super().select(0)
        if events:
            return events
        if timeout is None:
            raise NothingWillHappen("nobody works, no timer is set: virtual time has come to its end")
        self._virtual.advance(self._virtual.boottime_ns() + -int(-timeout * NS_PER_S // 1))
        return []


@contextlib.contextmanager
def virtual_time(utc_ns: int) -> Iterator[VirtualTime]:
    """This process goes by virtual time, until the end of the block; then its loop is closed."""
    virtual = VirtualTime(utc_ns)
    before = program_time.run_on(virtual)
    try:
        yield virtual
    finally:
        left = asyncio.all_tasks(virtual.loop)
        for task in left:
            task.cancel()
        if left:
            virtual.loop.run_until_complete(asyncio.wait(left, timeout=1.0))
        try:
            virtual.end()
        finally:
            program_time.run_on(before)
            virtual.loop.close()


class VirtualStage:
    """`simulator.stage.Stage`: letting time pass lets everything else work."""

    look_s = 10.0
    tick_s = 30.0
    patience = 1.0

    def __init__(self, virtual: VirtualTime) -> None:
        self._virtual = virtual

    def now_s(self) -> float:
        return self._virtual.boottime_ns() / NS_PER_S

    def utc_ns(self) -> int:
        return self._virtual.utc_ns()

    def sleep(self, seconds: float) -> None:
        self._virtual.loop.run_until_complete(asyncio.sleep(max(0.0, seconds)))
