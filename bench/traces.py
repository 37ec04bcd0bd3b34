"""What a short-term memory is asked for: made-up traces with known laws, and days in generated buildings.

A trace is a list of keys; key after key is asked for, and comes in if it is not there.
"""

from __future__ import annotations

import numpy as np

from loci_sim.person import DAY_SECONDS, plan_day
from loci_sim.scenes import Scene, SceneThing, load_scene, resolve_scene


def zipf(n: int, n_keys: int, seed: int, exponent: float = 0.9) -> list[str]:
    """Keys drawn independently, the k-th most popular with a probability that goes as k^-exponent."""
    return _names(_zipf(np.random.default_rng(seed), n, n_keys, exponent))


def shifting_zipf(n: int, n_keys: int, seed: int, exponent: float = 0.9, n_phases: int = 10) -> list[str]:
    """As `zipf`; a tenth of the way on, other keys become the popular ones."""
    rng = np.random.default_rng(seed)
    phases = [rng.permutation(n_keys)[_zipf(rng, n // n_phases, n_keys, exponent)] for _ in range(n_phases)]
    return _names(np.concatenate(phases))


def scans(n: int, n_keys: int, seed: int, exponent: float = 0.9, share: float = 0.3) -> list[str]:
    """As `zipf`, and now and then a scan over keys that never come back, ``share`` of all in all."""
    rng = np.random.default_rng(seed)
    parts: list[str] = []
    length, n_scans = 2000, int(share * n / 2000)
    for i in range(n_scans):
        parts += _names(_zipf(rng, int(n * (1 - share)) // n_scans, n_keys, exponent))
        parts += [f"scan/{i}/{j}" for j in range(length)]
    return parts


def household(n_days: int, seed: int) -> list[str]:
    """Days of a robot that serves two generated buildings: rooms are visited and things are seen and used by habits.

    A person's things are moved by the simulator's `plan_day`; the robot sees a thing when it is put somewhere and is asked for it
    before. In between it goes on rounds: each hour has its rooms, in each of which it sees a part of what lies there, and is
    asked for a few things that people there use, always much the same ones.
    """
    rng = np.random.default_rng(seed)
    trace: list[str] = []
    scenes = [load_scene(resolve_scene(f"building:{i}")) for i in range(2)]
    for day in range(n_days):
        for scene in scenes:
            trace += _day(scene, seed + day, rng)
    return trace


def _day(scene: Scene, seed: int, rng: np.random.Generator) -> list[str]:
    by_room: dict[str, list[SceneThing]] = {}
    for o in scene.objects:
        by_room.setdefault(o.room, []).append(o)
    rooms = sorted(by_room)
    # Habits are the building's: the same every day.
    habits = np.random.default_rng([scene.seed, 5])
    rooms_of_hour = {hour: habits.dirichlet(np.full(len(rooms), 0.2)) for hour in range(7, 23)}
    likings = {room: habits.dirichlet(np.full(len(by_room[room]), 0.3)) for room in rooms}
    moments: list[tuple[float, list[str]]] = [
        (e.time, [f"{scene.name}/{e.object_id}"] * 2) for e in plan_day(scene, seed, n_events=60)
    ]
    for hour, weights in rooms_of_hour.items():
        for visit in range(6):
            room = rooms[rng.choice(len(rooms), p=weights)]
            things = by_room[room]
            seen = rng.permutation(len(things))[: max(1, len(things) // 3)]
            used = rng.choice(len(things), size=8, p=likings[room])
            time = (hour + visit / 6) / 24 * DAY_SECONDS
            moments.append((time, [f"{scene.name}/{things[i].id}" for i in (*seen, *used)]))
    return [key for _, keys in sorted(moments, key=lambda moment: moment[0]) for key in keys]


def _zipf(rng: np.random.Generator, n: int, n_keys: int, exponent: float) -> np.ndarray:
    weights = np.arange(1, n_keys + 1, dtype=np.float64) ** -exponent
    return rng.choice(n_keys, size=n, p=weights / weights.sum())


def _names(keys: np.ndarray) -> list[str]:
    return [f"object/{key}" for key in keys.tolist()]
