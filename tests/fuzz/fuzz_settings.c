/* What says a model's sizes: a GGUF or llama2.c file, or JSON that is read as config.json and as params.json beside a
 * small checkpoint. Sizes in their ranges, or a refusal in words fit to be shown. */
#include "target.h"
#include "../gguf_bytes.h"
#include "format/container.h"
#include "model/config.h"
#include "model/settings.h"

static weights *checkpoint;         /* the tensors that params.json leaves sizes to */

static void make_checkpoint(void) {
    static gguf_bytes b;
    gguf_begin(&b, 2, 0);
    gguf_tensor(&b, (gguf_line){ "tok_embeddings.weight", 2, { 4, 6 }, 0, 0 });
    gguf_tensor(&b, (gguf_line){ "layers.0.feed_forward.w1.weight", 2, { 4, 8 }, 0, 96 });
    gguf_pad(&b, 32);
    for (int i = 0; i < 96 + 128; i++) gguf_u8(&b, 0);
    PROMISE(gguf_read((file_map){ .data = b.at, .size = b.n }, &checkpoint, NULL) == SONDE_OK);
}

static void check_refusal(sonde_status s, const sonde_error *err) {
    PROMISE(s == SONDE_FORMAT || s == SONDE_UNSUPPORTED);
    PROMISE(err->message[0] && !strchr(err->message, '\n') && !strchr(err->message, 27));
}

static void check_config(const json *tree) {
    arch_config c = { 0 }, encoder = { 0 };
    const arch *a;
    sonde_error err = { 0 };
    sonde_status s = arch_find(tree, &a, &err);
    if (s == SONDE_OK) s = arch_read(a, tree, &c, &encoder, &err);
    if (s != SONDE_OK) {
        check_refusal(s, &err);
        return;
    }
    PROMISE(c.d >= 1 && c.d <= MOST_WIDTH && c.layers >= 1 && c.layers <= MOST_LAYERS && c.f >= 1 && c.f <= MOST_INNER);
    PROMISE(c.heads >= 1 && c.kv_heads >= 1 && c.heads % c.kv_heads == 0 && c.e >= 1 && c.e <= MOST_WIDTH / c.heads);
    PROMISE(c.vocab >= 1 && c.vocab <= MOST_VOCAB && c.context >= 1 && c.context <= MOST_CONTEXT);
    PROMISE(c.norm_eps >= 0 && c.norm_eps <= 1 && c.bos < c.vocab && c.eos < c.vocab);
}

/* What is written for config.json is JSON that one can read. */
static void check_written(sonde_status s, const settings_text *out, const sonde_error *err, arena *a) {
    const json *tree;
    if (s != SONDE_OK) {
        check_refusal(s, err);
        return;
    }
    PROMISE(json_parse(out->text, out->len, a, &tree, NULL) == SONDE_OK);
    check_config(tree);
}

static void check_container(weights *w, arena *a) {
    settings_text out;
    sonde_error err = { 0 };
    if (settings_in(w)) {
        const sonde_status s = settings_of_container(w, a, &out, &err);
        check_written(s, &out, &err, a);
    }
    weights_close(w);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (!checkpoint) make_checkpoint();
    const file_map f = { .data = data, .size = size };
    arena *a = arena_new();
    weights *w;
    const json *tree;
    if (gguf_read(f, &w, NULL) == SONDE_OK) check_container(w, a);
    if (llama2c_read(f, &w, NULL) == SONDE_OK) check_container(w, a);
    if (json_parse((const char *)data, size, a, &tree, NULL) == SONDE_OK) {
        settings_text out;
        sonde_error err = { 0 };
        check_config(tree);
        const sonde_status s = settings_of_params(checkpoint, tree, a, &out, &err);
        check_written(s, &out, &err, a);
    }
    arena_free(a);
    return 0;
}
