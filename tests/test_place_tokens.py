"""Memory tokens of a `RobotMemory`: places and octree nodes have one, and it follows what becomes of the keyframes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from loci.episodic.codec import CodecShape, TokenCodec
from loci.episodic.tokens import TokenParameters
from loci.memory import MemoryParameters, RobotMemory
from loci.perception.descriptor import DescriptorEncoder
from synthetic import tour


class NoWords:
    """A text encoder whose vectors say nothing: nothing is asked for by words here."""

    name = "none"
    dimension = 4

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        return np.full((len(texts), 4), 0.5, dtype=np.float32)


def open_memory(path: Path, read_only: bool = False, **tokens: object) -> RobotMemory:
    parameters = MemoryParameters(tokens=TokenParameters(enabled=True, **tokens))  # type: ignore[arg-type]
    return RobotMemory.open(path, map_id="room", parameters=parameters, text_encoder=NoWords(), read_only=read_only)


@pytest.fixture(scope="module")
def tour_of_eight() -> list:
    return tour(n=8)


def chains(memory: RobotMemory) -> dict[str, list[str]]:
    tokens = memory._tokens.memory  # type: ignore[union-attr]
    return {key: sorted(tokens.read(key)) for key in tokens.all_keys()}


def test_tokens_follow_what_becomes_of_keyframes(tmp_path: Path, tour_of_eight: list) -> None:
    with open_memory(tmp_path / "home", residuals="float32", level=5) as memory:
        for observation in tour_of_eight:
            memory.observe(observation)
        keyframes = [e.id for e in memory.timeline(limit=1000).evidence if e.kind == "keyframe"]
        places = {i: memory.keyframe(i).place for i in keyframes}
        found = chains(memory)
        for place in set(places.values()):
            assert found[place] == sorted(i for i in keyframes if places[i] == place)
        nodes = {key: ids for key, ids in found.items() if key.startswith("node/room/5/")}
        assert sorted(i for ids in nodes.values() for i in ids) == sorted(keyframes)
        for ids in nodes.values():  # cubes of 1.6 m
            cells = {tuple(np.floor(memory.keyframe(i).T_map_camera[:3, 3] / 1.6)) for i in ids}
            assert len(cells) == 1
        read = memory._tokens.memory.read(places[keyframes[0]])  # type: ignore[union-attr]
        assert np.abs(read[keyframes[0]] - memory.keyframe(keyframes[0]).embedding).max() <= 1e-5
        assert memory.statistics()["token_experiences"] == len(keyframes)

        moved = memory.keyframe(keyframes[0]).T_map_camera.copy()
        moved[0, 3] += 5.0
        memory.correct_poses({keyframes[0]: moved})
        alone = [key for key, ids in chains(memory).items() if key.startswith("node/") and ids == [keyframes[0]]]
        assert len(alone) == 1 and keyframes[0] in chains(memory)[places[keyframes[0]]]

        def database() -> bytes:
            return b"".join(p.read_bytes() for p in sorted((tmp_path / "home").glob("*.sqlite*")))

        token = memory.token(places[keyframes[1]])[:16].tobytes()
        assert token in database()
        memory.forget([keyframes[1]])
        assert all(keyframes[1] not in ids for ids in chains(memory).values())
        remaining = chains(memory)
        assert token not in database()
    with open_memory(tmp_path / "home", residuals="float32", level=5) as memory:
        assert chains(memory) == remaining


def test_a_memory_without_tokens_gets_them_when_they_are_asked_for(tmp_path: Path, tour_of_eight: list) -> None:
    with RobotMemory.open(tmp_path / "home", map_id="room", text_encoder=NoWords()) as memory:
        for observation in tour_of_eight:
            memory.observe(observation)
        with pytest.raises(ValueError, match="keeps no tokens"):
            memory.token("place/1")
        assert "tokens" not in memory.statistics()
    with open_memory(tmp_path / "home", read_only=True) as reader:
        seen = chains(reader)
    with open_memory(tmp_path / "home") as memory:
        assert chains(memory) == seen and seen
        place = next(key for key in seen if key.startswith("place/"))
        assert memory.token(place).shape == (DescriptorEncoder.dimension,)
        with pytest.raises(LookupError, match=r"'place/99'.*no token"):
            memory.token("place/99")


def test_the_place_of_an_image_is_found_by_its_token(tmp_path: Path, tour_of_eight: list) -> None:
    with open_memory(tmp_path / "home") as memory:
        for observation in tour_of_eight:
            memory.observe(observation)
        n_places = len({key for key in chains(memory) if key.startswith("place/")})
        found = memory.similar_places(image=tour_of_eight[0].frame.color)
        assert found.n_total == n_places and {e.kind for e in found.evidence} == {"place"}
        scores = [e.score for e in found.evidence]
        assert scores == sorted(scores, reverse=True) and scores[0] <= 1.0 + 1e-6
        others = memory.similar_places(place=found.evidence[0].id)
        assert others.n_total == n_places - 1
        with pytest.raises(ValueError, match="either a place or an image"):
            memory.similar_places()
        with pytest.raises(LookupError, match="place/99"):
            memory.similar_places(place="place/99")


def test_a_codec_for_other_vectors_is_refused(tmp_path: Path) -> None:
    TokenCodec(CodecShape(12)).save(tmp_path / "codec.safetensors")
    with pytest.raises(ValueError, match="expected a codec for image embeddings of 328 values, got one for 12"):
        open_memory(tmp_path / "home", codec=str(tmp_path / "codec.safetensors"))
    with pytest.raises(ValueError, match="expected a codec that"):
        open_memory(tmp_path / "home", codec=str(tmp_path / "none.safetensors"))
