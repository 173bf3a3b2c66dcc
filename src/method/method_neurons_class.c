/* Tests of a token's text: one small function for each kind, one row for each class. Letters beyond ASCII count as letters
 * without case; broken bytes are neither letters nor symbols. */
#include "method_neurons_class.h"
#include "room.h"
#include <ctype.h>
#include <stdio.h>

enum { LONGEST = 96 };

typedef struct {
    char   text[LONGEST];               /* as it is, cut; NUL behind it */
    char   word[LONGEST];               /* without white space around it, ASCII letters lower */
    char   strip[LONGEST];              /* the same with its case */
    size_t letters, caps, lowers, digits, spaces, symbols, broken, characters;
} token_text;

/* ---- what a token is made of ---- */

/* Code point and length of the character at s; 0: none stands there whole. */
static size_t next_character(const unsigned char *s, size_t n, uint32_t *code) {
    static const struct { unsigned char mask, lead; uint32_t least; } forms[] = {
        { 0x80, 0x00, 0 }, { 0xe0, 0xc0, 0x80 }, { 0xf0, 0xe0, 0x800 }, { 0xf8, 0xf0, 0x10000 },
    };
    for (size_t len = 1; len <= 4 && len <= n; len++) {
        if ((s[0] & forms[len - 1].mask) != forms[len - 1].lead) continue;
        uint32_t c = s[0] & (unsigned char)~forms[len - 1].mask;
        for (size_t i = 1; i < len; i++) {
            if ((s[i] & 0xc0) != 0x80) return 0;
            c = c << 6 | (s[i] & 0x3f);
        }
        *code = c;
        return c >= forms[len - 1].least && c <= 0x10ffff && (c < 0xd800 || c > 0xdfff) ? len : 0;
    }
    return 0;
}

/* Beyond ASCII: scripts are letters, the blocks of signs between them are not. */
static bool foreign_letter(uint32_t c) {
    if (c == 0xaa || c == 0xb5 || c == 0xba) return true;
    if (c < 0xc0 || c == 0xd7 || c == 0xf7) return false;
    return c < 0x2000 || (c >= 0x2c00 && c < 0x2e00) || (c >= 0x3040 && c < 0xd800) || (c >= 0xf900 && c < 0xfe00) ||
           (c >= 0xfe70 && c < 0xff00) || (c >= 0x10000 && c < 0x1f000) || c >= 0x20000;
}

static void count_character(token_text *t, uint32_t c) {
    const int a = c < 0x80 ? (int)c : 0;
    t->characters++;
    if (a && isspace(a)) t->spaces++;
    else if (a && isdigit(a)) t->digits++;
    else if (a ? isalpha(a) != 0 : foreign_letter(c)) t->letters++;
    else t->symbols++;
    t->caps += a && isupper(a);
    t->lowers += a && islower(a);
}

static token_text read_token(const neuron_weights *w, int64_t id) {
    token_text t = { .letters = 0 };
    size_t len;
    const char *bytes = sonde_token_bytes(w->cx->model, (int32_t)id, &len);
    len = len < LONGEST ? len : LONGEST - 1;
    memcpy(t.text, bytes, len);
    for (size_t i = 0; i < len;) {
        uint32_t code = 0;
        const size_t step = next_character((const unsigned char *)bytes + i, len - i, &code);
        if (step) count_character(&t, code);
        else t.broken++;
        i += step ? step : 1;
    }
    size_t from = 0;
    while (from < len && isspace((unsigned char)bytes[from])) from++;
    while (len > from && isspace((unsigned char)bytes[len - 1])) len--;
    memcpy(t.strip, bytes + from, len - from);
    for (size_t i = 0; i < len - from; i++) t.word[i] = (char)tolower((unsigned char)t.strip[i]);
    return t;
}

/* ---- tests ---- */

static size_t visible(const token_text *t) { return t->characters - t->spaces + t->broken; }

static bool test_ALL_SPACE(const token_text *t, const char *a) { (void)a; return t->spaces && !visible(t); }
static bool test_ALL_CAPS(const token_text *t, const char *a) { (void)a; return t->letters > 1 && t->caps == visible(t); }
static bool test_ALL_LOWER(const token_text *t, const char *a) { (void)a; return t->lowers && t->lowers == visible(t); }
static bool test_ALL_ALPHA(const token_text *t, const char *a) { (void)a; return t->letters && t->letters == visible(t); }
static bool test_ALL_DIGITS(const token_text *t, const char *a) { (void)a; return t->digits && t->digits == visible(t); }
static bool test_ALL_SYMBOLS(const token_text *t, const char *a) { (void)a; return t->symbols && t->symbols == visible(t); }
static bool test_CONTAINS(const token_text *t, const char *a) { return t->text[strcspn(t->text, a)] != 0; }

