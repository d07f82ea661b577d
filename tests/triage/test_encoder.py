"""The sentence encoder against its published figures, an exact reference, and texts meant to break it."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from scipy.special import erf
from threadpoolctl import threadpool_info

from feedback_portal.local.paths import PROJECT
from triage import encoder
from triage.encoder import Encoder, graph, weights

pytestmark = pytest.mark.skipif(bool(encoder.missing()), reason=encoder.missing() or "there")

Floats = np.ndarray


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("encoder")


@pytest.fixture(scope="module")
def loaded(folder: Path) -> Encoder:
    found = encoder.load(folder)
    assert found
    return found


# What the documentation of sentence-transformers prints for this model.
WEATHER = ["The weather is lovely today.", "It's so sunny outside!", "He drove to the stadium."]
PUBLISHED = [[1.0, 0.6660, 0.1046], [0.6660, 1.0, 0.1411], [0.1046, 0.1411, 1.0]]

COMPLAINTS = [
    "My parcel arrived two weeks late and the box was torn open.",
    "The delivery took a fortnight and the packaging was ripped.",
    "Thanks to Maria from the service desk, who called me back within the hour!",
    "I was charged twice for the same invoice, please send the money back",
    "It drips.",
]


def test_the_published_similarities_are_met_within_what_8_bits_cost(loaded: Encoder) -> None:
    vectors = loaded.encode(WEATHER)
    assert np.abs(vectors @ vectors.T - PUBLISHED).max() < 0.02


def test_the_graph_is_the_published_network(loaded: Encoder) -> None:
    """An exact forward pass in plain numpy meets the published figures to the digit, and ours stays close to it."""
    exact = np.array([forward(weights.read(), loaded._tokens(text)[0]) for text in WEATHER + COMPLAINTS])
    assert np.abs(exact[:3] @ exact[:3].T - PUBLISHED).max() < 0.00006
    assert (exact * loaded.encode(WEATHER + COMPLAINTS)).sum(axis=1).min() > 0.97


def test_what_means_the_same_lies_closer_than_what_shares_a_word(loaded: Encoder) -> None:
    late, same, thanks, _, _ = loaded.encode(COMPLAINTS)
    assert late @ same > late @ thanks + 0.3


def test_a_vector_does_not_depend_on_what_else_is_in_the_batch(loaded: Encoder) -> None:
    together = loaded.encode([*COMPLAINTS, "x" * 9_000])
    alone = np.vstack([loaded.encode([text]) for text in COMPLAINTS])
    assert np.array_equal(together[: len(COMPLAINTS)], alone)


@pytest.mark.parametrize(
    "text",
    [
        "",
        " \n\t ",
        "\0" * 300,
        "a\0b",
        "😀" * 5_000,
        "\u202eمرحبا بالعالم\u202c שלום",
        "\ud83d half a pair",
        "é" * 65_536,
        "word " * 13_000,
        "字" * 65_536,
        "[CLS] [SEP] [MASK] [PAD] ##s",
        "\u200b\u200d\ufeff",
    ],
    ids=lambda text: ascii(text[:6]),
)
def test_hostile_text_gets_a_vector_like_any_other(loaded: Encoder, text: str) -> None:
    [vector] = loaded.encode([text])
    assert vector.shape == (384,)
    assert vector.dtype == np.float32
    assert abs(float(vector @ vector) - 1) < 1e-5


def test_nothing_computes_on_more_threads_than_one() -> None:
    """Two workers of two threads each on two cores wait for each other more than they work."""
    assert {pool["num_threads"] for pool in threadpool_info()} == {1}


def test_no_text_is_an_empty_table(loaded: Encoder) -> None:
    assert loaded.encode([]).shape == (0, 384)


def test_threads_may_share_one_encoder(loaded: Encoder) -> None:
    expected = loaded.encode(COMPLAINTS)
    seen: list[Floats] = []
    threads = [threading.Thread(target=lambda: seen.append(loaded.encode(COMPLAINTS))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(seen) == 3
    assert all(np.array_equal(each, expected) for each in seen)


def test_the_second_load_reads_no_weights(loaded: Encoder, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(weights, "read", lambda: pytest.fail("the weights were read again"))
    monkeypatch.setattr(weights, "not_genuine", lambda: pytest.fail("the weights were read again"))
    again = encoder.load(folder)
    assert again
    assert np.array_equal(again.encode(WEATHER), loaded.encode(WEATHER))
    assert [path.name for path in folder.iterdir()] == [f"{loaded.fingerprint}.onnx"]


@pytest.mark.parametrize("spoil", [lambda path: path.write_bytes(b""), lambda path: path.write_bytes(b"\1" * 99)])
def test_a_damaged_file_is_built_again_and_those_of_other_versions_go(
    tmp_path: Path, loaded: Encoder, spoil: Callable[[Path], int]
) -> None:
    (tmp_path / "0123456789abcdef.onnx").touch()
    spoil(tmp_path / f"{loaded.fingerprint}.onnx")
    again = encoder.load(tmp_path)
    assert again
    assert np.array_equal(again.encode(WEATHER), loaded.encode(WEATHER))
    [built] = tmp_path.iterdir()
    assert built.stat().st_size > 20_000_000


def test_a_folder_that_cannot_be_written_is_no_hindrance(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.touch()
    assert encoder.load(blocked / "encoder")


def test_processes_that_build_at_once_leave_one_whole_file(tmp_path: Path) -> None:
    program = f"from pathlib import Path; from triage import encoder; assert encoder.load(Path({str(tmp_path)!r}))"
    running = [subprocess.Popen([sys.executable, "-c", program], cwd=PROJECT) for _ in range(2)]
    assert [process.wait() for process in running] == [0, 0]
    [built] = tmp_path.iterdir()
    assert encoder._kept(tmp_path), built


def test_weights_that_are_not_the_published_ones_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Told by the hash alone, before a byte of them is read as anything."""
    for name in ("model.safetensors", "tokenizer.json"):
        (tmp_path / name).write_bytes((weights._folder() / name).read_bytes())
    with (tmp_path / "model.safetensors").open("r+b") as file:
        file.seek(50_000_000)
        file.write(b"\1\2\3\4")
    monkeypatch.setattr(weights, "_folder", lambda: tmp_path)
    assert encoder.load(tmp_path / "state") is None
    assert "not the published ones" in encoder.missing()
    assert not (tmp_path / "state").exists()


