"""The line that dialogs take words in."""

from __future__ import annotations

from typing import Final

from rich.text import Text
from textual.events import Key, Paste
from textual.reactive import reactive
from textual.widgets import Input, Static

from widgets.ink import RED

LONGEST: Final = 240
"""Characters a line takes: what a trader means fits in it, and a screenful pasted by mistake does not."""


def taken(text: str, most: int, *, digits: bool = False) -> str:
    """A paste as one line. Raises ValueError saying why nothing of it is taken."""
    lines = [line for line in text.splitlines() if line.strip()]
    line = lines[0].replace("\t", " ").strip() if lines else ""
    if len(text) > most and len(line) > most:
        raise ValueError(f"{len(text):,} characters were pasted, and a line takes {most}: nothing is taken")
    if len(lines) > 1:
        raise ValueError(f"{len(lines)} lines were pasted, and one is taken: paste it alone")
    if not line.isprintable():
        raise ValueError("what was pasted has control characters in it: nothing is taken")
    if digits and not line.isdigit():
        raise ValueError(f"{line[:20]!r} was pasted, and a whole number is wanted: nothing is taken")
    return line


class LineInput(Input):
    """Does a key of its own where it comes in. The toolkit lets an editing key rise to the app before it acts,
    while letters are put in at once: in a burst the letters after a ctrl+u would be there before it, and lost.
    Its cursor stands still, since nothing goes to the terminal where nothing has changed.
    """

    cursor_blink = reactive(False, init=False)
    written: bool = False
    """Something was typed into it, or pasted."""

    async def _on_key(self, event: Key) -> None:
        self.written = self.written or event.is_printable
        bound = () if event.is_printable else self._bindings.key_to_bindings.get(event.key, ())
        for binding in bound:
            if await self.app.run_action(binding.action, self):
                event.stop()
                event.prevent_default()
                return
        await super()._on_key(event)

    async def _on_paste(self, event: Paste) -> None:
        """A paste is taken whole as one line or not at all, and says why not."""
        event.stop()
        event.prevent_default()
        most = min(self.max_length or LONGEST, LONGEST)
        try:
            line = taken(event.text, most, digits=self.type != "text")
            if len(self.value) - len(self.selected_text) + len(line) > most:
                raise ValueError(f"with what is pasted it is longer than {most} characters: nothing is taken")
        except ValueError as fault:
            for said in self.screen.query("#said, #wrong").results(Static):
                said.update(Text(str(fault), style=RED))
            return
        self.written = True
        self.replace(line, *self.selection) if not self.selection.is_empty else self.insert_text_at_cursor(line)
