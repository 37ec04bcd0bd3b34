"""`Endpoint`: a model behind any OpenAI-compatible chat-completions endpoint (vLLM, Ollama, llama.cpp, hosted).

Images leave this machine only if that was allowed: redirects are not followed, and on loopback no proxy is used. A call has one deadline
for everything, so that retries with back-off cannot outlast it. The key is read from the environment and never written anywhere.
"""

from __future__ import annotations

import asyncio
import os
import random
import ssl
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from loci.planning.chat_model import Message, ModelError, Reply
from loci.planning.loopback import is_loopback

#: Status codes that are worth another try.
_TRY_AGAIN = frozenset({408, 409, 425, 429})
#: Optional fields of a request, and what to send instead to endpoints that refuse them.
_INSTEAD: dict[str, str] = {"response_format": "", "temperature": "", "seed": "", "max_tokens": "max_completion_tokens"}


@dataclass(frozen=True)
class EndpointSettings:
    """How to reach a model.

    Attributes:
        base_url: e.g. "http://127.0.0.1:8000/v1".
        model: its name there.
        api_key_variable: environment variable that holds the key; may be unset on loopback.
        allow_remote_images: images may be sent to an endpoint that is not on this machine.
        max_retries: further tries after a failure that may pass.
        backoff: wait before the first further try, doubled each time, with up to as much again at random [s].
        max_output_tokens: of one answer.
    """

    base_url: str
    model: str
    api_key_variable: str = "LOCI_MODEL_KEY"
    allow_remote_images: bool = False
    max_retries: int = 3
    backoff: float = 0.5
    max_output_tokens: int = 800

    def __post_init__(self) -> None:
        url = urlsplit(self.base_url)
        if url.scheme not in ("http", "https") or not url.hostname:
            raise ValueError(f"expected a base_url such as 'http://127.0.0.1:8000/v1', got {self.base_url!r}")
        if not self.model.strip():
            raise ValueError("expected the name of a model, got an empty one")
        if self.max_retries < 0 or self.backoff <= 0 or self.max_output_tokens < 1:
            raise ValueError(
                f"expected max_retries >= 0, backoff > 0 and max_output_tokens >= 1, got {self.max_retries}, "
                f"{self.backoff} and {self.max_output_tokens}"
            )

    @property
    def is_local(self) -> bool:
        """Whether the endpoint is on this machine."""
        return is_loopback(urlsplit(self.base_url).hostname or "")


