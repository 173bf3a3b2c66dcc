/* The pre-tokenizers that are cut by hand against PCRE2: every code point, and random texts. SONDE_SCAN_TEXTS: how many of
 * these for each pattern. */
#define PCRE2_CODE_UNIT_WIDTH 8
#include "base/file.h"
#include "base/json.h"
#include "test.h"
#include "text/classes.h"
#include "text/scan.h"
#include "text/split.h"
#include "text/unicode.h"
#include <pcre2.h>
#include <stdlib.h>
#include <utf8proc.h>

enum { LAST = 0x10ffff, TEXTS = 50000, LONGEST = 64 };

static sonde_error err;
static uint64_t seed = 20240229;

static uint32_t below(uint32_t n) {
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)((seed >> 32) * n >> 32);
}

static size_t put(uint32_t c, char *out) {
    return (size_t)utf8proc_encode_char((utf8proc_int32_t)c, (utf8proc_uint8_t *)out);
}

static bool same_unicode(void) {
    char version[32] = "";
    pcre2_config(PCRE2_CONFIG_UNICODE_VERSION, version);
    if (strncmp(version, "14.", 3) == 0) return true;
    printf("skipped: PCRE2 here has Unicode %s, the tables have 14\n", version);
    return false;
}

static void classes_are_pcre2s(void) {
    static const struct { const char *pattern; unsigned class; } rows[] = {
        { "\\p{L}", CLASS_LETTER }, { "\\p{N}", CLASS_NUMBER }, { "\\p{P}", CLASS_PUNCTUATION }, { "\\p{S}", CLASS_SYMBOL },
        { "(?!\\x{180e})\\s", CLASS_SPACE }, { "[\\r\\n]", CLASS_NEWLINE }, { "\\x{180e}|[^\\s\\p{L}\\p{N}]", CLASS_REST },
    };
    if (!same_unicode()) return;
    pcre2_match_data *match = pcre2_match_data_create(1, NULL);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        int code;
        PCRE2_SIZE at;
        pcre2_code *re = pcre2_compile((PCRE2_SPTR)rows[i].pattern, PCRE2_ZERO_TERMINATED,
                                       PCRE2_UTF | PCRE2_UCP | PCRE2_ANCHORED, &code, &at, NULL);
        CHECK(re);
        pcre2_jit_compile(re, PCRE2_JIT_COMPLETE);
        for (uint32_t c = 0; c <= LAST; c++) {
            char text[4];
            if (c >= 0xd800 && c <= 0xdfff) continue;
            const size_t n = put(c, text);
            const bool matches = pcre2_match(re, (PCRE2_SPTR)text, n, 0, PCRE2_NO_UTF_CHECK, match, NULL) >= 0;
            if (matches != !!(class_of(c) & rows[i].class)) FAIL_("U+%04X: %s is %d", c, rows[i].pattern, matches);
            size_t size;
            CHECK_EQ(class_at((const uint8_t *)text, &size), class_of(c));
            CHECK_EQ((long long)size, (long long)n);
        }
        pcre2_code_free(re);
    }
    pcre2_match_data_free(match);
}

/* What a composed character does: it stays, behind whatever stands there, and what is not composed is looked at. */
static void composed_texts_stay_as_they_are(void) {
    for (uint32_t c = 1; c <= LAST; c++) {
        if (!(class_of(c) & CLASS_COMPOSED)) continue;
        const utf8proc_property_t *p = utf8proc_get_property((utf8proc_int32_t)c);
        CHECK_EQ(p->combining_class, 0);
        char bytes[8] = "a";
        bytes[1 + put(c, bytes + 1)] = '\0';
        utf8proc_uint8_t *now = utf8proc_NFC((const utf8proc_uint8_t *)bytes);
        if (!now || strcmp((char *)now, bytes) != 0) FAIL_("U+%04X changes", c);
        free(now);
    }
    static const char *const others[] = { "e\xcc\x81", "\xcc\x81", "\xe1\x85\xa1", "\xe2\x84\xab", "\xf0\xaf\xa0\x80",
                                          "\xff" };
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) CHECK(!class_composed(others[i], strlen(others[i])));
    CHECK(class_composed("caf\xc3\xa9 \xe2\x80\x9cso\xe2\x80\x9d \xe4\xb8\xad \xed\x95\x9c", 22));
}

