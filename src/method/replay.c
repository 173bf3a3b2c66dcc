#include "replay.h"
#include "room.h"
#include <inttypes.h>
#include <stdio.h>

bool replay_prefix(const sonde_array_file *f, size_t i, char out[24]) {
    char name[40];
    if (sonde_array_file_find(f, "tokens") != SIZE_MAX) {
        out[0] = 0;
        return i == 0;
    }
    snprintf(out, 24, "%zu/", i);
    snprintf(name, sizeof name, "%stokens", out);
    return sonde_array_file_find(f, name) != SIZE_MAX;
}

const char *replay_note(const replay *r, const char *key) {
    char own[64];
    snprintf(own, sizeof own, "%s%s", r->prefix, key);
    const char *text = sonde_array_file_note(r->file, own);
    return text ? text : sonde_array_file_note(r->file, key);
}

sonde_prompt replay_with(const replay *r, const int32_t *rows, int64_t n, int64_t prompt) {
    const bool two = r->target != NULL;
    return (sonde_prompt){ .tokens = two ? r->tokens : rows, .n = two ? r->n : n, .prompt = prompt, .types = r->types,
                           .target = two ? rows : NULL, .n_target = two ? n : 0 };
}

const int32_t *replay_rows(const replay *r, int64_t *n) {
    *n = r->target ? r->n_target : r->n;
    return r->target ? r->target : r->tokens;
}

sonde_prompt replay_prompt(const replay *r) {
    int64_t n;
    const int32_t *rows = replay_rows(r, &n);
    return replay_with(r, rows, n, r->prompt);
}

void replay_warn(const replay *r, const sonde_model *m, sonde_result *out) {
    const char *hash = sonde_array_file_note(r->file, "model_hash"), *own = sonde_model_hash(m);
    char text[160], other[60];
    if (!hash || !strcmp(hash, own)) return;
    sonde_token_show(hash, strlen(hash), other, sizeof other);
    snprintf(text, sizeof text, "the reference is of another model: its hash is %s, this one's %s", other, own);
    sonde_result_note(out, text);
}

/* A tensor of integers with one axis; *out NULL: the file has none of this name. */
static sonde_status read_row(const replay *r, const char *name, int64_t **out, int64_t *n, sonde_error *err) {
    char whole[64];
    snprintf(whole, sizeof whole, "%s%s", r->prefix, name);
    const size_t at = sonde_array_file_find(r->file, whole);
    *out = NULL;
    *n = 0;
    if (at == SIZE_MAX) return SONDE_OK;
    const sonde_array_spec *s = sonde_array_file_spec(r->file, at);
    SONDE_FAIL_IF(s->rank != 1, err, SONDE_FORMAT, "tensor %s has %d axes, expected one", whole, s->rank);
    *n = s->dim[0];
    *out = ROOM(int64_t, *n);
    return sonde_array_read_int(r->file, at, 0, *n, *out, err);
}

/* The same as 32-bit numbers that are zero or more. */
static sonde_status read_ids(const replay *r, const char *name, int32_t **out, int64_t *n, sonde_error *err) {
    int64_t *wide;
    sonde_status s = read_row(r, name, &wide, n, err);
    *out = wide ? ROOM(int32_t, *n) : NULL;
    for (int64_t i = 0; s == SONDE_OK && i < *n; i++) {
        if (wide[i] < 0 || wide[i] > INT32_MAX)
            s = sonde_fail(err, SONDE_FORMAT, "tensor %s%s: %" PRId64 " is no id", r->prefix, name, wide[i]);
        else (*out)[i] = (int32_t)wide[i];
    }
    free(wide);
    return s;
}

static sonde_status read_tokens(replay *r, sonde_error *err) {
    int64_t types;
    SONDE_TRY(read_ids(r, "tokens", &r->tokens, &r->n, err));
    SONDE_FAIL_IF(r->n == 0, err, SONDE_FORMAT, "tensor %stokens is empty, expected at least one", r->prefix);
    SONDE_TRY(read_ids(r, "target", &r->target, &r->n_target, err));
    SONDE_FAIL_IF(r->target && r->n_target == 0, err, SONDE_FORMAT, "tensor %starget is empty, expected at least one", r->prefix);
    SONDE_TRY(read_ids(r, "token_types", &r->types, &types, err));
    SONDE_FAIL_IF(r->types && types != r->n, err, SONDE_FORMAT, "tensor %stoken_types has %" PRId64 " numbers, expected one for "
                  "each of %" PRId64 " tokens", r->prefix, types, r->n);
    SONDE_TRY(read_row(r, "positions", &r->position, &r->n_position, err));
    SONDE_FAIL_IF(r->position && r->target, err, SONDE_UNSUPPORTED, "tensor %spositions: of two stacks, expected all rows of both",
                  r->prefix);
    for (int64_t i = 0; i < r->n_position; i++)
        SONDE_FAIL_IF(r->position[i] < 0 || r->position[i] >= r->n, err, SONDE_FORMAT,
                      "tensor %spositions: %" PRId64 " is outside 0..%" PRId64, r->prefix, r->position[i], r->n - 1);
    return SONDE_OK;
}

