"""Networks of image pipelines: counted against diffusers 0.42.1's classes, read from their configurations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from attrs import evolve

from genai_hwreq.catalog import get_model
from genai_hwreq.catalog._load import parse_toml, toml_texts
from genai_hwreq.errors import ConfigurationError, QuantityError
from genai_hwreq.models import Autoencoder, Pipeline, SpatialTransformer, UNet, network_inventory
from genai_hwreq.readers.diffusers_config import read_network

if TYPE_CHECKING:
    from collections.abc import Mapping

UNET: dict[str, Any] = {"_class_name": "UNet2DConditionModel"}
SD15 = {**UNET, "cross_attention_dim": 768, "attention_head_dim": 8}
SD21 = {**UNET, "cross_attention_dim": 1024, "attention_head_dim": [5, 10, 20, 20], "upcast_attention": True}
SDXL = {
    **UNET,
    "block_out_channels": [320, 640, 1280],
    "down_block_types": ["DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"],
    "cross_attention_dim": 2048,
    "attention_head_dim": [5, 10, 20],
    "transformer_layers_per_block": [1, 2, 10],
    "addition_embed_type": "text_time",
    "projection_class_embeddings_input_dim": 2816,
}
KL = {
    "_class_name": "AutoencoderKL",
    "latent_channels": 4,
    "block_out_channels": [128, 256, 512, 512],
    "layers_per_block": 2,
}
PIPELINES = ("stable-diffusion-1.5", "stable-diffusion-2.1", "deepfloyd-if")


def count(config: Mapping[str, Any]) -> int:
    """Return the parameters of a UNet or autoencoder."""
    network = read_network(config)
    assert isinstance(network, UNet | Autoencoder)
    return sum(tensor.n_elements for tensor in network.tensors())


@pytest.mark.parametrize(
    ("n_params", "config"),
    [
        (859_520_964, SD15),
        (865_910_724, SD21),
        (2_567_463_684, SDXL),
        (83_653_863, KL),
        (83_653_863 - 72 - 20, {**KL, "use_quant_conv": False}),
    ],
)
def test_counts(n_params: int, config: dict[str, Any]) -> None:
    """Every tensor of the real class is enumerated: the sums are equal."""
    assert n_params == count(config)


def test_head_counts_change_no_weight() -> None:
    """Heads share a level's width, so their number stores nothing."""
    assert count(SD15) == count({**SD15, "num_attention_heads": 4})


def test_tensor_names_are_unique() -> None:
    """No weight is named twice: the names are those of the checkpoint."""
    network = read_network(SDXL)
    assert isinstance(network, UNet)
    names = [tensor.name for tensor in network.tensors()]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("name", PIPELINES)
def test_stated_counts_are_counted(name: str) -> None:
    """What the catalog states for each network is what its configuration gives."""
    stated = [
        part["n_params"]
        for _, text in toml_texts("model")
        for entry in parse_toml(text)["model"]
        if entry["identity"]["id"] == name
        for part in entry["networks"]
    ]
    model = get_model(name)
    assert isinstance(model, Pipeline)
    assert stated == [part.n_params for part in model.networks]


def test_pipeline_adds_up() -> None:
    """A pipeline has the parameters of its networks."""
    model = get_model("stable-diffusion-1.5")
    assert isinstance(model, Pipeline)
    assert model.n_params == 123_060_480 + 859_520_964 + 83_653_863 + 303_981_588


def test_text_encoders_are_transformers() -> None:
    """A configuration without a class name is one of a text encoder."""
    t5 = get_model("deepfloyd-if")
    assert isinstance(t5, Pipeline)
    assert network_inventory(t5.networks[0]).n_params == 4_762_310_656


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({**SD15, "down_block_types": ["DownBlock2D"]}, "expected 4 of"),
        ({**SD15, "down_block_types": ["SimpleCrossAttnDownBlock2D"] * 4}, "expected 4 of"),
        ({**SD15, "attention_head_dim": [5, 10]}, "has 2 entries; expected 4"),
        ({**SD15, "addition_embed_type": "image"}, "expected 'text_time' or null"),
        ({**SD15, "only_cross_attention": True}, "UNets with it are not known yet"),
    ],
)
def test_unknown_variants_are_refused(config: dict[str, Any], message: str) -> None:
    """What would be counted wrongly is an error that names the field."""
    with pytest.raises(ConfigurationError, match=message):
        read_network(config)


def test_heads_must_divide_width() -> None:
    """A width that heads cannot share evenly is refused."""
    network = read_network(SD15)
    assert isinstance(network, UNet)
    with pytest.raises(QuantityError, match="1280 cannot be shared by 7 heads"):
        evolve(network, middle=SpatialTransformer(n_blocks=1, n_heads=7))


def test_unet_without_middle_attention() -> None:
    """A turning point without attention stores none."""
    network = read_network(SD15)
    assert isinstance(network, UNet)
    plain = evolve(network, middle=None)
    names = {tensor.name.split(".")[1] for tensor in plain.tensors() if tensor.name.startswith("mid_block")}
    assert names == {"resnets"}
