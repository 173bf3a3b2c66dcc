/* Patterns of sites (interface.md 3).
 *
 * A pattern is cut at commas, its alternatives are written out, and each name is looked up by itself: as a whole
 * name, then as an alias, then as the end of names of layers. With stars it is matched against whole names: the
 * parts of a name are the letters, `**` is the star, and one more such match inside each part; both keep only the
 * last star to come back to, so the time is a product of two lengths, never exponential. */
#include "base/text.h"
#include "site_names.h"
#include <stdio.h>
#include <string.h>

enum { LONGEST_PATTERN = 4096, LONGEST_NAME = 1024, MOST_NAMES = 1024, MOST_PARTS = 16, NEAREST = 3 };
enum { NO_BLOCK = -1, EVERY_TURN = -1, ANY_TURN = -2 };

typedef struct { const char *text; size_t len; } piece;
typedef struct { piece part[MOST_PARTS]; int n; } dotted;
typedef struct { place at; piece part[MOST_PARTS / 2]; int n; slot in; } candidate;

/* `turns`: what a block number without `r` means: the first execution (0), every one, or any that there could be. */
typedef struct search {
    arena             *a;
    const arch_config *c;
    const slots       *slots;
    int                turns;
    candidate         *all;
    size_t             n;
    bool              *chosen;      /* [n] */
    int                names;       /* written out so far */
    struct search     *anywhere;    /* made when it is needed */
    sonde_error       *err;
} search;

static bool is_digit(char c) { return c >= '0' && c <= '9'; }

static const char *read_number(const char *at, const char *end, int64_t layers, int64_t *out) {
    const bool negative = at < end && *at == '-';
    if (negative) at++;
    int64_t n = 0;
    const char *first = at;
    for (; at < end && is_digit(*at); at++) n = n > 1000000 ? n : n * 10 + (*at - '0');
    *out = negative ? layers - n : n;
    return at == first || (negative && n == 0) ? NULL : at;
}

bool block_range_read(const char *text, size_t len, int64_t layers, block_range *out) {
    const char *end = text + len;
    int64_t lo, hi, turn = -1;
    const char *at = read_number(text, end, layers, &lo);
    if (!at) return false;
    hi = lo;
    if (at < end && *at == '-' && !(at = read_number(at + 1, end, layers, &hi))) return false;
    if (at < end && *at == 'r') {
        if (at + 1 < end && !is_digit(at[1])) return false;
        if (!(at = read_number(at + 1, end, layers, &turn))) return false;
    }
    *out = (block_range){ (int)lo, (int)hi, (int)turn };
    return at == end && lo >= 0 && lo <= hi && hi < layers;
}

/* Names */

static int cut(const char *name, piece *part, int most) {
    int n = 0;
    for (;;) {
        const size_t len = strcspn(name, ".");
        if (n == most) return most + 1;
        part[n++] = (piece){ name, len };
        if (!name[len]) return n;
        name += len + 1;
    }
}

/* A block's number and execution, as names write it: "4", "4r1". */
static piece block_part(const search *f, const slot *at) {
    const char *text = arena_printf(f->a, "%d", at->block);
    if (at->turn) text = arena_printf(f->a, "%sr%d", text, at->turn);
    return (piece){ text, strlen(text) };
}

static bool starts_stack(const slots *s, int at) { return at >= 0 && at < s->n && s->at[at].kind == SLOT_START; }

static void list_candidates(search *f) {
    place *all;
    piece block = { "", 0 };
    int last = FRONT;
    f->n = places_all(f->a, f->c, f->slots, &all);
    f->all = arena_new_array(f->a, candidate, f->n);
    f->chosen = arena_new_array(f->a, bool, f->n);
    for (size_t i = 0; i < f->n; i++) {
        candidate *k = &f->all[i];
        const char *word = slot_word(f->slots, all[i].slot);
        *k = (candidate){ .at = all[i], .in = { .block = NO_BLOCK } };
        if (site_rows[all[i].site].where == AT_BLOCK) {
            k->in = f->slots->at[all[i].slot];
            if (all[i].slot != last) block = block_part(f, &k->in);
            last = all[i].slot;
            k->part[0] = (piece){ word, strlen(word) };
            k->part[1] = block;
            k->n = 2;
        } else if (starts_stack(f->slots, all[i].slot)) {
            k->part[k->n++] = (piece){ word, strlen(word) };
        }
        k->n += cut(place_tail(f->slots, all[i]), k->part + k->n, MOST_PARTS / 2 - k->n);
    }
}

/* `*` in `p` stands for any text. */
static bool text_matches(piece p, piece text) {
    size_t i = 0, j = 0, star = SIZE_MAX, back = 0;
    while (j < text.len) {
        if (i < p.len && p.text[i] == '*') {
            star = i++;
            back = j;
        } else if (i < p.len && p.text[i] == text.text[j]) {
            i++;
            j++;
        } else if (star != SIZE_MAX) {
            i = star + 1;
            j = ++back;
        } else {
            return false;
        }
    }
    while (i < p.len && p.text[i] == '*') i++;
    return i == p.len;
}

