"""Networks of diffusers pipelines: their inventories against the real classes, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest

from diffusers_counts import COUNTS
from genai_hwreq.errors import ConfigurationError
from genai_hwreq.models import Autoencoder, EnumeratedNetwork, FrameWork, PipelineNetwork, TokenWork, UNet
from genai_hwreq.readers.diffusers import NETWORKS, reader_of
from genai_hwreq.readers.diffusers_config import read_network, single_network


def n_params(config: dict[str, Any]) -> int:
    """Count a network's parameters."""
    return PipelineNetwork(role="denoiser", name="network", network=read_network(config)).n_params


@pytest.mark.parametrize(("expected", "config"), COUNTS)
def test_parameters_are_those_of_the_class(expected: int, config: dict[str, Any]) -> None:
    """The inventory holds as many parameters as the class itself."""
    assert expected == n_params(config)


@pytest.mark.parametrize("name", sorted(NETWORKS))
def test_defaults_make_a_network(name: str) -> None:
    """A class's defaults are enough, and the record says which class it is."""
    network = read_network({"_class_name": name})
    assert isinstance(network, EnumeratedNetwork)
    assert network.class_name == name
    assert network.n_params > 0


def test_unknown_class_has_no_reader() -> None:
    """A class that is not listed is not read."""
    assert reader_of("NoSuchTransformer") is None
    with pytest.raises(ConfigurationError, match="'NoSuchTransformer' is not known; known are UNet2D"):
        read_network({"_class_name": "NoSuchTransformer"})


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"_class_name": "AutoencoderKLLTXVideo", "timestep_conditioning": True}, "0.9.1 and later"),
        (
            {"_class_name": "AutoencoderKLLTXVideo", "down_block_types": ["LTXVideo095DownBlock3D"]},
            "0.9.1 and later",
        ),
        ({"_class_name": "AutoencoderDC", "encoder_block_types": ["ResBlock"]}, "expected 6 of 'ResBlock'"),
        ({"_class_name": "AutoencoderDC", "decoder_block_types": "Other"}, "expected 6 of 'ResBlock'"),
        ({"_class_name": "SD3Transformer2DModel", "num_layers": 9999}, "at most 4096"),
        ({"_class_name": "LTX2VideoTransformer3DModel", "gated_attn": True}, "gated_attn is true"),
        ({"_class_name": "UNet2DConditionModel", "class_embed_type": "timestep"}, "not known yet"),
        ({"_class_name": "UNet2DConditionModel", "encoder_hid_dim_type": "image_proj"}, "not known yet"),
    ],
)
def test_variants_that_are_not_known_are_refused(config: dict[str, Any], message: str) -> None:
    """A configuration that would be read wrongly is refused with the field's value."""
    with pytest.raises(ConfigurationError, match=message):
        read_network(config)


def test_latent_space_of_a_compressor_that_starts_packed() -> None:
    """A deep compressor whose first level has no blocks folds its pixels instead, and halves once more."""
    depth = [0, 2, 2, 3, 3, 3]
    packed = read_network(
        {"_class_name": "AutoencoderDC", "encoder_layers_per_block": depth, "decoder_layers_per_block": depth}
    )
    assert isinstance(packed, EnumeratedNetwork)
    assert isinstance(packed.work, FrameWork)
    assert packed.work.scale == 64


@pytest.mark.parametrize(
    ("role", "scale", "frame_scale", "config"),
    [
        ("denoiser", 8, 1, {"_class_name": "FluxTransformer2DModel"}),
        ("vae", 8, 1, {"_class_name": "AutoencoderKL", "block_out_channels": [128, 256, 512, 512]}),
        ("vae", 8, 4, {"_class_name": "AutoencoderKLWan"}),
        ("vae", 32, 8, {"_class_name": "AutoencoderKLLTXVideo"}),
        ("vae", 8, 6, {"_class_name": "AutoencoderKLMochi"}),
    ],
)
def test_a_network_alone_is_a_pipeline(
    role: str, scale: int, frame_scale: int, config: dict[str, Any]
) -> None:
    """One network makes a pipeline of its own, with its own scales."""
    pipeline = single_network(config, "alone")
    (part,) = pipeline.networks
    assert (role, scale, frame_scale) == (part.role, pipeline.latent_scale, pipeline.frame_scale)


def test_kinds_of_network() -> None:
    """UNets and image autoencoders keep their own records; transformers know what they work on."""
    assert isinstance(read_network({"_class_name": "UNet2DConditionModel"}), UNet)
    assert isinstance(read_network({"_class_name": "AutoencoderKLFlux2"}), Autoencoder)
    wan = read_network({"_class_name": "WanTransformer3DModel"})
    assert isinstance(wan, EnumeratedNetwork)
    assert isinstance(wan.work, TokenWork)
    assert "scale_shift_table" in wan.kept_in_fp32


@pytest.mark.parametrize("name", sorted(NETWORKS))
def test_transformers_store_their_queries_by_role(name: str) -> None:
    """What works on tokens has matrices of queries, by which programs find the model's width."""
    network = read_network({"_class_name": name})
    assert isinstance(network, EnumeratedNetwork)
    if isinstance(network.work, TokenWork):
        assert any(tensor.role == "attention_q" for group in network.groups for tensor in group.tensors)
