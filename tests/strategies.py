"""Hypothesis strategies for the records of this library, shared by all tests."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

from genai_hwreq.engines._transformers_classes import _CLASSES
from genai_hwreq.estimates import Assumption, Component, DeviceMemory, Estimate, Phase
from genai_hwreq.formats import (
    BlockType,
    Format,
    GroupType,
    MeanType,
    PlainType,
    RecipeFormat,
    Storage as WeightStorage,
    WeightFormat,
)
from genai_hwreq.hardware import (
    Accelerator,
    CloudOffer,
    Cpu,
    InstalledAccelerator,
    Machine,
    MemoryOption,
    Storage,
    Tier,
)
from genai_hwreq.models import (
    Attention,
    CompressedAttention,
    CrossAttention,
    Dense,
    Experts,
    FeedForward,
    HostedModel,
    Identity,
    LatentAttention,
    Layer,
    LayerRun,
    Mixer,
    Norm,
    SizedModel,
    SizedNetwork,
    StateSpace,
    Tensor,
    Tower,
    Transformer,
    TransformerModel,
)
from genai_hwreq.provenance import Source
from genai_hwreq.ranges import ByteRange
from genai_hwreq.workloads import Generation

if TYPE_CHECKING:
    from genai_hwreq.engines.transformers import Transformers

# --- provenance, ranges -------------------------------------------------------------------------------

words = st.text("abcdefgh XYZ-.0123456789é", min_size=1, max_size=12)
slugs = st.from_regex(r"[a-z0-9]{1,6}(-[a-z0-9]{1,4}){0,2}", fullmatch=True)
sizes = st.integers(2**20, 2**42)
days = st.dates(date(2015, 1, 1), date(2030, 12, 31))
months = st.dates(date(2015, 1, 1), date(2030, 12, 31)).map(lambda day: f"{day:%Y-%m}")
confidences = st.sampled_from(["high", "medium", "low"])


def maybe(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Draw a value, or `None` for what is not known."""
    return st.none() | strategy


def sources() -> st.SearchStrategy[Source]:
    """Draw sources with and without link and note."""
    return st.builds(Source, title=words, as_of=days, url=maybe(words), note=maybe(words))


some_sources = st.lists(sources(), min_size=1, max_size=2).map(tuple)
some_words = st.lists(words, max_size=2).map(tuple)
some_slugs = st.lists(slugs, max_size=2).map(tuple)


def byte_ranges() -> st.SearchStrategy[ByteRange]:
    """Draw intervals of bytes, bounds in order."""
    return st.lists(st.integers(0, 2**42), min_size=3, max_size=3).map(
        lambda three: ByteRange(*sorted(three))
    )


# --- hardware -----------------------------------------------------------------------------------------


def accelerators() -> st.SearchStrategy[Accelerator]:
    """Draw accelerators of every segment, with a report never above the nominal size."""
    fractions = st.floats(0.1, 1)
    options = st.builds(MemoryOption, memory_bytes=sizes, gpu_limit_fraction=fractions)

    def build(memory_bytes: int) -> st.SearchStrategy[Accelerator]:
        return st.builds(
            Accelerator,
            id=slugs,
            name=words,
            vendor=st.sampled_from(["nvidia", "amd", "intel", "apple"]),
            segment=st.sampled_from(
                ["desktop", "laptop", "workstation", "datacenter", "embedded", "unified"]
            ),
            architecture=words,
            memory_bytes=st.just(memory_bytes),
            memory_type=st.sampled_from(["GDDR6", "HBM3", "LPDDR5X"]),
            reported_memory_bytes=maybe(st.integers(1, memory_bytes)),
            unified=st.booleans(),
            gpu_limit_fraction=maybe(fractions),
            memory_options=st.lists(options, max_size=2).map(tuple),
            bandwidth_bytes_per_s=maybe(sizes),
            fp16_flop_per_s=maybe(sizes),
            tdp_watts=maybe(st.integers(1, 2000)),
            released_on=maybe(months),
            aliases=some_slugs,
            confidence=confidences,
            sources=some_sources,
            notes=some_words,
        )

    return sizes.flatmap(build)


