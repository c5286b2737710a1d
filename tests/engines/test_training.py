"""What a training step needs: worked examples with their arithmetic."""

from __future__ import annotations

import pytest
from attrs import evolve

import genai_hwreq as hw
from genai_hwreq.catalog import get_format, get_model
from genai_hwreq.engines import Request, get_engine
from genai_hwreq.engines._trainer import Trainer
from genai_hwreq.engines.torchtune import TorchTune
from genai_hwreq.errors import QuantityError
from genai_hwreq.estimation import estimate_vram
from genai_hwreq.models import Attention, TransformerModel, model_inventory
from genai_hwreq.placement import Placement, Sharding
from genai_hwreq.training import Full, Lora, Training
from training_requests import (
    HIDDEN,
    INNER,
    LAYERS,
    SMALL,
    TOKENS,
    VOCAB,
    answer,
    answer_for,
    peak,
    phase,
    states,
)


def test_pure_sixteen_bit_adamw_rests_on_eight_bytes_a_parameter() -> None:
    """Weights 2, gradients 2, two moments 2 each; every tensor is a multiple of 512 bytes here or padded to one."""
    memory = answer(Training(method=Full(), optimizer="adamw-fused", sequence_tokens=TOKENS))
    count = model_inventory(SMALL).n_params
    step = phase(memory, "optimizer_step")
    padding = 64 * 512 * (1 + 1 + 2)
    assert 2 * count <= step.bytes_of("weights") <= 2 * count + padding
    assert 2 * count <= step.bytes_of("gradients") <= 2 * count + padding
    assert 4 * count <= step.bytes_of("optimizer") <= 4 * count + padding


def test_a_step_over_all_tensors_at_once_holds_one_more_copy_of_the_weights() -> None:
    """`foreach` AdamW makes a temporary as large as all weights; the fused one none."""
    plain = answer(Training(method=Full(), optimizer="adamw", sequence_tokens=TOKENS))
    fused = answer(Training(method=Full(), optimizer="adamw-fused", sequence_tokens=TOKENS))
    weights = phase(plain, "load").bytes_of("weights")
    assert weights == phase(plain, "optimizer_step").bytes_of("activations")
    assert 0 == phase(fused, "optimizer_step").bytes_of("activations")


def test_a_layer_keeps_the_tensors_that_its_way_back_needs() -> None:
    """Pure 16 bit, each token: two norms of 8d + 4, q and output of 4q, k and v of 4k, four of 2ff, 4 bytes a head."""
    memory = answer(Training(method=Full(), sequence_tokens=TOKENS, gradient_checkpointing="none"))
    query, key = 64, 32
    layer = 2 * (8 * HIDDEN + 4) + 4 * query + 4 * key + 8 * INNER + 4 * 4
    kept = sum(part.bytes for part in phase(memory, "forward").components if part.kind == "activations")
    assert LAYERS * TOKENS * layer == kept


def test_checkpointing_keeps_a_layer_s_input_only() -> None:
    """Two bytes for each element of the stream, each layer."""
    memory = answer(Training(method=Full(), sequence_tokens=TOKENS, gradient_checkpointing="full"))
    kept = sum(part.bytes for part in phase(memory, "forward").components if part.kind == "activations")
    assert LAYERS * TOKENS * 2 * HIDDEN == kept


def test_logits_of_a_plain_loop_are_held_beside_their_log_probabilities_and_two_gradients() -> None:
    """2 V held, 4 V kept, 4 V and 4 V flowing back: 14 bytes a word; 8d + 4 of the closing norm beside them."""
    memory = answer(Training(method=Full(), sequence_tokens=512, gradient_checkpointing="full"))
    logits = phase(memory, "backward").bytes_of("logits")
    assert 512 * (14 * VOCAB + 8 * HIDDEN + 4) == logits


def test_adapters_of_all_linears() -> None:
    """Rank 8: (64 + 64) q and o, (64 + 32) k and v, (64 + 160) gate, up, down; each layer."""
    memory = answer(Training(method=Lora(rank=8), optimizer="adamw-fused", sequence_tokens=TOKENS))
    count = LAYERS * 8 * (2 * (64 + 64) + 2 * (64 + 32) + 3 * (64 + 160))
    adapters = next(part for part in phase(memory, "load").components if part.name == "adapters")
    assert count == dict(adapters.inputs)["trained_params"]
    assert 4 * count <= adapters.bytes


