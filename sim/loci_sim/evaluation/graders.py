"""Who marks free answers from 1 to 5: a language model behind an OpenAI-compatible endpoint, or, without one, plain comparison of words.

The endpoint is only asked when the user names one. Its replies are kept in a file, from which a grading can be repeated without it.
"""

from __future__ import annotations

import hashlib
import json
import re
import time
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from http.client import HTTPException
from pathlib import Path
from typing import Any, Protocol
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

from loci.errors import UserError
from loci.metrics import HIGHEST_MARK, LOWEST_MARK

#: Where the endpoint, its model and its key are named, unless options do.
URL_VARIABLE, MODEL_VARIABLE, KEY_VARIABLE = "LOCI_GRADER_URL", "LOCI_GRADER_MODEL", "LOCI_GRADER_KEY"
#: A longer reply is none [bytes].
_MAX_REPLY = 1 << 20
_CHUNK = 1 << 16
#: Waits between tries double from the first to the longest [s].
_FIRST_WAIT, _LONGEST_WAIT = 1.0, 30.0
#: Answers of a server that may be another one a little later.
_PASSING = (408, 409, 425, 429)
_ARTICLES = re.compile(r"\b(?:a|an|the)\b")
_BLANKS = ("question", "answer", "prediction")

#: Asked of a model unless the user brings another prompt, such as OpenEQA's own.
PROMPT = """Somebody was asked a question about a home. Compare what they said with the right answer and give a mark from 1 to 5.

5: it means the same as the right answer, or as one of the others that are right, too.
4: it means nearly the same; a detail is missing or too much.
3: about half of it is right.
2: little of it is right.
1: it is wrong, says something else, or says nothing.

Question: {question}
Right answer: {answer}
Others that are right: {extra_answers}
What they said: {prediction}

Reply with the mark alone, one digit."""


class NamedGrader(Protocol):
    """A `Grader` (see `llm_match`) that says what it is.

    Attributes:
        name: for tables: "exact match", or the model.
        is_model: its mean score is an LLM-Match.
    """

    name: str
    is_model: bool

    def __call__(self, question: str, answer: str, prediction: str, extra_answers: Sequence[str]) -> int:
        """A mark from 1 to 5."""


class ExactMatch:
    """5 for the right answer or one of the others, word for word but for case, punctuation and articles; 1 for all else.

    It knows no synonyms: "couch" for "sofa" is wrong. What it gives is a lower bound, no LLM-Match.
    """

    name, is_model = "exact match", False

    def __call__(self, question: str, answer: str, prediction: str, extra_answers: Sequence[str]) -> int:
        said = plain(prediction)
        return HIGHEST_MARK if said and said in {plain(a) for a in (answer, *extra_answers)} else LOWEST_MARK


def plain(text: str) -> str:
    """Words in lower case, without punctuation and articles: "The red mug." is "red mug"."""
    text = unicodedata.normalize("NFKC", text).casefold()
    return " ".join(_ARTICLES.sub(" ", re.sub(r"[^\w\s]", " ", text)).split())


@dataclass(frozen=True)
class Endpoint:
    """A model that is asked for marks.

    Attributes:
        url: of an OpenAI-compatible API, with its version: ``http://localhost:8000/v1``; empty: only the cache is asked.
        model: as the API calls it.
        key: of the API; empty: none is sent. It is written nowhere.
        timeout: for one reply [s].
        tries: for a mark, with growing waits between them.
        cache: file that keeps every reply, one JSON object a line; None: none.
        prompt: with {question}, {answer}, {prediction} and, if wanted, {extra_answers}.
    """

    url: str
    model: str
    key: str = field(default="", repr=False)
    timeout: float = 60.0
    tries: int = 4
    cache: Path | None = None
    prompt: str = PROMPT

    def __post_init__(self) -> None:
        if not self.model:
            raise ValueError("expected the name of a model, got none")
        if self.url and urlsplit(self.url).scheme not in ("http", "https"):
            raise ValueError(f"expected an http or https address of the grader, got {self.url!r}")
        if not self.url and self.cache is None:
            raise ValueError("expected the address of a grader or a cache of its replies, got neither")
        if not (self.timeout > 0 and self.tries >= 1):
            raise ValueError(f"expected a timeout > 0 and one try or more, got {self.timeout} s and {self.tries}")
        if any("{" + blank + "}" not in self.prompt for blank in _BLANKS):
            raise ValueError(
                f"expected a prompt with {', '.join('{' + b + '}' for b in _BLANKS)}, got none of one of them"
            )