def cpus() -> st.SearchStrategy[Cpu]:
    """Draw processors with as many threads as cores, or twice as many."""

    def build(n_cores: int) -> st.SearchStrategy[Cpu]:
        return st.builds(
            Cpu,
            id=slugs,
            name=words,
            vendor=words,
            segment=st.sampled_from(["desktop", "laptop", "workstation", "server"]),
            architecture=words,
            n_cores=st.just(n_cores),
            n_threads=st.sampled_from([n_cores, 2 * n_cores]),
            n_performance_cores=maybe(st.just(n_cores)),
            n_memory_channels=st.integers(1, 12),
            memory_types=st.lists(words, min_size=1, max_size=2).map(tuple),
            max_memory_bytes=sizes,
            bandwidth_bytes_per_s=sizes,
            instruction_sets=st.sampled_from([(), ("avx2",), ("avx2", "avx512")]),
            tdp_watts=maybe(st.integers(1, 500)),
            released_on=maybe(months),
            confidence=confidences,
            sources=some_sources,
        )

    return st.integers(1, 256).flatmap(build)


def machines() -> st.SearchStrategy[Machine]:
    """Draw machines, owned and rented, with much or little known about them."""
    installed = st.builds(
        InstalledAccelerator,
        accelerator_id=slugs,
        memory_bytes=sizes,
        n_devices=st.integers(1, 16),
        device_fraction=st.sampled_from([1.0, 0.5]),
    )
    offers = st.builds(
        CloudOffer,
        provider=words,
        instance_type=words,
        price_usd_per_hour=maybe(st.floats(0.1, 200)),
        price_as_of=maybe(months),
    )
    return st.builds(
        Machine,
        id=slugs,
        name=words,
        accelerators=st.lists(installed, max_size=2).map(tuple),
        unified=st.booleans(),
        cpu=maybe(cpus()),
        n_cpu_cores=maybe(st.integers(1, 256)),
        n_vcpus=maybe(st.integers(1, 512)),
        ram_bytes=maybe(sizes),
        storage=maybe(drives()),
        offer=maybe(offers),
        aliases=some_slugs,
        confidence=confidences,
        sources=some_sources,
    )


def drives() -> st.SearchStrategy[Storage]:
    """Draw drives of every kind."""
    return st.builds(Storage, kind=st.sampled_from(["hdd", "sata-ssd", "nvme"]), capacity_bytes=sizes)


def tiers() -> st.SearchStrategy[Tier]:
    """Draw classes of machines."""
    return st.builds(
        Tier,
        id=slugs,
        name=words,
        n_cpu_cores=st.integers(1, 64),
        ram_bytes=sizes,
        vram_bytes=sizes,
        storage_kind=st.sampled_from(["hdd", "sata-ssd", "nvme"]),
        storage_bytes=sizes,
        ideal_vram_bytes=maybe(sizes),
        example_cpus=some_slugs,
        sources=some_sources,
    )


# --- cheap words, where words do not matter -----------------------------------------------------------

ids = st.sampled_from(["a", "b-1", "c-2-x"])
labels = st.sampled_from(["Alpha", "B|é <1>", "c 3.5"])
READ = Source(title="a paper", as_of=date(2026, 1, 2), url="https://example.org")

# --- weight formats -----------------------------------------------------------------------------------

type_names = st.sampled_from(["int4", "int8", "q4-k", "exl3 2.5", "fp16", "16-bit"])


def storages() -> st.SearchStrategy[WeightStorage]:
    """Draw ways to store a tensor, of every kind."""
    bits = st.sampled_from([2, 3, 4, 8, 16, 32])
    plain = st.builds(PlainType, type_names, bits)
    blocks = st.builds(
        BlockType, name=type_names, block_elements=st.sampled_from([32, 256]), block_bytes=st.integers(8, 300)
    )
    groups = st.builds(
        GroupType,
        name=type_names,
        code_bits=st.integers(2, 8),
        group_elements=st.sampled_from([0, 32, 128]),
        scale_bits=st.sampled_from([0, 8, 16, 32]),
        zero_bits=st.sampled_from([0, 4]),
        super_group_elements=st.sampled_from([0, 256]),
        super_scale_bits=st.sampled_from([8, 32]),
        row_index_bits=st.sampled_from([0, 32]),
        tensor_bytes=st.sampled_from([0, 1000]),
    )
    return plain | blocks | groups | st.builds(MeanType, name=type_names, milli_bits=st.integers(1500, 8500))