static bool has_star(piece p) { return memchr(p.text, '*', p.len) != NULL; }

static bool part_matches(const search *f, piece p, const candidate *k, int part) {
    if (k->in.block == NO_BLOCK || part != 1 || has_star(p)) return text_matches(p, k->part[part]);
    block_range r;
    if (!block_range_read(p.text, p.len, stack_config(f->c, k->in.stack)->layers, &r)) return false;
    if (k->in.block < r.lo || k->in.block > r.hi) return false;
    if (f->turns == ANY_TURN) return true;
    if (r.turn >= 0) return k->in.turn == r.turn;
    return f->turns == EVERY_TURN || k->in.turn == 0;
}

static bool is_double_star(piece p) { return p.len == 2 && p.text[0] == '*' && p.text[1] == '*'; }

/* The whole name, from its part `from` on. */
static bool name_matches(const search *f, const dotted *p, const candidate *k, int from) {
    int i = 0, j = from, star = -1, back = 0;
    while (j < k->n) {
        if (i < p->n && is_double_star(p->part[i])) {
            star = i++;
            back = j;
        } else if (i < p->n && part_matches(f, p->part[i], k, j)) {
            i++;
            j++;
        } else if (star >= 0) {
            i = star + 1;
            j = ++back;
        } else {
            return false;
        }
    }
    while (i < p->n && is_double_star(p->part[i])) i++;
    return i == p->n;
}

static size_t choose_whole(search *f, const dotted *p) {
    const bool spelled = !has_star(p->part[p->n - 1]);
    size_t found = 0;
    for (size_t i = 0; i < f->n; i++) {
        if (!spelled && site_rows[f->all[i].at.site].on_request) continue;
        if (!name_matches(f, p, &f->all[i], 0)) continue;
        f->chosen[i] = true;
        found++;
    }
    return found;
}

/* Errors */

static const char *last_part(const char *name) {
    const char *dot = strrchr(name, '.');
    return dot ? dot + 1 : name;
}

static bool in_model(const arch_config *c, int site) {
    return site_exists(c, (site_id)site) || (c->encoder && site_exists(c->encoder, (site_id)site));
}

/* Is this the only layer site whose last part is this? */
static bool alone(const arch_config *c, int site) {
    for (int i = 0; i < SITE_COUNT; i++)
        if (i != site && site_rows[i].where == AT_BLOCK && in_model(c, i) &&
            strcmp(last_part(site_rows[i].name), last_part(site_rows[site].name)) == 0)
            return false;
    return true;
}

/* All that a name could have been: ends of layers' names, aliases, whole names; those of layers where it has parts. */
static size_t list_names(const search *f, const char *name, const char ***out) {
    const char *const *words;
    const size_t n_words = site_alias_words(f->a, &words);
    const char **names = arena_new_array(f->a, const char *, f->n + n_words + 2 * (size_t)SITE_COUNT);
    size_t n = 0;
    for (int i = 0; i < SITE_COUNT; i++) {
        if (site_rows[i].where != AT_BLOCK || !in_model(f->c, i)) continue;
        const char *last = last_part(site_rows[i].name);
        if (alone(f->c, i)) names[n++] = last;
        if (last != site_rows[i].name) names[n++] = site_rows[i].name;
    }
    for (size_t i = 0; i < n_words; i++)
        if (site_alias(f->a, f->c, words[i])) names[n++] = words[i];
    const bool parts = strchr(name, '.') != NULL;
    for (size_t i = 0; i < f->n; i++) {
        const candidate *k = &f->all[i];
        if (k->in.turn == 0 && (parts || k->in.block == NO_BLOCK)) names[n++] = place_name(f->a, f->slots, k->at);
    }
    *out = names;
    return n;
}

static sonde_status no_such_site(const search *f, const char *name) {
    const char **names;
    size_t at[NEAREST];
    const size_t n = list_names(f, name, &names);
    const size_t k = nearest(name, names, n, at, NEAREST);
    const char *near = "";
    for (size_t i = 0; i < k; i++) near = arena_printf(f->a, "%s%s%s", near, i ? ", " : "", names[at[i]]);
    return sonde_fail(f->err, SONDE_USAGE, "site \"%s\": no such site; the nearest are %s", name_shown(name).text,
                      near);
}

static const char *kind_name(const candidate *k) { return site_rows[k->at.site].name; }