def test_a_fused_projection_takes_adapters_for_its_parts() -> None:
    """Naming q and v of one stored matrix adapts two thirds of its rows."""
    attention = Attention(n_heads=4, n_kv_heads=4, head_dim=16, fused=True)
    run = SMALL.decoder.layers[0]
    layer = evolve(run.layer, mixers=(attention,))
    model = evolve(SMALL, decoder=evolve(SMALL.decoder, layers=(evolve(run, layer=layer),)))
    memory = answer_for(
        model, Training(method=Lora(rank=8, targets=("q_proj", "v_proj"))), "pytorch", get_format("bf16")
    )
    adapters = next(part for part in phase(memory, "load").components if part.name == "adapters")
    assert LAYERS * 8 * (64 + 128) == dict(adapters.inputs)["trained_params"]


def test_the_one_liner_of_the_design() -> None:
    """QLoRA of an 8B model, 4096 tokens: weights of 4 bits, a peak that names its phase, a range around it."""
    training = Training(method="qlora", sequence_tokens=4096, lora_rank=16)
    estimate = hw.estimate_vram("llama-3.1-8b", training, engine="trl")
    assert "bnb-nf4" == estimate.precision
    assert 8 * 2**30 < estimate.vram_bytes < 24 * 2**30
    assert estimate.vram_range.low <= estimate.vram_bytes <= estimate.vram_range.high
    assert "quantized-base" in {assumption.code for assumption in estimate.assumptions}


def test_training_runs_on_trl_unless_said_otherwise() -> None:
    """The usual engine of a training workload is TRL."""
    assert "trl" == hw.estimate_vram("llama-2-7b", Training()).engine


def test_deepspeed_keeps_a_master_copy() -> None:
    """16-bit weights, and twelve bytes of 32-bit copy and moments for each."""
    memory = answer(Training(method=Full(), sequence_tokens=TOKENS), "deepspeed")
    count = model_inventory(SMALL).n_params
    assert 12 * count <= phase(memory, "optimizer_step").bytes_of("optimizer")


def test_trainer_upcasts_what_is_not_quantised() -> None:
    """Preparing a k-bit model copies embeddings, head and norms to 32 bit; frameworks that skip it keep 16."""
    training = Training(method=Lora(rank=8, quantized_base=True), sequence_tokens=TOKENS)
    request = Request(model=SMALL, weight_format=get_format("bnb-nf4"), workload=training)
    prepared = Trainer().memory(request).devices[0].phases[0].bytes_of("weights")
    plain = answer(training, "fms-acceleration", "bnb-nf4").devices[0].phases[0].bytes_of("weights")
    wide = 2 * VOCAB * HIDDEN
    assert 2 * wide <= prepared - plain <= 2 * wide + 2 * 512 * 20


def test_torchtune_quantises_only_what_carries_an_adapter() -> None:
    """Fewer targets mean more memory at load."""
    few, many = (
        phase(
            answer(Training(method=Lora(rank=4, targets=targets)), "torchtune", "bnb-nf4"), "load"
        ).bytes_of("weights")
        for targets in (("q_proj",), ("all-linear",))
    )
    assert few > many


def test_torchtune_made_whole_losses_before_it_made_them_in_pieces() -> None:
    """Version 0.2 needs more for the loss than 0.6."""
    request = Request(
        model=SMALL, weight_format=get_format("bf16"), workload=Training(method=Full(), sequence_tokens=2048)
    )
    old, new = (TorchTune(version=version).memory(request) for version in ("0.2", "0.6"))
    assert phase(old, "backward").bytes_of("logits") > phase(new, "backward").bytes_of("logits")


# Refusals


def test_a_framework_refuses_what_is_no_training() -> None:
    """Generation is not training."""
    request = Request(model=SMALL, weight_format=get_format("bf16"), workload=hw.Generation())
    assert "not training" in str(get_engine("trl").refuses(request))


def test_a_framework_refuses_gguf() -> None:
    """GGUF file types are not trained."""
    request = Request(model=SMALL, weight_format=get_format("q4_k_m"), workload=Training())
    assert "GGUF" in str(get_engine("trl").refuses(request))


def test_a_framework_refuses_what_is_no_transformer() -> None:
    """An image pipeline is not a language model."""
    request = Request(
        model=get_model("stable-diffusion-2.1"), weight_format=get_format("fp16"), workload=Training()
    )
    assert "transformer" in str(get_engine("trl").refuses(request))


@pytest.mark.parametrize(
    ("setting", "value"), [("method", "prefix"), ("optimizer", "sgdd"), ("precision", "fp4"), ("loss", "mse")]
)
def test_an_unknown_word_is_refused_with_those_that_are_known(setting: str, value: str) -> None:
    """The message names the value and what is expected."""
    with pytest.raises(QuantityError, match=f"{value!r}; expected"):
        Training(**{setting: value})  # type: ignore[arg-type]