def weight_formats() -> st.SearchStrategy[WeightFormat]:
    """Draw weight formats, with storages that may bear one name."""
    return st.builds(
        WeightFormat,
        id=ids,
        name=labels,
        aliases=st.sampled_from([(), ("same",)]),
        matrices=storages(),
        experts=storages(),
        embedding=storages(),
        head=storages(),
        rest=st.sampled_from([PlainType("fp16", 16), PlainType("fp32", 32)]) | storages(),
        compute_capability=maybe(st.just("8.0")),
        confidence=confidences,
        note=maybe(labels),
        sources=st.sampled_from([(), (READ,)]),
    )


def recipe_formats() -> st.SearchStrategy[RecipeFormat]:
    """Draw GGUF file types."""
    return st.builds(
        RecipeFormat,
        id=slugs,
        name=words,
        aliases=some_slugs,
        recipe=st.sampled_from(["Q4_K_M", "Q8_0", "IQ2_XS"]),
        typical_milli_bits=st.integers(1500, 16_000),
        engines=some_slugs,
        confidence=confidences,
        note=maybe(words),
        sources=some_sources,
    )


def formats() -> st.SearchStrategy[Format]:
    """Draw anything that `precision=` takes as a record."""
    return weight_formats() | recipe_formats()


# --- models -------------------------------------------------------------------------------------------

model_types = st.sampled_from([*sorted(_CLASSES), "unheard-of"])
few = st.integers(1, 4)
widths = st.sampled_from([8, 24, 64, 128])
flags = st.booleans()
windows = maybe(st.integers(1, 96))


def norms(dim: int) -> st.SearchStrategy[tuple[Norm, ...]]:
    """Draw up to two normalisations of a width."""
    norm = st.builds(
        Norm,
        name=st.sampled_from(["input_layernorm", "q_norm"]),
        dim=st.just(dim),
        kind=st.sampled_from(["rms", "layer"]),
        weight=flags,
        bias=flags,
    )
    return st.lists(norm, max_size=2).map(tuple)


@st.composite
def attentions(draw: st.DrawFn) -> Attention:
    """Draw softmax attention: multi-head, grouped or multi-query, with and without window, gate and indexer."""
    kv_heads, head_dim = draw(few), draw(widths)
    index_heads = draw(st.sampled_from([0, 0, 2]))
    return Attention(
        n_heads=kv_heads * draw(few),
        n_kv_heads=kv_heads,
        head_dim=head_dim,
        value_head_dim=draw(st.just(head_dim) | widths),
        query_bias=draw(flags),
        key_bias=draw(flags),
        value_bias=draw(flags),
        output_bias=draw(flags),
        fused=draw(flags),
        norms=draw(norms(head_dim)),
        window_tokens=draw(windows),
        window_kind=draw(st.sampled_from(["sliding", "chunked"])),
        sinks=draw(flags),
        gate=draw(st.sampled_from(["none", "element", "element_apart", "head"])),
        value_is_key=draw(flags),
        cache=draw(st.sampled_from(["own", "own", "shared"])),
        n_index_heads=index_heads,
        index_head_dim=draw(widths) if index_heads else 0,
        input_dim=draw(maybe(widths)),
        stored=draw(st.sampled_from([True, True, False])),
    )


@st.composite
def latent_attentions(draw: st.DrawFn) -> LatentAttention:
    """Draw latent attention, with an indexer where queries are compressed too."""
    rank = draw(st.sampled_from([0, 16, 48]))
    index_heads = draw(st.sampled_from([0, 2])) if rank else 0
    return LatentAttention(
        n_heads=draw(few),
        q_lora_rank=rank,
        kv_lora_rank=draw(widths),
        qk_nope_head_dim=draw(widths),
        qk_rope_head_dim=draw(widths),
        v_head_dim=draw(widths),
        has_bias=draw(flags),
        n_index_heads=index_heads,
        index_head_dim=draw(widths) if index_heads else 0,
        index_shared=draw(flags),
    )


@st.composite
def compressed_attentions(draw: st.DrawFn) -> CompressedAttention:
    """Draw attention with merged rows of earlier tokens."""
    stretch = draw(st.sampled_from([0, 4, 32]))
    index_heads = draw(st.sampled_from([0, 2])) if stretch else 0
    groups = draw(few)
    return CompressedAttention(
        n_heads=groups * draw(few),
        head_dim=draw(widths),
        q_lora_rank=draw(widths),
        n_output_groups=groups,
        output_lora_rank=draw(widths),
        window_tokens=draw(st.integers(1, 96)),
        compress_tokens=stretch,
        overlapping=draw(flags),
        n_index_heads=index_heads,
        index_head_dim=draw(widths) if index_heads else 0,
    )