static size_t next_word(const char **at, const char **word) {
    *word = *at + strspn(*at, " ");
    const size_t n = strcspn(*word, " ");
    *at = *word + n;
    return n;
}

static bool test_CONTAINS_TEXT(const token_text *t, const char *a) {
    const char *word;
    char part[LONGEST];
    for (size_t n; (n = next_word(&a, &word));) {
        snprintf(part, sizeof part, "%.*s", (int)n, word);
        if (strstr(t->text, part)) return true;
    }
    return false;
}

static bool among(const char *text, const char *list) {
    const char *word;
    for (size_t n; (n = next_word(&list, &word));)
        if (strlen(text) == n && !strncmp(text, word, n)) return true;
    return false;
}

static bool test_ONE_OF(const token_text *t, const char *a) { return among(t->word, a); }
static bool test_ONE_OF_EXACT(const token_text *t, const char *a) { return among(t->strip, a); }

static bool test_DIGITS(const token_text *t, const char *a) {
    return test_ALL_DIGITS(t, a) && t->digits == (size_t)(a[0] - '0');
}

/* "LEAST MOST" */
static bool test_NUMBER(const token_text *t, const char *a) {
    long least, most;
    if (!test_ALL_DIGITS(t, a) || t->digits > 9 || sscanf(a, "%ld %ld", &least, &most) != 2) return false;
    const long x = strtol(t->strip, NULL, 10);
    return x >= least && x <= most;
}

static bool test_START(const token_text *t, const char *a) { return t->word[0] && strchr(a, t->word[0]); }
static bool test_START_CAPITAL(const token_text *t, const char *a) { (void)a; return isupper((unsigned char)t->strip[0]); }

/* One sign for each first character: a a letter, A a capital, z a lower one, 0 a digit, ^ no space, a space itself. */
static bool test_FIRST(const token_text *t, const char *a) {
    for (size_t i = 0; a[i]; i++) {
        const unsigned char c = (unsigned char)t->text[i];
        const bool fits = a[i] == ' ' ? c == ' ' : a[i] == '^' ? c && !isspace(c) : a[i] == 'a' ? isalpha(c) :
                          a[i] == 'A' ? isupper(c) : a[i] == 'z' ? islower(c) : isdigit(c);
        if (!fits) return false;
    }
    return true;
}

static bool test_SUFFIX(const token_text *t, const char *a) {
    const size_t n = strlen(t->word), m = strlen(a);
    return n >= m && !strcmp(t->word + n - m, a);
}

static bool test_PREFIX(const token_text *t, const char *a) { return !strncmp(t->word, a, strlen(a)); }

/* ---- the list ---- */

typedef bool (*token_test)(const token_text *t, const char *argument);
typedef struct { const char *name; token_test test; const char *argument; bool each; } class_row;

static const class_row rows[] = {
#define CLASS(name, test, argument) { #name, test_##test, argument, false },
#define SUFFIXES(words) { "end_w_", test_SUFFIX, words, true },
#define PREFIXES(words) { "start_w_", test_PREFIX, words, true },
#include "method_neurons_class.def"
#undef CLASS
#undef SUFFIXES
#undef PREFIXES
};

static void add_class(token_classes *c, const token_text *t, int64_t n, const class_row *row, const char *argument) {
    token_class x = { .in = ROOM(uint8_t, n) };
    snprintf(x.name, sizeof x.name, "%s%s", row->name, row->each ? argument : "");
    for (int64_t i = 0; i < n; i++) x.count += x.in[i] = row->test(&t[i], argument);
    bool known = false;
    for (size_t i = 0; i < c->n; i++) known |= !strcmp(c->at[i].name, x.name);
    if (known || x.count == 0 || x.count == n) {
        free(x.in);
        return;
    }
    c->at = room_grow(c->at, c->n, 1, sizeof *c->at);
    c->at[c->n++] = x;
}

token_classes classes_of(const neuron_weights *w) {
    token_classes c = { NULL, 0 };
    token_text   *t = ROOM(token_text, w->n);
    for (int64_t i = 0; i < w->n; i++) t[i] = read_token(w, i);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const char *at = rows[i].argument, *word;
        if (!rows[i].each) add_class(&c, t, w->n, &rows[i], at);
        for (size_t n; rows[i].each && (n = next_word(&at, &word));) {
            char part[32];
            snprintf(part, sizeof part, "%.*s", (int)n, word);
            add_class(&c, t, w->n, &rows[i], part);
        }
    }
    free(t);
    return c;
}

void classes_free(token_classes *c) {
    for (size_t i = 0; i < c->n; i++) free(c->at[i].in);
    free(c->at);
}
