"""Morton codes against their definition, bit by bit."""

from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st

from loci.spatial import voxels

coordinate = st.integers(min_value=0, max_value=(1 << voxels.MAX_BITS) - 1)
triples = st.lists(st.tuples(coordinate, coordinate, coordinate), min_size=1, max_size=20)


def interleaved(x: int, y: int, z: int) -> int:
    """The definition: bits of x, y and z in turn."""
    bits = "".join(f"{x:020b}"[i] + f"{y:020b}"[i] + f"{z:020b}"[i] for i in range(20))
    return int(bits, 2)


@given(triples)
def test_codes_interleave_the_bits_and_decode_to_the_coordinates(points: list[tuple[int, int, int]]) -> None:
    coordinates = torch.tensor(points)
    codes = voxels.encode(coordinates)
    assert codes.tolist() == [interleaved(*p) for p in points]
    assert torch.equal(voxels.decode(codes), coordinates)


@given(triples, st.integers(min_value=0, max_value=voxels.MAX_BITS))
def test_a_cube_of_any_size_is_one_range_of_codes(points: list[tuple[int, int, int]], level: int) -> None:
    coordinates = torch.tensor(points)
    codes = voxels.encode(coordinates)
    cubes = voxels.prefix(codes, level)
    assert torch.equal(cubes, voxels.encode(coordinates >> level))
    first, behind = voxels.code_range(cubes, level)
    inside = (codes[None, :] >= first[:, None]) & (codes[None, :] < behind[:, None])
    same_cube = ((coordinates[None] >> level) == (coordinates[:, None] >> level)).all(dim=2)
    assert torch.equal(inside, same_cube)


def test_children_are_the_eight_halves_in_order_of_x_then_y_then_z() -> None:
    children = voxels.decode(voxels.children(voxels.encode(torch.tensor([[3, 5, 6]]))))[0]
    assert children.tolist() == [[6 + i, 10 + j, 12 + k] for i in (0, 1) for j in (0, 1) for k in (0, 1)]