/* "17" in the metadata; `least`..`most`. */
static sonde_status read_number(const replay *r, const char *key, uint64_t most, uint64_t *out, sonde_error *err) {
    const char *text = replay_note(r, key);
    char       *end;
    *out = 0;
    if (!text || !*text) return SONDE_OK;
    const unsigned long long v = strtoull(text, &end, 10);
    SONDE_FAIL_IF(*text < '0' || *text > '9' || *end || v > most, err, SONDE_FORMAT,
                  "__metadata__: %s is no number from 0 to %" PRIu64, key, most);
    *out = v;
    return SONDE_OK;
}

static sonde_status read_edits(replay *r, const sonde_model *m, sonde_error *err) {
    const char *text = replay_note(r, "edits");
    while (text && *text) {
        const size_t len = strcspn(text, "\n");
        if (len) {
            char        *line = room_text(text, len);
            sonde_edit  *e = NULL;
            const sonde_status s = sonde_edit_parse(&e, m, line, r->file, err);
            free(line);
            SONDE_TRY(s);
            r->edit = room_grow(r->edit, r->n_edits, 1, sizeof(void *));
            r->edit[r->n_edits++] = e;
        }
        text += len + (text[len] == '\n');
    }
    return SONDE_OK;
}

static bool holds_run(const replay *r, const char *name) {
    char start[96];
    const int len = snprintf(start, sizeof start, "run/%s/", name);
    for (size_t i = 0; i < sonde_array_file_count(r->file); i++)
        if (!strncmp(sonde_array_file_spec(r->file, i)->name, start, (size_t)len)) return true;
    return false;
}

/* run/3/B/SITE, what prompt 3 calls B, goes before run/B/SITE. */
static sonde_status add_run(replay *r, const char *name, sonde_error *err) {
    char own[80];
    snprintf(own, sizeof own, "%s%.50s", r->prefix, name);
    const char *stored = holds_run(r, own) ? own : name;
    if (!strcmp(name, "A") || strlen(name) > 50 || !holds_run(r, stored)) return SONDE_OK;
    for (size_t i = 0; i < r->n_runs; i++)
        if (!strcmp(r->run[i].name, name)) return SONDE_OK;
    SONDE_FAIL_IF(r->n_runs == REPLAY_RUNS, err, SONDE_UNSUPPORTED, "more than %d runs in one file", REPLAY_RUNS);
    SONDE_TRY(sonde_capture_of_file(&r->capture[r->n_runs], r->file, stored, err));
    r->run[r->n_runs] = (sonde_named_run){ .name = name, .values = r->capture[r->n_runs] };
    r->n_runs++;
    return SONDE_OK;
}

static sonde_status read_runs(replay *r, sonde_error *err) {
    const char *name;
    for (size_t i = 0; i < r->n_edits; i++)
        for (size_t k = 0; (name = sonde_edit_run(r->edit[i], k)) != NULL; k++) SONDE_TRY(add_run(r, name, err));
    for (size_t k = 0; r->metric && (name = sonde_metric_run(r->metric, k)) != NULL; k++) SONDE_TRY(add_run(r, name, err));
    return add_run(r, "reference", err);        /* what mean: averages over, where the file has it */
}

sonde_status replay_open(replay *r, const sonde_model *m, const sonde_array_file *f, const char *prefix, sonde_error *err) {
    *r = (replay){ .file = f };
    snprintf(r->prefix, sizeof r->prefix, "%s", prefix);
    uint64_t prompt;
    SONDE_TRY(read_tokens(r, err));
    SONDE_TRY(read_number(r, "prompt_length", (uint64_t)(r->target ? r->n_target : r->n), &prompt, err));
    SONDE_TRY(read_number(r, "seed", UINT64_MAX, &r->seed, err));
    r->prompt = (int64_t)prompt;
    SONDE_TRY(read_edits(r, m, err));
    const char *metric = replay_note(r, "metric");
    if (metric && *metric) SONDE_TRY(sonde_metric_parse(&r->metric, m, metric, NULL, NULL, err));
    return read_runs(r, err);
}

void replay_close(replay *r) {
    for (size_t i = 0; i < r->n_runs; i++) sonde_capture_free(r->capture[i]);
    for (size_t i = 0; i < r->n_edits; i++) sonde_edit_free(r->edit[i]);
    sonde_metric_free(r->metric);
    free(r->edit);
    free(r->tokens);
    free(r->target);
    free(r->types);
    free(r->position);
}