/* Letters, digits and signs that the patterns name, white space of all kinds, and any character at times. */
static size_t random_text(char *out) {
    static const char *const parts[] = {
        "'", "'", "s", "S", "t", "T", "re", "Re", "ve", "VE", "ll", "lL", "m", "d", "D", "x", "The", "word", " ", " ", " ",
        " ", "  ", "\n", "\n", "\r\n", "\r", "\t", "\v", "0", "7", "42", "123", "1999", ".", ",", "!", "-", "$", "`",
        "|", "_", "(", "\xc5\xbf", "\xc2\xa0", "\xe3\x80\x80", "\xe2\x80\xa8", "\xc2\x85", "\xe1\xa0\x8e", "\xe2\x80\x8b",
        "\xcc\x81", "\xc3\xa9", "\xd0\xb9",
        "\xe4\xb8\xad", "\xef\xbc\x91", "\xc2\xbd", "\xd9\xa3", "\xe2\x80\x99", "\xe3\x80\x82",
        "\xf0\x9f\x98\x80", "\xf0\x9d\x9f\x98", "\xf0\xa0\x80\x80", "\xe2\x82\xac", "\xc2\xb2",
    };
    size_t len = 0;
    for (uint32_t n = below(20); n > 0 && len < LONGEST - 8; n--) {
        const char *part = parts[below(sizeof parts / sizeof *parts)];
        if (below(16)) {
            memcpy(out + len, part, strlen(part));
            len += strlen(part);
            continue;
        }
        uint32_t c = below(4) ? below(0x3000) : below(LAST + 1);
        if (c >= 0xd800 && c <= 0xdfff) c = 'e';
        len += put(c, out + len);
    }
    return len;
}

static bool same(const piece_list *a, const piece_list *b) {
    if (a->n != b->n) return false;
    for (size_t i = 0; i < a->n; i++)
        if (a->at[i].start != b->at[i].start || a->at[i].end != b->at[i].end) return false;
    return true;
}

static void show(const char *pattern, const char *text, size_t len, const piece_list *a, const piece_list *b) {
    printf("%s on ", pattern);
    for (size_t i = 0; i < len; i++) printf("%02x", (uint8_t)text[i]);
    for (size_t i = 0; i < a->n; i++) printf(" %zu-%zu", a->at[i].start, a->at[i].end);
    printf(", PCRE2:");
    for (size_t i = 0; i < b->n; i++) printf(" %zu-%zu", b->at[i].start, b->at[i].end);
    puts("");
}

/* The same expression in brackets, which no row of the table is. */
static splitter *by_pcre2(const char *pattern) {
    char text[512];
    const int n = snprintf(text, sizeof text, "(?:%s)", pattern);
    splitter *s = NULL;
    CHECK(!scanner_of(text, (size_t)n));
    CHECK_EQ(splitter_new(&s, text, (size_t)n, false, &err), SONDE_OK);
    return s;
}

static void compare(const scanner *fast, splitter *slow, const char *pattern, uint32_t texts) {
    arena *memory = arena_new();
    split_work *work = split_work_new();
    piece_list a = { .memory = memory }, b = { .memory = memory };
    for (uint32_t i = 0; i < texts; i++) {
        char text[LONGEST + 8];
        piece whole = { 0, random_text(text), false };
        whole.start = whole.end && i % 4 == 0 && text[0] > 0 ? 1 : 0;
        a.n = b.n = 0;
        for (piece p = whole; p.start < p.end; ) p.start = scanner_run(fast, text, p, &a, 1 + below(6));
        piece p = whole;
        CHECK_EQ(splitter_run(slow, text, &p, work, &b, &err), SONDE_OK);
        CHECK(p.start == p.end);
        if (same(&a, &b)) continue;
        show(pattern, text, whole.end, &a, &b);
        FAIL_("text %u is cut in another way", i);
    }
    split_work_free(work);
    arena_free(memory);
}

