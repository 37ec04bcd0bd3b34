"""Memory tokens: what was written is read back, what was taken out leaves no trace, and the store agrees."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from loci.episodic.codec import CodecShape, TokenCodec
from loci.episodic.residuals import FORMATS, ResidualFormat, pack, packed_bytes, unpack
from loci.episodic.tokens import SEGMENT, TokenMemory, TokenParameters
from loci.store import Store

D = 24
CODEC = TokenCodec(CodecShape(D), seed=3)


@pytest.fixture
def store(tmp_path: Path):  # type: ignore[no-untyped-def]
    with Store.open(tmp_path / "home") as store:
        yield store


def units(rng: np.random.Generator, n: int, d: int = D) -> np.ndarray:
    v = rng.normal(size=(n, d)).astype(np.float32)
    return v / np.linalg.norm(v, axis=1, keepdims=True)


def start() -> np.ndarray:
    return CODEC.start.detach().numpy()


@pytest.mark.parametrize("dimension", [384, 328, 24, 7])
def test_a_segment_is_read_back_exactly_with_its_residuals(dimension: int, rng: np.random.Generator) -> None:
    codec = TokenCodec(CodecShape(dimension), seed=1)
    vectors = units(rng, SEGMENT, dimension)
    first = codec.start.detach().numpy()
    token, residuals = codec.encode(first, vectors)
    began, read = codec.decode(token, residuals, SEGMENT)
    assert np.abs(read - vectors).max() <= 1e-5
    assert np.abs(began - first).max() <= 1e-4 * np.abs(token).max()
    assert np.abs(token - first).max() > 0.5, "writing changes the token"


def test_the_inverse_undoes_the_blocks_by_their_formulas(rng: np.random.Generator) -> None:
    x1, x2 = (torch.from_numpy(units(rng, 5) * 4) for _ in range(2))
    with torch.no_grad():
        for block in CODEC.blocks:
            y1 = x1 + block.attend(x2)
            y2 = x2 + block.transform(y1)
            assert all(torch.equal(a, b) for a, b in zip(block(x1, x2), (y1, y2), strict=True))
            back = block.inverse(y1, y2)
            assert torch.allclose(back[0], x1, atol=1e-5) and torch.allclose(back[1], x2, atol=1e-5)


def test_fewer_bytes_of_residuals_cost_more_error(rng: np.random.Generator) -> None:
    vectors = units(rng, SEGMENT)
    token, residuals = CODEC.encode(start(), vectors)
    errors, sizes = {}, {}
    for format in FORMATS:
        packed = pack(residuals, format)
        errors[format] = np.abs(CODEC.decode(token, unpack(packed), SEGMENT)[1] - vectors).max()
        sizes[format] = packed_bytes(packed)
    assert sizes == {"float32": SEGMENT * D * 4, "float16": SEGMENT * D * 2, "int8": SEGMENT * (D + 4), "none": 0}
    assert errors["float32"] <= 1e-5 < errors["float16"] < errors["int8"] < errors["none"]
    assert errors["int8"] < 0.1 < errors["none"], "components are about 0.2"


@given(st.integers(0, 2**20), st.floats(1e-6, 1e6))
@settings(max_examples=30)
def test_int8_is_off_by_half_a_step_at_most(seed: int, scale: float) -> None:
    residuals = units(np.random.default_rng(seed), 4) * np.float32(scale)
    residuals[2] = 0.0
    read = unpack(pack(residuals, "int8"))
    assert read is not None
    assert np.all(np.abs(read - residuals) <= 0.502 * np.abs(residuals).max(axis=1, keepdims=True) / 127)


def test_a_codec_is_written_and_read_without_a_change(tmp_path: Path, rng: np.random.Generator) -> None:
    CODEC.save(tmp_path / "folder" / "codec.safetensors")
    again = TokenCodec.load(tmp_path / "folder" / "codec.safetensors")
    assert again.identity == CODEC.identity != TokenCodec(CodecShape(D), seed=4).identity
    vectors = units(rng, 3)
    assert np.array_equal(again.encode(start(), vectors)[0], CODEC.encode(start(), vectors)[0])


def test_a_checkpoint_that_is_none_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "codec.safetensors"
    with pytest.raises(ValueError, match="expected a codec that `loci train-tokens` wrote"):
        TokenCodec.load(path)
    CODEC.save(path)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    with pytest.raises(ValueError, match="expected a codec"):
        TokenCodec.load(path)
    from safetensors.torch import save_file

    save_file({"blank": torch.zeros(3)}, path)
    with pytest.raises(ValueError, match="expected a codec"):
        TokenCodec.load(path)
    broken = TokenCodec(CodecShape(D))
    with torch.no_grad():
        broken.blank[0] = float("nan")
    broken.save(path)
    with pytest.raises(ValueError, match="finite weights"):
        TokenCodec.load(path)


def no_vector(id: str) -> None:
    return None


STEPS = st.lists(
    st.tuples(st.sampled_from(["add", "add", "add", "remove", "move", "save", "reopen"]), st.integers(0, 90)),
    max_size=60,
)


@settings(max_examples=15)
@given(steps=STEPS, has_vectors=st.booleans(), seed=st.integers(0, 100))
def test_tokens_are_as_if_only_what_is_left_had_been_written(
    steps: list[tuple[str, int]], has_vectors: bool, seed: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Whatever was added, taken out, moved and reopened: every key reads back its experiences, in its order of writing."""
    vectors = {f"keyframe/{i}": v for i, v in enumerate(units(np.random.default_rng(seed), 100))}
    vector_of = vectors.get if has_vectors else no_vector
    order: dict[str, list[str]] = {"place/0": [], "place/1": [], "node/home/5/7": []}
    n = 0
    with Store.open(tmp_path_factory.mktemp("tokens") / "home") as store:
        memory = TokenMemory(store, CODEC, vector_of, "float32")
        for what, number in steps:
            id = f"keyframe/{number % max(n, 1)}"
            if what == "add":
                for _ in range(1 + number % 3 * 15):  # up to a segment at once
                    if n < 100:
                        memory.add(f"keyframe/{n}", (f"place/{number % 2}", "node/home/5/7"), vectors[f"keyframe/{n}"])
                        for key in (f"place/{number % 2}", "node/home/5/7"):
                            order[key].append(f"keyframe/{n}")
                        n += 1
            elif what == "remove":
                assert memory.remove([id, "keyframe/nothing"]) == any(id in ids for ids in order.values())
                for ids in order.values():
                    if id in ids:
                        ids.remove(id)
            elif what == "move" and id in memory:
                other = "place/1" if id in order["place/0"] else "place/0"
                memory.move({id: (other, "node/home/5/7")})
                order["place/0" if other == "place/1" else "place/1"].remove(id)
                order[other].append(id)
            elif what == "reopen":
                memory.save()
                memory = TokenMemory(store, CODEC, vector_of, "float32")
            elif what == "save":
                memory.save()
                store.commit()
        assert set(memory.all_keys()) == {key for key, ids in order.items() if ids}
        for key, ids in order.items():
            if not ids:
                continue
            read = memory.read(key)
            assert list(read) == ids
            assert np.abs(np.stack(list(read.values())) - np.stack([vectors[i] for i in ids])).max() <= 2e-5
            token = start()
            for i in range(0, len(ids), 32):  # the same chain, written at once
                token = CODEC.encode(token, np.stack([vectors[j] for j in ids[i : i + 32]]))[0]
            if has_vectors:
                assert np.allclose(memory.token(key), token, atol=1e-3 * np.abs(token).max())
        memory.save()
        assert {r.fields["key"] for r in store.records("token")} == set(memory.all_keys())
        kept = [id for r in store.records("token") if r.fields["key"] == "node/home/5/7" for id in r.fields["ids"]]
        assert sorted(kept) == sorted(order["node/home/5/7"])