class EndpointGrader:
    """Asks the model of an endpoint for a mark; a reply that is no mark is asked for again.

    Args:
        endpoint: what to ask.
        sleep: waits [s].

    Raises:
        UserError: the cache is damaged.
    """

    is_model = True

    def __init__(self, endpoint: Endpoint, sleep: Callable[[float], None] = time.sleep) -> None:
        self._endpoint, self._sleep = endpoint, sleep
        own = " with another prompt" if endpoint.prompt != PROMPT else " with Loci's prompt"
        self.name = endpoint.model + own
        self._known = _read_cache(endpoint.cache) if endpoint.cache is not None else {}

    def __call__(self, question: str, answer: str, prediction: str, extra_answers: Sequence[str]) -> int:
        """A mark from 1 to 5.

        Raises:
            UserError: there is no endpoint and the cache lacks the reply, or the endpoint gave no mark.
        """
        e = self._endpoint
        others = "; ".join(extra_answers) or "none"
        try:
            text = e.prompt.format(question=question, answer=answer, prediction=prediction, extra_answers=others)
        except (KeyError, IndexError, ValueError) as error:
            raise UserError(
                f"the grader's prompt has a blank that nothing fills: {error}", "loci eval aeqa --help"
            ) from error
        key = hashlib.sha256(f"{e.model}\0{text}".encode()).hexdigest()
        if key not in self._known:
            if not e.url:
                raise UserError(
                    f"{e.cache} has no reply of {e.model} for {question!r}", "loci eval aeqa --grader-url URL ..."
                )
            reply = self._ask(text)
            self._known[key] = reply
            if e.cache is not None:
                e.cache.parent.mkdir(parents=True, exist_ok=True)
                entry = {"key": key, "model": e.model, "question": question, "prediction": prediction, "reply": reply}
                with e.cache.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(entry) + "\n")
        return mark_of(self._known[key])

    def _ask(self, text: str) -> str:
        """A reply that holds a mark."""
        e, wait, reason = self._endpoint, _FIRST_WAIT, ""
        for i in range(e.tries):
            if i:
                self._sleep(wait)
                wait = min(2.0 * wait, _LONGEST_WAIT)
            try:
                reply = _content(_post(e, text))
                mark_of(reply)
                return reply
            except HTTPError as error:
                reason = f"{error.code} {error.reason}"
                if error.code < 500 and error.code not in _PASSING:
                    break
            except (URLError, HTTPException, OSError, ValueError) as error:
                reason = str(getattr(error, "reason", "") or error)
        raise UserError(
            f"the grader {e.model} at {e.url} gave no mark after {i + 1} of {e.tries} tries: {reason}",
            "loci eval aeqa --grader-url URL --grader-model MODEL ... (answers are kept: only the grading is repeated)",
        )


def mark_of(reply: str) -> int:
    """The mark in a reply: one digit, or "Your mark: 4" and the like.

    Raises:
        ValueError: there is none, there are several, or it is not from 1 to 5.
    """
    numbers = {int(n) for n in re.findall(r"(?<![\d.])\d+(?![\d.]*\d)", reply)}
    if len(numbers) != 1 or not LOWEST_MARK <= next(iter(numbers)) <= HIGHEST_MARK:
        raise ValueError(f"expected a mark from {LOWEST_MARK} to {HIGHEST_MARK}, got {reply[:80]!r}")
    return numbers.pop()


def _post(endpoint: Endpoint, text: str) -> Any:
    """What the endpoint answers to a message, within the time for it."""
    body = {"model": endpoint.model, "messages": [{"role": "user", "content": text}], "temperature": 0}
    headers = {"Content-Type": "application/json"}
    if endpoint.key:
        headers["Authorization"] = f"Bearer {endpoint.key}"
    url = endpoint.url.rstrip("/") + "/chat/completions"
    deadline = time.monotonic() + endpoint.timeout
    with urlopen(Request(url, json.dumps(body).encode(), headers), timeout=endpoint.timeout) as answer:
        data = bytearray()
        while chunk := answer.read1(_CHUNK):
            data += chunk
            if len(data) > _MAX_REPLY:
                raise ValueError(f"expected a reply of at most {_MAX_REPLY} bytes, got more")
            # A server that sends a byte now and then never runs into the socket's own time-out.
            if time.monotonic() > deadline:
                raise TimeoutError(f"no whole reply within {endpoint.timeout:g} s")
    return json.loads(bytes(data))


def _content(answer: Any) -> str:
    """The words of an answer.

    Raises:
        ValueError: it is none of an OpenAI-compatible API.
    """
    try:
        content = answer["choices"][0]["message"]["content"]
    except (KeyError, IndexError, TypeError) as error:
        raise ValueError(f"expected choices[0].message.content, got {str(answer)[:120]}") from error
    if not isinstance(content, str):
        raise ValueError(f"expected words of the model, got {content!r}")
    return content.strip()


def _read_cache(path: Path) -> dict[str, str]:
    """Replies by their keys; a last line that was cut off by an interruption is left out."""
    if not path.is_file():
        return {}
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    found = {}
    for i, line in enumerate(lines):
        try:
            entry = json.loads(line)
            mark_of(entry["reply"])
            found[str(entry["key"])] = str(entry["reply"])
        except (ValueError, KeyError, TypeError) as error:
            if i == len(lines) - 1 and not line.endswith("\n"):
                path.write_text("".join(lines[:-1]), encoding="utf-8")
                break
            raise UserError(f"line {i + 1} of {path} is no reply of a grader ({error})", f"rm {path}") from error
    return found