def test_offloaded_activations_leave_the_layer_at_work() -> None:
    """Nothing is kept on the device between the passes."""
    memory = answer(Training(method=Full(), sequence_tokens=TOKENS, activation_offload=True))
    assert 0 == phase(memory, "forward").bytes_of("activations")


def test_updating_in_the_backward_pass_keeps_no_gradients_and_no_temporaries() -> None:
    """Each gradient is used up as it is made."""
    memory = answer(Training(method=Full(), sequence_tokens=TOKENS, optimizer_in_backward=True))
    assert 0 == phase(memory, "optimizer_step").bytes_of("gradients", "activations")


def test_a_compiled_loss_in_pieces_needs_less() -> None:
    """One kernel writes each piece's gradient where its logits were."""
    plain, compiled = (
        phase(
            answer(Training(method=Full(), sequence_tokens=2048, loss="chunked", compiled=compiled)),
            "backward",
        ).bytes_of("logits")
        for compiled in (False, True)
    )
    assert compiled < plain


def test_offloaded_weights_leave_the_gathered_units() -> None:
    """Shares wait in host memory; what is gathered is on the device."""
    sharding = Sharding(stage="fsdp", offload="optimizer+params")
    memory = answer(Training(method=Full()), "fsdp", placement=Placement(n_devices=2, sharding=sharding))
    assert 0 == phase(memory, "load").bytes_of("weights")
    assert 0 < phase(memory, "backward").bytes_of("weights")


def test_deepspeed_takes_bf16_as_bf16_with_a_master_copy() -> None:
    """It knows no other bf16."""
    stated, usual = (
        answer(Training(method=Full(), precision=precision), "deepspeed") for precision in ("bf16", None)
    )
    assert states(stated) == states(usual)


def test_experts_are_shared_by_expert_parallel() -> None:
    """Eight devices hold an eighth of the experts each, and all of the rest."""
    model = get_model("mixtral-8x7b")
    assert isinstance(model, TransformerModel)
    whole, spread = (
        phase(
            answer_for(
                model, Training(method=Full()), "megatron", get_format("bf16"),
                Placement(n_devices=8, sharding=Sharding(expert_parallel=degree)),
            ), "load",
        ).bytes_of("weights")
        for degree in (1, 8)
    )  # fmt: skip
    assert whole // 8 < spread < whole // 4


@pytest.mark.parametrize("name", ["deepseek-v3", "qwen3-next-80b-a3b-instruct"])
def test_compressed_queries_and_gated_attention_keep_their_tensors(name: str) -> None:
    """Models with further projections are answered."""
    model = get_model(name)
    assert isinstance(model, TransformerModel)
    memory = answer_for(model, Training(method=Full(), sequence_tokens=128), "pytorch", get_format("bf16"))
    assert peak(memory) > 8 * model_inventory(model).n_params


def test_eager_attention_in_16_bit_keeps_scores_twice() -> None:
    """The softmax is taken in 32 bit and kept, and kept again in 16: more than a 32-bit run keeps."""
    wide, narrow = (
        phase(
            answer(
                Training(method=Full(), attention="eager", precision=precision, sequence_tokens=512),
                precision=precision,
            ),
            "forward",
        ).bytes_of("activations")
        for precision in ("fp32", "bf16")
    )
    assert wide < narrow


def test_preference_training_holds_a_reference_and_two_answers() -> None:
    """A full run keeps a frozen copy of the model, one with adapters none; both pass two answers a sample."""
    plain, paired = (
        answer(Training(method=Full(with_reference=paired), sequence_tokens=TOKENS))
        for paired in (False, True)
    )
    assert 2 * phase(plain, "load").bytes_of("weights") == phase(paired, "load").bytes_of("weights")
    assert 2 * phase(plain, "forward").bytes_of("activations") == phase(paired, "forward").bytes_of(
        "activations"
    )
    adapters = Training(method=Lora(rank=4, with_reference=True), sequence_tokens=TOKENS)
    assert phase(answer(adapters), "load").bytes_of("weights") < phase(paired, "load").bytes_of("weights")


@pytest.mark.parametrize(
    ("model", "engine"), [("llama-3.2-1b", "transformers"), ("stable-diffusion-1.5", "diffusers")]
)
def test_generating_engines_train_too(model: str, engine: str) -> None:
    """The record that generates also fine-tunes, by the library's own trainer; what it cannot train it refuses."""
    tuned = estimate_vram(model, Training(method="lora", lora_rank=8), engine=engine)
    assert tuned.engine == engine
    assert {"forward", "backward", "optimizer_step"} <= {phase.name for phase in tuned.phases}
