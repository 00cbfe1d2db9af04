"""The trader's hand: each order to the engine, its dialog, and what came of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Final

from station.link import (
    Ack,
    CancelOrder,
    CloseTrade,
    Command,
    Flatten,
    Gate,
    Kill,
    KillRelease,
    LiftQuarantine,
    LinkDown,
    LinkState,
    PositionRow,
    Query,
    Reconcile,
    Reply,
    Stop,
)
from widgets.dialogs import (
    RELEASE_WORD,
    Dialog,
    GateDialog,
    HelpDialog,
    KillDialog,
    QuitDialog,
    ReleaseDialog,
    SymbolDialog,
)
from widgets.repeats import Repeats

if TYPE_CHECKING:
    from widgets.app import FloorApp

BY: Final = "screen"
STOPPED: Final = "stop"
DETACHED: Final = "detach"
LEFT: Final = "left"
"""Gone from an engine that was not reached: nobody knows here whether it goes on."""
KILL_TIMEOUT_S: Final = 3.0
RETRY_S: Final = 0.5


class Hand:
    """Every method returns at once; the answer arrives in the notice line or in the dialog it opened."""

    def __init__(self, app: FloorApp) -> None:
        self._app = app
        self._kill: Kill | None = None
        self._again = Repeats(app.perf, app.pause, meant=self._flatten_too, held=self._tell_held)

    @property
    def kill_pending(self) -> bool:
        """A kill was pressed and the engine has not confirmed it."""
        return self._kill is not None

    # --- the kill switch ---------------------------------------------------------------------------

    def kill(self) -> None:
        """First press: stop and cancel, at once. Second, in the dialog: flatten, unless the key is only
        held down. Repeated until the engine has it."""
        dialog = self._kill_dialog()
        if dialog is None:
            self._send_kill(flatten=self._kill is not None and self._kill.flatten)
        elif dialog.ripe and self._again.press():
            self._work(self._again.judge(), "kill again")

    def _flatten_too(self) -> None:
        self._send_kill(flatten=True)

    def _tell_held(self) -> None:
        dialog = self._kill_dialog()
        if dialog is not None:
            dialog.held()

    def _send_kill(self, *, flatten: bool) -> None:
        self._kill = Kill(flatten=flatten, by=BY)
        said = "KILL + FLATTEN" if flatten else "KILL"
        doing = f"{said} sent, waiting for the engine …"
        dialog = self._kill_dialog()
        if dialog is None:
            self._clear_dialogs()
            dialog = KillDialog(self._app.perf, doing, "info")
            self._app.push_screen(dialog)
        if flatten:
            dialog.flattening()
        self._say_kill(doing, "info")
        self._work(self._deliver_kill(), "kill")

    def _clear_dialogs(self) -> None:
        """Leave whatever is open: under two dialogs the toolkit paints the floor no more, and its header has to
        say that the switch is on."""
        while len(self._app.screen_stack) > 1:
            top = self._app.screen
            if isinstance(top, Dialog):
                top.dismiss(None)
            else:
                self._app.pop_screen()

    async def _deliver_kill(self) -> None:
        while self._kill is not None:
            try:
                reply = await self._app.link.ask(self._kill, KILL_TIMEOUT_S)
            except LinkDown as fault:
                self._say_kill(
                    f"KILL NOT DELIVERED: {fault}. Trying again until the engine answers. "
                    "If it cannot wait, close at the broker.", "bad",
                )  # fmt: skip
                await self._app.pause(RETRY_S)
                continue
            self._kill = None
            text, tone = _read(reply)
            dialog = self._kill_dialog()
            if dialog is not None and self._app.read_only:
                dialog.only_looks()
            self._say_kill(f"KILL ON: {text}" if tone == "good" else f"KILL REFUSED: {text}", tone)

    def _say_kill(self, text: str, tone: str) -> None:
        dialog = self._kill_dialog()
        if dialog is not None:
            dialog.tell(text, tone)
        self._app.tell(text, tone)

    def _kill_dialog(self) -> KillDialog | None:
        top = self._app.screen
        return top if isinstance(top, KillDialog) else None

    def release_kill(self) -> None:
        known = self._app.link.view.floor.header
        dialog = ReleaseDialog(self._app.perf, known.kill_reason if known else "")
        self._ask(dialog, lambda word: self.send(KillRelease(word, BY), "releasing the kill switch"))

    def lift_quarantine(self) -> None:
        from widgets.station_dialogs import lift_dialog, symbol_of

        known = self._app.link.view.floor.header

        def answered(line: str | None) -> None:
            if line is not None:
                symbol = symbol_of(line)
                self.send(LiftQuarantine(symbol, RELEASE_WORD, BY), f"lifting the quarantine of {symbol}")

        locked = known.quarantined if known is not None else ()
        self._app.push_screen(lift_dialog(self._app.perf, locked), answered)

    # --- protection --------------------------------------------------------------------------------

    def flatten(self) -> None:
        self.send(Flatten(BY), "flatten: closing every position at market")

    def close(self, row: PositionRow) -> None:
        self.send(CloseTrade(row.trade_id, BY), f"closing {row.label} at market")

    def cancel_entry(self, row: PositionRow) -> None:
        self.send(CancelOrder(row.entry_ref, BY), f"cancelling the entry of {row.label}")

    def choose_gate(self) -> None:
        known = self._app.link.view.floor.header
        dialog = GateDialog(self._app.perf, known.gate if known else "")
        self._ask(dialog, lambda state: self.send(Gate(state, BY), f"gate {state}"))

    # --- the station -------------------------------------------------------------------------------

    def reconcile(self) -> None:
        self.send(Reconcile(BY), "reconciling with the broker")

    def show_help(self) -> None:
        pane, page = self._app.focused_pane, self._app.pages.shown
        name, own = (pane.title.lower(), pane.HELP) if pane is not None else ("", ())
        if page is not None:
            name, own = page.TITLE.lower(), page.help()
        self._app.push_screen(HelpDialog(self._app.perf, self._app.shown_key, name, own))

    def show_profiles(self) -> None:
        self._work(self._show_profiles(), "profiles")

    async def _show_profiles(self) -> None:
        from widgets.asking import ask_late
        from widgets.station_dialogs import ProfilesDialog

        try:
            reply = await self._app.link.ask(Query("profiles"))
        except LinkDown as fault:
            self._app.tell(f"accounts: {fault}", "bad")
            return
        if isinstance(reply, Ack):
            self._app.tell(f"accounts: {reply.text}", "bad")
        else:
            ask_late(self._app, ProfilesDialog(self._app.perf, reply.json))

    def choose_symbol(self) -> None:
        dialog = SymbolDialog(self._app.perf, self._app.symbols)
        self._ask(dialog, lambda symbol: self._app.aim(symbol=symbol))

    def ask_quit(self) -> None:
        app = self._app
        known = app.link.view.floor.header
        standing: list[str] = []
        if known is not None and known.open_trades:
            standing.append(f"{known.open_trades} open")
        if known is not None and known.working_orders:
            standing.append(f"{known.working_orders} working at the broker")
        if self._kill is not None:
            standing.append("a kill is not delivered yet")
        dialog = QuitDialog(
            app.perf, ", ".join(standing), reachable=self._reachable, can_detach=app.can_detach,
            can_stop=not app.read_only,
        )  # fmt: skip
        self._ask(dialog, self._leave)

    def _leave(self, answer: str) -> None:
        if answer == DETACHED:
            self._app.exit(DETACHED if self._reachable else LEFT)
        else:
            self.send(Stop(BY), "stopping the engine", lambda: self._app.exit(STOPPED))

    @property
    def _reachable(self) -> bool:
        return self._app.link.state in (LinkState.CONNECTED, LinkState.MISMATCH)

    # --- how it is sent ----------------------------------------------------------------------------

    def _ask(
        self, dialog: QuitDialog | GateDialog | ReleaseDialog | SymbolDialog, then: Callable[[str], None]
    ) -> None:
        def answered(answer: str | None) -> None:
            if answer is not None:
                then(answer)

        self._app.push_screen(dialog, answered)

    def send(
        self, command: Command, doing: str, then: Callable[[], object] = lambda: None,
        answered: Callable[[], object] = lambda: None,
    ) -> None:  # fmt: skip
        """Send what is asked for; `answered` follows its answer, `then` where the engine did it."""
        self._app.tell(f"{doing} …", "info")

        async def send() -> None:
            try:
                reply = await self._app.link.ask(command)
            except LinkDown as fault:
                self._app.tell(f"{doing}: NO ANSWER, {fault}. It may not have happened.", "bad")
                return
            answered()
            text, tone = _read(reply)
            self._app.tell(f"{doing}: {text}" if tone == "bad" else text, tone)
            if tone == "good":
                then()

        self._work(send(), f"send {type(command).__name__}")

    def _work(self, work: Awaitable[None], group: str) -> None:
        self._app.run_worker(work, group=group, exclusive=group == "kill", exit_on_error=False)


def _read(reply: Reply) -> tuple[str, str]:
    """The reply as words and a tone."""
    if not isinstance(reply, Ack):
        return "done", "good"
    if reply.ok:
        return reply.text or "done", "good"
    return f"{reply.text} [{reply.code}]" if reply.code else reply.text, "bad"
