/* GGUF, written: the same bytes as gguf-py wrote (tools/truth/gguf_files.py), all of them or nothing. */
#define _GNU_SOURCE
#include "test.h"
#include "gguf_bytes.h"
#include "scratch.h"
#include "format/gguf_writer.h"

enum { MOST = 64 };
static sonde_error err;
static const char truth[] = SONDE_SOURCE_DIR "/tests/truth/gguf";

typedef struct { uint8_t *at; size_t n; } image;

static image read_image(const char *path) {
    image m = { .at = calloc(1, 1 << 20) };
    FILE *f = fopen(path, "rb");
    if (!f) FAIL_("%s is not there", path);
    m.n = fread(m.at, 1, 1 << 20, f);
    fclose(f);
    return m;
}

static int by_place(const void *a, const void *b) {
    const uint8_t *x = (*(const stored_tensor *const *)a)->data, *y = (*(const stored_tensor *const *)b)->data;
    return (x > y) - (x < y);
}

/* What w holds, written to path in pieces of `piece` bytes, tensors in the order of their places. */
static void copy(const weights *w, const char *path, size_t piece) {
    const stored_tensor *tensor[MOST];
    gguf_spec spec[MOST];
    const size_t n = weights_count(w);
    CHECK(n <= MOST);
    for (size_t i = 0; i < n; i++) tensor[i] = weights_at(w, i);
    qsort(tensor, n, sizeof *tensor, by_place);
    image all = { .at = calloc(1, 1 << 20) };
    for (size_t i = 0; i < n; i++) {
        spec[i] = (gguf_spec){ .name = tensor[i]->name, .type = tensor[i]->type, .rank = tensor[i]->rank };
        memcpy(spec[i].dim, tensor[i]->dim, sizeof spec[i].dim);
        memcpy(all.at + all.n, tensor[i]->data, tensor[i]->bytes);
        all.n += tensor[i]->bytes;
    }
    gguf_writer *out = NULL;
    const gguf_contents holds = { weights_meta_at(w, 0), weights_meta_count(w), spec, n };
    if (gguf_writer_open(&out, path, &holds, &err) != SONDE_OK) FAIL_("%s", err.message);
    for (size_t at = 0; at < all.n; at += piece)
        CHECK_EQ(gguf_writer_put(out, all.at + at, piece < all.n - at ? piece : all.n - at, &err), SONDE_OK);
    CHECK_EQ(gguf_writer_finish(out, &err), SONDE_OK);
    free(all.at);
}

static void what_is_read_and_written_is_the_same_file(void) {
    static const char *const names[] = { "kinds.gguf", "types.gguf", "aligned.gguf", "split-00001-of-00003.gguf" };
    static const size_t pieces[] = { 1, 7, 4096, 1 << 20 };
    const scratch s = scratch_new();
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        for (size_t k = 0; k < sizeof pieces / sizeof *pieces; k++) {
            char path[512];
            weights *w = NULL;
            snprintf(path, sizeof path, "%s/%s", truth, names[i]);
            if (i == 3) {                               /* the reader would open the set */
                const image part = read_image(path);
                static const char before[] = "split.count";
                uint8_t *at = memmem(part.at, part.n, before, sizeof before - 1);
                at[sizeof before - 1 + 4] = 1;
                scratch_write(&s, "in.gguf", part.at, part.n);
                free(part.at);
                snprintf(path, sizeof path, "%s", in_scratch(&s, "in.gguf").text);
            }
            CHECK_EQ(weights_open(path, &w, &err), SONDE_OK);
            copy(w, in_scratch(&s, "out.gguf").text, pieces[k]);
            weights_close(w);
            const image in = read_image(path), out = read_image(in_scratch(&s, "out.gguf").text);
            CHECK(in.n == out.n && memcmp(in.at, out.at, in.n) == 0);
            free(in.at);
            free(out.at);
        }
    scratch_end(&s);
}

