#define _GNU_SOURCE
#include "test_result.h"
#include "scratch.h"
#include "sonde/array_file.h"
#include "sonde/version.h"

static char bytes[1 << 16];

static const char *slurp(const char *path) {
    FILE *f = fopen(path, "rb");
    if (!f) return NULL;
    bytes[fread(bytes, 1, sizeof bytes - 1, f)] = '\0';
    fclose(f);
    return bytes;
}

/* Two tables and two arrays, one of them too big for a saved JSON. */
static sonde_result *both(void) {
    sonde_result *r = sonde_result_new();
    static const char *const names[] = { "first", "se/co nd" };
    for (int i = 0; i < 2; i++) {
        sonde_table *t = sonde_result_table(r, names[i]);
        sonde_table_column(t, "token", SONDE_TOKEN, "");
        sonde_table_row(t);
        sonde_cell_token(t, token(i, i ? "a,b" : " \""));
    }
    float *small = sonde_array_data(sonde_result_array(r, "m", "t s", (const int64_t[]){ 2, 2 }));
    small[3] = 0.5f;
    float *big = sonde_array_data(sonde_result_array(r, "big", "i", (const int64_t[]){ 10001 }));
    big[10000] = -2;
    sonde_result_method(r, "lens");
    return r;
}

static void csv_writes_the_others_beside(void) {
    const scratch s = scratch_new();
    sonde_result *r = both();
    CHECK_EQ(sonde_result_save(r, in_scratch(&s, "x.csv").text, NULL), SONDE_OK);
    CHECK_STR(slurp(in_scratch(&s, "x.csv").text), "token_id,token\n0,\"·\"\"\"\n");
    CHECK_STR(slurp(in_scratch(&s, "x-se%2Fco%20nd.csv").text), "token_id,token\n1,\"a,b\"\n");
    CHECK_EQ(sonde_result_save(r, in_scratch(&s, "x.y.TSV").text, NULL), SONDE_OK);
    CHECK_STR(slurp(in_scratch(&s, "x.y.TSV").text), "token_id\ttoken\n0\t\"·\"\"\"\n");
    CHECK_STR(slurp(in_scratch(&s, "x.y-se%2Fco%20nd.TSV").text), "token_id\ttoken\n1\ta,b\n");
    CHECK_EQ((long long)scratch_count(s.path), 4);
    sonde_result_free(r);
    scratch_end(&s);
}

static void text_is_the_plain_one(void) {
    const scratch s = scratch_new();
    sonde_result *r = sonde_result_new();
    sonde_result_array(r, "m", "t", (const int64_t[]){ 1 });
    CHECK_EQ(sonde_result_save(r, in_scratch(&s, "x.txt").text, NULL), SONDE_OK);
    CHECK_STR(slurp(in_scratch(&s, "x.txt").text), "t\tm\n0\t0\n");
    sonde_result_free(r);
    scratch_end(&s);
}

static void json_puts_big_arrays_beside(void) {
    const scratch s = scratch_new();
    sonde_result *r = both();
    CHECK_EQ(sonde_result_save(r, in_scratch(&s, "x.json").text, NULL), SONDE_OK);
    CHECK(strstr(slurp(in_scratch(&s, "x.json").text),
                 "\"name\":\"m\",\"axes\":[\"t\",\"s\"],\"shape\":[2,2],\"data\":[0,0,0,0.5]}"));
    CHECK(strstr(bytes, "\"name\":\"big\",\"axes\":[\"i\"],\"shape\":[10001],\"file\":\"x.big.npy\"}"));
    sonde_array_file *f;
    CHECK_EQ(sonde_array_file_open(&f, in_scratch(&s, "x.big.npy").text, NULL), SONDE_OK);
    CHECK_EQ(sonde_array_file_spec(f, 0)->dim[0], 10001);
    float last = 0;
    CHECK_EQ(sonde_array_read(f, 0, 10000, 1, &last, NULL), SONDE_OK);
    CHECK_NEAR(last, -2, 0);
    sonde_array_file_close(f);
    CHECK_EQ((long long)scratch_count(s.path), 2);
    kept k = { 0 };
    CHECK_EQ(sonde_result_json(r, keep, &k, NULL), SONDE_OK);
    CHECK(!strstr(k.text, "\"file\""));
    CHECK(strstr(k.text, ",0,-2]}"));
    free(k.text);
    sonde_result_free(r);
    scratch_end(&s);
}

