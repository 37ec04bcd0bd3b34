"""OpenEQA's questions (Majumdar et al., CVPR 2024), and A-EQA's: those to be answered by exploring, with a place to start.

``open-eqa-v0.json`` is a list of question, answer, category, question_id, episode_history and sometimes extra_answers. 3D-Mem's
``aeqa_questions-41.json`` and ``-184.json`` add position and rotation, the latter (w, x, y, z) unlike Habitat's own episode files.
Checked against all three published files and the code that reads them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, get_args

from loci.geometry import Array
from loci_sim.evaluation.datasets.episodes import SceneReference
from loci_sim.evaluation.datasets.files import DatasetError, Fields, read_json
from loci_sim.evaluation.datasets.frames import base_pose

QuestionCategory = Literal[
    "attribute recognition",
    "functional reasoning",
    "object localization",
    "object recognition",
    "object state recognition",
    "spatial understanding",
    "world knowledge",
]
QUESTION_CATEGORIES: tuple[QuestionCategory, ...] = get_args(QuestionCategory)

#: "00824-Dd4bFSTQ8gi" is a folder of HM3D; scenes below 800 are of its train split, those from 800 on of val.
_HM3D_FOLDER = re.compile(r"(\d{5})-(\w+)")
_HM3D_FIRST_VAL = 800
_HM3D_CONFIG = "hm3d/hm3d_annotated_basis.scene_dataset_config.json"


@dataclass(frozen=True, eq=False)
class Question:
    """A question about a home.

    Attributes:
        question_id: unique.
        question, answer: as people worded them.
        extra_answers: others that are as right; may be none.
        category: one of OpenEQA's seven.
        episode_history: the recorded walk ("hm3d-v0/000-hm3d-BFRyYbPCCPE"), or HM3D's folder for A-EQA ("00824-Dd4bFSTQ8gi").
        scene: for the Habitat backend; None for recorded walks.
        T_map_base: (4, 4) the robot's base at the start; None for recorded walks.
    """

    question_id: str
    question: str
    answer: str
    extra_answers: tuple[str, ...]
    category: QuestionCategory
    episode_history: str
    scene: SceneReference | None = None
    T_map_base: Array | None = field(default=None, repr=False)


def read_questions(path: Path) -> list[Question]:
    """Questions of OpenEQA or of a subset of A-EQA, in the file's order.

    Raises:
        DatasetError: no such file, it is damaged, or its fields are not those of OpenEQA.
    """
    content = read_json(path)
    if not isinstance(content, list) or not content:
        got = f"{type(content).__name__} of {len(content)}" if isinstance(content, list | dict) else repr(content)
        raise DatasetError(f"expected a list of questions as in open-eqa-v0.json in {path}, got {got}")
    if all(isinstance(item, str) for item in content):
        raise DatasetError(f"expected questions in {path}, got question ids only: read them with `read_question_ids`")
    questions = [_question(Fields(item, path, f"[{i}]")) for i, item in enumerate(content)]
    seen: set[str] = set()
    for q in questions:
        if q.question_id in seen:
            raise DatasetError(f"expected question ids that are unique in {path}, got {q.question_id} twice")
        seen.add(q.question_id)
    return questions


def read_question_ids(path: Path) -> list[str]:
    """Ids of a subset, as in OpenEQA's ``open-eqa-v0-184-questions.json``.

    Raises:
        DatasetError: no such file, or it is no list of texts.
    """
    content = read_json(path)
    if not isinstance(content, list) or not all(isinstance(item, str) for item in content):
        raise DatasetError(f"expected a list of question ids in {path}, got another content")
    return content


def questions_of(questions: Sequence[Question], ids: Sequence[str]) -> list[Question]:
    """A subset, in the order of the ids.

    Raises:
        DatasetError: there is no question with such an id.
    """
    by_id = {q.question_id: q for q in questions}
    missing = [i for i in ids if i not in by_id]
    if missing:
        raise DatasetError(f"expected questions with {len(ids)} ids, got none for {len(missing)}: {missing[0]}, ...")
    return [by_id[i] for i in ids]


def _question(item: Fields) -> Question:
    category = item.text("category")
    known = next((c for c in QUESTION_CATEGORIES if c == category), None)
    if known is None:
        raise item.error(f"one of {', '.join(QUESTION_CATEGORIES)}", category, "category")
    history = item.text("episode_history")
    has_start = "position" in item or "rotation" in item
    return Question(
        item.text("question_id"),
        item.text("question"),
        item.text("answer"),
        item.texts("extra_answers"),
        known,
        history,
        _hm3d_scene(item, history) if has_start else None,
        _start(item) if has_start else None,
    )


def _hm3d_scene(item: Fields, history: str) -> SceneReference:
    match = _HM3D_FOLDER.fullmatch(history)
    if match is None:
        raise item.error("a folder of HM3D as 00824-Dd4bFSTQ8gi", history, "episode_history")
    split = "train" if int(match[1]) < _HM3D_FIRST_VAL else "val"
    return SceneReference(f"hm3d/{split}/{history}/{match[2]}.basis.glb", _HM3D_CONFIG)


def _start(item: Fields) -> Array:
    w, x, y, z = item.numbers("rotation", 4)
    try:
        return base_pose(item.numbers("position", 3), (x, y, z, w))
    except ValueError as error:
        raise item.error(f"a pose ({error})", (w, x, y, z), "rotation") from error
