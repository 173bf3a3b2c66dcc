/* What the outputs of heads are called. */
#include "model_files.h"
#include <string.h>

static const struct { unsigned internal; sonde_head head; const char *name; } head_rows[] = {
    { HEAD_LM, SONDE_HEAD_LM, "lm" },       { HEAD_MLM, SONDE_HEAD_MLM, "mlm" },
    { HEAD_POOLER, SONDE_HEAD_POOLER, "pooler" }, { HEAD_NSP, SONDE_HEAD_NSP, "nsp" },
    { HEAD_CLASS, SONDE_HEAD_CLASS, "classifier" }, { HEAD_QA, SONDE_HEAD_QA, "qa" },
};
enum { HEAD_ROWS = sizeof head_rows / sizeof *head_rows };

const char *sonde_head_name(sonde_head h) {
    for (size_t i = 0; i < HEAD_ROWS; i++)
        if (head_rows[i].head == h) return head_rows[i].name;
    return NULL;
}

unsigned model_heads(const arch_config *c) {
    unsigned out = 0;
    for (size_t i = 0; i < HEAD_ROWS; i++)
        if (c->head & head_rows[i].internal) out |= (unsigned)head_rows[i].head;
    return out;
}

static bool read_number(const char *text, size_t len, int64_t most, int64_t *out) {
    *out = 0;
    for (size_t i = 0; i < len; i++) {
        if (text[i] < '0' || text[i] > '9' || *out > most) return false;
        *out = 10 * *out + (text[i] - '0');
    }
    return len > 0 && *out < most;
}

/* {"0": "bad", "1": "good"} */
static sonde_status read_name(sonde_model *m, const json *member, sonde_error *err) {
    const char *name;
    size_t      len;
    int64_t     i;
    SONDE_FAIL_IF(!read_number(member->key, member->key_len, m->config.labels, &i), err, SONDE_FORMAT,
                  "id2label: found the key \"%s\", expected numbers below %lld", text_shown(member->key, member->key_len).text,
                  (long long)m->config.labels);
    if (!json_string(member, &name, &len)) return SONDE_OK;
    m->files->label[i] = arena_printf(m->memory, "%s", text_shown(name, len).text);
    return SONDE_OK;
}

sonde_status model_read_labels(sonde_model *m, const json *config, sonde_error *err) {
    const arch_config *c = &m->config;
    if (!(c->head & HEAD_CLASS)) return SONDE_OK;
    const json *problem = json_get(config, "problem_type"), *names = json_get(config, "id2label");
    if (problem && problem->kind != JSON_NULL) SONDE_TRY(config_text(config, "problem_type", &m->files->problem, err));
    m->files->label = arena_new_array(m->memory, const char *, (size_t)c->labels);
    for (int64_t i = 0; i < c->labels; i++) m->files->label[i] = arena_printf(m->memory, "LABEL_%lld", (long long)i);
    for (const json *n = names && names->kind == JSON_OBJECT ? names->child : NULL; n; n = n->next) SONDE_TRY(read_name(m, n, err));
    return SONDE_OK;
}

const char *sonde_model_label(const sonde_model *m, int64_t i) {
    return m->config.head & HEAD_CLASS && i >= 0 && i < m->config.labels ? m->files->label[i] : NULL;
}
