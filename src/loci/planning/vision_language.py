"""`VisionLanguagePlanner`: answers with a vision-language model that is shown what the memory holds (3D-Mem's choice among snapshots and frontiers).

The model chooses among what it was offered; anything else is asked again and then left to another planner, which also takes over when the
model cannot be reached. An answer always rests on the evidence that was chosen.
"""

from __future__ import annotations

import logging
import re
import threading
import time
from collections import Counter, OrderedDict, deque
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from loci.planning.cancelling import GivenUpError, give_up_if_cancelled
from loci.planning.chat_model import ChatModel, Message, ModelError, Reply
from loci.planning.decisions import NONE, Decision, UnusableReplyError, parse_decision
from loci.planning.grounding import with_image
from loci.planning.parsing import MAX_QUESTION_LENGTH
from loci.planning.prompts import Prompt, PromptBudget, Templates, build_prompt
from loci.planning.protocols import AgentMemory, Answer, MemoryReader, Planner
from loci.planning.relevance import KnowsWords
from loci.query import Evidence, check_limit

_LOG = logging.getLogger(__name__)
#: Latencies of so many newest answers make the quantiles.
_WINDOW = 512


@dataclass(frozen=True)
class VisionLanguageSettings:
    """How a question is answered.

    Attributes:
        deadline: for the model's answer to one question, everything included; after it the other planner answers [s].
        n_attempts: answers that cannot be used are asked for again until there were so many.
        budget: how much the model is shown.
        input_price, output_price: of a million tokens, in any currency; they make ``cost`` in the statistics.
    """

    deadline: float = 60.0
    n_attempts: int = 3
    budget: PromptBudget = field(default_factory=PromptBudget)
    input_price: float = 0.0
    output_price: float = 0.0

    def __post_init__(self) -> None:
        if not self.deadline > 0 or self.n_attempts < 1:
            raise ValueError(
                f"expected a deadline > 0 s and n_attempts >= 1, got {self.deadline} and {self.n_attempts}"
            )
        if self.input_price < 0 or self.output_price < 0:
            raise ValueError(f"expected prices >= 0, got {self.input_price} and {self.output_price}")


