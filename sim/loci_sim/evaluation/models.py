"""The vision-language planner of an evaluation: which model is asked, and what asking it came to."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from loci.planning.endpoint import Endpoint, EndpointSettings
from loci.planning.prompts import PromptBudget
from loci.planning.protocols import Planner
from loci.planning.vision_language import VisionLanguagePlanner, VisionLanguageSettings
from loci_sim.evaluation.oracle_vlm import NAME, OracleServer

#: Counts of a row's model are in FOLDER/MODEL_FILE-ROW.json.
MODEL_FILE = "model"
_COUNTS = (
    "questions",
    "model_calls",
    "failed_calls",
    "retries",
    "asked_again",
    "fallbacks",
    "prompt_tokens",
    "completion_tokens",
    "prompt_images",
)


@dataclass(frozen=True)
class ModelChoice:
    """Which model the planner "vision_language" asks.

    Attributes:
        name: at its endpoint.
        base_url: empty: the oracle that comes with the simulator.
        deadline: for one decision [s].
        prompt_images, prompt_tokens: most that it is shown.
        allow_remote_images: pictures may leave this machine.
    """

    name: str = NAME
    base_url: str = ""
    deadline: float = 60.0
    prompt_images: int = 8
    prompt_tokens: int = 6000
    allow_remote_images: bool = False

    @property
    def is_oracle(self) -> bool:
        """Whether it is the one that comes with the simulator."""
        return not self.base_url

    def check(self) -> None:
        """Raises:
        ValueError: a value is out of range, or there is no endpoint for the model.
        ModelError: the openai client or the key of a remote endpoint is missing.
        """
        if self.is_oracle and self.name != NAME:
            raise ValueError(
                f"expected --model-base-url for the model {self.name}: only {NAME} comes with the simulator"
            )
        Endpoint(self._endpoint("http://127.0.0.1:1/v1"))
        self.settings()

    def settings(self) -> VisionLanguageSettings:
        """Of the planner."""
        budget = PromptBudget(max_tokens=self.prompt_tokens, max_images=self.prompt_images)
        return VisionLanguageSettings(deadline=self.deadline, budget=budget)

    def endpoint(self, oracle_url: str) -> Endpoint:
        """To ask; ``oracle_url`` is where the oracle listens."""
        return Endpoint(self._endpoint(oracle_url))

    def _endpoint(self, oracle_url: str) -> EndpointSettings:
        return EndpointSettings(self.base_url or oracle_url, self.name, allow_remote_images=self.allow_remote_images)


@contextmanager
def planner_of(model: ModelChoice | None, offline: Planner, counts: Path) -> Iterator[Planner]:
    """The planner for a model, with the offline planner behind it; without a model the offline planner itself.

    Args:
        model: that is asked.
        offline: answers where the model does not.
        counts: JSON file that is written at the end: what asking the model came to.
    """
    if model is None:
        yield offline
        return
    with ExitStack() as stack:
        url = stack.enter_context(OracleServer()).url if model.is_oracle else ""
        planner = VisionLanguagePlanner(model.endpoint(url), offline, model.settings())
        stack.callback(planner.close)
        yield planner
        statistics = planner.statistics()
    counts.parent.mkdir(parents=True, exist_ok=True)
    counts.write_text(json.dumps(statistics, indent=1) + "\n")


def of_rows(folders: Sequence[Path]) -> dict[str, int]:
    """Sums over all rows of the scenes in these folders."""
    found: Counter[str] = Counter()
    for folder in folders:
        for file in sorted(folder.glob(f"{MODEL_FILE}-*.json")):
            row = json.loads(file.read_text())
            found.update({name: int(row.get(name, 0)) for name in _COUNTS})
    return {name: found[name] for name in _COUNTS}


def told_of(counts: Mapping[str, int]) -> str:
    """The sums in a sentence."""
    n = max(1, counts["model_calls"])
    return (
        f"model: {counts['questions']} decisions, {counts['fallbacks']} of them by the offline planner, {counts['model_calls']} calls with "
        f"{counts['prompt_images'] / n:.1f} pictures and {counts['prompt_tokens'] / n:.0f} tokens each, {counts['retries']} retries"
    )
