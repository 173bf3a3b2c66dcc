"""Which Run captures a model: by its model_type."""
from reference_llama import LlamaRun
from reference_run import Run

RUNS = {"gpt2": Run, "llama": LlamaRun}


def make_run(model, *args, **kwargs):
    return RUNS[model.config.model_type](model, *args, **kwargs)