def cross_attentions() -> st.SearchStrategy[CrossAttention]:
    """Draw attention to another network's output."""
    return st.builds(
        CrossAttention,
        n_heads=few,
        n_kv_heads=few,
        head_dim=widths,
        source_dim=widths,
        query_bias=flags,
        key_bias=flags,
        output_bias=flags,
        norms=norms(8),
    )


def state_spaces() -> st.SearchStrategy[StateSpace]:
    """Draw recurrences of every kind."""
    weight = st.builds(
        Tensor, st.just("in_proj.weight"), st.sampled_from(["projection", "state"]), st.tuples(few, widths)
    )
    return st.builds(
        StateSpace,
        kind=st.sampled_from(
            [
                "mamba",
                "mamba2",
                "gated_delta_net",
                "kimi_delta_attention",
                "lightning_attention",
                "mlstm",
                "rg_lru",
                "rwkv",
                "short_convolution",
            ]
        ),
        inner_dim=widths,
        n_heads=few,
        n_groups=st.integers(0, 2),
        state_dim=st.sampled_from([0, 16]),
        conv_kernel=st.sampled_from([1, 4]),
        shift_elements=st.sampled_from([0, 8]),
        weights=st.lists(weight, min_size=1, max_size=2).map(tuple),
    )


def mixers() -> st.SearchStrategy[Mixer]:
    """Draw a mixer of any kind."""
    return attentions() | latent_attentions() | compressed_attentions() | cross_attentions() | state_spaces()


def dense_networks() -> st.SearchStrategy[Dense]:
    """Draw feed-forward networks that every token passes."""
    return st.builds(
        Dense,
        intermediate_dim=widths,
        gated=flags,
        up_bias=flags,
        down_bias=flags,
        fused=flags,
        stored=flags,
    )


@st.composite
def mixtures(draw: st.DrawFn) -> Experts:
    """Draw mixtures of experts."""
    n_experts = draw(st.integers(1, 8))
    return Experts(
        n_experts=n_experts,
        n_experts_per_token=draw(st.integers(1, n_experts)),
        intermediate_dim=draw(widths),
        gated=draw(flags),
        has_bias=draw(flags),
        fused=draw(flags),
        router_bias=draw(flags),
        n_zero_experts=draw(st.integers(0, 2)),
        shared_dim=draw(st.just(0) | widths),
        shared_bias=draw(flags),
        shared_gate=draw(flags),
        latent_dim=draw(st.just(0) | widths),
    )


def feed_forwards() -> st.SearchStrategy[FeedForward]:
    """Draw a feed-forward network of any kind."""
    return dense_networks() | mixtures()


def layers(mixer: st.SearchStrategy[Mixer]) -> st.SearchStrategy[Layer]:
    """Draw layers with these mixers, one or two side by side, that store at least one vector."""
    return st.builds(
        Layer,
        mixers=st.lists(mixer, max_size=2).map(tuple),
        feed_forward=st.lists(feed_forwards(), max_size=2).map(tuple),
        norms=st.just((Norm(name="input_layernorm", dim=8),)),
        residual=st.sampled_from(["sequential", "parallel"]),
        extra=st.sampled_from([(), (Tensor("spare.weight", "expert_up", (2, 8, 8)),)]),
    )


@st.composite
def transformers(draw: st.DrawFn, mixer: st.SearchStrategy[Mixer] | None = None) -> Transformer:
    """Draw small networks of any known or unknown class; with `mixer`, of these mixers alone."""
    dim, vocab = draw(widths), draw(st.sampled_from([0, 100, 1000]))
    run = st.builds(LayerRun, layer=layers(mixers() if mixer is None else mixer), n_layers=few)
    head = (Tensor("lm_head.weight", "head", (vocab, dim)),) if vocab and draw(flags) else ()
    return Transformer(
        model_type=draw(model_types),
        hidden_dim=dim,
        vocab_size=vocab,
        embeddings=(Tensor("embed_tokens.weight", "embedding", (max(1, vocab), dim)),),
        layers=draw(st.lists(run, min_size=1, max_size=2).map(tuple)),
        closing=(Tensor("norm.weight", "norm", (dim,)),),
        head=head,
    )


def identities() -> st.SearchStrategy[Identity]:
    """Draw identities of models, well or badly known."""
    return st.builds(
        Identity,
        id=slugs,
        name=words,
        developer=words,
        family=words,
        hub_id=maybe(words),
        aliases=some_slugs,
        modality=st.sampled_from(["text", "text+image", "image"]),
        tasks=some_words,
        released_on=maybe(months),
        availability=st.sampled_from(["open", "gated"]),
        licence=maybe(words),
        confidence=confidences,
        note=maybe(words),
        sources=some_sources,
    )