static void values_that_were_made_are_read_as_they_were_made(void) {
    static const uint8_t few[] = { 1, 2, 250 };
    static const meta_text texts[] = { { "a\0b", 3 }, { "", 0 } };
    const scratch s = scratch_new();
    const meta_value made[] = {
        gguf_make_int("u8", GGUF_U8, 255), gguf_make_int("i8", GGUF_I8, -128), gguf_make_int("u32", GGUF_U32, 4000000000),
        gguf_make_int("i64", GGUF_I64, INT64_MIN), gguf_make_int("u64", GGUF_U64, INT64_MAX),
        gguf_make_int("yes", GGUF_BOOL, 1),
        gguf_make_number("f32", GGUF_F32, 0.1f), gguf_make_number("f64", GGUF_F64, 0.1), gguf_make_text("text", "\xc3\xa9"),
        gguf_make_list("few", GGUF_U8, few, 3), gguf_make_list("none", GGUF_F64, NULL, 0),
        gguf_make_texts("texts", texts, 2), gguf_make_texts("no texts", NULL, 0),
    };
    enum { N = sizeof made / sizeof *made };
    gguf_writer *out = NULL;
    CHECK_EQ(gguf_writer_open(&out, in_scratch(&s, "m.gguf").text, &(gguf_contents){ made, N, NULL, 0 }, &err), SONDE_OK);
    CHECK_EQ(gguf_writer_finish(out, &err), SONDE_OK);
    weights *w = NULL;
    CHECK_EQ(weights_open(s.path, &w, &err), SONDE_OK);
    CHECK_EQ((long long)weights_meta_count(w), N);
    for (size_t i = 0; i < N; i++) {
        const meta_value *got = weights_meta_at(w, i), *want = &made[i];
        CHECK_STR(got->key, want->key);
        CHECK(got->kind == want->kind && got->of == want->of && got->stored == want->stored && got->n == want->n);
        CHECK(got->integer == want->integer && memcmp(&got->number, &want->number, sizeof got->number) == 0);
        CHECK_EQ((long long)got->text.len, (long long)want->text.len);
        CHECK(got->text.len == 0 || memcmp(got->text.at, want->text.at, got->text.len) == 0);
        for (size_t k = 0; got->kind == META_LIST && got->of == META_TEXT && k < got->n; k++)
            CHECK(got->texts[k].len == texts[k].len && memcmp(got->texts[k].at, texts[k].at, texts[k].len) == 0);
    }
    CHECK(memcmp(weights_meta(w, "few")->data, few, sizeof few) == 0);
    weights_close(w);
    scratch_end(&s);
}

/* A u64 above INT64_MAX and a NaN that signals: what the reader gives of them does not say all. */
static void numbers_keep_every_bit(void) {
    const scratch s = scratch_new();
    gguf_bytes b = { 0 };
    gguf_begin(&b, 0, 3);
    gguf_key(&b, "u64", GGUF_U64);
    gguf_u64(&b, UINT64_MAX - 5);
    gguf_key(&b, "f32", GGUF_F32);
    gguf_u32(&b, 0x7fa00001);
    gguf_key(&b, "list", GGUF_LIST);
    gguf_u32(&b, GGUF_U64);
    gguf_u64(&b, 1);
    gguf_u64(&b, 1ull << 63);
    gguf_pad(&b, 32);
    scratch_write(&s, "in.gguf", b.at, b.n);
    weights *w = NULL;
    CHECK_EQ(weights_open(s.path, &w, &err), SONDE_OK);
    int64_t item = 0;
    CHECK(weights_meta(w, "u64")->integer == INT64_MAX && isnan(weights_meta(w, "f32")->number));
    CHECK(meta_item_int(weights_meta(w, "list"), 0, &item) && item == INT64_MAX);
    copy(w, in_scratch(&s, "out.gguf").text, 1);
    const image out = read_image(in_scratch(&s, "out.gguf").text);
    CHECK(out.n == b.n && memcmp(out.at, b.at, b.n) == 0);
    free(out.at);
    free(b.at);
    weights_close(w);
    scratch_end(&s);
}

