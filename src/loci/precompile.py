"""Compiles the numba kernels and encodes the planner's example sentences once, into their caches: `python -m loci.precompile` (part of the set-up by `make`).

Without it the first frames, the first ray and the first task of a fresh installation wait many seconds.
"""

from __future__ import annotations

import contextlib
from dataclasses import replace

import numpy as np

from loci.episodic.columns import Columns
from loci.episodic.filters import EpisodeFilter
from loci.episodic.records import Episode
from loci.episodic.selecting import select
from loci.geometry import Camera, look_at
from loci.observation import Detection, Frame, Observation
from loci.perception.geometric import GeometricDetector
from loci.perception.rectify import Rectifier
from loci.perception.text import MiniLMTextEncoder
from loci.planning.language.warming import warm_up as warm_up_language
from loci.scene.constellation import Landmarks, Seen, fit, sampled_points
from loci.scene.covisibility import choose_images
from loci.scene.objects import ObjectMap
from loci.scene.relations import relations
from loci.spatial.warm_up import warm_up
from loci.store.inverted_lists import train
from loci.store.vector_kernels import keep_inside


def compile_kernels() -> None:
    """Run every kernel once on a small made-up view, a floor with a box on it, and on a few vectors."""
    warm_up()
    camera = Camera(96, 72, 80.0, 80.0, 47.5, 35.5)
    rows = np.arange(camera.height)[:, None]
    depth = np.clip(np.broadcast_to(95.0 / (rows + 1.0), (camera.height, camera.width)), 0.5, 3.5).astype(np.float32)
    depth[36:60, 30:50] = 1.5
    color = np.full((camera.height, camera.width, 3), 128, np.uint8)
    frame = Frame(color, depth, camera, look_at((0.0, 0.0, 1.2), (2.0, 0.0, 0.3)), 0)
    box = Detection("box", 1.0, (30, 36, 50, 60))
    objects = ObjectMap(iter(f"object/{i}" for i in range(100)).__next__)
    for stamp_ns in range(6):  # boxes of objects that were seen often are made in another way
        objects.update(Observation(frame, (box,)), f"keyframe/{stamp_ns}", "map")
    objects.maintain(6)
    (known,) = objects.objects()
    relations((known, replace(known, id="another")), {known.id})
    seen = Seen(np.array([[0.3, 0.3, 0.5, 0.5]]), np.ones(1), camera)
    fit(seen, 0, Landmarks(np.ones((1, 1)), sampled_points(known.points)[None]), 0, 1.2)
    choose_images(np.eye(4, 3), np.array([[0.9, 0.9, 0.0, 0.0], [0.0, 0.9, 0.9, 0.0], [0.0, 0.0, 0.9, 0.9]]))
    GeometricDetector().detect(frame)
    vectors = np.eye(32, dtype=np.float32)
    rows, allowed = np.arange(32), np.ones(32, dtype=np.bool_)
    lists = train(vectors[:31]).extended(vectors)
    for n_allowed in (0, 32):  # few are compared one by one, many list by list
        lists.search(vectors, rows, allowed, n_allowed, vectors[0], 1)
    keep_inside(np.zeros((1, 3)), allowed[:1], np.zeros(3), np.ones(3), np.zeros(3), 1.0)
    columns = Columns()
    columns.append(Episode("episode/1", "episode", "text"), {})
    select(columns, columns.view, EpisodeFilter(), None)
    Rectifier(camera, Camera(48, 36, 40.0, 40.0, 23.5, 17.5), np.eye(4)).rectify(color, depth[::2, ::2].copy())


def learn_sentences() -> None:
    """Encode the example sentences of the planner, if the text model is installed."""
    with contextlib.suppress(ModuleNotFoundError):
        warm_up_language(MiniLMTextEncoder(threads=None))


if __name__ == "__main__":
    compile_kernels()
    learn_sentences()