class VisionLanguagePlanner:
    """A `loci.planning.protocols.Planner`. `ask` may be called from several threads at once.

    Args:
        model: that is asked.
        fallback: answers where the model does not.
        settings: how.
        templates: the prompt's texts; None: those of the package.
    """

    def __init__(
        self,
        model: ChatModel,
        fallback: Planner,
        settings: VisionLanguageSettings | None = None,
        templates: Templates | None = None,
    ) -> None:
        self.model = model
        self.settings = settings or VisionLanguageSettings()
        self._fallback = fallback
        self._templates = templates or Templates()
        self._lock = threading.Lock()
        self._counts: Counter[str] = Counter()
        self._latencies: deque[float] = deque(maxlen=_WINDOW)
        self._overheads: deque[float] = deque(maxlen=_WINDOW)
        self._first_tokens: deque[float] = deque(maxlen=_WINDOW)
        self._chosen: OrderedDict[str, str] = OrderedDict()  # frontier by question
        self._n_in_flight = 0
        self.last_problem = ""

    def ask(self, question: str, memory: MemoryReader, limit: int = 10, with_images: bool = False) -> Answer:
        """Answer with at most ``limit`` pieces of evidence; see `loci.planning.protocols.Planner`.

        Raises:
            ValueError: no word or too many characters in the question, or ``limit`` out of range.
            TypeError: the memory gives no `AgentMemory`.
            loci.planning.cancelling.GivenUpError: who asks has cancelled.
        """
        check_limit(limit)
        _check(question)
        if not isinstance(memory, AgentMemory):
            raise TypeError(f"expected a memory with the methods of AgentMemory, got {type(memory).__name__}")
        began = time.monotonic()
        prompt = build_prompt(
            question,
            memory,
            self._templates,
            self.settings.budget,
            with_images=self.model.takes_images,
            on_the_way_to=self._chosen_before(question),
        )
        self._count(questions=1)
        if not prompt.choices:  # nothing is remembered that could be chosen: there is nothing to pay a model for
            return self._fall_back(question, memory, limit, with_images, "")
        try:
            decision, model_s = self._decide(prompt, began + self.settings.deadline)
        except GivenUpError:
            self._count(cancelled=1)
            raise
        except (ModelError, UnusableReplyError) as error:
            _LOG.warning("the vision-language model did not answer: %s", error)
            return self._fall_back(question, memory, limit, with_images, str(error))
        answer = _as_answer(decision, prompt, memory, limit, with_images)
        with self._lock:
            self._overheads.append(time.monotonic() - began - model_s)
            self._chosen[question] = answer.look_at
            self._chosen.move_to_end(question)
            if len(self._chosen) > _WINDOW:
                self._chosen.popitem(last=False)
        return answer

    def similarities(self, words: str, labels: Sequence[str]) -> np.ndarray:
        """Cosines of ``words`` with ``labels``, (N,), by the other planner; zeros where it cannot compare words. No model is asked."""
        if isinstance(self._fallback, KnowsWords):
            return self._fallback.similarities(words, labels)
        return np.zeros(len(labels))

    def _chosen_before(self, question: str) -> str:
        """The frontier that was chosen when this was asked last; empty: none. Told to the model, so that it does not go to and fro."""
        with self._lock:
            return self._chosen.get(question, "")

    def statistics(self) -> dict[str, Any]:
        """Counts, tokens and cost since the start, for diagnostics, and latencies of the newest `_WINDOW`: of a model's answer, of its
        first token, and ("own") of everything else around the model in a question."""
        with self._lock:
            counts, n_in_flight, problem = dict(self._counts), self._n_in_flight, self.last_problem
            latencies, overheads = list(self._latencies), list(self._overheads)
            first_tokens = list(self._first_tokens)
        names = (
            "questions",
            "model_calls",
            "failed_calls",
            "retries",
            "asked_again",
            "fallbacks",
            "cancelled",
            "recorded_answers",
            "prompt_images",
            "prompt_tokens",
            "completion_tokens",
            "calls_without_token_counts",
        )
        values: dict[str, Any] = {"model": self.model.name, "model_sees_images": self.model.takes_images}
        values |= {"in_flight": n_in_flight} | {name: counts.get(name, 0) for name in names}
        cost = (
            self.settings.input_price * values["prompt_tokens"]
            + self.settings.output_price * values["completion_tokens"]
        )
        if cost:
            values["cost"] = f"{cost * 1e-6:.4f}"
        for name, seconds in (("model", latencies), ("first token", first_tokens), ("own", overheads)):
            for quantile in (50, 99) if seconds else ():
                values[f"{name} p{quantile} [ms]"] = f"{1e3 * np.percentile(seconds, quantile):.1f}"
        if problem:
            values["last_problem"] = problem
        return values

    def close(self) -> None:
        """Give up the questions that the model is being asked: the other planner answers them."""
        self.model.close()

    def _decide(self, prompt: Prompt, deadline: float) -> tuple[Decision, float]:
        """The model's decision, and how long the model took [s].

        Raises:
            ModelError: no answer within the deadline.
            UnusableReplyError: the last answer cannot be used either.
        """
        messages: list[Message] = list(prompt.messages)
        model_s = 0.0
        problem: UnusableReplyError | None = None
        for n in range(self.settings.n_attempts):
            left = deadline - time.monotonic()
            if left <= 0:
                raise ModelError(
                    f"no usable answer within {self.settings.deadline:g} s" + (f": {problem}" if problem else "")
                )
            self._count(asked_again=int(n > 0))
            began = time.monotonic()
            reply = self._call(messages, prompt, left)
            model_s += time.monotonic() - began
            try:
                return parse_decision(reply.content, prompt.choices), model_s
            except UnusableReplyError as error:
                problem = error
                messages = [
                    *prompt.messages,
                    {"role": "assistant", "content": reply.content[:4000]},
                    {"role": "user", "content": self._templates.fill("again", problem=str(error))},
                ]
        assert problem is not None  # n_attempts >= 1
        raise problem

    def _call(self, messages: Sequence[Message], prompt: Prompt, timeout: float) -> Reply:
        """One call of the model, counted whatever comes of it.

        Raises:
            ModelError: no answer.
            GivenUpError: who asks has cancelled.
        """
        give_up_if_cancelled("asking the vision-language model")
        self._count_in_flight(1)
        try:
            reply = self.model.complete(messages, prompt.schema, timeout)
        except ModelError as error:
            self._count(model_calls=1, failed_calls=1, retries=error.n_retries)
            raise
        except GivenUpError:
            self._count(model_calls=1)
            raise
        finally:
            self._count_in_flight(-1)
        if reply.is_recorded:
            self._count(recorded_answers=1)
            return reply
        self._count(
            model_calls=1,
            retries=reply.n_retries,
            calls_without_token_counts=int(reply.n_prompt_tokens + reply.n_completion_tokens == 0),
            prompt_images=prompt.n_images,
            prompt_tokens=reply.n_prompt_tokens,
            completion_tokens=reply.n_completion_tokens,
        )
        with self._lock:
            self._latencies.append(reply.latency_s)
            if reply.first_token_s > 0:
                self._first_tokens.append(reply.first_token_s)
        return reply

    def _fall_back(self, question: str, memory: AgentMemory, limit: int, with_images: bool, problem: str) -> Answer:
        self._count(fallbacks=1)
        if problem:
            with self._lock:
                self.last_problem = problem[:500]
        try:
            answer = self._fallback.ask(question, memory, limit, with_images)
        except ValueError as error:  # the other planner reads English only
            return Answer(
                f"I could not ask the vision-language model, and cannot read this without it: {error}.", False, 0.0
            )
        remark = " (Answered without the vision-language model.)" if problem else ""
        return replace(answer, answer=answer.answer + remark)

    def _count_in_flight(self, more: int) -> None:
        with self._lock:
            self._n_in_flight += more

    def _count(self, **counts: int) -> None:
        with self._lock:
            self._counts.update(counts)


