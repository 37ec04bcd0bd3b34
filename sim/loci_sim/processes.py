"""A simulated robot and its memory as processes of one run: what the demo, the evaluation and the tests start."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from loci.replay import PATIENT, arrives, node_processes
from loci.session import Session
from loci.up import Process
from loci_sim.further_cameras import further_perception, further_remappings, parse_cameras
from loci_sim.parameters import perception_parameters

if TYPE_CHECKING:
    from loci.nodes.client import MemoryClient
    from loci.nodes.stepped_robot import SteppedRobot

#: Name of a run's memory in its folder.
MEMORY = "memory"
#: The simulator's depth is exact: things farther away than a real camera sees well are taken as well [m].
OBJECT_RANGE = 5.0
#: The simulated robot climbs stairs [m].
STEP_HEIGHT = 0.2


def simulation_processes(
    out: Path,
    scene: str,
    map_id: str,
    *,
    planner: bool = True,
    follower: bool = False,
    memory: Mapping[str, Any] | None = None,
    simulator: Mapping[str, Any] | None = None,
) -> list[Process]:
    """Memory, simulator and a perception for each of its cameras; the memory lies in ``out``.

    Args:
        out: folder.
        scene: ``FAMILY:SEED`` or a path.
        map_id: of the scene.
        planner: start the planner, too.
        follower: start the follower of `goal_pose`, too.
        memory, simulator: further parameters of these nodes.
    """
    # Compressed: raw images are larger than what DDS moves through shared memory, and crawl through sockets.
    transports: dict[str, Any] = {"color_transport": "compressed", "depth_transport": "compressed"}
    own_memory = {"object_max_range": OBJECT_RANGE, "max_step_height": STEP_HEIGHT, **(memory or {})}
    processes = node_processes(out, MEMORY, map_id, **own_memory)
    if not planner:
        processes = [p for p in processes if p.name != "planner"]
    seen: dict[str, Any] = {**perception_parameters(**transports), **PATIENT, "map_id": map_id}
    processes.append(Process("perception", "loci.nodes.perception", parameters=seen))
    for mount in parse_cameras(str((simulator or {}).get("further_cameras", ""))):
        name, own = f"perception-{mount.name}", further_perception(mount, seen)
        shared = further_remappings(mount.name)
        processes.append(Process(name, "loci.nodes.perception", (), own, shared, namespace=mount.name))
    given: dict[str, Any] = {"scene": scene, **transports, **(simulator or {})}
    processes.append(Process("simulator", "loci_sim.node", parameters=given))
    if follower:
        processes.append(Process("follower", "loci_sim.follower"))
    return processes


def wait_for_first_image(session: Session, client: MemoryClient, robot: SteppedRobot) -> None:
    """Take images until one arrives: what is published before all subscriptions have found one another is lost.

    Raises:
        UserError: a process died, or it took too long.
    """

    def arrived() -> bool:
        return arrives(client, robot.step("look").stamp_ns)

    session.wait_for(arrived, "the first image on its way to the memory", 60.0, "perception", "memory")