static void a_changed_value_is_written_as_changed(void) {
    char path[512];
    const scratch s = scratch_new();
    weights *w = NULL;
    snprintf(path, sizeof path, "%s/kinds.gguf", truth);
    CHECK_EQ(weights_open(path, &w, &err), SONDE_OK);
    meta_value v[2] = { *weights_meta(w, "one.INT8.0"), *weights_meta(w, "one.FLOAT32.0") };
    v[0].integer = 5;
    v[1].number = -2.5;
    gguf_writer *out = NULL;
    weights *again = NULL;
    CHECK_EQ(gguf_writer_open(&out, in_scratch(&s, "m.gguf").text, &(gguf_contents){ v, 2, NULL, 0 }, &err), SONDE_OK);
    CHECK_EQ(gguf_writer_finish(out, &err), SONDE_OK);
    CHECK_EQ(weights_open(s.path, &again, &err), SONDE_OK);
    CHECK_EQ(weights_meta(again, "one.INT8.0")->integer, 5);
    CHECK_NEAR(weights_meta(again, "one.FLOAT32.0")->number, -2.5, 0);
    weights_close(again);
    weights_close(w);
    scratch_end(&s);
}

/* -- all or nothing -- */

static const gguf_spec two[] = { { "a", DTYPE_F32, 1, { 3 } }, { "b", DTYPE_Q8_0, 2, { 1, 32 } } };
static const uint8_t zeros[64];

static sonde_status open_two(gguf_writer **out, const char *path) {
    *out = NULL;
    return gguf_writer_open(out, path, &(gguf_contents){ NULL, 0, two, 2 }, &err);
}

static void a_file_appears_when_it_is_whole(void) {
    const scratch s = scratch_new();
    const scratch_path path = in_scratch(&s, "m.gguf");
    gguf_writer *out;
    CHECK_EQ(open_two(&out, path.text), SONDE_OK);
    CHECK_EQ(gguf_writer_put(out, zeros, 12 + 33, &err), SONDE_OK);
    CHECK(access(path.text, F_OK) != 0);
    CHECK_EQ(gguf_writer_finish(out, &err), SONDE_USAGE);
    CHECK_STR(err.message, "tensor b: 33 of its 34 bytes were written");
    CHECK_EQ((long long)scratch_count(s.path), 0);
    scratch_write(&s, "m.gguf", "before", 6);
    CHECK_EQ(open_two(&out, path.text), SONDE_OK);
    CHECK_EQ(gguf_writer_put(out, zeros, 12 + 34, &err), SONDE_OK);
    CHECK_EQ(gguf_writer_put(out, zeros, 2, &err), SONDE_USAGE);
    CHECK_STR(err.message, "2 bytes stand behind the last tensor");
    gguf_writer_abort(out);
    gguf_writer_abort(NULL);
    CHECK_EQ((long long)scratch_count(s.path), 1);
    const image m = read_image(path.text);
    CHECK(m.n == 6 && memcmp(m.at, "before", 6) == 0);
    free(m.at);
    scratch_end(&s);
}

static void a_full_disk_is_an_error_that_says_what_was_written(void) {
    gguf_writer *out;
    CHECK_EQ(open_two(&out, "/dev/full"), SONDE_OK);
    CHECK_EQ(gguf_writer_put(out, zeros, 12 + 34, &err), SONDE_OK);
    CHECK_EQ(gguf_writer_finish(out, &err), SONDE_IO);
    CHECK_STR(err.message, "writing tensor b: /dev/full: No space left on device");
    const meta_text text = { calloc(1, 1 << 22), 1 << 22 };
    const meta_value v = { .key = "k", .kind = META_TEXT, .stored = GGUF_TEXT, .text = text };
    CHECK_EQ(gguf_writer_open(&out, "/dev/full", &(gguf_contents){ &v, 1, NULL, 0 }, &err), SONDE_IO);
    CHECK_STR(err.message, "writing metadata: /dev/full: No space left on device");
    free((void *)(uintptr_t)text.at);
    CHECK_EQ(open_two(&out, "/absent/m.gguf"), SONDE_NOT_FOUND);
}

/* -- what a file cannot hold -- */

#define LONG_NAME "nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn"

