"""What a model is: identity, architecture and the inventory of its weights."""

from __future__ import annotations

from genai_hwreq.models._attention import Attention, CrossAttention, LatentAttention
from genai_hwreq.models._autoencoder import Autoencoder
from genai_hwreq.models._compressed_attention import CompressedAttention
from genai_hwreq.models._diffusion import (
    NetworkRole,
    Pipeline,
    PipelineNetwork,
    UnknownNetwork,
    network_inventory,
)
from genai_hwreq.models._enumerated import (
    EnumeratedNetwork,
    FrameMoment,
    FrameWork,
    LatentWork,
    NetworkWork,
    Tile,
    TokenMoment,
    TokenWork,
)
from genai_hwreq.models._feed_forward import Dense, Experts
from genai_hwreq.models._identity import Identity
from genai_hwreq.models._model import HostedModel, SizedModel, SizedNetwork, Tower, TransformerModel
from genai_hwreq.models._state_space import StateSpace
from genai_hwreq.models._tensor import Norm, Tensor
from genai_hwreq.models._transformer import FeedForward, Layer, LayerRun, Mixer, Transformer
from genai_hwreq.models._unet import SpatialTransformer, UNet, UNetLevel
from genai_hwreq.models.inventory import (
    Inventory,
    TensorGroup,
    model_inventory,
    n_active_params,
    transformer_inventory,
)

Model = TransformerModel | Pipeline | SizedModel | HostedModel
"""Anything the catalog can hold."""

__all__ = [
    "Attention",
    "Autoencoder",
    "CompressedAttention",
    "CrossAttention",
    "Dense",
    "EnumeratedNetwork",
    "Experts",
    "FeedForward",
    "FrameMoment",
    "FrameWork",
    "HostedModel",
    "Identity",
    "Inventory",
    "LatentAttention",
    "LatentWork",
    "Layer",
    "LayerRun",
    "Mixer",
    "Model",
    "NetworkRole",
    "NetworkWork",
    "Norm",
    "Pipeline",
    "PipelineNetwork",
    "SizedModel",
    "SizedNetwork",
    "SpatialTransformer",
    "StateSpace",
    "Tensor",
    "TensorGroup",
    "Tile",
    "TokenMoment",
    "TokenWork",
    "Tower",
    "Transformer",
    "TransformerModel",
    "UNet",
    "UNetLevel",
    "UnknownNetwork",
    "model_inventory",
    "n_active_params",
    "network_inventory",
    "transformer_inventory",
]
