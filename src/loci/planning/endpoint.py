"""`Endpoint`: a model behind any OpenAI-compatible chat-completions endpoint (vLLM, Ollama, llama.cpp, hosted).

Images leave this machine only if that was allowed: redirects are not followed, and on loopback no proxy is used. A call has one deadline
for everything, so that retries with back-off cannot outlast it, and ends soon after it was cancelled. The key is read from the environment
and never written anywhere.
"""

from __future__ import annotations

import asyncio
import os
import random
import re
import ssl
import threading
import time
from collections.abc import Mapping, Sequence
from concurrent import futures
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from loci.planning.background import BackgroundLoop
from loci.planning.cancelling import POLL_PERIOD, GivenUpError, current_check, give_up_if_cancelled
from loci.planning.chat_model import Message, ModelError, Reply
from loci.planning.completions import Completion, from_document, read_stream
from loci.planning.loopback import is_loopback

#: Status codes that are worth another try.
_TRY_AGAIN = frozenset({408, 409, 425, 429})
#: Optional fields of a request, and what to send instead to endpoints that refuse them.
_INSTEAD: dict[str, str] = {
    "response_format": "",
    "temperature": "",
    "seed": "",
    "max_tokens": "max_completion_tokens",
    "stream": "",
    "stream_options": "",
}


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


@dataclass
class _Call:
    """A call that is under way: what its thread and the asking one tell each other.

    Attributes:
        deadline: monotonic time [s].
        n_retries, problem: requests that failed so far, and why the last one did.
        is_over: nobody waits for it any more. A cancellation alone can be lost (`asyncio.wait_for` and libraries swallow some).
    """

    deadline: float
    n_retries: int = 0
    problem: str = ""
    is_over: bool = False


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
        self._random = random.Random(seed)
        self._lock = threading.Lock()
        self._refused: set[str] = set()  # optional fields that this endpoint does not take
        self._loop = BackgroundLoop(f"model endpoint {settings.base_url}")
        self._client: Any = None

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
        give_up_if_cancelled(f"asking {self.settings.base_url}")
        call = _Call(time.monotonic() + timeout)
        try:
            future = self._loop.submit(self._try(messages, schema, call))
        except RuntimeError:
            raise ModelError("the endpoint is closed") from None
        check = current_check()
        try:
            while not futures.wait([future], _period(call.deadline, check is not None)).done:
                if check is not None and check():
                    raise GivenUpError(f"cancelled while {self.settings.base_url} was asked")
                if time.monotonic() >= call.deadline:
                    why = f" ({call.problem})" if call.problem else ""
                    raise ModelError(f"no answer of {self.settings.base_url} within {timeout:g} s{why}", call.n_retries)
        finally:
            call.is_over = True
            future.cancel()
        try:
            return future.result()
        except futures.CancelledError:
            raise ModelError("the endpoint was closed while it was asked") from None

    def close(self) -> None:
        """Give up the calls that are in flight, from any thread; later ones are refused."""
        self._loop.close()

    async def _try(self, messages: Sequence[Message], schema: Mapping[str, Any], call: _Call) -> Reply:
        began = time.monotonic()
        client = self._connected()
        for n_tries in range(self.settings.max_retries + 1):
            if call.is_over:
                raise asyncio.CancelledError
            call.n_retries = n_tries
            try:
                answer = await self._ask(client, messages, schema)
            except self._openai.APIStatusError as error:
                call.problem = f"{error.status_code}: {_message_of(error)}"
                if error.status_code not in _TRY_AGAIN and error.status_code < 500:
                    raise ModelError(
                        f"{self.settings.base_url} refused the request: {call.problem}", n_tries
                    ) from error
                wait = self._wait(n_tries, error.response.headers.get("retry-after", ""))
            except (self._openai.APIError, ValueError) as error:  # not reached, cut off, or not what the protocol says
                call.problem = f"{type(error).__name__}: {str(error)[:200]}"
                if error.__cause__ is not None:
                    call.problem += f" ({type(error.__cause__).__name__}: {str(error.__cause__)[:200]})"
                wait = self._wait(n_tries, "")
            else:
                return Reply(
                    answer.content,
                    answer.n_prompt_tokens,
                    answer.n_completion_tokens,
                    time.monotonic() - began,
                    n_tries,
                    first_token_s=max(0.0, answer.first_token_at - began),
                )
            if n_tries < self.settings.max_retries:
                if time.monotonic() + wait >= call.deadline:
                    raise ModelError(
                        f"{self.settings.base_url} failed ({call.problem}); the next try would be after the deadline",
                        n_tries,
                    )
                await asyncio.sleep(wait)
        n = self.settings.max_retries
        raise ModelError(f"{self.settings.base_url} failed {n + 1} times, at last with {call.problem}", n)

    def _connected(self) -> Any:
        """The client, in the loop's thread. Made once: connections are kept, and reading the certificates takes longer than a request."""
        if self._client is None:
            http = self._openai.DefaultAsyncHttpxClient(
                follow_redirects=False,
                trust_env=not self.settings.is_local,
                verify=ssl.create_default_context(),
            )
            self._client = self._openai.AsyncOpenAI(
                base_url=self.settings.base_url, api_key=self._key or "none", max_retries=0, http_client=http
            )
        return self._client

    async def _ask(self, client: Any, messages: Sequence[Message], schema: Mapping[str, Any]) -> Completion:
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
                "stream": True,
                "stream_options": {"include_usage": True},
            }
            with self._lock:
                refused = set(self._refused)
            for name in refused:
                value = fields.pop(name, None)
                if instead := _INSTEAD[name]:
                    fields[instead] = value
            if "stream" in refused:
                fields.pop("stream_options", None)
            try:
                answer = await client.chat.completions.create(model=self.name, messages=list(messages), **fields)
            except (self._openai.BadRequestError, self._openai.UnprocessableEntityError) as error:
                text = _message_of(error)
                named = {name for name in fields if name in _INSTEAD and re.search(rf"\b{name}\b", text)}
                if not named:
                    raise
                with self._lock:
                    self._refused |= named
                continue
            if "stream" not in fields:
                return from_document(answer)
            try:
                return await read_stream(answer)
            finally:
                await answer.close()

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


def _period(deadline: float, can_be_cancelled: bool) -> float:
    """How long to wait before the next look at a deadline or a cancellation [s]."""
    left = max(0.0, deadline - time.monotonic())
    return min(left, POLL_PERIOD) if can_be_cancelled else left


def _has_image(message: Message) -> bool:
    content = message.get("content")
    return isinstance(content, list) and any(part.get("type") == "image_url" for part in content)


def _message_of(error: Any) -> str:
    return str(getattr(error, "message", "") or error)[:500]
