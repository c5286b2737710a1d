"""Count the parameters of the real classes of transformers and diffusers, built on the meta device.

Nothing is allocated, so the largest models count in seconds. Tied parameters count once. A configuration with
`model_type` is built by transformers, as the class that its `architectures` names or else the one that generates; one
with `_class_name` by diffusers.

Run: python validation/count_parameters.py config.json unet/config.json --cases counted.jsonl
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import torch
from simulate_allocation import config_of
from writing_cases import case, read_facts, write_cases


def transformers_model(facts: dict[str, Any]) -> torch.nn.Module:
    """Build a model of transformers."""
    import transformers as hf

    config = config_of(facts)
    named = facts.get("architectures")
    if named:
        return getattr(hf, named[0])(config)
    kinds = (
        hf.AutoModelForImageTextToText,
        hf.AutoModelForCausalLM,
        hf.AutoModelForSeq2SeqLM,
        hf.AutoModelForSpeechSeq2Seq,
        hf.AutoModel,
    )
    builder = next(kind for kind in kinds if type(config) in kind._model_mapping)
    return builder.from_config(config)


def diffusers_model(facts: dict[str, Any]) -> torch.nn.Module:
    """Build a network of diffusers."""
    import diffusers

    return getattr(diffusers, facts["_class_name"]).from_config(facts)


def counted(facts: dict[str, Any]) -> dict[str, Any]:
    """Return the case of one configuration."""
    engine = "diffusers" if "_class_name" in facts else "transformers"
    with torch.device("meta"):
        model = diffusers_model(facts) if engine == "diffusers" else transformers_model(facts)
    version = __import__(engine).__version__
    request = {"task": "count", "engine": engine, "engine_version": version}
    title = f"parameter count of the real class, {engine} {version}"
    n_params = sum(parameter.numel() for parameter in model.parameters())
    return case(facts, request, "params", n_params, title, scope="sum")


def main() -> None:
    """Count each configuration."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("configs", nargs="+", help="paths of config.json files, or JSON objects")
    parser.add_argument("--cases", type=Path, help="file to add the cases to; absent: print them")
    args = parser.parse_args()
    write_cases([counted(read_facts(config)) for config in args.configs], args.cases)


if __name__ == "__main__":
    main()
