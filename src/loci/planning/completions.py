"""What an OpenAI-compatible endpoint sends back: a stream of pieces, or a whole completion, as text with its count of tokens."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import Any

from loci.planning.chat_model import ModelError

#: An answer that is longer is read no further: no decision is so long.
MAX_CHARACTERS = 100_000


@dataclass(frozen=True)
class Completion:
    """A model's answer.

    Attributes:
        content: its text.
        n_prompt_tokens, n_completion_tokens: as the endpoint counted them; 0: it did not say.
        first_token_at: `time.monotonic` when its text began to arrive [s]; 0: it came in one piece.
    """

    content: str
    n_prompt_tokens: int
    n_completion_tokens: int
    first_token_at: float = 0.0


async def read_stream(stream: Any) -> Completion:
    """What a stream of the openai client says, to its end; an endpoint that sent everything in one piece all the same is read, too.

    Raises:
        ValueError: it was cut off, or is no completion.
        ModelError: the model refused.
    """
    response = stream.response
    if "event-stream" not in response.headers.get("content-type", ""):
        try:
            body = await response.aread()
        except Exception as error:  # of the HTTP client, whose name depends on openai's version
            raise ValueError(f"expected a whole completion, got a part ({type(error).__name__}: {error})") from error
        return from_document(json.loads(body))
    pieces: list[str] = []
    refusal: list[str] = []
    first_token_at, n_characters, usage, ended = 0.0, 0, None, False
    async for chunk in stream:
        usage = getattr(chunk, "usage", None) or usage
        for choice in (getattr(chunk, "choices", None) or ())[:1]:
            ended |= bool(getattr(choice, "finish_reason", None))
            delta = getattr(choice, "delta", None)
            refusal.append(getattr(delta, "refusal", None) or "")
            if piece := getattr(delta, "content", None):
                first_token_at = first_token_at or time.monotonic()
                pieces.append(str(piece))
                n_characters += len(pieces[-1])
        if n_characters > MAX_CHARACTERS:
            ended = True
            await stream.close()
            break
    if not ended:
        raise ValueError(f"expected a stream with an end, got one that was cut off after {n_characters} characters")
    return _checked("".join(pieces), "".join(refusal), usage, first_token_at)


def from_document(document: Any) -> Completion:
    """A completion that came in one piece, as JSON or as an object of the openai client.

    Raises:
        ValueError: it is none.
        ModelError: the model refused.
    """
    if not isinstance(document, dict):
        document = document.model_dump() if hasattr(document, "model_dump") else {}
    choices = document.get("choices")
    message = choices[0].get("message") if isinstance(choices, list) and choices else None
    if not isinstance(message, dict):
        raise ValueError(f"expected a chat completion with a choice, got {str(document)[:200]!r}")
    return _checked(message.get("content"), message.get("refusal"), document.get("usage"), 0.0)


def _checked(content: Any, refusal: Any, usage: Any, first_token_at: float) -> Completion:
    if refusal:
        raise ModelError(f"the model refused: {str(refusal)[:300]}")
    if not isinstance(content, str) or not content.strip():
        raise ValueError("expected a chat completion with text, got none")
    counts = usage if isinstance(usage, dict) else getattr(usage, "__dict__", {})
    return Completion(
        content.encode("utf-8", "replace").decode(),  # halves of surrogate pairs could not be sent back
        int(counts.get("prompt_tokens") or 0),
        int(counts.get("completion_tokens") or 0),
        first_token_at,
    )