def _check(question: str) -> None:
    if len(question) > MAX_QUESTION_LENGTH:
        raise ValueError(f"expected a question of at most {MAX_QUESTION_LENGTH} characters, got {len(question)}")
    if not re.search(r"\w", question):
        raise ValueError(f"expected a question with at least one word, got {question!r}")


def _as_answer(d: Decision, prompt: Prompt, memory: AgentMemory, limit: int, with_images: bool) -> Answer:
    """A decision as an answer: a frontier says where to look, everything else is known."""
    named = [prompt.choices[i] for i in (d.choice, *d.evidence) if i != NONE]
    is_frontier = d.choice != NONE and prompt.choices[d.choice].kind == "frontier"
    known = d.choice != NONE and not is_frontier
    if not known:  # where to look: what was chosen, then the other frontiers, nearest first
        frontiers = [e for e in prompt.choices.values() if e.kind == "frontier"]
        named = [e for e in named if e.kind == "frontier"]
        named += [e for e in frontiers if e.id not in {n.id for n in named}]
    return Answer(
        d.answer.strip(),
        known,
        float(d.confidence) if known else 0.0,
        tuple(_pictured(e, memory, with_images) for e in named[:limit]),
        look_at=d.choice if is_frontier else "",
    )


def _pictured(e: Evidence, memory: AgentMemory, with_images: bool) -> Evidence:
    return with_image(e, memory) if with_images else replace(e, image=None)