class Endpoint:
    """A `loci.planning.chat_model.ChatModel` behind an HTTP endpoint.

    Args:
        settings: how to reach it.
        seed: of the random part of the waits between tries.

    Raises:
        ModelError: the `openai` package is missing, or the key of an endpoint elsewhere.
    """

    def __init__(self, settings: EndpointSettings, seed: int = 0) -> None:
        try:
            import openai
        except ImportError as error:
            raise ModelError(f"the openai client cannot be imported ({error}): pip install 'loci[vlm]'") from error
        self._openai = openai
        self.settings = settings
        self._key = os.environ.get(settings.api_key_variable, "")
        if not self._key and not settings.is_local:
            raise ModelError(
                f"{settings.base_url} needs a key: set the environment variable {settings.api_key_variable}, "
                "or name another one with api_key_variable"
            )
        # Made once: reading the certificates takes longer than a request on loopback.
        self._certificates = ssl.create_default_context() if settings.base_url.startswith("https") else None
        self._random = random.Random(seed)
        self._lock = threading.Lock()
        self._refused: set[str] = set()  # optional fields that this endpoint does not take
        self._in_flight: dict[asyncio.Task[Reply], asyncio.AbstractEventLoop] = {}
        self._closed = False

    @property
    def name(self) -> str:
        return self.settings.model

    @property
    def takes_images(self) -> bool:
        return self.settings.is_local or self.settings.allow_remote_images

    def complete(self, messages: Sequence[Message], schema: Mapping[str, Any], timeout: float) -> Reply:
        """See `loci.planning.chat_model.ChatModel`. Not to be called from a running event loop."""
        if not self.takes_images and any(_has_image(m) for m in messages):
            raise ModelError(why_no_images(self.settings.base_url))
        try:
            return asyncio.run(self._complete(messages, schema, timeout))
        except asyncio.CancelledError:
            raise ModelError("the endpoint was closed while it was asked") from None

    def close(self) -> None:
        """Give up the calls that are in flight, from any thread; later ones are refused."""
        with self._lock:
            self._closed = True
            for task, loop in self._in_flight.items():
                loop.call_soon_threadsafe(task.cancel)

    async def _complete(self, messages: Sequence[Message], schema: Mapping[str, Any], timeout: float) -> Reply:
        """One call, registered so that `close` finds it."""
        task: asyncio.Task[Reply] = asyncio.current_task()  # type: ignore[assignment]
        with self._lock:
            if self._closed:
                raise ModelError("the endpoint is closed")
            self._in_flight[task] = asyncio.get_running_loop()
        try:
            return await self._try(messages, schema, timeout)
        finally:
            with self._lock:
                del self._in_flight[task]

    async def _try(self, messages: Sequence[Message], schema: Mapping[str, Any], timeout: float) -> Reply:
        began = time.monotonic()
        deadline = began + timeout
        http = self._openai.DefaultAsyncHttpxClient(
            follow_redirects=False,
            trust_env=not self.settings.is_local,
            verify=self._certificates if self._certificates is not None else True,
        )
        client = self._openai.AsyncOpenAI(
            base_url=self.settings.base_url, api_key=self._key or "none", max_retries=0, http_client=http
        )
        async with client:
            problem = ""
            for n_tries in range(self.settings.max_retries + 1):
                try:
                    left = deadline - time.monotonic()
                    answer = await asyncio.wait_for(self._ask(client, messages, schema), max(0.0, left))
                    content, usage = _content(answer)
                    return Reply(
                        content,
                        int(getattr(usage, "prompt_tokens", 0) or 0),
                        int(getattr(usage, "completion_tokens", 0) or 0),
                        time.monotonic() - began,
                        n_tries,
                    )
                except asyncio.TimeoutError:
                    raise ModelError(
                        f"no answer of {self.settings.base_url} within {timeout:g} s"
                        + (f" ({problem})" if problem else "")
                    ) from None
                except self._openai.APIStatusError as error:
                    problem = f"{error.status_code}: {_message_of(error)}"
                    if error.status_code not in _TRY_AGAIN and error.status_code < 500:
                        raise ModelError(f"{self.settings.base_url} refused the request: {problem}") from error
                    wait = self._wait(n_tries, error.response.headers.get("retry-after", ""))
                except (
                    self._openai.APIError,
                    ValueError,
                ) as error:  # not reached, cut off, or not what the protocol says
                    problem = f"{type(error).__name__}: {str(error)[:200]}"
                    if error.__cause__ is not None:
                        problem += f" ({type(error.__cause__).__name__}: {str(error.__cause__)[:200]})"
                    wait = self._wait(n_tries, "")
                left = deadline - time.monotonic()
                if n_tries < self.settings.max_retries and wait >= left:
                    raise ModelError(
                        f"{self.settings.base_url} failed ({problem}); the next try would be after the deadline of {timeout:g} s"
                    )
                if n_tries < self.settings.max_retries:
                    await asyncio.sleep(wait)
        raise ModelError(
            f"{self.settings.base_url} failed {self.settings.max_retries + 1} times, at last with {problem}"
        )

    async def _ask(self, client: Any, messages: Sequence[Message], schema: Mapping[str, Any]) -> Any:
        """One request; asks again without optional fields that the endpoint does not take."""
        while True:
            fields: dict[str, Any] = {
                "response_format": {
                    "type": "json_schema",
                    "json_schema": {"name": "decision", "strict": True, "schema": schema},
                },
                "temperature": 0.0,
                "seed": 0,
                "max_tokens": self.settings.max_output_tokens,
            }
            with self._lock:
                refused = set(self._refused)
            for name in refused:
                value = fields.pop(name)
                if instead := _INSTEAD[name]:
                    fields[instead] = value
            try:
                return await client.chat.completions.create(model=self.name, messages=list(messages), **fields)
            except (self._openai.BadRequestError, self._openai.UnprocessableEntityError) as error:
                named = {name for name in fields if name in _INSTEAD and name in _message_of(error)}
                if not named:
                    raise
                with self._lock:
                    self._refused |= named

    def _wait(self, n_tries: int, retry_after: str) -> float:
        """Before the next try [s]: as long as the endpoint asks for, else the back-off."""
        try:
            return max(0.0, float(retry_after))
        except ValueError:
            with self._lock:
                return self.settings.backoff * 2**n_tries * (1.0 + self._random.random())


def why_no_images(base_url: str) -> str:
    """Why an endpoint gets no images, and what to do about it."""
    return (
        f"images are not sent to {base_url}, which is not on this machine: set allow_remote_images to true if pictures "
        "of what the robot sees may leave it"
    )


def _has_image(message: Message) -> bool:
    content = message.get("content")
    return isinstance(content, list) and any(part.get("type") == "image_url" for part in content)


def _content(answer: Any) -> tuple[str, Any]:
    """Text and token counts of a completion.

    Raises:
        ValueError: it is none.
        ModelError: the model refused.
    """
    choices = getattr(answer, "choices", None)
    if not choices:
        raise ValueError(f"expected a chat completion with a choice, got {str(answer)[:200]!r}")
    message = getattr(choices[0], "message", None)
    if refusal := getattr(message, "refusal", None):
        raise ModelError(f"the model refused: {str(refusal)[:300]}")
    content = getattr(message, "content", None)
    if not isinstance(content, str) or not content.strip():
        raise ValueError("expected a chat completion with text, got none")
    # Halves of surrogate pairs could not be sent back.
    return content.encode("utf-8", "replace").decode(), getattr(answer, "usage", None)


def _message_of(error: Any) -> str:
    return str(getattr(error, "message", "") or error)[:500]
