"""One program of bench/peers.py, kept alive: loads a model once, then answers requests, a line each on standard input.

    python bench/peer_worker.py llama.cpp|eager|sdpa|lens MODEL THREADS

    prompt N        -> seconds from N tokens to the last position's logits
    decode N D      -> seconds for each of D tokens behind N, greedily, with the cache
    logits N PATH   -> writes the last position's logits as float32, answers how many

The tokens are those of bench/speed.c, which answers the same requests for sonde. The first line says what was loaded.
"""
import sys
import time

CONTEXT = 1024


def tokens_of(n, vocab):
    return [i * 7919 % vocab for i in range(n)]


class LlamaCpp:
    """llama.cpp by its C interface and its own defaults: flash attention as it chooses, cache of float16."""

    def __init__(self, model, threads):
        import ctypes
        import llama_cpp
        import numpy
        self.c, self.numpy = llama_cpp, numpy
        self.quiet = llama_cpp.llama_log_callback(lambda *_: None)
        llama_cpp.llama_log_set(self.quiet, ctypes.c_void_p(0))
        llama_cpp.llama_backend_init()
        self.model = llama_cpp.llama_model_load_from_file(model.encode(), llama_cpp.llama_model_default_params())
        params = llama_cpp.llama_context_default_params()
        params.n_ctx, params.n_batch, params.n_ubatch = CONTEXT, 512, 512
        params.n_threads = params.n_threads_batch = threads
        self.context = llama_cpp.llama_init_from_model(self.model, params)
        if not self.context:
            sys.exit(f"llama.cpp does not open {model}")
        self.vocab = llama_cpp.llama_vocab_n_tokens(llama_cpp.llama_model_get_vocab(self.model))
        self.about = f"llama_cpp {llama_cpp.__version__}: {llama_cpp.llama_print_system_info().decode().strip(' |')}"

    def step(self, tokens):
        array = (self.c.llama_token * len(tokens))(*tokens)
        if self.c.llama_decode(self.context, self.c.llama_batch_get_one(array, len(tokens))):
            sys.exit("llama.cpp: llama_decode failed")
        return self.numpy.ctypeslib.as_array(self.c.llama_get_logits_ith(self.context, -1), (self.vocab,))

    def begin(self, tokens):
        self.c.llama_memory_clear(self.c.llama_get_memory(self.context), False)
        self.first = self.step(tokens)
        return self.first

    def follow(self, count):
        token = int(self.first.argmax())
        for _ in range(count):
            token = int(self.step([token]).argmax())


class Transformers:
    """transformers in float32, eager or sdpa; the last position's logits alone."""

    def __init__(self, model, threads, attention):
        import torch
        import transformers
        torch.set_num_threads(threads)
        self.torch = torch
        self.model = transformers.AutoModelForCausalLM.from_pretrained(model, dtype=torch.float32,
                                                                       attn_implementation=attention).eval()
        self.vocab = self.model.config.vocab_size
        self.about = f"transformers {transformers.__version__} {attention}, torch {torch.__version__}"

    def step(self, ids, cache):
        with self.torch.inference_mode():
            out = self.model(ids, past_key_values=cache, use_cache=True, logits_to_keep=1)
        self.cache = out.past_key_values
        return out.logits[0, -1]

    def begin(self, tokens):
        self.first = self.step(self.torch.tensor([tokens]), None)
        return self.first.numpy()

    def follow(self, count):
        token = self.first.argmax()
        for _ in range(count):
            token = self.step(token.view(1, 1), self.cache).argmax()


class Lens:
    """transformer_lens without hooks; the last position's logits alone."""

    def __init__(self, model, threads):
        import torch
        import transformer_lens
        import transformers
        from transformer_lens.pretrained.weight_conversions import convert_gpt2_weights
        torch.set_num_threads(threads)
        hf = transformers.AutoModelForCausalLM.from_pretrained(model, dtype=torch.float32)
        c = hf.config
        config = transformer_lens.HookedTransformerConfig(
            n_layers=c.n_layer, d_model=c.n_embd, n_ctx=c.n_positions, d_head=c.n_embd // c.n_head, n_heads=c.n_head,
            d_mlp=4 * c.n_embd, d_vocab=c.vocab_size, act_fn="gelu_new", normalization_type="LN", eps=c.layer_norm_epsilon)
        self.torch, self.vocab = torch, c.vocab_size
        self.cache_of = transformer_lens.TransformerLensKeyValueCache.init_cache
        self.model = transformer_lens.HookedTransformer(config)
        self.model.load_and_process_state_dict(convert_gpt2_weights(hf, config), fold_ln=False, center_writing_weights=False,
                                               center_unembed=False, fold_value_biases=False)
        self.model.eval()
        self.about = f"transformer_lens, torch {torch.__version__}"

    def step(self, ids):
        with self.torch.inference_mode():
            x = self.model(ids, attention_mask=self.torch.ones_like(ids), past_kv_cache=self.cache,
                           stop_at_layer=self.model.cfg.n_layers)
            return self.model.unembed(self.model.ln_final(x[:, -1:]))[0, -1]

    def begin(self, tokens):
        self.cache = self.cache_of(self.model.cfg, "cpu", 1)
        self.first = self.step(self.torch.tensor([tokens]))
        return self.first.numpy()

    def follow(self, count):
        token = self.first.argmax()
        for _ in range(count):
            token = self.step(token.view(1, 1)).argmax()


def answer(program, words):
    tokens = tokens_of(int(words[1]), program.vocab)
    start = time.perf_counter()
    logits = program.begin(tokens)
    if words[0] == "prompt":
        return time.perf_counter() - start
    if words[0] == "logits":
        logits.astype("float32").tofile(words[2])
        return program.vocab
    start = time.perf_counter()
    program.follow(int(words[2]))
    return (time.perf_counter() - start) / int(words[2])


def main():
    kind, model, threads = sys.argv[1], sys.argv[2], int(sys.argv[3])
    if kind == "llama.cpp":
        program = LlamaCpp(model, threads)
    elif kind == "lens":
        program = Lens(model, threads)
    else:
        program = Transformers(model, threads, kind)
    print(program.about, flush=True)
    for line in sys.stdin:
        print(answer(program, line.split()), flush=True)


if __name__ == "__main__":
    main()