def transformer_models(
    mixer: st.SearchStrategy[Mixer] | None = None,
) -> st.SearchStrategy[TransformerModel]:
    """Draw models of one decoder, with and without a tower."""
    tower = st.builds(
        Tower,
        role=st.sampled_from(["vision", "audio", "prediction"]),
        network=transformers(mixer),
        stream_tokens=maybe(few),
        output_tokens=maybe(few),
    )
    return st.builds(
        TransformerModel,
        identity=st.builds(Identity, id=ids, name=labels, confidence=confidences),
        decoder=transformers(mixer),
        towers=st.lists(tower, max_size=1).map(tuple),
        native_format=st.sampled_from(["bf16", "fp32"]),
        context_tokens=maybe(st.integers(1, 128)),
    )


def sized_models() -> st.SearchStrategy[SizedModel]:
    """Draw models of which only the sizes are known."""
    network = st.builds(SizedNetwork, role=words, name=words, n_params=st.integers(1, 10**12))
    networks = st.lists(network, min_size=1, max_size=2).map(tuple)
    return st.builds(SizedModel, identity=identities(), networks=networks)


def hosted_models() -> st.SearchStrategy[HostedModel]:
    """Draw models reached by an API only."""
    return st.builds(HostedModel, identity=identities())


# --- workloads, engines -------------------------------------------------------------------------------


@st.composite
def generations(draw: st.DrawFn, max_tokens: int = 160) -> Generation:
    """Draw small text generations."""
    context = draw(st.integers(1, max_tokens))
    return Generation(
        context_tokens=context,
        new_tokens=draw(st.integers(0, context)),
        batch_size=draw(few),
        padded=draw(flags),
    )


def engines() -> st.SearchStrategy[Transformers]:
    """Draw settings of the transformers engine, old and new versions."""
    from genai_hwreq.engines.transformers import Transformers  # noqa: PLC0415  (only its own tests need it)

    return st.builds(
        Transformers,
        version=st.sampled_from(["4.30.0", "4.37.2", "4.44.0", "4.51.3", "5.23.0"]),
        attn_implementation=st.sampled_from(["eager", "sdpa", "flash_attention_2"]),
        logits=maybe(st.sampled_from(["last", "all"])),
        kv_cache=maybe(st.sampled_from(["fp32", "fp16", "fp8", "int8", "int4", "int2"])),
        compute_capability=maybe(st.sampled_from(["7.5", "8.0", "9.0"])),
    )


# --- estimates ----------------------------------------------------------------------------------------


@st.composite
def components(draw: st.DrawFn) -> Component:
    """Draw components whose formula is a sum of two inputs."""
    left, right = draw(st.integers(0, 2**40)), draw(st.integers(0, 2**40))
    size = left + right
    return Component(
        draw(st.sampled_from(["weights", "kv_cache", "activations", "fragmentation", "runtime"])),
        draw(labels),
        size,
        "left + right",
        (("left", left), ("right", right)),
        draw(st.sampled_from(["exact", "modelled", "fitted", "assumed"])),
        draw(st.sampled_from([None, READ])),
        draw(st.sampled_from([None, ByteRange(size // 2, size, 2 * size)])),
    )


def device_memories(name: str = "gpu:0") -> st.SearchStrategy[DeviceMemory]:
    """Draw devices with one or two phases."""
    some_components = st.lists(components(), min_size=1, max_size=3).map(tuple)
    phase = st.builds(Phase, name=st.sampled_from(["load", "prefill", "decode"]), components=some_components)
    phases = st.lists(phase, min_size=1, max_size=2).map(tuple)
    return st.builds(DeviceMemory, name=st.just(name), phases=phases)


def estimates() -> st.SearchStrategy[Estimate]:
    """Draw estimates on one or two devices."""
    assumption = st.builds(Assumption, code=ids, text=labels)
    return st.builds(
        Estimate,
        model=ids,
        engine=labels,
        precision=ids,
        devices=st.lists(device_memories(), min_size=1, max_size=2).map(tuple),
        host=device_memories("host"),
        disk=st.lists(components(), max_size=2).map(tuple),
        assumptions=st.lists(assumption, max_size=2).map(tuple),
    )
