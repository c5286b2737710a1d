"""Settings and versions of the transformers engine: what each adds, and what is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from attrs import evolve

from genai_hwreq.catalog import get_format
from genai_hwreq.engines import Request
from genai_hwreq.engines._transformers_versions import (
    caches_latent,
    layer_table_component,
    makes_all_logits,
    old_cache_component,
    version_numbers,
)
from genai_hwreq.engines.transformers import Transformers
from genai_hwreq.formats import PlainType, WeightFormat
from genai_hwreq.models import (
    Attention,
    Dense,
    Identity,
    LatentAttention,
    Layer,
    LayerRun,
    StateSpace,
    Tensor,
    Transformer,
    TransformerModel,
)
from genai_hwreq.placement import Placement
from genai_hwreq.workloads import Generation

if TYPE_CHECKING:
    from genai_hwreq.engines import Memory
    from genai_hwreq.models import Mixer

ASKED = Generation(context_tokens=100, batch_size=2)
ATTENTION = Attention(n_heads=4, n_kv_heads=2, head_dim=16)
LATENT = LatentAttention(
    n_heads=4, q_lora_rank=0, kv_lora_rank=16, qk_nope_head_dim=8, qk_rope_head_dim=4, v_head_dim=8
)


def model(mixer: Mixer, model_type: str = "llama") -> TransformerModel:
    """Return a model of three equal layers."""
    layer = Layer(mixers=(mixer,), feed_forward=(Dense(intermediate_dim=128),))
    network = Transformer(
        model_type=model_type,
        hidden_dim=64,
        vocab_size=1000,
        embeddings=(Tensor("embed_tokens.weight", "embedding", (1000, 64)),),
        layers=(LayerRun(layer=layer, n_layers=3),),
    )
    return TransformerModel(identity=Identity(id="x", name="X"), decoder=network, context_tokens=512)


def memory(mixer: Mixer, engine: Transformers | None = None, weight_format: Any = None) -> Memory:
    """Ask the engine for two sequences of 100 tokens."""
    request = Request(model=model(mixer), weight_format=weight_format or get_format("fp16"), workload=ASKED)
    return (engine or Transformers()).memory(request)


def held(found: Memory, kind: Any, phase_name: str = "decode") -> int:
    """Return the bytes of a kind in a phase."""
    phase = found.devices[0].phase(phase_name)
    assert phase is not None
    return phase.bytes_of(kind)


@pytest.mark.parametrize(
    ("numbers", "text"),
    [((4, 51, 3), "4.51.3"), ((4, 38), "~4.38"), ((4, 36), "v4.36.dev0"), ((5, 0), "5.0.0rc1"), ((), "main")],
)
def test_version_numbers(numbers: tuple[int, ...], text: str) -> None:
    """The numbers of a version end at what is no number."""
    assert numbers == version_numbers(text)


def test_what_versions_do() -> None:
    """Since 4.45 the last token's logits, since 5.0 the latent cache, since 4.42 no cache of the step before."""
    assert makes_all_logits((4, 44))
    assert not makes_all_logits((4, 45))
    assert not caches_latent((4, 57))
    assert caches_latent((5, 0))
    assert [part.bytes for part in old_cache_component((4, 41), 100)] == [100]
    assert not old_cache_component((4, 42), 100)
    assert not old_cache_component((4, 41), 0)


def test_tables_of_every_layer() -> None:
    """Old classes keep cosines and sines of the whole context in each layer; Llama's stopped earlier than others."""
    (part,) = layer_table_component((4, 40), model(ATTENTION, "mistral"), 2)
    assert part.bytes == 2 * 512 * 3 * 16 * 2
    assert not layer_table_component((4, 40), model(ATTENTION), 2)
    assert not layer_table_component((4, 45), model(ATTENTION, "mistral"), 2)
    assert not layer_table_component((4, 40), evolve(model(ATTENTION, "unheard-of"), context_tokens=None), 2)


