"""The scene's objects: their ids in semantic images, and moving, adding and removing them."""

from __future__ import annotations

from typing import Any

from .opening import RequestError

#: Where objects go that are nowhere: far below the scene [m].
_AWAY = -1000.0
#: Steps of physics [s]; what was slower than so [m/s, rad/s] for so many of them lies still.
_STEP, _STILL, _N_STILL = 1.0 / 120.0, 0.01, 30


class Objects:
    """Rigid and articulated objects of a scene.

    Args:
        own: the scene is one that Loci exported, in which ids are as they should be. In other datasets several objects share
            the id of their class: they get ids of their own after the largest one of the scene.
    """

    def __init__(self, simulator: Any, habitat: Any, own: bool) -> None:
        self._sim, self._habitat = simulator, habitat
        self._rigid = simulator.get_rigid_object_manager()
        self._by_name: dict[str, Any] = {}
        self._semantics: list[list[Any]] = []
        largest, categories = 0, {}
        # Scenes without annotations have none.
        for thing in [] if simulator.semantic_scene is None else simulator.semantic_scene.objects:
            if thing is None or thing.category is None:
                continue
            number, category = int(thing.semantic_id), str(thing.category.name())
            largest, categories[number] = max(largest, number), category
            self._semantics.append([number, category])
        articulated = simulator.get_articulated_object_manager()
        for manager in (self._rigid, articulated):
            for handle in sorted(manager.get_object_handles("")):
                found = manager.get_object_by_handle(handle)
                self._by_name[handle] = found
                if own:
                    continue
                largest += 1
                category = categories.get(_semantic_id(found), handle.split("_:")[0])
                _set_semantic_id(found, largest)
                self._semantics.append([largest, category])
        self._added: dict[str, Any] = {}

    def names(self) -> list[str]:
        """Handles of the scene's own objects."""
        return sorted(self._by_name)

    def semantics(self) -> list[list[Any]]:
        """Ids in semantic images with their categories."""
        return self._semantics

    def place(self, entry: dict[str, Any]) -> None:
        """Put an object at a pose, or away (pose None); one with a ``model`` is added if there is none of its name.

        Raises:
            RequestError: there is no such object, or its model cannot be loaded.
        """
        name = str(entry["name"])
        if "model" in entry and name not in self._by_name:
            self._by_name[name] = self._added[name] = self._load(str(entry["model"]), int(entry["id"]))
        thing = self._by_name.get(name)
        if thing is None:
            raise RequestError("no object " + repr(name))
        kinds = self._habitat.physics.MotionType
        # One that is static does not move, and only static ones are part of the navmesh.
        thing.motion_type = kinds.KINEMATIC
        thing.transformation = _transformation(entry["pose"])
        if entry["pose"] is not None:
            thing.motion_type = kinds.STATIC

    def settle(self, names: list[str], seconds: float) -> dict[str, Any]:
        """Let objects fall until they lie still, or for so long: their poses then, row by row, and how long it took [s].

        Everything else stays where it is. ``settled`` says whether all of them came to rest.

        Raises:
            RequestError: there is no such object.
        """
        for name in names:
            if name not in self._by_name:
                raise RequestError("no object " + repr(name))
        kinds = self._habitat.physics.MotionType
        things = [self._by_name[name] for name in names]
        for thing in things:
            thing.motion_type = kinds.DYNAMIC
        n_still = n_steps = 0
        while n_still < _N_STILL and n_steps * _STEP < seconds:
            self._sim.step_physics(_STEP)
            n_steps += 1
            quick = [max(t.linear_velocity.length(), t.angular_velocity.length()) for t in things]
            n_still = n_still + 1 if max(quick, default=0.0) < _STILL else 0
        poses = {name: _rows(thing.transformation) for name, thing in zip(names, things)}  # noqa: B905 (Python 3.9)
        for thing in things:
            thing.motion_type = kinds.STATIC
        return {"poses": poses, "seconds": n_steps * _STEP, "settled": n_still >= _N_STILL}

    def remove(self, name: str) -> None:
        """Remove an object for good.

        Raises:
            RequestError: there is no such object.
        """
        thing = self._by_name.pop(name, None)
        if thing is None:
            raise RequestError("no object " + repr(name))
        self._added.pop(name, None)
        self._rigid.remove_object_by_id(thing.object_id)

    def _load(self, config: str, number: int) -> Any:
        templates = self._sim.get_object_template_manager()
        found = templates.load_configs(config)
        try:
            thing = self._rigid.add_object_by_template_id(found[0]) if found else None
        except AssertionError as error:
            # What habitat_sim's own checks raise.
            raise RequestError(str(error)) from error
        if thing is None:
            raise RequestError("habitat_sim cannot load the object " + config)
        _set_semantic_id(thing, number)
        return thing


def _semantic_id(thing: Any) -> int:
    return int(thing.semantic_id) if hasattr(thing, "semantic_id") else 0


def _set_semantic_id(thing: Any, number: int) -> None:
    if hasattr(thing, "semantic_id"):
        thing.semantic_id = number
        return
    # Articulated objects have no id of their own, their links' nodes have.
    for link in thing.get_link_ids():
        for node in thing.get_link_visual_nodes(link):
            node.semantic_id = number


def _rows(matrix: Any) -> list[float]:
    # Magnum's are columns.
    return [float(matrix[column][row]) for row in range(4) for column in range(4)]


def _transformation(pose: Any) -> Any:
    import magnum

    if pose is None:
        return magnum.Matrix4.translation(magnum.Vector3(0.0, _AWAY, 0.0))
    rows = [pose[4 * i : 4 * i + 4] for i in range(4)]
    return magnum.Matrix4(*(magnum.Vector4(*(rows[r][c] for r in range(4))) for c in range(4)))