@given(counts=st.lists(st.integers(0, 45), min_size=1, max_size=3), first=st.integers(0, 40))
@settings(max_examples=5)
def test_writing_many_at_once_is_writing_them_one_by_one(
    counts: list[int], first: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    rng = np.random.default_rng(sum(counts) + first)
    places = rng.permutation(np.repeat(np.arange(len(counts)), counts)).tolist()
    experiences = [(f"keyframe/{i}", [f"place/{p}", "node/1"], units(rng, 1)[0]) for i, p in enumerate(places)]
    with Store.open(tmp_path_factory.mktemp("tokens") / "home") as store:
        one_by_one, at_once = (TokenMemory(store, CODEC, no_vector, "float16") for _ in range(2))
        for experience in experiences:
            one_by_one.add(*experience)
        at_once.add_all(experiences[:first])
        at_once.add_all(experiences[first:])
        assert at_once.statistics() == one_by_one.statistics()
        for key in one_by_one.all_keys():
            assert np.allclose(at_once.token(key), one_by_one.token(key), atol=1e-3)
            assert list(at_once.read(key)) == list(one_by_one.read(key))
            for a, b in zip(at_once.read(key).values(), one_by_one.read(key).values(), strict=True):
                assert np.allclose(a, b, atol=0.01)


def test_what_was_forgotten_leaves_no_trace_in_any_later_token(store: Store, rng: np.random.Generator) -> None:
    vectors = {f"keyframe/{i}": v for i, v in enumerate(units(rng, 80))}
    with_it, without = TokenMemory(store, CODEC, vectors.get), TokenMemory(store, CODEC, vectors.get)
    for id, vector in vectors.items():
        with_it.add(id, ["place/1"], vector)
        if id != "keyframe/40":
            without.add(id, ["place/1"], vector)
    assert not np.allclose(with_it.token("place/1"), without.token("place/1"), atol=1e-3)
    with_it.remove(["keyframe/40"])
    assert np.allclose(with_it.token("place/1"), without.token("place/1"), atol=1e-3)


def test_segments_hold_32_writes_and_count_their_bytes(store: Store, rng: np.random.Generator) -> None:
    memory = TokenMemory(store, CODEC, no_vector, "int8")
    for i, vector in enumerate(units(rng, 70)):
        memory.add(f"keyframe/{i}", ["place/1"], vector)
    memory.save()
    records = list(store.records("token"))
    assert [(r.id, len(r.fields["ids"])) for r in records] == [("place/1#0", 32), ("place/1#1", 32), ("place/1#2", 6)]
    stored = sum(a.nbytes for r in records for a in r.arrays.values())
    assert memory.statistics() == {"tokens": 1, "token_experiences": 70, "token_bytes": stored}
    assert stored == 70 * (D + 4) + 3 * 2 * 4 * D


def test_tokens_of_another_codec_or_format_are_given_up(store: Store, rng: np.random.Generator) -> None:
    memory = TokenMemory(store, CODEC, no_vector, "int8")
    for i, vector in enumerate(units(rng, 40)):
        memory.add(f"keyframe/{i}", ["place/1"], vector)
    memory.save()
    for other in (
        TokenMemory(store, TokenCodec(CodecShape(D), 9), no_vector, "int8"),
        TokenMemory(store, CODEC, no_vector),
    ):
        assert other.ids == () and other.all_keys() == ()
    other.save()
    assert list(store.records("token")) == []


def test_a_segment_that_is_lost_takes_its_chain_along(store: Store, rng: np.random.Generator) -> None:
    memory = TokenMemory(store, CODEC, no_vector)
    for i, vector in enumerate(units(rng, 40)):
        memory.add(f"keyframe/{i}", ["place/1"], vector)
    memory.add("keyframe/x", ["place/2"], units(rng, 1)[0])
    memory.save()
    store.delete("token", "place/1#0")
    assert TokenMemory(store, CODEC, no_vector).all_keys() == ("place/2",)


def test_the_nearest_token_is_that_of_the_most_similar_place(store: Store, rng: np.random.Generator) -> None:
    memory = TokenMemory(store, CODEC, no_vector)
    kinds = units(rng, 6)
    for i in range(60):
        near = kinds[i % 6] + 0.1 * units(rng, 1)[0]
        memory.add(f"keyframe/{i}", [f"place/{i % 6}", "node/all"], near)
    memory.add("keyframe/again", ["place/9"], kinds[2])
    found = [memory.nearest(kind, 1, "place/")[0][0] for kind in kinds]
    assert sum(key == f"place/{i}" or (i == 2 and key == "place/9") for i, key in enumerate(found)) >= 5
    assert all(-1.0001 <= score <= 1.0001 for _, score in memory.nearest(kinds[0], 10))
    assert len(memory.nearest(kinds[0], 3)) == 3
    assert "place/9" not in [key for key, _ in memory.similar("place/9")]
    assert TokenMemory(store, CODEC, no_vector).nearest(kinds[0]) == []


def test_bad_input_is_refused_and_changes_nothing(store: Store, rng: np.random.Generator) -> None:
    memory = TokenMemory(store, CODEC, no_vector)
    memory.add("keyframe/1", ["place/1"], units(rng, 1)[0])
    before = memory.token("place/1")
    with pytest.raises(ValueError, match="written before"):
        memory.add("keyframe/1", ["place/2"], units(rng, 1)[0])
    with pytest.raises(ValueError, match="expected a key to write keyframe/2 to"):
        memory.add("keyframe/2", [""], units(rng, 1)[0])
    with pytest.raises(ValueError, match=r"expected a finite vector \(24,\) of keyframe/2, got \(3,\)"):
        memory.add("keyframe/2", ["place/1", "place/2"], np.ones(3))
    with pytest.raises(ValueError, match="finite"):
        memory.add("keyframe/2", ["place/2", "place/1"], np.full(D, np.nan))
    with pytest.raises(ValueError, match="keyframe/3, which was written before"):
        memory.add_all([("keyframe/3", ["place/3"], units(rng, 1)[0])] * 2)
    with pytest.raises(ValueError, match=r"expected vectors \('N', 'N', 24\), got \(1, 1, 3\)"):
        CODEC.encode(start(), np.ones((1, 3)))
    with pytest.raises(ValueError, match="expected a key for each experience"):
        memory.move({"keyframe/1": ()})
    with pytest.raises(KeyError, match="nothing was written to 'place/2'"):
        memory.token("place/2")
    assert memory.ids == ("keyframe/1",) and memory.all_keys() == ("place/1",)
    assert np.array_equal(memory.token("place/1"), before)
    with pytest.raises(ValueError, match="expected residuals as one of float32, float16, int8, none, got 'int4'"):
        TokenParameters(residuals="int4")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="expected a level from 0 to 16, got 17"):
        TokenParameters(level=17)
    with pytest.raises(ValueError, match="n_blocks to be a whole number >= 1, got 0"):
        CodecShape(D, n_blocks=0)


@pytest.mark.parametrize("residuals", FORMATS)
def test_every_format_outlives_a_restart(store: Store, rng: np.random.Generator, residuals: ResidualFormat) -> None:
    memory = TokenMemory(store, CODEC, no_vector, residuals)
    for i, vector in enumerate(units(rng, 35)):
        memory.add(f"keyframe/{i}", [f"place/{i % 2}"], vector)
    memory.save()
    again = TokenMemory(store, CODEC, no_vector, residuals)
    assert again.ids and sorted(again.ids) == sorted(memory.ids)
    for key in memory.all_keys():
        assert np.array_equal(again.token(key), memory.token(key))
        for id, vector in memory.read(key).items():
            assert np.array_equal(again.read(key)[id], vector)