def test_a_tokenizer_that_is_not_the_published_one_is_refused(
    tmp_path: Path, folder: Path, loaded: Encoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    described = json.loads((weights._folder() / "tokenizer.json").read_text())
    (tmp_path / "tokenizer.json").write_text(json.dumps(described | {"normalizer": None}))
    monkeypatch.setattr(weights, "_folder", lambda: tmp_path)
    assert encoder.load(folder) is None
    assert "not the published ones" in encoder.missing()


@pytest.mark.parametrize("absent", ["onnxruntime", "tokenizers", weights.PACKAGE])
def test_without_one_of_its_parts_there_is_no_encoder_and_a_reason(
    absent: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(encoder, "find_spec", lambda name: None if name == absent else True)
    assert encoder.load(folder) is None
    assert absent.replace("_", "-") in encoder.missing()
    assert "requirements-encoder.txt" in encoder.missing()


def test_a_part_that_does_not_run_here_is_named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(name: str) -> None:
        raise ImportError(f"{name} wants a newer C library")

    monkeypatch.setattr(encoder.importlib, "import_module", refuse)
    assert encoder.load(folder) is None
    assert "does not run on this machine: onnxruntime wants" in encoder.missing()


def test_no_code_of_the_package_with_the_weights_is_run() -> None:
    program = (
        "import sys; from pathlib import Path; from triage import encoder;"
        f"assert encoder.load(Path({os.devnull!r}));"
        f"print(sorted({{'torch', 'onnx', {weights.PACKAGE!r}, 'sentence_transformers'}} & set(sys.modules)))"
    )
    ran = subprocess.run([sys.executable, "-c", program], cwd=PROJECT, capture_output=True, text=True, check=True)
    assert ran.stdout == "[]\n"


def forward(w: "dict[str, Floats]", tokens: Floats) -> Floats:
    """BERT as Devlin et al. 2018 write it, in 32-bit numbers, then the mean at length 1."""

    def normalise(x: Floats, part: str) -> Floats:
        centred = x - x.mean(-1, keepdims=True)
        scaled = centred / np.sqrt(x.var(-1, keepdims=True) + 1e-12)
        return scaled * w[f"{part}.weight"] + w[f"{part}.bias"]

    def linear(x: Floats, part: str) -> Floats:
        return x @ w[f"{part}.weight"].T + w[f"{part}.bias"]

    names = "embeddings.word_embeddings", "embeddings.position_embeddings", "embeddings.token_type_embeddings"
    words, places, types = (w[f"{name}.weight"] for name in names)
    x = normalise(words[tokens] + places[: len(tokens)] + types[0], "embeddings.LayerNorm")
    for number in range(6):
        layer = f"encoder.layer.{number}"
        asked = [linear(x, f"{layer}.attention.self.{part}") for part in ("query", "key", "value")]
        query, key, value = (each.reshape(-1, 12, 32).transpose(1, 0, 2) for each in asked)
        raised = np.exp(query @ key.transpose(0, 2, 1) / np.sqrt(32))
        seen = (raised / raised.sum(-1, keepdims=True) @ value).transpose(1, 0, 2).reshape(-1, 384)
        x = normalise(linear(seen, f"{layer}.attention.output.dense") + x, f"{layer}.attention.output.LayerNorm")
        wide = linear(x, f"{layer}.intermediate.dense")
        wide = wide * 0.5 * (1 + erf(wide / np.sqrt(2)))
        x = normalise(linear(wide, f"{layer}.output.dense") + x, f"{layer}.output.LayerNorm")
    mean = x.mean(0)
    return mean / np.linalg.norm(mean)


def test_a_long_text_is_cut_at_128_tokens(loaded: Encoder) -> None:
    assert loaded._tokens("late " * 1_000).shape == (1, graph.LONGEST)
