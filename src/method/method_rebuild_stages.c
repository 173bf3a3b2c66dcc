/* The operations of a run, kept, and cut into stages at the sites. */
#include "method_rebuild.h"
#include "room.h"
#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>

/* ---- titles ---- */

static const struct { const char *site, *title; } titles[] = {
#define TITLE(site, title) { site, title },
#include "method_rebuild_titles.def"
#undef TITLE
};

const char *rebuild_title(const char *site) {
    for (size_t i = 0; i < sizeof titles / sizeof *titles; i++)
        if (!strcmp(titles[i].site, site)) return titles[i].title;
    return NULL;
}

/* "blocks.3.attn.hook_q" is "block 3: queries", "encoder.0.…" "encoder block 0: …", "decoder.hook_embed" "decoder: …". */
static void write_title(rebuild_stage *s, const sonde_site *site) {
    const char *dot = strchr(site->name, '.'), *rest = site->name;
    char before[80] = "";
    const int first = dot ? (int)(dot - site->name) : 0;
    if (dot && isdigit((unsigned char)dot[1])) {
        const int number = (int)strcspn(dot + 1, ".");
        const bool only = !strncmp(site->name, "blocks.", 7);
        rest = dot[1 + number] ? dot + 2 + number : "";
        snprintf(before, sizeof before, "%.*s%sblock %.*s: ", only ? 0 : first, site->name, only ? "" : " ", number,
                 dot + 1);
    } else if (dot && !rebuild_title(site->name) && rebuild_title(dot + 1)) {
        rest = dot + 1;
        snprintf(before, sizeof before, "%.*s: ", first, site->name);
    }
    const char *title = rebuild_title(rest);
    snprintf(s->title, sizeof s->title, "%s%s", before, title ? title : site->doc);
}

/* ---- operations ---- */

bool rebuild_site(const char *names, size_t k, char *out, size_t n) {
    while (names && k--) {
        names = strstr(names, ", ");
        if (names) names += 2;
    }
    if (!names) return false;
    snprintf(out, n, "%.*s", (int)strcspn(names, ","), names);
    return true;
}

static const char *kept(const char *text) { return text ? room_text(text, strlen(text)) : NULL; }

static sonde_status keep(const sonde_operation *o, void *user, sonde_error *err) {
    rebuild *r = user;
    SONDE_FAIL_IF(o->id != (int)r->n_ops, err, SONDE_UNSUPPORTED, "operation %d comes where %zu was expected", o->id,
                  r->n_ops);
    r->op = room_grow(r->op, r->n_ops, 1, sizeof *r->op);
    rebuild_op *to = &r->op[r->n_ops++];
    *to = (rebuild_op){ .told = *o };
    to->told.operation = kept(o->operation);
    to->told.site = kept(o->site);
    to->told.weight = kept(o->weight);
    to->told.bias = kept(o->bias);
    to->told.more = kept(o->more);
    to->told.formula = kept(o->formula);
    to->told.kind = kept(o->kind);
    sonde_constant *c = ROOM(sonde_constant, o->n_constants);
    for (size_t i = 0; i < o->n_constants; i++) {
        float *list = ROOM(float, o->constant[i].n);
        c[i] = o->constant[i];
        if (c[i].n) memcpy(list, o->constant[i].list, c[i].n * sizeof *list);
        c[i].name = kept(o->constant[i].name);
        c[i].list = list;
    }
    to->told.constant = c;
    if (!rebuild_site(o->site, 0, to->name, sizeof to->name)) to->name[0] = 0;
    return SONDE_OK;
}

static void drop(rebuild_op *o) {
    const char *text[] = { o->told.operation, o->told.site, o->told.weight, o->told.bias, o->told.formula, o->told.kind,
                           o->told.more };
    for (size_t i = 0; i < sizeof text / sizeof *text; i++) free((void *)text[i]);
    for (size_t i = 0; i < o->told.n_constants; i++) {
        free((void *)o->told.constant[i].name);
        free((void *)o->told.constant[i].list);
    }
    free((void *)o->told.constant);
    free(o->value.data);
}

void rebuild_free(rebuild *r) {
    for (size_t i = 0; i < r->n_ops; i++) drop(&r->op[i]);
    for (size_t i = 0; i < r->n_stages; i++) free(r->stage[i].part);
    if (r->file) replay_close(&r->reference);
    sonde_array_file_close(r->file);
    free(r->op);
    free(r->stage);
    free(r->weight);
}

size_t rebuild_weight(const rebuild *r, const char *name) {
    for (size_t i = 0; i < r->n_weights; i++)
        if (!strcmp(r->weight[i].name, name)) return i;
    return SIZE_MAX;
}