@pytest.mark.parametrize(
    ("kv_cache", "bits"), [(None, 16), ("fp32", 32), ("int8", 8), ("int4", 4), ("int2", 2)]
)
def test_cache_type(kv_cache: str | None, bits: int) -> None:
    """A cache of another type takes its bits: 3 layers, 2 sequences, 100 tokens, 2 heads, keys and values of 16."""
    found = memory(ATTENTION, Transformers(kv_cache=kv_cache))
    assert held(found, "kv_cache") == 3 * 2 * 100 * 2 * 2 * 16 * bits // 8


def test_quantised_cache_leaves_states() -> None:
    """Recurrent states are not quantised with the cache."""
    mixer = StateSpace(kind="mamba", inner_dim=64, state_dim=8, conv_kernel=4)
    plain = held(memory(mixer), "recurrent_state")
    assert plain == 3 * 2 * (64 * 4 * 2 + 64 * 8 * 4)
    assert plain == held(memory(mixer, Transformers(kv_cache="int4")), "recurrent_state")


def test_latent_cache_by_version() -> None:
    """From 5.0 the latent row is cached, before that every head's keys and values."""
    assert held(memory(LATENT), "kv_cache") == 3 * 2 * 100 * (16 + 4) * 2
    old = memory(LATENT, Transformers(version="4.51.3"))
    assert held(old, "kv_cache") == 3 * 2 * 100 * 4 * (8 + 4 + 8) * 2


def test_all_logits() -> None:
    """Logits of the whole prompt are made where they are asked for, or where the version does."""
    last = held(memory(ATTENTION, Transformers(logits="last")), "logits", "prefill")
    every = held(memory(ATTENTION, Transformers(logits="all")), "logits", "prefill")
    copied = held(memory(ATTENTION, Transformers(version="4.40.0")), "logits", "prefill")
    assert last <= 4096
    assert every == pytest.approx(2 * 99 * 1000 * 2, abs=512)
    assert copied == pytest.approx(2 * 99 * 1000 * 6, abs=1024)


def test_workspace() -> None:
    """The workspace of cuBLAS is counted where the device is known."""
    assert held(memory(ATTENTION), "compute_buffer") == 0
    found = memory(ATTENTION, Transformers(compute_capability="9.0"))
    assert held(found, "compute_buffer") == 32 * 2**20


def test_computes_in_16_bit_at_least() -> None:
    """However narrow the weights, activations and caches are 16 bit wide."""
    narrow = WeightFormat(id="x", name="X", matrices=PlainType("int4", 4), rest=PlainType("int4", 4))
    assert held(memory(ATTENTION), "kv_cache") == held(memory(ATTENTION, None, narrow), "kv_cache")


@pytest.mark.parametrize(
    ("changes", "engine", "reason"),
    [
        ({"weight_format": get_format("q4-k-m")}, Transformers(), "is a GGUF file type"),
        ({"weight_format": get_format("exl2-4bpw")}, Transformers(), "runs on exllamav2"),
        ({}, Transformers(kv_cache="fp7"), "a 'fp7' cache is not one of fp32, fp16"),
        ({"placement": Placement(offload="model")}, Transformers(), "offload 'model' of a language model"),
    ],
)
def test_refused(changes: dict[str, Any], engine: Transformers, reason: str) -> None:
    """What the engine cannot do it says, with what to do instead."""
    request = Request(model=model(ATTENTION), weight_format=get_format("fp16"), workload=ASKED)
    assert reason in str(engine.refuses(evolve(request, **changes)))


def test_fp8_checkpoints_hold_a_tied_head_apart() -> None:
    """Before version 5 an FP8 checkpoint of a tied model keeps its head beside the embedding; other formats do not."""
    old = Transformers(version="4.51.3")
    fp8, plain = get_format("fp8"), get_format("bf16")
    loose = 1000 * 64 * 2
    assert loose == weights_in(memory(ATTENTION, old, fp8)) - weights_in(memory(ATTENTION, None, fp8))
    assert weights_in(memory(ATTENTION, old, plain)) == weights_in(memory(ATTENTION, None, plain))


def weights_in(found: Memory) -> int:
    """Return the bytes of the weights."""
    return held(found, "weights")
