"""Arrays as bytes: compared with the safetensors library itself."""

from __future__ import annotations

import contextlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from loci.store.arrays import decode_arrays, encode_arrays

DTYPES = [
    "bool",
    "uint8",
    "int8",
    "uint16",
    "int16",
    "float16",
    "uint32",
    "int32",
    "float32",
    "uint64",
    "int64",
    "float64",
]


@st.composite
def named_arrays(draw: st.DrawFn) -> dict[str, np.ndarray]:
    names = draw(
        st.lists(st.text(min_size=1, max_size=8).filter(lambda n: n != "__metadata__"), max_size=3, unique=True)
    )
    shapes = hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4)
    return {name: draw(hnp.arrays(draw(st.sampled_from(DTYPES)), draw(shapes))) for name in names}


@given(named_arrays())
def test_arrays_come_back_exactly(arrays: dict[str, np.ndarray]) -> None:
    decoded = decode_arrays(encode_arrays(arrays))
    assert decoded.keys() == arrays.keys()
    for name, array in arrays.items():
        assert decoded[name].dtype == array.dtype
        np.testing.assert_array_equal(decoded[name], array)


@pytest.mark.parametrize("dtype", DTYPES)
def test_the_format_is_safetensors_both_ways(dtype: str, rng: np.random.Generator) -> None:
    safetensors = pytest.importorskip("safetensors.numpy")
    arrays = {"points": (rng.random((5, 3)) * 100).astype(dtype), "empty": np.zeros((0, 4), dtype)}
    theirs = safetensors.load(encode_arrays(arrays))
    ours = decode_arrays(safetensors.save(arrays))
    for name, array in arrays.items():
        np.testing.assert_array_equal(theirs[name], array)
        np.testing.assert_array_equal(ours[name], array)


def test_a_transposed_array_keeps_its_values() -> None:
    array = np.arange(6.0).reshape(2, 3).T
    np.testing.assert_array_equal(decode_arrays(encode_arrays({"a": array}))["a"], array)


def test_objects_are_refused() -> None:
    with pytest.raises(ValueError, match="expected array 'a' of numbers or bool, got object"):
        encode_arrays({"a": np.array([{}], dtype=object)})


@given(st.binary(max_size=64), st.integers(0, 200))
def test_damaged_bytes_are_an_error_and_nothing_else(garbage: bytes, cut: int) -> None:
    whole = encode_arrays({"a": np.arange(12.0).reshape(3, 4)})
    for data in (garbage, whole[:cut]):
        with contextlib.suppress(ValueError):  # any other exception fails the test
            decode_arrays(data)
