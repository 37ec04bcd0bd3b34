"""What the worker's interpreter must have: looked for one by one, so that each thing that is missing gets its own message."""

from __future__ import annotations

import ctypes.util
import glob
import os
import platform
import sys
from typing import Any

#: Oldest habitat_sim whose navmesh knows islands and static objects.
OLDEST = (0, 3, 0)


def check() -> dict[str, Any]:
    """Versions of what there is; ``missing`` (name) and ``why`` if something is not there or does not load."""
    found: dict[str, Any] = {"python": platform.python_version(), "interpreter": sys.executable}
    if sys.version_info < (3, 9):  # noqa: UP036 (any interpreter may be named)
        return {**found, "missing": "python", "why": f"Python 3.9 or newer is needed, this is {found['python']}"}
    try:
        import numpy
    except ImportError as error:
        return {**found, "missing": "numpy", "why": str(error)}
    found["numpy"] = numpy.__version__
    # Without it habitat_sim does not load, or ends the process when it is to render.
    if not _has_egl():
        return {**found, "missing": "EGL", "why": "there is no libEGL, neither in the system nor in its environment"}
    try:
        import habitat_sim
    except ModuleNotFoundError as error:
        if error.name == "habitat_sim":
            return {**found, "missing": "habitat_sim", "why": str(error)}
        return {**found, "missing": "import", "why": f"habitat_sim needs the package {error.name}: {error}"}
    except Exception as error:
        # Whatever its modules do when they are imported: an interpreter that cannot load it is one without it.
        return {**found, "missing": "import", "why": f"{type(error).__name__}: {error}"}
    found["habitat_sim"] = str(getattr(habitat_sim, "__version__", ""))
    found["bullet"] = bool(getattr(habitat_sim, "built_with_bullet", False))
    if _numbers(found["habitat_sim"]) < OLDEST:
        oldest = ".".join(str(n) for n in OLDEST)
        why = f"habitat_sim {oldest} or newer is needed, this is {found['habitat_sim'] or 'without a version'}"
        return {**found, "missing": "version", "why": why}
    return found


def _has_egl() -> bool:
    if ctypes.util.find_library("EGL") is not None or glob.glob(os.path.join(sys.prefix, "lib", "libEGL.so*")):
        return True
    try:
        ctypes.CDLL("libEGL.so.1")
    except OSError:
        return False
    return True


def _numbers(version: str) -> tuple:
    """(0, 3, 3) of "0.3.3.dev1"; empty if it does not begin with numbers."""
    numbers = []
    for part in version.split("."):
        if not part.isdigit():
            break
        numbers.append(int(part))
    return tuple(numbers)