static void tensors_that_a_file_cannot_hold_are_refused(void) {
    static const struct { gguf_spec t; const char *message; } rows[] = {
        { { "", DTYPE_F32, 1, { 3 } }, "tensor : the name is no UTF-8 of 1 to 63 bytes" },
        { { LONG_NAME, DTYPE_F32, 1, { 3 } }, "tensor " LONG_NAME ": the name is no UTF-8 of 1 to 63 bytes" },
        { { "\xff", DTYPE_F32, 1, { 3 } }, "tensor \\xff: the name is no UTF-8 of 1 to 63 bytes" },
        { { "a", DTYPE_F32, 1, { 3 } }, "tensor a: stands twice" },
        { { "c", DTYPE_U16, 1, { 3 } }, "tensor c: GGUF has no type U16" },
        { { "c", DTYPE_F32, 0, { 0 } }, "tensor c: has 0 dimensions, expected 1 to 4" },
        { { "c", DTYPE_F32, 5, { 1, 1, 1, 1 } }, "tensor c: has 5 dimensions, expected 1 to 4" },
        { { "c", DTYPE_F32, 2, { 3, 0 } }, "tensor c: a dimension is 0, expected 1 or more" },
        { { "c", DTYPE_Q8_0, 2, { 32, 31 } }, "tensor c: its rows are no whole blocks of 32, or it is too large" },
        { { "c", DTYPE_F32, 2, { INT64_MAX, 2 } }, "tensor c: its rows are no whole blocks of 1, or it is too large" },
        { { "c", DTYPE_I8, 1, { INT64_MAX } }, "tensor c: the tensors up to it are too large for a file" },
    };
    const scratch s = scratch_new();
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const gguf_spec t[2] = { two[0], rows[i].t };
        gguf_writer *out = NULL;
        CHECK_EQ(gguf_writer_open(&out, in_scratch(&s, "m").text, &(gguf_contents){ NULL, 0, t, 2 }, &err), SONDE_USAGE);
        CHECK_STR(err.message, rows[i].message);
        CHECK(!out);
    }
    CHECK_EQ((long long)scratch_count(s.path), 0);
    scratch_end(&s);
}

static void metadata_that_a_file_cannot_hold_are_refused(void) {
    const struct { meta_value v; const char *message; } rows[] = {
        { gguf_make_int("", GGUF_U8, 1), "key : is no UTF-8 of 1 to 65535 bytes" },
        { gguf_make_int("\xff", GGUF_U8, 1), "key \\xff: is no UTF-8 of 1 to 65535 bytes" },
        { gguf_make_int("a", GGUF_U8, 1), "key a: stands twice" },
        { gguf_make_int("b", GGUF_U8, 256), "key b: 256 does not fit its type" },
        { gguf_make_int("b", GGUF_I8, -129), "key b: -129 does not fit its type" },
        { gguf_make_int("b", GGUF_U64, -1), "key b: -1 does not fit its type" },
        { gguf_make_int("b", GGUF_BOOL, 2), "key b: 2 does not fit its type" },
        { { .key = "b", .kind = META_INT, .stored = GGUF_F32 }, "key b: its type is 6, which is of another kind" },
        { { .key = "b", .kind = META_INT, .stored = 13 }, "key b: its type is 13, which is of another kind" },
        { { .key = "b", .kind = META_LIST, .of = META_INT, .stored = GGUF_U8, .n = 1, .item = 2 },
          "key b: its items have 2 bytes, expected 1" },
        { gguf_make_int("general.alignment", GGUF_U32, 48),
          "key general.alignment: is no u32 that is a power of two from 8 to 65536" },
        { gguf_make_int("general.alignment", GGUF_U64, 32),
          "key general.alignment: is no u32 that is a power of two from 8 to 65536" },
    };
    const scratch s = scratch_new();
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const meta_value v[2] = { gguf_make_text("a", ""), rows[i].v };
        gguf_writer *out = NULL;
        CHECK_EQ(gguf_writer_open(&out, in_scratch(&s, "m").text, &(gguf_contents){ v, 2, NULL, 0 }, &err), SONDE_USAGE);
        CHECK_STR(err.message, rows[i].message);
    }
    CHECK_EQ((long long)scratch_count(s.path), 0);
    scratch_end(&s);
}

#define TESTS(X) \
    X(what_is_read_and_written_is_the_same_file) \
    X(values_that_were_made_are_read_as_they_were_made) \
    X(numbers_keep_every_bit) \
    X(a_changed_value_is_written_as_changed) \
    X(a_file_appears_when_it_is_whole) \
    X(a_full_disk_is_an_error_that_says_what_was_written) \
    X(tensors_that_a_file_cannot_hold_are_refused) \
    X(metadata_that_a_file_cannot_hold_are_refused)
TEST_MAIN(TESTS)