/* A name that the model has, in a run that does not have it. */
static sonde_status not_in_run(const search *f, const char *name, slot in, int turn) {
    const int block = in.block;
    int       runs = 0;
    for (int i = 0; i < f->slots->n; i++) {
        const slot *at = &f->slots->at[i];
        runs += at->kind == SLOT_BLOCK && at->stack == in.stack && at->block == block;
    }
    const shown who = name_shown(name);
    SONDE_FAIL_IF(runs == 0, f->err, SONDE_USAGE, "site \"%s\": block %d does not run under this plan", who.text,
                  block);
    SONDE_FAIL_IF(turn >= runs, f->err, SONDE_USAGE, "site \"%s\": block %d runs %d time%s, counted from r0", who.text,
                  block, runs, runs == 1 ? "" : "s");
    return sonde_fail(f->err, SONDE_USAGE, "site \"%s\": this plan skips that part of block %d", who.text, block);
}

/* Looking a name up */

/* The same search in a run without plans, where every execution could be. */
static const search *anywhere(search *f) {
    if (f->anywhere) return f->anywhere;
    slots *plain = arena_alloc(f->a, sizeof *plain);
    *plain = plain_slots(f->a, f->c);
    search *w = arena_alloc(f->a, sizeof *w);
    *w = (search){ .a = f->a, .c = f->c, .slots = plain, .turns = ANY_TURN, .err = f->err };
    list_candidates(w);
    return f->anywhere = w;
}

static const candidate *first_whole(const search *f, const dotted *p) {
    for (size_t i = 0; i < f->n; i++)
        if (name_matches(f, p, &f->all[i], 0)) return &f->all[i];
    return NULL;
}

/* Layer sites that end in these parts; *found: one of each of the first two kinds. */
static size_t choose_ends(const search *f, const dotted *p, const candidate *found[2], bool choose) {
    size_t n = 0;
    found[0] = found[1] = NULL;
    for (size_t i = 0; i < f->n; i++) {
        const candidate *k = &f->all[i];
        if (k->in.block == NO_BLOCK || k->n <= p->n || !name_matches(f, p, k, k->n - p->n)) continue;
        if (choose) f->chosen[i] = true;
        n++;
        if (!found[0]) found[0] = k;
        else if (!found[1] && k->at.site != found[0]->at.site) found[1] = k;
    }
    return n;
}

static sonde_status find_end(search *f, const char *name, const dotted *p) {
    const candidate *found[2];
    const size_t could = choose_ends(anywhere(f), p, found, false);
    if (could == 0) return no_such_site(f, name);
    SONDE_FAIL_IF(found[1], f->err, SONDE_USAGE,
                  "site \"%s\": two kinds of site end so, %s and %s; expected one of them",
                  name_shown(name).text, kind_name(found[0]), kind_name(found[1]));
    const candidate *kind[2];
    if (choose_ends(f, p, kind, true) > 0) return SONDE_OK;
    return sonde_fail(f->err, SONDE_USAGE, "site \"%s\": no block of this run has %s, its plan leaves that out",
                      name_shown(name).text, kind_name(found[0]));
}

/* Whole names, spelled or with ranges. OK with *done false: it is no whole name of the model. */
static sonde_status find_whole(search *f, const char *name, const dotted *p, bool *done) {
    *done = true;
    if (choose_whole(f, p) > 0) return SONDE_OK;
    const candidate *k = first_whole(anywhere(f), p);
    *done = k != NULL;
    if (!k) return SONDE_OK;
    block_range r = { .turn = -1 };
    if (p->n > 1 && k->in.block != NO_BLOCK)
        (void)block_range_read(p->part[1].text, p->part[1].len, stack_config(f->c, k->in.stack)->layers, &r);
    return not_in_run(f, name, k->in, r.turn);
}

/* Where a block has no norms in front of its parts, ln1 and ln2 are those behind them. */
static void only_norms(const search *f, dotted *p) {
    static const struct { const char *other, *name; norm_place before, after; } norms[] = {
        { "ln1", "ln1_post", NORM_1, NORM_1_POST }, { "ln2", "ln2_post", NORM_2, NORM_2_POST },
    };
    for (size_t k = 0; k < sizeof norms / sizeof *norms; k++)
        for (int i = 0; i < p->n && !norm_exists(f->c, norms[k].before) && norm_exists(f->c, norms[k].after); i++)
            if (p->part[i].len == strlen(norms[k].other) && memcmp(p->part[i].text, norms[k].other, p->part[i].len) == 0)
                p->part[i] = (piece){ norms[k].name, strlen(norms[k].name) };
}