static void npy_is_the_first_and_safetensors_all(void) {
    const scratch s = scratch_new();
    sonde_result *r = both();
    sonde_array_file *f;
    float m[4] = { 0 };
    CHECK_EQ(sonde_result_save(r, in_scratch(&s, "x.npy").text, NULL), SONDE_OK);
    CHECK_EQ(sonde_array_file_open(&f, in_scratch(&s, "x.npy").text, NULL), SONDE_OK);
    CHECK_EQ(sonde_array_file_spec(f, 0)->rank, 2);
    CHECK_EQ(sonde_array_read(f, 0, 0, 4, m, NULL), SONDE_OK);
    CHECK_NEAR(m[3], 0.5, 0);
    sonde_array_file_close(f);
    CHECK_EQ(sonde_result_save(r, in_scratch(&s, "x.safetensors").text, NULL), SONDE_OK);
    CHECK_EQ(sonde_array_file_open(&f, in_scratch(&s, "x.safetensors").text, NULL), SONDE_OK);
    CHECK_EQ((long long)sonde_array_file_count(f), 2);
    CHECK(sonde_array_file_find(f, "big") != SIZE_MAX);
    CHECK_STR(sonde_array_file_note(f, "sonde"), SONDE_VERSION);
    CHECK_STR(sonde_array_file_note(f, "method"), "lens");
    sonde_array_file_close(f);
    CHECK_EQ((long long)scratch_count(s.path), 2);
    sonde_result_free(r);
    scratch_end(&s);
}

static void what_has_no_array_is_no_npy(void) {
    const scratch s = scratch_new();
    sonde_result *r = sonde_result_new();
    CHECK_EQ(sonde_result_save(r, in_scratch(&s, "x.npy").text, NULL), SONDE_USAGE);
    CHECK_EQ(sonde_result_save(r, in_scratch(&s, "x.safetensors").text, NULL), SONDE_USAGE);
    CHECK_EQ(sonde_result_save(r, in_scratch(&s, "x.csv").text, NULL), SONDE_USAGE);
    CHECK_EQ((long long)scratch_count(s.path), 0);
    sonde_result_free(r);
    scratch_end(&s);
}

static void endings(void) {
    sonde_error err;
    CHECK_EQ(sonde_result_can_save("a.b/x.safetensors", &err), SONDE_OK);
    CHECK_EQ(sonde_result_can_save("x.JSON", &err), SONDE_OK);
    CHECK_EQ(sonde_result_can_save("x.html", &err), SONDE_OK);
#ifdef SONDE_CAIRO
    CHECK_EQ(sonde_result_can_save("x.SVG", &err), SONDE_OK);
    CHECK_EQ(sonde_result_can_save("x.png", NULL), SONDE_OK);
    CHECK_EQ(sonde_result_can_save("x.pdf", NULL), SONDE_OK);
#else
    CHECK_EQ(sonde_result_can_save("x.svg", &err), SONDE_UNSUPPORTED);
    CHECK_STR(err.message, "x.svg: this build draws no such files (cairo was not there when it was built), use .html");
#endif
    CHECK_EQ(sonde_result_can_save("x.gif", &err), SONDE_USAGE);
    CHECK_STR(err.message, "x.gif: nothing is known to be written under .gif, "
                           "expected .json, .csv, .tsv, .npy, .safetensors, .txt, .html, .svg, .png or .pdf");
    CHECK_EQ(sonde_result_can_save("a.json/x", &err), SONDE_USAGE);
    CHECK_EQ(sonde_result_can_save("", &err), SONDE_USAGE);
    sonde_result *r = sonde_result_new();
    CHECK_EQ(sonde_result_save(r, "x.gif", &err), SONDE_USAGE);
    sonde_result_free(r);
}

/* A folder stands where a sibling should be. */
static void a_failed_save_leaves_nothing(void) {
    const scratch s = scratch_new();
    sonde_result *r = both();
    mkdir(in_scratch(&s, "x-se%2Fco%20nd.csv").text, 0777);
    mkdir(in_scratch(&s, "x.big.npy").text, 0777);
    CHECK(sonde_result_save(r, in_scratch(&s, "x.csv").text, NULL) != SONDE_OK);
    CHECK_EQ((long long)scratch_count(s.path), 2);
    CHECK(sonde_result_save(r, in_scratch(&s, "x.json").text, NULL) != SONDE_OK);
    CHECK_EQ((long long)scratch_count(s.path), 2);
    CHECK(sonde_result_save(r, in_scratch(&s, "no/x.csv").text, NULL) != SONDE_OK);
    CHECK(!symlink("/dev/full", in_scratch(&s, "full.csv").text));
    CHECK_EQ(sonde_result_save(r, in_scratch(&s, "full.csv").text, NULL), SONDE_IO);
    CHECK_EQ((long long)scratch_count(s.path), 3);
    CHECK_EQ(access("/dev/full", F_OK), 0);
    sonde_result_free(r);
    scratch_end(&s);
}

static void two_tables_of_one_name_are_refused(void) {
    const scratch s = scratch_new();
    sonde_result *r = sonde_result_new();
    sonde_result_table(r, "t");
    sonde_result_table(r, "t");
    CHECK_EQ(sonde_result_save(r, in_scratch(&s, "x.csv").text, NULL), SONDE_USAGE);
    CHECK_EQ((long long)scratch_count(s.path), 0);
    sonde_result_free(r);
    scratch_end(&s);
}

#define TESTS(X) \
    X(csv_writes_the_others_beside) \
    X(text_is_the_plain_one) \
    X(json_puts_big_arrays_beside) \
    X(npy_is_the_first_and_safetensors_all) \
    X(what_has_no_array_is_no_npy) \
    X(endings) \
    X(a_failed_save_leaves_nothing) \
    X(two_tables_of_one_name_are_refused)
TEST_MAIN(TESTS)
