"""An image as one vector without learnt weights: for place recognition and queries by image on any machine.

Oriented gradients and colours on a coarse grid (HOG, Dalal and Triggs 2005; GIST-like pooling), each block centred and
power-normalised so that cosines of unlike images are near zero. A learnt encoder is better and stands behind the same
protocol.
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

_WIDTH, _HEIGHT = 160, 120
_GRID = (4, 6)  # rows, columns of cells
_ORIENTATIONS = 8
_HUES, _LIGHTS = 8, 4


class DescriptorEncoder:
    """Gradients and colours of an image in one vector."""

    name = "descriptor"
    #: 24 cells of 8 orientations, 24 cells of 3 colour values, a histogram of 8 hues and 4 lightnesses, and 2x2 coarse orientations.
    dimension = _GRID[0] * _GRID[1] * (_ORIENTATIONS + 3) + _HUES * _LIGHTS + 4 * _ORIENTATIONS

    def encode(self, color: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """Vector (D,) float32 of unit length of an RGB image (H, W, 3) uint8.

        Raises:
            ValueError: the image has another shape or type.
        """
        if color.ndim != 3 or color.shape[2] != 3 or color.dtype != np.uint8 or color.size == 0:
            raise ValueError(f"expected an image (H, W, 3) uint8, got {color.shape} {color.dtype}")
        small = cv2.resize(color, (_WIDTH, _HEIGHT), interpolation=cv2.INTER_AREA)
        gray = cv2.GaussianBlur(cv2.cvtColor(small, cv2.COLOR_RGB2GRAY), (3, 3), 0).astype(np.float32)
        # Local contrast only: a lamp that is switched on changes brightness, not structure.
        spread = np.sqrt(cv2.GaussianBlur((gray - cv2.GaussianBlur(gray, (0, 0), 8)) ** 2, (0, 0), 8)) + 8.0
        dx = cv2.Sobel(gray, cv2.CV_32F, 1, 0) / spread
        dy = cv2.Sobel(gray, cv2.CV_32F, 0, 1) / spread
        strength = np.sqrt(dx * dx + dy * dy)
        turn = np.arctan2(dy, dx) % np.pi * (_ORIENTATIONS / np.pi)
        lower = np.floor(turn).astype(np.int64)
        share = turn - lower
        cells = _cells(*_GRID)
        n_cells = _GRID[0] * _GRID[1]
        fine = np.bincount(
            np.concatenate([(cells * _ORIENTATIONS + b % _ORIENTATIONS).ravel() for b in (lower, lower + 1)]),
            weights=np.concatenate([(strength * (1 - share)).ravel(), (strength * share).ravel()]),
            minlength=n_cells * _ORIENTATIONS,
        ).reshape(n_cells, _ORIENTATIONS)
        grid = fine.reshape(*_GRID, _ORIENTATIONS)
        coarse = grid.reshape(2, _GRID[0] // 2, 2, _GRID[1] // 2, _ORIENTATIONS).sum(axis=(1, 3)).reshape(-1)
        lab = cv2.cvtColor(small, cv2.COLOR_RGB2LAB)
        means = (
            cv2.resize(lab, (_GRID[1], _GRID[0]), interpolation=cv2.INTER_AREA).astype(np.float32).reshape(n_cells, 3)
        )
        hsv = cv2.cvtColor(small, cv2.COLOR_RGB2HSV)
        bins = hsv[..., 0].astype(np.int64) * _HUES // 180 * _LIGHTS + hsv[..., 2].astype(np.int64) * _LIGHTS // 256
        histogram = np.bincount(bins.ravel(), weights=hsv[..., 1].ravel() / 255.0, minlength=_HUES * _LIGHTS)
        means[:, 0] -= means[:, 0].mean()  # lightness relative to the image
        means[:, 1:] -= 128.0
        blocks = (
            (np.sqrt(fine) - np.sqrt(fine).mean(axis=0), 1.0),
            (means * (0.3, 1.0, 1.0), 0.5),
            (np.sqrt(histogram) - np.sqrt(histogram).mean(), 0.6),
            (np.sqrt(coarse) - np.sqrt(coarse).mean(), 0.4),
        )
        vector = np.concatenate([weight * _unit(block.ravel()) for block, weight in blocks])
        norm = float(np.linalg.norm(vector))
        if norm == 0.0:  # one even gray: still a vector, and the same one for all such images
            return np.full(self.dimension, self.dimension**-0.5, dtype=np.float32)
        return (vector / norm).astype(np.float32)


def _cells(rows: int, columns: int) -> npt.NDArray[np.int64]:
    """Number of the grid cell of every pixel, (_HEIGHT, _WIDTH)."""
    return (np.arange(_HEIGHT) * rows // _HEIGHT)[:, None] * columns + (np.arange(_WIDTH) * columns // _WIDTH)[None, :]


def _unit(block: npt.NDArray[np.floating]) -> npt.NDArray[np.floating]:
    norm = np.linalg.norm(block)
    return block / norm if norm > 1e-6 else np.zeros_like(block)