static sonde_status find_name(search *f, const char *name) {
    dotted p;
    SONDE_FAIL_IF(!*name, f->err, SONDE_USAGE, "site: found an empty name, expected one such as hook_resid_pre");
    SONDE_FAIL_IF(++f->names > MOST_NAMES, f->err, SONDE_USAGE,
                  "sites: more than %d names with all alternatives written out, expected fewer", MOST_NAMES);
    p.n = cut(name, p.part, MOST_PARTS);
    if (p.n > MOST_PARTS) return no_such_site(f, name);
    only_norms(f, &p);
    const char *other = site_alias(f->a, f->c, name);
    if (strchr(name, '*')) {
        if (other) p.n = cut(other, p.part, MOST_PARTS);
        return choose_whole(f, &p) > 0 ? SONDE_OK : no_such_site(f, name);
    }
    bool done;
    SONDE_TRY(find_whole(f, name, &p, &done));
    if (done) return SONDE_OK;
    if (!other) return find_end(f, name, &p);
    p.n = cut(other, p.part, MOST_PARTS);
    SONDE_TRY(find_whole(f, name, &p, &done));
    if (done) return SONDE_OK;
    return strncmp(other, "blocks.", 7) == 0 ? no_such_site(f, name) : find_end(f, name, &p);
}

/* Alternatives and commas */

typedef struct { char text[LONGEST_NAME + 1]; size_t len; } name_buffer;

/* `at`..`end` is what remains of one name; `b` what has been written out before it. */
static sonde_status write_out(search *f, const char *at, const char *end, name_buffer *b) {
    const size_t before = b->len;
    while (at < end && *at != '{') b->text[b->len++] = *at++;
    if (at == end) {
        b->text[b->len] = '\0';
        const sonde_status s = find_name(f, b->text);
        b->len = before;
        return s;
    }
    const char *close = memchr(at, '}', (size_t)(end - at));
    const size_t here = b->len;
    for (const char *alt = at + 1; alt <= close;) {
        const char *comma = memchr(alt, ',', (size_t)(close - alt));
        const size_t len = (size_t)((comma ? comma : close) - alt);
        memcpy(b->text + b->len, alt, len);
        b->len += len;
        SONDE_TRY(write_out(f, close + 1, end, b));
        b->len = here;
        alt += len + 1;
    }
    b->len = before;
    return SONDE_OK;
}

/* Length of the name in front, up to a comma outside braces. */
static sonde_status one_name(const search *f, const char *at, size_t *len) {
    bool inside = false;
    size_t i = 0;
    for (; at[i] && (inside || at[i] != ','); i++) {
        SONDE_FAIL_IF(at[i] == '{' && inside, f->err, SONDE_USAGE,
                      "sites \"%s\": found { inside {}, expected plain alternatives", name_shown(at).text);
        SONDE_FAIL_IF(at[i] == '}' && !inside, f->err, SONDE_USAGE, "sites \"%s\": found } without {",
                      name_shown(at).text);
        if (at[i] == '{') inside = true;
        if (at[i] == '}') inside = false;
    }
    SONDE_FAIL_IF(inside, f->err, SONDE_USAGE, "sites \"%s\": found { without }", name_shown(at).text);
    SONDE_FAIL_IF(i > LONGEST_NAME, f->err, SONDE_USAGE,
                  "sites: found a name of %zu characters, expected at most %d", i, LONGEST_NAME);
    *len = i;
    return SONDE_OK;
}

static sonde_status find_all(search *f, const char *pattern) {
    SONDE_FAIL_IF(strlen(pattern) > LONGEST_PATTERN, f->err, SONDE_USAGE,
                  "sites: found a pattern of %zu characters, expected at most %d", strlen(pattern), LONGEST_PATTERN);
    list_candidates(f);
    name_buffer *b = arena_alloc(f->a, sizeof *b);
    for (;;) {
        size_t len;
        SONDE_TRY(one_name(f, pattern, &len));
        SONDE_TRY(write_out(f, pattern, pattern + len, b));
        if (!pattern[len]) return SONDE_OK;
        pattern += len + 1;
    }
}

sonde_status places_select(arena *a, place_scope in, const char *pattern, place_list *out, sonde_error *err) {
    search f = { .a = a, .c = in.config, .slots = in.run, .turns = in.every_turn ? EVERY_TURN : 0, .err = err };
    SONDE_TRY(find_all(&f, pattern));
    *out = (place_list){ .at = arena_new_array(a, place, f.n + 1) };
    for (size_t i = 0; i < f.n; i++)
        if (f.chosen[i]) out->at[out->n++] = f.all[i].at;
    return SONDE_OK;
}

sonde_status sites_named(arena *a, const arch_config *c, const char *pattern, named_sites *out, sonde_error *err) {
    const slots plain = plain_slots(a, c);
    search f = { .a = a, .c = c, .slots = &plain, .turns = ANY_TURN, .err = err };
    f.anywhere = &f;
    SONDE_TRY(find_all(&f, pattern));
    *out = (named_sites){ 0 };
    for (size_t i = 0; i < f.n; i++)
        if (f.chosen[i]) out->in[slot_stack(&plain, f.all[i].at.slot)][f.all[i].at.site] = true;
    return SONDE_OK;
}
