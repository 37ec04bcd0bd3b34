"""Training of the codec: it learns what the true residuals cannot teach, and `loci train-tokens` writes what it learnt."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from loci.cli import main
from loci.episodic.codec import CodecShape, TokenCodec
from loci.episodic.residuals import pack, unpack
from loci.episodic.token_training import TrainingParameters, evaluate, train
from loci.store import Store

D = 24


@pytest.fixture(scope="module")
def walk() -> np.ndarray:
    """Unit vectors of a robot that stays with each of a few views for a while, (320, D)."""
    rng = np.random.default_rng(0)
    views = rng.normal(size=(5, D))
    v = views[np.repeat(rng.integers(0, 5, size=20), 16)] + 0.4 * rng.normal(size=(320, D))
    return (v / np.linalg.norm(v, axis=1, keepdims=True)).astype(np.float32)


def test_training_teaches_to_read_without_residuals(walk: np.ndarray) -> None:
    codec = TokenCodec(CodecShape(D, n_blocks=2))
    before = evaluate(codec, walk[256:])
    told: list[float] = []
    losses = train(
        codec,
        walk[:256],
        TrainingParameters(epochs=40, batch=8, learning_rate=3e-3),
        progress=lambda share, _: told.append(share),
    )
    after = evaluate(codec, walk[256:])
    assert len(losses) == 40 and told == sorted(told) and told[-1] == 1.0
    assert before.without > 0.8
    assert after.without < before.without - 0.15
    assert after.int8 < 0.05
    token, residuals = codec.encode(codec.start.detach().numpy(), walk[:32])
    assert np.abs(codec.decode(token, residuals, 32)[1] - walk[:32]).max() <= 1e-5, "still exact"


def test_the_cycle_with_true_residuals_teaches_nothing(walk: np.ndarray) -> None:
    codec = TokenCodec(CodecShape(D, n_blocks=2))
    chains = torch.from_numpy(walk[:64].reshape(2, 32, D))
    token, residuals = codec.write_all(codec.start.expand(2, -1), chains)
    loss = (codec.read_all(token, residuals)[1] - chains).square().mean()
    loss.backward()
    largest = max(float(p.grad.abs().max()) for p in codec.parameters() if p.grad is not None)
    assert float(loss.detach()) < 1e-10 and largest < 1e-5


def test_the_loss_is_what_the_stored_formats_lose(walk: np.ndarray) -> None:
    codec = TokenCodec(CodecShape(D))
    token, residuals = codec.encode(codec.start.detach().numpy(), walk[:32])
    found = evaluate(codec, walk[:32])
    for kept, loss in ((unpack(pack(residuals, "int8")), found.int8), (None, found.without)):
        read = codec.decode(token, kept, 32)[1]
        cosines = np.sum(read * walk[:32], axis=1) / np.linalg.norm(read, axis=1)
        assert loss == pytest.approx(1.0 - cosines.mean(), abs=1e-4)


def test_training_is_the_same_for_the_same_seed(walk: np.ndarray) -> None:
    first, second = (TokenCodec(CodecShape(D, n_blocks=1)) for _ in range(2))
    parameters = TrainingParameters(epochs=1, batch=2)
    assert train(first, walk, parameters) == train(second, walk, parameters)
    assert first.identity == second.identity != TokenCodec(CodecShape(D, n_blocks=1)).identity


def test_wrong_input_is_refused(walk: np.ndarray) -> None:
    codec = TokenCodec(CodecShape(D, n_blocks=1))
    with pytest.raises(ValueError, match="expected 64 vectors at least to train on, got 63"):
        train(codec, walk[:63])
    with pytest.raises(ValueError, match=r"expected finite vectors \(N, 24\), got \(320, 12\)"):
        train(codec, walk[:, :12])
    with pytest.raises(ValueError, match="expected epochs and batch >= 1"):
        TrainingParameters(epochs=0)
    with pytest.raises(ValueError, match="expected a learning rate"):
        TrainingParameters(learning_rate=float("nan"))
    if not torch.cuda.is_available():
        with pytest.raises(ValueError, match="torch finds no GPU"):
            train(codec, walk, device="cuda")


def test_the_command_trains_on_a_memory_and_writes_a_checkpoint(
    walk: np.ndarray, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with Store.open(tmp_path / "home") as store:
        for i, vector in enumerate(walk[:100]):
            store.put("keyframe", f"keyframe/{i}", {}, arrays={"embedding": vector})
        store.put("keyframe", "keyframe/other", {}, arrays={"embedding": np.ones(7, np.float32)})
        store.put("keyframe", "keyframe/none", {})
    out = tmp_path / "codec.safetensors"
    command = ["train-tokens", str(tmp_path / "home"), "--epochs", "1", "--batch", "2", "--out", str(out)]
    assert main(command) == 0
    printed = capsys.readouterr().out
    assert "80 keyframes trained on" in printed and str(out) in printed
    assert TokenCodec.load(out).dimension == D
    assert main(command) == 1
    assert f"{out} exists" in capsys.readouterr().err
    assert main(["train-tokens", str(tmp_path / "nowhere")]) == 1
    with Store.open(tmp_path / "small") as store:
        store.put("keyframe", "keyframe/1", {}, arrays={"embedding": walk[0]})
    assert main(["train-tokens", str(tmp_path / "small"), "--out", str(tmp_path / "x")]) == 1
    assert "expected 80 keyframes with an image embedding" in capsys.readouterr().err
