/* A whole model, opened from files, bound and run on two tokens, or refused in words fit to be shown: a GGUF file, or else
 * config.json and tokenizer.json, each ended by a byte 0, and a safetensors file. */
#define _GNU_SOURCE
#include "target.h"
#include "../scratch.h"
#include "sonde/sonde.h"

enum { TOKENS = 2, MEMORY = 1 << 26 };

static scratch folder;              /* until the program ends */

static void leave(void) { scratch_end(&folder); }

static const uint8_t *write_up_to_0(const char *name, const uint8_t *at, const uint8_t *end) {
    const uint8_t *stop = at == end ? NULL : memchr(at, 0, (size_t)(end - at));
    scratch_write(&folder, name, at, (size_t)((stop ? stop : end) - at));
    return stop ? stop + 1 : end;
}

static sonde_status open_model(sonde_model **m, const uint8_t *data, size_t size, sonde_error *err) {
    if (size >= 4 && memcmp(data, "GGUF", 4) == 0) {
        scratch_write(&folder, "m.gguf", data, size);
        return sonde_model_open(m, in_scratch(&folder, "m.gguf").text, NULL, err);
    }
    const uint8_t *end = data + size, *at = write_up_to_0("config.json", data, end);
    at = write_up_to_0("tokenizer.json", at, end);
    scratch_write(&folder, "model.safetensors", at, (size_t)(end - at));
    return sonde_model_open(m, in_scratch(&folder, "model.safetensors").text, NULL, err);
}

static void check_error(sonde_status s, const sonde_error *err) {
    PROMISE(s == err->status && s != SONDE_OK && s != SONDE_DIFFERS && s != SONDE_CANCELLED);
    PROMISE(err->message[0] && !strpbrk(err->message, "\n\033"));
}

static sonde_status take(const sonde_answer *a, void *user, sonde_error *err) {
    (void)err;
    ++*(size_t *)user;
    PROMISE(a->value.rank >= 1 && a->value.data);
    return SONDE_OK;
}

static void run(const sonde_model *m) {
    const int32_t ids[TOKENS] = { 0, (int32_t)(sonde_model_describe(m)->vocab - 1) };
    sonde_session *s;
    sonde_error err = { 0 };
    size_t answers = 0;
    const sonde_single one = { .prompt = { .tokens = ids, .n = TOKENS }, .sites = "blocks.*.hook_resid_post" };
    PROMISE(sonde_session_new(&s, m, (sonde_session_options){ .threads = 1, .memory = MEMORY }, &err) == SONDE_OK);
    const sonde_status done = sonde_run(s, &one, take, &answers, &err);
    if (done != SONDE_OK) check_error(done, &err);
    else PROMISE(answers > 0);
    sonde_session_free(s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    sonde_model *m;
    sonde_error err = { 0 };
    if (!folder.path[0]) {
        if (access("/dev/shm", W_OK) == 0) setenv("TMPDIR", "/dev/shm", 1);      /* no disk, where that can be */
        folder = scratch_new();
        PROMISE(atexit(leave) == 0);
    }
    const sonde_status s = open_model(&m, data, size, &err);
    if (s != SONDE_OK) {
        PROMISE(!m);
        check_error(s, &err);
    } else {
        run(m);
        sonde_model_close(m);
    }
    return 0;
}
