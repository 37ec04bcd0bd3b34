"""Procedural textures: enough variation to tell rooms and surfaces apart, without image files.

Textures are grey where a material's colour tints them (wood, fabric, tiles) and coloured where they are pictures.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

Image = npt.NDArray[np.uint8]

#: Side of every texture [px]; a power of two, so that it halves evenly into smaller copies.
SIZE = 128


def _noise(rng: np.random.Generator, cells: tuple[int, int], amount: float) -> npt.NDArray[np.float64]:
    """Periodic blocky noise around 0, (SIZE, SIZE), from a grid of (rows, columns) values."""
    values = rng.normal(0.0, amount, cells)
    rows = np.arange(SIZE) * cells[0] // SIZE
    columns = np.arange(SIZE) * cells[1] // SIZE
    return np.asarray(values[rows][:, columns])


def _gray(brightness: npt.NDArray[np.float64]) -> Image:
    return np.repeat((np.clip(brightness, 0.0, 1.0) * 255.0).astype(np.uint8)[..., None], 3, axis=2)


def plaster(rng: np.random.Generator) -> Image:
    return _gray(0.95 + _noise(rng, (32, 32), 0.012) + _noise(rng, (8, 8), 0.01))


def stripes(rng: np.random.Generator) -> Image:
    columns = np.where((np.arange(SIZE) * int(rng.integers(3, 6)) // SIZE) % 2 == 0, 0.97, 0.85)
    return _gray(columns[None, :] + _noise(rng, (32, 32), 0.01))


def wainscot(rng: np.random.Generator) -> Image:
    """For a texture as high as the wall: the lower third darker, with a rail between."""
    rows = np.full(SIZE, 0.96)
    border = int(SIZE * rng.uniform(0.62, 0.7))
    rows[border:] = 0.78
    rows[border : border + 4] = 0.5
    rows[-6:] = 0.6
    return _gray(rows[:, None] + _noise(rng, (32, 32), 0.01))


def dots(rng: np.random.Generator) -> Image:
    y, x = np.mgrid[0:SIZE, 0:SIZE] % (SIZE // 4) - SIZE // 8
    return _gray(np.where(x * x + y * y < 36, 0.74, 0.96) + _noise(rng, (32, 32), 0.01))


def tiles(rng: np.random.Generator) -> Image:
    image = 0.92 + _noise(rng, (4, 4), 0.03) + _noise(rng, (32, 32), 0.008)
    seam = np.arange(SIZE) % (SIZE // 4) < 2
    image[seam] = 0.62
    image[:, seam] = 0.62
    return _gray(image)


def checks(rng: np.random.Generator) -> Image:
    y, x = np.mgrid[0:SIZE, 0:SIZE] // (SIZE // 4)
    return _gray(np.where((x + y) % 2 == 0, 0.95, 0.6) + _noise(rng, (32, 32), 0.012))


def planks(rng: np.random.Generator) -> Image:
    image = 0.85 + _noise(rng, (8, 1), 0.06) + _noise(rng, (64, 4), 0.035)
    width = SIZE // 8
    image[np.arange(SIZE) % width == 0] = 0.5
    for row, column in enumerate(rng.integers(0, SIZE, 8)):
        image[row * width : (row + 1) * width, column] = 0.5
    return _gray(image)


def carpet(rng: np.random.Generator) -> Image:
    return _gray(0.85 + _noise(rng, (64, 64), 0.06))


def grain(rng: np.random.Generator) -> Image:
    return _gray(0.92 + _noise(rng, (32, 2), 0.03) + _noise(rng, (64, 4), 0.02))


def fabric(rng: np.random.Generator) -> Image:
    y, x = np.mgrid[0:SIZE, 0:SIZE]
    return _gray(0.9 + 0.06 * (((x // 4) + (y // 4)) % 2 - 0.5) + _noise(rng, (64, 64), 0.03))


def weave(rng: np.random.Generator) -> Image:
    y, x = np.mgrid[0:SIZE, 0:SIZE]
    return _gray(np.where(((x // 8) + (y // 8)) % 2 == 0, 0.95, 0.68) + _noise(rng, (32, 32), 0.03))


def rug(rng: np.random.Generator) -> Image:
    """A rug seen from above: nested frames and a field of diamonds."""
    y, x = np.mgrid[0:SIZE, 0:SIZE]
    edge = np.minimum(np.minimum(x, SIZE - 1 - x), np.minimum(y, SIZE - 1 - y))
    diamonds = (np.abs(x % 32 - 16) + np.abs(y % 32 - 16)) < 9
    image = np.where(diamonds, 0.6, 0.95)
    image = np.where(edge < 14, 0.55, image)
    image = np.where(edge < 9, 1.0, image)
    image = np.where(edge < 3, 0.5, image)
    return _gray(image + _noise(rng, (64, 64), 0.02))


def painting(rng: np.random.Generator) -> Image:
    """An abstract picture: a horizon, a disc and some bars in random colours."""
    y, x = np.mgrid[0:SIZE, 0:SIZE]
    colors = rng.integers(40, 235, (8, 3)).astype(np.uint8)
    image = np.empty((SIZE, SIZE, 3), dtype=np.uint8)
    image[...] = colors[0]
    image[int(rng.integers(50, 95)) :] = colors[1]
    for k in range(2, 6):
        x0, y0 = rng.integers(0, 100, 2)
        w, h = rng.integers(12, 56, 2)
        image[y0 : y0 + h, x0 : x0 + w] = colors[k]
    cx, cy, r = rng.integers(30, 98), rng.integers(25, 80), rng.integers(10, 26)
    image[(x - cx) ** 2 + (y - cy) ** 2 < r * r] = colors[6]
    return image


def keys(rng: np.random.Generator) -> Image:
    """A keyboard seen from above."""
    y, x = np.mgrid[0:SIZE, 0:SIZE]
    gap = (x % 10 < 2) | (y % 25 < 4)
    return _gray(np.where(gap, 0.45, 0.95) + _noise(rng, (32, 32), 0.01))


def dial(rng: np.random.Generator) -> Image:
    """A clock face."""
    y, x = np.mgrid[0:SIZE, 0:SIZE] - SIZE / 2
    radius, angle = np.hypot(x, y), np.arctan2(y, x)
    image = np.full((SIZE, SIZE), 1.0)
    image[(radius > 48) & (radius < 58) & (np.abs(np.sin(6 * angle)) < 0.2)] = 0.1
    image[(np.abs(x) < 3) & (y < 0) & (y > -42)] = 0.1
    image[(np.abs(y) < 3) & (x > 0) & (x < 30)] = 0.1
    return _gray(image)


def brick(rng: np.random.Generator) -> Image:
    y, x = np.mgrid[0:SIZE, 0:SIZE]
    shifted = x + (y // 16 % 2) * 16
    values = 0.86 + _noise(rng, (8, 8), 0.06)[y, shifted % SIZE] + _noise(rng, (64, 64), 0.015)
    return _gray(np.where((y % 16 < 2) | (shifted % 32 < 2), 1.0, values))


def panels(rng: np.random.Generator) -> Image:
    """Upright boards with dark joints."""
    image = 0.9 + _noise(rng, (1, 8), 0.03) + _noise(rng, (4, 64), 0.015)
    image[:, np.arange(SIZE) % (SIZE // 8) < 2] = 0.6
    return _gray(image)


def diamonds(rng: np.random.Generator) -> Image:
    y, x = np.mgrid[0:SIZE, 0:SIZE]
    inside = np.abs(x % 32 - 16) + np.abs(y % 32 - 16) < int(rng.integers(6, 12))
    return _gray(np.where(inside, 0.72, 0.96) + _noise(rng, (32, 32), 0.01))


def zigzag(rng: np.random.Generator) -> Image:
    y, x = np.mgrid[0:SIZE, 0:SIZE]
    period = 32 if rng.random() < 0.5 else 16
    wave = np.abs(x % period - period // 2) + y
    return _gray(np.where(wave % 32 < 12, 0.78, 0.96) + _noise(rng, (32, 32), 0.01))


def bands(rng: np.random.Generator) -> Image:
    """Level stripes."""
    rows = np.where((np.arange(SIZE) * int(rng.integers(2, 5)) // SIZE) % 2 == 0, 0.97, 0.8)
    return _gray(rows[:, None] + _noise(rng, (32, 32), 0.01))


def parquet(rng: np.random.Generator) -> Image:
    """Squares of four boards each, every other one turned."""
    y, x = np.mgrid[0:SIZE, 0:SIZE]
    turned = (x // 32 + y // 32) % 2 == 0
    image = (
        0.86 + np.where(turned, _noise(rng, (16, 4), 0.07), _noise(rng, (4, 16), 0.07)) + _noise(rng, (64, 64), 0.02)
    )
    return _gray(np.where(np.where(turned, y, x) % 8 == 0, image - 0.2, image))


def concrete(rng: np.random.Generator) -> Image:
    return _gray(0.85 + _noise(rng, (4, 4), 0.03) + _noise(rng, (16, 16), 0.025) + _noise(rng, (64, 64), 0.02))


def speckle(rng: np.random.Generator) -> Image:
    """Terrazzo: dark and pale chips in a smooth ground."""
    image = np.full((SIZE, SIZE), 0.88) + _noise(rng, (32, 32), 0.01)
    for row, column, height, width in rng.integers((0, 0, 2, 2), (SIZE, SIZE, 6, 6), (220, 4)):
        image[row : row + height, column : column + width] = 0.6 if (row + column) % 2 else 1.0
    return _gray(image)


def screen(rng: np.random.Generator) -> Image:
    """Lines of text and a picture, as on a screen or a notice."""
    image = np.full((SIZE, SIZE, 3), 250, dtype=np.uint8)
    image[:14] = rng.integers(40, 200, 3)
    image[24:60, 12:56] = rng.integers(60, 230, 3)
    for row in range(26, 116, 10):
        x0 = 66 if row < 60 else 12
        image[row : row + 4, x0 : int(rng.integers(x0 + 20, 120))] = 70
    return image


_KINDS: tuple[Callable[[np.random.Generator], Image], ...] = (
    # A texture's number is part of its seed: new ones go to the end, or saved scenes would look different.
    carpet,
    checks,
    dial,
    dots,
    fabric,
    grain,
    keys,
    painting,
    planks,
    plaster,
    rug,
    stripes,
    tiles,
    wainscot,
    weave,
    brick,
    panels,
    diamonds,
    zigzag,
    bands,
    parquet,
    concrete,
    speckle,
    screen,
)
TEXTURES: dict[str, Callable[[np.random.Generator], Image]] = {f.__name__: f for f in _KINDS}


def make_texture(name: str, seed: int) -> Image:
    """Texture (SIZE, SIZE, 3) uint8 of a name ``kind`` or ``kind-variant``; the same for the same name and seed."""
    kind, _, variant = name.partition("-")
    return TEXTURES[kind](np.random.default_rng([seed, list(TEXTURES).index(kind), int(variant or 0)]))
