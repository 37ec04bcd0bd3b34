"""What a vision-language planner needs of a model: messages in, text out. Implemented by an endpoint, and by a recorded trace."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

#: A chat message as in the OpenAI chat-completions protocol.
Message = Mapping[str, Any]


class ModelError(RuntimeError):
    """The model gave no answer: not reachable, too late, refused, or it wants what it may not have. The message says which.

    Attributes:
        n_retries: requests that failed before the last one.
    """

    def __init__(self, message: str, n_retries: int = 0) -> None:
        super().__init__(message)
        self.n_retries = n_retries


@dataclass(frozen=True)
class Reply:
    """What a model answered.

    Attributes:
        content: its text.
        n_prompt_tokens, n_completion_tokens: as the endpoint counted them; 0: it did not say.
        latency_s: from the request to the answer, retries included [s].
        n_retries: requests that failed before.
        is_recorded: it comes from a trace, nothing was asked.
        first_token_s: from the request to the first piece of the answer, retries included [s]; 0: it came in one piece.
    """

    content: str
    n_prompt_tokens: int = 0
    n_completion_tokens: int = 0
    latency_s: float = 0.0
    n_retries: int = 0
    is_recorded: bool = False
    first_token_s: float = 0.0


class ChatModel(Protocol):
    """A model that answers chats. `complete` may be called from several threads at once."""

    @property
    def name(self) -> str:
        """Of the model, as its endpoint knows it."""

    @property
    def takes_images(self) -> bool:
        """Whether images may be sent to it."""

    def complete(self, messages: Sequence[Message], schema: Mapping[str, Any], timeout: float) -> Reply:
        """Answer with a text that follows a JSON schema, as well as the model can.

        Args:
            messages: of the OpenAI chat-completions protocol; images as data URLs.
            schema: JSON schema of the answer.
            timeout: longest wait, retries included [s].

        Raises:
            ModelError: there is no answer.
            loci.planning.cancelling.GivenUpError: the one who asks has cancelled (`loci.planning.cancelling.cancelled_by`).
        """

    def close(self) -> None:
        """Give up what is in flight; nothing is asked afterwards."""
