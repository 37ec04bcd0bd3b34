"""`loci sim scenes`: lists the families of scenes, generates, previews and exports scenes.

What the user can mend ends as `UserError` with the next command to type.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import cv2

from loci.errors import UserError
from loci_sim.families import FAMILIES
from loci_sim.scenes import Scene, SceneError, ScenePath, default_cache, load_scene, resolve_scene

_LIST = "loci sim scenes list"


def list_scenes() -> int:
    """Print the families and what of them is in the cache."""
    width = max(len(name) for name in FAMILIES) + len(":SEED")
    for name, family in FAMILIES.items():
        print(f"{name + ':SEED':<{width}}  {family.summary}")
    cache = default_cache()
    cached = [m for file in cache.glob("*-*.glb") if (m := re.fullmatch(r"([a-z]+)-([0-9]+)", file.stem))]
    found = sorted((list(FAMILIES).index(m[1]), int(m[2]), f"{m[1]}:{m[2]}") for m in cached if m[1] in FAMILIES)
    print(f"in {cache}: {', '.join(name for *_, name in found) or 'none yet'}")
    return 0


def generate(name: str, out: Path | None) -> int:
    """Make a scene's two files and print what is in it."""
    paths, scene = _scene(name, out)
    categories = {o.category for o in scene.objects}
    print(f"{name}: {len(scene.rooms)} rooms, {len(scene.objects)} objects of {len(categories)} categories")
    print(f"{paths.glb}\n{paths.sidecar}")
    return 0


def preview(name: str, out: Path) -> int:
    """Write a picture of a scene: its top view and four camera views."""
    paths, scene = _scene(name)
    print(_write_preview(scene, _folder(out) / f"{paths.glb.stem}.png"))
    return 0


def export(name: str, out: Path) -> int:
    """Write a scene's GLB, its sidecar and a picture of it into a folder."""
    paths, scene = _scene(name)
    folder = _folder(out)
    for file in (paths.glb, paths.sidecar):
        target = folder / file.name
        if not (target.exists() and target.samefile(file)):
            shutil.copyfile(file, target)
        print(target)
    print(_write_preview(scene, folder / f"{paths.glb.stem}.png"))
    return 0


def _scene(name: str, out: Path | None = None) -> tuple[ScenePath, Scene]:
    try:
        paths = resolve_scene(name, None if out is None else _folder(out))
        return paths, load_scene(paths)
    except SceneError as error:
        family = name.partition(":")[0]
        command = f"loci sim scenes generate {family}:0" if family in FAMILIES else _LIST
        if Path(name).suffix in (".glb", ".json"):
            # What a pair of files looks like that belong together.
            command = "loci sim scenes export home:0 --out example"
        raise UserError(str(error), command) from error
    except OSError as error:
        raise UserError(f"cannot keep {name} ({error})", f"loci sim scenes generate {name} --out scenes") from error


def _folder(out: Path) -> Path:
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"expected a folder for --out, got {out} ({error})") from error
    return out


def _write_preview(scene: Scene, path: Path) -> Path:
    try:
        from loci_sim.preview import render_preview

        image = render_preview(scene)
    except ImportError as error:
        raise UserError(f"the renderer cannot be imported ({error})", "pip install 'loci[sim]'") from error
    except ValueError as error:
        raise UserError(f"cannot preview {scene.map_id}: {error}", _LIST) from error
    if not cv2.imwrite(str(path), cv2.cvtColor(image, cv2.COLOR_RGB2BGR)):
        raise UserError(f"cannot write {path}")
    return path
