"""A user's own facts: a TOML file beside what ships."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from genai_hwreq.catalog import Catalog, get_model
from genai_hwreq.errors import CatalogDataError, UnknownNameError
from genai_hwreq.estimation import estimate_vram
from genai_hwreq.formats import PlainType, WeightFormat
from genai_hwreq.models import HostedModel, Pipeline, SizedModel, TransformerModel, model_inventory

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SOURCE = 'sources = [{title = "measured at home", as_of = 2026-01-02}]'
GOOD = f"""
[[model]]
kind = "transformer"
native_format = "bf16"
context_tokens = 4096
[model.identity]
id = "our-llama"
name = "Our Llama"
aliases = ["house"]
{SOURCE}
[model.config]
model_type = "llama"
hidden_size = 64
intermediate_size = 128
num_hidden_layers = 2
num_attention_heads = 4
num_key_value_heads = 2
vocab_size = 100

[[model]]
kind = "sized"
native_format = "bf16"
networks = [{{role = "decoder", name = "all", n_params = 1_000_000}}]
[model.identity]
id = "our-sized"
name = "Our sized"
{SOURCE}

[[model]]
kind = "hosted"
[model.identity]
id = "our-hosted"
name = "Our hosted"
{SOURCE}

[[model]]
kind = "pipeline"
native_format = "fp16"
width_px = 512
height_px = 512
networks = [{{role = "denoiser", name = "UNet", n_params = 1_000_000}}]
[model.identity]
id = "our-pipeline"
name = "Our pipeline"
{SOURCE}

[[format]]
kind = "weight_format"
id = "our-int5"
name = "Our INT5"
matrices = {{kind = "plain_type", name = "int5", bits = 5}}
{SOURCE}

[[tier]]
id = "our-tier"
name = "Our tier"
n_cpu_cores = 4
ram_bytes = "16 GiB"
vram_bytes = "8 GiB"
storage_kind = "nvme"
storage_bytes = "1 TB"
{SOURCE}
"""


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str], Path]:
    """Return a function that writes a file and returns its path."""

    def to_file(text: str) -> Path:
        path = tmp_path / "mine.toml"
        path.write_text(text, encoding="utf-8")
        return path

    return to_file


def test_own_records(write: Callable[[str], Path]) -> None:
    """Records of every kind of a user's file are found by id and alias in any spelling."""
    mine = Catalog.read(write(GOOD))
    network = mine.model("House")
    assert isinstance(network, TransformerModel)
    assert network == mine.model("OUR_LLAMA") == mine.model("ourllama")
    assert network.context_tokens == 4096
    assert isinstance(mine.model("our sized"), SizedModel)
    assert isinstance(mine.model("our-hosted"), HostedModel)
    assert isinstance(mine.model("our-pipeline"), Pipeline)
    assert mine.tier("our-tier").ram_bytes == 16 * 2**30
    int5 = mine.format("our-int5")
    assert isinstance(int5, WeightFormat)
    assert PlainType("int5", 5) == int5.matrices
    assert estimate_vram(network, precision=int5).disk_bytes < 2 * model_inventory(network).n_params


def test_beside_what_ships(write: Callable[[str], Path]) -> None:
    """What ships is still there, listed with the user's own, and the shipped catalog itself is unchanged."""
    mine = Catalog.read(write(GOOD))
    assert get_model("llama-2-7b") == mine.model("llama-2-7b")
    assert {"our-llama", "llama-2-7b"} <= {*mine.ids("model")}
    assert Catalog.default().ids("accelerator") == mine.ids("accelerator")
    with pytest.raises(UnknownNameError):
        Catalog.default().model("our-llama")


def test_own_come_first(write: Callable[[str], Path]) -> None:
    """A user's record takes the place of the shipped one of its name."""
    mine = Catalog.read(write(GOOD.replace("our-llama", "llama-2-7b")))
    assert mine.model("llama-2-7b").identity.name == "Our Llama"
    assert get_model("llama-2-7b").identity.name != "Our Llama"


def test_own_are_suggested(write: Callable[[str], Path]) -> None:
    """A near miss of a user's own name suggests it."""
    with pytest.raises(UnknownNameError) as caught:
        Catalog.read(write(GOOD)).model("our-lama")
    assert "our-llama" in caught.value.suggestions


def test_all_faults_are_listed(write: Callable[[str], Path]) -> None:
    """One reading lists every fault of every table, with its path in the file."""
    text = (
        GOOD.replace("context_tokens = 4096", 'context_tokens = "4096"')
        .replace('id = "our-sized"', "id = 3")
        .replace('storage_kind = "nvme"', 'storage_kind = "tape"')
    )
    path = write(text.replace('ram_bytes = "16 GiB"', 'ram_bytes = "16G"') + "[[gpu]]\nid = 1\n")
    with pytest.raises(CatalogDataError) as caught:
        Catalog.read(path)
    assert str(path) == caught.value.path
    places = sorted(problem.partition(" @ ")[2] for problem in caught.value.problems)
    assert places == [
        "",
        "$.model[0].context_tokens",
        "$.model[1].identity.id",
        "$.tier[0].ram_bytes",
        "$.tier[0].storage_kind",
    ]
    assert "unknown table 'gpu'; known are model, accelerator" in str(caught.value)


def test_sources_and_ids(write: Callable[[str], Path]) -> None:
    """A record without a source and an id that occurs twice are faults."""
    text = GOOD.replace('id = "our-sized"', 'id = "our-llama"').replace(SOURCE, "", 1)
    with pytest.raises(CatalogDataError) as caught:
        Catalog.read(write(text))
    assert caught.value.problems == ("our-llama: no source is given", "id 'our-llama' occurs 2 times")


@pytest.mark.parametrize("text", ["[[model]", "a = ", "model = 3"])
def test_not_toml_or_not_tables(write: Callable[[str], Path], text: str) -> None:
    """A file that is not TOML, or whose tables are none, is a fault of data with its path."""
    with pytest.raises(CatalogDataError, match=r"mine\.toml: "):
        Catalog.read(write(text))


def test_not_text(tmp_path: Path) -> None:
    """A file that is not text is a fault of data with its path."""
    path = tmp_path / "mine.toml"
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(CatalogDataError, match=r"mine\.toml: "):
        Catalog.read(path)


def test_missing_file(tmp_path: Path) -> None:
    """A file that is not there is reported as Python does."""
    with pytest.raises(FileNotFoundError):
        Catalog.read(tmp_path / "none.toml")
