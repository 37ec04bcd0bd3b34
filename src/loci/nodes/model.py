"""The vision-language planner as the parameters of the node `planner` ask for it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from loci.planning.chat_model import ChatModel, ModelError
from loci.planning.endpoint import Endpoint, EndpointSettings
from loci.planning.prompts import PromptBudget, Templates
from loci.planning.protocols import Planner
from loci.planning.traces import RecordingModel
from loci.planning.vision_language import VisionLanguagePlanner, VisionLanguageSettings


def vision_language_planner(values: Mapping[str, Any], fallback: Planner) -> VisionLanguagePlanner:
    """Planner of the node's parameters.

    Raises:
        ValueError: a parameter, or the key in the environment, does not do; the message says which.
    """
    if not values["model"]:
        raise ValueError("expected the name of a model in the parameter model, got none")
    settings = EndpointSettings(
        values["model_base_url"],
        values["model"],
        api_key_variable=values["api_key_variable"],
        allow_remote_images=values["allow_remote_images"],
        max_retries=values["model_retries"],
    )
    budget = PromptBudget(
        max_tokens=values["prompt_tokens"],
        max_images=values["prompt_images"],
        image_size=values["prompt_image_size"],
        max_plans=PromptBudget.max_plans if values["plan_memory"] else 0,
    )
    if values["reuse_recorded"] and not values["trace_file"]:
        raise ValueError("expected a trace_file with reuse_recorded, got none")
    folder = Path(values["prompt_directory"]).expanduser() if values["prompt_directory"] else None
    try:
        model: ChatModel = Endpoint(settings)
        if values["trace_file"]:
            model = RecordingModel(model, Path(values["trace_file"]).expanduser(), reuse=values["reuse_recorded"])
    except (ModelError, OSError) as error:
        raise ValueError(str(error)) from error
    return VisionLanguagePlanner(
        model,
        fallback,
        VisionLanguageSettings(
            deadline=values["model_deadline"],
            budget=budget,
            input_price=values["input_price"],
            output_price=values["output_price"],
        ),
        Templates(folder),
    )