static void cuts_are_pcre2s(void) {
    const char *wanted = getenv("SONDE_SCAN_TEXTS"), *pattern;
    const uint32_t texts = wanted ? (uint32_t)strtoul(wanted, NULL, 10) : TEXTS;
    if (!same_unicode()) return;
    size_t n = 0;
    for (; (pattern = scanner_pattern(n)); n++) {
        if (strncmp(pattern, "(bytes)", 7) == 0) continue;      /* no expression over characters */
        splitter *slow = by_pcre2(pattern);
        const scanner *fast = scanner_of(pattern, strlen(pattern));
        CHECK(fast);
        compare(fast, slow, pattern, texts);
        splitter_free(slow);
    }
    CHECK(n >= 10);
    CHECK(scanner_of(split_gpt2, strlen(split_gpt2)) && !scanner_of(split_gpt2, 3) && !scanner_of("\\p{N}x", 6));
}

/* ---- families (tools/truth/pretokenizers.py) ---- */

enum { MOST_STAGES = 8 };
typedef struct { splitter *stage[MOST_STAGES]; size_t n; char name[32]; } family;

static void family_drop(family *f) {
    for (size_t i = 0; i < f->n; i++) splitter_free(f->stage[i]);
    *f = (family){ 0 };
}

static void add_stage(family *f, const char *line, size_t len, arena *memory) {
    const json *j;
    const char *pattern;
    CHECK_EQ(json_parse(line, len, memory, &j, &err), SONDE_OK);
    CHECK(json_string(j, &pattern, &len));
    CHECK(f->n < MOST_STAGES);
    if (splitter_new(&f->stage[f->n++], pattern, len, false, &err)) FAIL_("%s: %s", f->name, err.message);
}

/* "HEX END END ..": the cuts must be these. */
static void check_text(const family *f, const char *line, const char *stop, arena *memory) {
    static char text[4096];
    size_t len = 0;
    for (unsigned byte; line + 1 < stop && *line != ' '; line += 2) {
        CHECK(sscanf(line, "%2x", &byte) == 1 && len < sizeof text);
        text[len++] = (char)byte;
    }
    piece_list list = { .memory = memory }, next = { .memory = memory };
    split_work *work = split_work_new();
    if (len) pieces_add(&list, 0, len, false);
    for (size_t s = 0; s < f->n; s++) {
        next.n = 0;
        for (size_t i = 0; i < list.n; i++)
            for (piece p = list.at[i]; p.start < p.end; )
                CHECK_EQ(splitter_run(f->stage[s], text, &p, work, &next, &err), SONDE_OK);
        const piece_list done = list;
        list = next;
        next = done;
    }
    split_work_free(work);
    size_t i = 0;
    for (char *after; line < stop; line = after, i++) {
        const size_t end = strtoul(line, &after, 10);
        if (i >= list.n || list.at[i].end != end)
            FAIL_("%s: piece %zu of \"%.*s\" does not end at %zu", f->name, i, (int)len, text, end);
    }
    CHECK_EQ((long long)i, (long long)list.n);
}

static void families_are_cut_as_by_the_library(void) {
    file_map file;
    family   f = { 0 };
    size_t   families = 0, texts = 0;
    arena   *memory = arena_new();
    if (!same_unicode()) return;
    CHECK_EQ(file_map_open(&file, SONDE_SOURCE_DIR "/tests/truth/pretokenizers.txt", &err), SONDE_OK);
    const char *at = (const char *)file.data, *end = at + file.size;
    for (const char *stop; at < end && (stop = memchr(at, '\n', (size_t)(end - at))); at = stop + 1) {
        if (memcmp(at, "family ", 7) == 0) {
            family_drop(&f);
            snprintf(f.name, sizeof f.name, "%.*s", (int)(stop - at - 7), at + 7);
            families++;
        } else if (memcmp(at, "stage ", 6) == 0) {
            add_stage(&f, at + 6, (size_t)(stop - at - 6), memory);
        } else {
            CHECK(memcmp(at, "text ", 5) == 0);
            check_text(&f, at + 5, stop, memory);
            texts++;
        }
    }
    family_drop(&f);
    file_map_close(&file);
    arena_free(memory);
    CHECK(families == 10 && texts > 1000);
}

#define TESTS(T) \
    T(classes_are_pcre2s) T(composed_texts_stay_as_they_are) T(cuts_are_pcre2s) T(families_are_cut_as_by_the_library)
TEST_MAIN(TESTS)
