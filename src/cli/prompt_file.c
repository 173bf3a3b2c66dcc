/* Files of prompts. JSON lines: one object a line, with `prompt` or `text` (a text) or `tokens` (ids), perhaps `B`, `answer`,
 * `wrong`, `target` (a text) or `target_tokens` (ids); other members are passed over. Any other file: one prompt a line, byte for byte; empty lines are passed over. */
#include "prompts.h"
#include "source.h"
#include "base/json.h"
#include "base/text.h"
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

void prompts_drop(method_prompt *p, size_t n) {
    for (size_t i = 0; i < n; i++) {
        sonde_tokens_free(&p[i].tokens);
        sonde_tokens_free(&p[i].target);
    }
}

static sonde_tokens tokens_new(size_t n) {
    sonde_tokens t = { .n = (int64_t)n, .id = malloc((n + !n) * sizeof *t.id) };
    if (!t.id) abort();
    return t;
}

sonde_status prompt_ids(const char *text, sonde_tokens *out, sonde_error *err) {
    size_t room = 1;
    for (const char *c = text; *c; c++) room += *c == ',';
    sonde_tokens t = tokens_new(room);
    t.n = 0;
    for (const char *at = text; ; at++) {
        char *end;
        errno = 0;
        const long id = strtol(at, &end, 10);
        const bool good = *at >= '0' && *at <= '9' && !errno && id <= INT32_MAX && (*end == ',' || !*end);
        if (!good) {
            sonde_tokens_free(&t);
            return sonde_fail(err, SONDE_USAGE, "tokens: \"%s\" is no list of ids, expected one as in 464,3139",
                              name_shown(text).text);
        }
        t.id[t.n++] = (int32_t)id;
        at = end;
        if (!*at) break;
    }
    *out = t;
    return SONDE_OK;
}

static sonde_status read_ids(const json *list, const char *what, sonde_tokens *out, sonde_error *err) {
    SONDE_FAIL_IF(list->kind != JSON_ARRAY || !list->len, err, SONDE_FORMAT, "%s is no list of ids", what);
    sonde_tokens t = tokens_new(list->len);
    size_t n = 0;
    for (const json *j = list->child; j; j = j->next) {
        int64_t id;
        if (!json_int(j, &id) || id < 0 || id > INT32_MAX) {
            sonde_tokens_free(&t);
            return sonde_fail(err, SONDE_FORMAT, "%s[%zu] is no id, expected a whole number from 0", what, n);
        }
        t.id[n++] = (int32_t)id;
    }
    *out = t;
    return SONDE_OK;
}

static sonde_status read_text(const json *object, const char *key, const char **out, size_t *len, sonde_error *err) {
    const json *j = json_get(object, key);
    if (!j || j->kind == JSON_NULL) return SONDE_OK;
    SONDE_FAIL_IF(!json_string(j, out, len), err, SONDE_FORMAT, "%s is no text", key);
    return SONDE_OK;
}

static sonde_status read_object(arena *into, bytes line, method_prompt *p, sonde_error *err) {
    const json *object;
    size_t len;
    SONDE_TRY(json_parse(line.at, line.n, into, &object, err));
    SONDE_FAIL_IF(object->kind != JSON_OBJECT, err, SONDE_FORMAT, "is no object, expected {\"prompt\": ..}");
    SONDE_TRY(read_text(object, "prompt", &p->text, &p->len, err));
    if (!p->text) SONDE_TRY(read_text(object, "text", &p->text, &p->len, err));
    SONDE_TRY(read_text(object, "answer", &p->answer, &len, err));
    SONDE_TRY(read_text(object, "wrong", &p->wrong, &len, err));
    SONDE_TRY(read_text(object, "B", &p->b, &len, err));
    SONDE_TRY(read_text(object, "target", &p->target_text, &p->target_len, err));
    const json *target = json_get(object, "target_tokens");
    SONDE_FAIL_IF(target && p->target_text, err, SONDE_FORMAT, "has target and target_tokens, expected one of them");
    if (target) SONDE_TRY(read_ids(target, "target_tokens", &p->target, err));
    const json *ids = json_get(object, "tokens");
    SONDE_FAIL_IF(!ids == !p->text, err, SONDE_FORMAT, "has %s, expected one of them",
                  ids ? "prompt and tokens" : "neither prompt nor tokens");
    return ids ? read_ids(ids, "tokens", &p->tokens, err) : SONDE_OK;
}

static bool ends_in(const char *text, const char *ending) {
    const size_t n = strlen(text), k = strlen(ending);
    return n >= k && !strcmp(text + n - k, ending);
}

static size_t count_lines(bytes text) {
    size_t n = 1;
    for (size_t i = 0; i < text.n; i++) n += text.at[i] == '\n';
    return n;
}

static bool blank(bytes line) {
    for (size_t i = 0; i < line.n; i++)
        if (!strchr(" \t\r", line.at[i])) return false;
    return true;
}

sonde_status prompt_file(command *c, const char *path, method_prompt **out, size_t *n, sonde_error *err) {
    bytes text;
    SONDE_TRY(source_read(c->memory, path, &text, err));
    return prompt_lines(c, path, text, (prompt_list){ out, n }, err);
}

sonde_status prompt_lines(command *c, const char *path, bytes rest, prompt_list to, sonde_error *err) {
    bytes line;
    method_prompt **const out = to.at;
    size_t *const n = to.n;
    const bool objects = ends_in(path, ".jsonl");
    method_prompt *p = arena_new_array(c->memory, method_prompt, count_lines(rest));
    *out = p;
    *n = 0;
    for (size_t number = 1; source_line(&rest, &line); number++) {
        if (objects ? blank(line) : line.n == 0) continue;
        sonde_status s = SONDE_OK;
        if (objects) s = read_object(c->memory, line, &p[*n], err);
        else p[*n].text = line.at, p[*n].len = line.n;
        if (s != SONDE_OK) return sonde_fail_at(err, s, "%s: line %zu", name_shown(path).text, number);
        ++*n;
    }
    SONDE_FAIL_IF(*n == 0, err, SONDE_USAGE, "%s: holds no prompt", name_shown(path).text);
    return SONDE_OK;
}
