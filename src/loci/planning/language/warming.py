"""Makes what understands language before it is asked for: with kept files it takes a second or two, the first time on a computer many."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from loci.planning.language.kept import remove_stale
from loci.planning.language.reading import command_reader, condition_reader, question_reader
from loci.planning.language.readings import deed_likeness

if TYPE_CHECKING:
    from loci.perception.text import TextEncoder


def warm_up(encoder: TextEncoder | None) -> None:
    """Learn from all example sentences, or read what was kept of it."""
    remove_stale()
    command_reader(encoder)
    question_reader(encoder)
    condition_reader(encoder)
    if encoder is not None:
        deed_likeness(encoder)


def warm_up_beside(encoder: TextEncoder) -> None:
    """The same in a thread of its own; whoever asks meanwhile waits for it."""
    threading.Thread(target=warm_up, args=(encoder,), name="language", daemon=True).start()
