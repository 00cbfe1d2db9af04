"""The line that dialogs take words in."""

from __future__ import annotations

from textual.events import Key
from textual.widgets import Input


class LineInput(Input):
    """Does a key of its own where it comes in. The toolkit lets an editing key rise to the app before it acts,
    while letters are put in at once: in a burst the letters after a ctrl+u would be there before it, and lost.
    """

    async def _on_key(self, event: Key) -> None:
        bound = () if event.is_printable else self._bindings.key_to_bindings.get(event.key, ())
        for binding in bound:
            if await self.app.run_action(binding.action, self):
                event.stop()
                event.prevent_default()
                return
        await super()._on_key(event)