/* ---- stages ---- */

const int32_t *rebuild_tokens(const rebuild *r, bool target, int64_t *n) {
    if (target) return context_rows(r->cx, &r->prompt, n);
    *n = r->prompt.n;
    return r->prompt.tokens;
}

/* The operation and all those in front of it that it reads by way of values that are no sites. */
static void find_parts(const rebuild *r, rebuild_stage *s) {
    bool  *needed = ROOM(bool, r->n_ops);
    size_t open = 1;
    int    least = s->op;
    needed[s->op] = true;
    for (int id = s->op; id >= 0 && open; id--) {
        const rebuild_op *o = &r->op[id];
        if (!needed[id]) continue;
        least = id;
        s->n++;
        open--;
        for (size_t i = 0; i < o->told.n_in; i++) {
            const int from = o->told.from[i];
            if (from < 0 || needed[from] || r->op[from].name[0]) continue;
            needed[from] = true;
            open++;
        }
    }
    s->part = ROOM(int, s->n);
    s->n = 0;
    for (int id = least; id <= s->op; id++)
        if (needed[id]) s->part[s->n++] = id;
    free(needed);
}

static void add_stage(rebuild *r, int op) {
    r->stage = room_grow(r->stage, r->n_stages, 1, sizeof *r->stage);
    rebuild_stage *s = &r->stage[r->n_stages++];
    *s = (rebuild_stage){ .number = (int)r->n_stages, .op = op };
    if (op >= 0) find_parts(r, s);
}

static void add_token_stage(rebuild *r, bool target) {
    add_stage(r, -1);
    rebuild_stage *s = &r->stage[r->n_stages - 1];
    s->target = target;
    snprintf(s->title, sizeof s->title, "%stokens", target ? "decoder: " : "");
}

static bool is_target(const sonde_operation *o) { return o->kind && !strcmp(o->kind, "target tokens"); }

static sonde_status note_site(const sonde_site *site, void *user, sonde_error *err) {
    (void)err;
    rebuild *r = user;
    for (size_t i = 1; i < r->n_stages; i++) {
        rebuild_op    *o = r->stage[i].op < 0 ? NULL : &r->op[r->stage[i].op];
        if (!o || strcmp(o->name, site->name) != 0) continue;
        rebuild_value *v = &o->value;
        write_title(&r->stage[i], site);
        snprintf(v->axes, sizeof v->axes, "%s", site->axes);
        v->of_target = site->of_target;
        v->rank = site->rank;
        v->items = 1;
        for (int k = 0; k < site->rank; k++) v->items *= v->dim[k] = site->dim[k];
        break;
    }
    return SONDE_OK;
}

static sonde_status choose(rebuild *r, const value *args, sonde_error *err) {
    const param *row = &rebuild_params[REBUILD_STAGE];
    long        *number;
    size_t       n;
    SONDE_TRY(param_numbers(row, args[REBUILD_STAGE].text, (long)r->n_stages + 1, &number, &n, err));
    sonde_status s = SONDE_OK;
    const bool all = !strcmp(args[REBUILD_STAGE].text, "all");
    for (size_t i = 0; i < n && s == SONDE_OK; i++) {
        if (number[i] > 0) r->stage[number[i] - 1].shown = true;
        else if (!all) s = sonde_fail(err, SONDE_USAGE, "stage: 0, expected 1 to %zu: stages count from 1", r->n_stages);
    }
    free(number);
    return s;
}

sonde_status rebuild_plan(rebuild *r, const value *args, sonde_error *err) {
    const sonde_context *cx = r->cx;
    int64_t n, target;
    r->prompt = context_prompt(cx, 0);
    rebuild_tokens(r, false, &n);
    rebuild_tokens(r, true, &target);
    SONDE_TRY(sonde_graph(cx->model, (sonde_graph_query){ .n = n, .n_target = target }, keep, r, err));
    r->n_weights = sonde_model_weights(cx->model);
    r->weight = ROOM(sonde_weight_info, r->n_weights);
    for (size_t i = 0; i < r->n_weights; i++) sonde_model_weight(cx->model, i, &r->weight[i]);
    add_token_stage(r, false);
    for (size_t i = 0; i < r->n_ops; i++) {
        if (is_target(&r->op[i].told)) add_token_stage(r, true);
        if (r->op[i].name[0]) add_stage(r, (int)i);
    }
    SONDE_TRY(sonde_sites(cx->model, &(sonde_site_query){ .n = n, .n_target = target }, note_site, r, err));
    return choose(r, args, err);
}
