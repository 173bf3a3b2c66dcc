#define _GNU_SOURCE
#include "test.h"
#include "scratch.h"
#include "sonde/array_file.h"
#include <stdint.h>

static sonde_error err;

static long size_of(const char *path) {
    struct stat st;
    return stat(path, &st) ? -1 : (long)st.st_size;
}

static void what_was_written_is_read_in_any_order(void) {
    const scratch s = scratch_new();
    const scratch_path p = in_scratch(&s, "x.safetensors");
    static const sonde_array_spec spec[] = {
        { "tokens", "I32", 1, { 3 } }, { "blocks.0.hook_z", "F32", 3, { 2, 2, 2 } }, { "long", "I64", 1, { 1 } },
        { "odd \"name\"\n\xc3\xa9", "U8", 1, { 3 } }, { "scalar", "F32", 0, { 0 } }, { "none", "F32", 2, { 0, 5 } },
    };
    static const sonde_array_note note[] = { { "sonde", "1.0" }, { "prompt", "a \"b\"\n\t\\ \xf0\x9f\x98\x80" } };
    const int32_t tokens[3] = { 464, -1, INT32_MAX };
    const float z[8] = { 0, 1, 2, 3, 4, 5, 6, (float)INFINITY }, scalar = 0.1f;
    const int64_t wide = INT64_MIN;
    sonde_array_writer *w;
    CHECK_EQ(sonde_array_writer_open(&w, p.text, (sonde_array_list){ spec, 6, note, 2 }, &err), SONDE_OK);
    CHECK_EQ(sonde_array_write(w, 4, 0, &scalar, 1, &err), SONDE_OK);
    CHECK_EQ(sonde_array_write(w, 1, 4, z + 4, 4, &err), SONDE_OK);
    CHECK_EQ(sonde_array_write(w, 3, 0, "xyz", 3, &err), SONDE_OK);
    CHECK_EQ(sonde_array_write(w, 1, 0, z, 4, &err), SONDE_OK);
    CHECK_EQ(sonde_array_write(w, 0, 0, tokens, 3, &err), SONDE_OK);
    CHECK_EQ(sonde_array_write(w, 2, 0, &wide, 1, &err), SONDE_OK);
    CHECK_EQ(size_of(p.text), -1);                          /* not there before it is whole */
    CHECK_EQ(sonde_array_writer_close(w, &err), SONDE_OK);
    CHECK_EQ((long long)scratch_count(s.path), 1);

    sonde_array_file *f;
    CHECK_EQ(sonde_array_file_open(&f, p.text, &err), SONDE_OK);
    CHECK_EQ((long long)sonde_array_file_count(f), 6);
    for (size_t i = 0; i < 6; i++) {
        const size_t at = sonde_array_file_find(f, spec[i].name);
        CHECK(at != SIZE_MAX);
        const sonde_array_spec *got = sonde_array_file_spec(f, at);
        CHECK_STR(got->name, spec[i].name);
        CHECK_STR(got->dtype, spec[i].dtype);
        CHECK_EQ(got->rank, spec[i].rank);
        for (int k = 0; k < spec[i].rank; k++) CHECK_EQ(got->dim[k], spec[i].dim[k]);
    }
    float out[8];
    int64_t whole[3];
    CHECK_EQ(sonde_array_read(f, sonde_array_file_find(f, "blocks.0.hook_z"), 2, 6, out, &err), SONDE_OK);
    CHECK(memcmp(out, z + 2, 6 * sizeof *z) == 0);
    CHECK_EQ(sonde_array_read_int(f, sonde_array_file_find(f, "tokens"), 0, 3, whole, &err), SONDE_OK);
    CHECK(whole[0] == 464 && whole[1] == -1 && whole[2] == INT32_MAX);
    CHECK_EQ(sonde_array_read_int(f, sonde_array_file_find(f, "long"), 0, 1, whole, &err), SONDE_OK);
    CHECK(whole[0] == INT64_MIN);
    CHECK_EQ(sonde_array_read(f, sonde_array_file_find(f, "scalar"), 0, 1, out, &err), SONDE_OK);
    CHECK(out[0] == 0.1f);
    CHECK_EQ(sonde_array_read(f, sonde_array_file_find(f, spec[3].name), 1, 2, out, &err), SONDE_OK);
    CHECK(out[0] == 'y' && out[1] == 'z');
    CHECK_EQ((long long)sonde_array_file_find(f, "absent"), (long long)SIZE_MAX);
    CHECK_STR(sonde_array_file_note(f, "prompt"), note[1].value);
    CHECK(!sonde_array_file_note(f, "absent"));
    sonde_array_file_close(f);
    sonde_array_file_close(NULL);
    scratch_end(&s);
}

/* The bytes, as the format's other readers want them: header padded to 8, keys in the caller's order, every item at a
 * multiple of its size. */
static void the_file_is_what_the_format_says(void) {
    static const char want[] = "{\"b\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[8,9]},"
                               "\"a\":{\"dtype\":\"I64\",\"shape\":[1],\"data_offsets\":[0,8]}}";
    const scratch s = scratch_new();
    const scratch_path p = in_scratch(&s, "x");
    static const sonde_array_spec spec[] = { { "b", "U8", 1, { 1 } }, { "a", "I64", 1, { 1 } } };
    const int64_t v = 0x0102030405060708;
    sonde_array_writer *w;
    CHECK_EQ(sonde_array_writer_open(&w, p.text, (sonde_array_list){ .specs = spec, .n = 2 }, &err), SONDE_OK);
    CHECK_EQ(sonde_array_write(w, 1, 0, &v, 1, &err), SONDE_OK);
    CHECK_EQ(sonde_array_writer_close(w, &err), SONDE_OK);          /* b was never written: 0 */
    char got[256];
    FILE *file = fopen(p.text, "rb");
    const size_t n = fread(got, 1, sizeof got, file);
    fclose(file);
    uint64_t length;
    memcpy(&length, got, 8);
    CHECK_EQ((long long)(length % 8), 0);
    CHECK_EQ((long long)n, (long long)(8 + length + 9));
    CHECK(length >= sizeof want - 1 && length < sizeof want + 7);
    CHECK(memcmp(got + 8, want, sizeof want - 1) == 0);
    for (size_t i = sizeof want - 1; i < length; i++) CHECK(got[8 + i] == ' ');
    CHECK(memcmp(got + 8 + length, "\x08\7\6\5\4\3\2\1\0", 9) == 0);
    scratch_end(&s);
}

static void a_dropped_writer_leaves_nothing(void) {
    const scratch s = scratch_new();
    static const sonde_array_spec spec = { "a", "F32", 1, { 100 } };
    sonde_array_writer *w;
    CHECK_EQ(sonde_array_writer_open(&w, in_scratch(&s, "x").text, (sonde_array_list){ .specs = &spec, .n = 1 }, &err), SONDE_OK);
    sonde_array_writer_drop(w);
    sonde_array_writer_drop(NULL);
    CHECK_EQ((long long)scratch_count(s.path), 0);
    scratch_end(&s);
}

static void a_file_that_could_not_be_read_again_is_not_begun(void) {
    const scratch s = scratch_new();
    static const struct { sonde_array_spec spec[2]; size_t n; const char *message; } rows[] = {
        { { { "a", "F32", 1, { 1 } }, { "a", "I32", 1, { 1 } } }, 2, "array a: the name stands twice" },
        { { { "a", "F31", 1, { 1 } } }, 1, "array a: dtype F31 is unknown" },
        { { { "a", "F32", 9, { 1 } } }, 1, "array a: rank is 9, expected 0 to 8" },
        { { { "a", "F32", 1, { -1 } } }, 1, "array a: a dimension is -1" },
        { { { "a", "F32", 2, { INT64_MAX, 2 } } }, 1, "array a: the shape is too large" },
        { { { "a", "U8", 1, { INT64_MAX } }, { "b", "U8", 1, { INT64_MAX } } }, 2,
          "the arrays are too large for a file" },
        { { { "__metadata__", "F32", 0, { 0 } } }, 1, "array __metadata__: a file cannot hold this name" },
        { { { "\xff", "F32", 0, { 0 } } }, 1, "array \\xff: its name is not UTF-8" },
    };
    const scratch_path p = in_scratch(&s, "x");
    sonde_array_writer *w;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        CHECK_EQ(sonde_array_writer_open(&w, p.text, (sonde_array_list){ .specs = rows[i].spec, .n = rows[i].n }, &err), SONDE_USAGE);
        CHECK_STR(err.message, rows[i].message);
    }
    static const sonde_array_note twice[] = { { "k", "1" }, { "k", "2" } }, broken[] = { { "k", "\xff" } };
    CHECK_EQ(sonde_array_writer_open(&w, p.text, (sonde_array_list){ rows[0].spec, 1, twice, 2 }, &err), SONDE_USAGE);
    CHECK_STR(err.message, "note k: the name stands twice");
    CHECK_EQ(sonde_array_writer_open(&w, p.text, (sonde_array_list){ rows[0].spec, 1, broken, 1 }, &err), SONDE_USAGE);
    CHECK_EQ(sonde_array_writer_open(&w, in_scratch(&s, "no/x").text, (sonde_array_list){ .specs = rows[0].spec, .n = 1 }, &err), SONDE_NOT_FOUND);
    CHECK_EQ((long long)scratch_count(s.path), 0);
    scratch_end(&s);
}

static void items_outside_an_array_are_neither_written_nor_read(void) {
    const scratch s = scratch_new();
    const scratch_path p = in_scratch(&s, "x");
    static const sonde_array_spec spec[] = { { "a", "F32", 2, { 2, 3 } }, { "b", "F32", 1, { 6 } } };
    static const int64_t bad[][2] = { { 0, 7 }, { 6, 1 }, { -1, 2 }, { 0, -1 }, { INT64_MAX, 1 }, { 1, INT64_MAX } };
    const float z[8] = { 0 };
    float out[8];
    sonde_array_writer *w;
    sonde_array_file *f;
    CHECK_EQ(sonde_array_writer_open(&w, p.text, (sonde_array_list){ .specs = spec, .n = 2 }, &err), SONDE_OK);
    for (int i = 0; i < 6; i++) CHECK_EQ(sonde_array_write(w, 0, bad[i][0], z, bad[i][1], &err), SONDE_USAGE);
    CHECK_EQ(sonde_array_write(w, 2, 0, z, 1, &err), SONDE_USAGE);
    CHECK_EQ(sonde_array_write(w, 0, 6, z, 0, &err), SONDE_OK);
    CHECK_EQ(sonde_array_writer_close(w, &err), SONDE_OK);
    CHECK_EQ(sonde_array_file_open(&f, p.text, &err), SONDE_OK);
    for (int i = 0; i < 6; i++) CHECK_EQ(sonde_array_read(f, 0, bad[i][0], bad[i][1], out, &err), SONDE_USAGE);
    CHECK_EQ(sonde_array_read(f, 2, 0, 1, out, &err), SONDE_USAGE);
    CHECK_EQ(sonde_array_read(f, 0, 6, 0, out, &err), SONDE_OK);
    sonde_array_file_close(f);
    scratch_end(&s);
}

static sonde_status open_bytes(const scratch *s, const char *name, const char *bytes, size_t n, sonde_array_file **f) {
    scratch_write(s, name, bytes, n);
    *f = NULL;
    return sonde_array_file_open(f, in_scratch(s, name).text, &err);
}

/* Bytes that numpy 2.4 writes: np.save(f, np.array([[1, 2, 3], [4, 5, 6]], "<i2")). */
#define NUMPY_HEAD "\x93NUMPY\1\0v\0{'descr': '<i2', 'fortran_order': False, 'shape': (2, 3), }" \
                   "                                                          \n"

static void an_npy_file_is_one_array_without_a_name(void) {
    static const char bytes[] = NUMPY_HEAD "\1\0\2\0\3\0\4\0\5\0\6";
    const scratch s = scratch_new();
    sonde_array_file *f;
    float out[6];
    int64_t whole[6];
    CHECK_EQ((long long)sizeof bytes, 128 + 12);            /* the last NUL is the upper byte of the 6 */
    CHECK_EQ(open_bytes(&s, "any", bytes, sizeof bytes, &f), SONDE_OK);
    CHECK_EQ((long long)sonde_array_file_count(f), 1);
    CHECK_EQ((long long)sonde_array_file_find(f, ""), 0);
    const sonde_array_spec *spec = sonde_array_file_spec(f, 0);
    CHECK_STR(spec->dtype, "I16");
    CHECK(spec->rank == 2 && spec->dim[0] == 2 && spec->dim[1] == 3);
    CHECK_EQ(sonde_array_read(f, 0, 0, 6, out, &err), SONDE_OK);
    CHECK_EQ(sonde_array_read_int(f, 0, 0, 6, whole, &err), SONDE_OK);
    for (int i = 0; i < 6; i++) CHECK(out[i] == (float)(i + 1) && whole[i] == i + 1);
    sonde_array_file_close(f);
    for (size_t n = 0; n < sizeof bytes; n++) CHECK_EQ(open_bytes(&s, "cut.npy", bytes, n, &f), SONDE_FORMAT);
    scratch_end(&s);
}

static void npy_headers_are_read_with_care(void) {
#define D "'descr': '<f4'"
#define O "'fortran_order': False"
#define S "'shape': (1,)"
    static const struct { const char *dict; sonde_status status; const char *message; } rows[] = {
        { "{" D ", " O ", " S ", }", SONDE_OK, "" },
        { "{" S "," O "," D "}", SONDE_OK, "" },
        { "{\"shape\": (1,), " O ", \"descr\": \"<f4\"}", SONDE_OK, "" },
        { "{" D ", 'fortran_order': True, " S "}", SONDE_OK, "" },
        { "{" D ", 'fortran_order': True, 'shape': (1, 1)}", SONDE_UNSUPPORTED,
          "npy: the array is in Fortran order; save numpy.ascontiguousarray of it" },
        { "{'descr': '>f4', " O ", " S "}", SONDE_UNSUPPORTED,
          "npy: dtype >f4 is not read, expected little-endian floats or integers" },
        { "{'descr': '|O', " O ", " S "}", SONDE_UNSUPPORTED,
          "npy: dtype |O is not read, expected little-endian floats or integers" },
        { "{'descr': [('a', '<f4')], " O ", " S "}", SONDE_UNSUPPORTED, "npy: an array of records is not read" },
        { "{" D ", " O ", 'shape': (1,1,1,1,1,1,1,1,1)}", SONDE_UNSUPPORTED,
          "npy: more than 8 dimensions are not read" },
        { "{" D ", " O ", 'shape': (1)}", SONDE_FORMAT, "npy: shape is no tuple" },
        { "{" D ", " O ", 'shape': 1}", SONDE_FORMAT, "npy: shape is no tuple" },
        { "{" D ", " O ", 'shape': (,)}", SONDE_FORMAT,
          "npy: shape holds something else than whole numbers from 0 to 2^63 - 1" },
        { "{" D ", " O ", 'shape': (-1,)}", SONDE_FORMAT,
          "npy: shape holds something else than whole numbers from 0 to 2^63 - 1" },
        { "{" D ", " O ", 'shape': (1 1)}", SONDE_FORMAT,
          "npy: shape holds something else than whole numbers from 0 to 2^63 - 1" },
        { "{" D ", " O ", 'shape': (99999999999999999999,)}", SONDE_FORMAT,
          "npy: shape holds something else than whole numbers from 0 to 2^63 - 1" },
        { "{" D ", " O ", 'shape': (4294967296,2147483648)}", SONDE_FORMAT, "npy: the shape needs 2^63 bytes or more" },
        { "{" D ", " O ", 'shape': (2,)}", SONDE_FORMAT, "npy: 4 bytes follow the header, dtype and shape need 8" },
        { "{" D ", " O ", 'shape': (0,)}", SONDE_FORMAT, "npy: 4 bytes follow the header, dtype and shape need 0" },
        { "{" D ", " O "}", SONDE_FORMAT, "npy: header lacks descr, fortran_order or shape" },
        { "{" D ", " D ", " O ", " S "}", SONDE_FORMAT, "npy: header has the key descr twice" },
        { "{" D ", 'x': 1, " O ", " S "}", SONDE_FORMAT, "npy: header has the key x" },
        { "{" D " " O ", " S "}", SONDE_FORMAT, "npy: header lacks a comma or its end" },
        { "{" D ", 'fortran_order': 0, " S "}", SONDE_FORMAT, "npy: fortran_order is neither True nor False" },
        { "{" D ", " O ", " S "} x", SONDE_FORMAT, "npy: text stands behind the header's dictionary" },
        { "{" D ", " O ", " S, SONDE_FORMAT, "npy: header lacks a comma or its end" },
        { "[]", SONDE_FORMAT, "npy: header is no dictionary" },
        { "", SONDE_FORMAT, "npy: header is no dictionary" },
    };
    const scratch s = scratch_new();
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char bytes[256] = "\x93NUMPY\1";
        const size_t n = strlen(rows[i].dict);
        bytes[8] = (char)n;
        memcpy(bytes + 10, rows[i].dict, n);
        sonde_array_file *f;
        err = (sonde_error){ 0 };
        CHECK_EQ(open_bytes(&s, "x.npy", bytes, 10 + n + 4, &f), rows[i].status);
        const char *said = strstr(err.message, "/x.npy: ");
        CHECK_STR(said ? said + strlen("/x.npy: ") : "", rows[i].message);
        sonde_array_file_close(f);
    }
    scratch_end(&s);
}

static void npy_versions_2_and_3_have_a_longer_length(void) {
    static const char dict[] = "{" D ", " O ", " S ", }";
    const scratch s = scratch_new();
    for (char version = 1; version <= 4; version++) {
        char bytes[128] = "\x93NUMPY";
        const size_t head = version == 1 ? 10 : 12;
        sonde_array_file *f;
        bytes[6] = version;
        bytes[8] = (char)(sizeof dict - 1);
        memcpy(bytes + head, dict, sizeof dict - 1);
        CHECK_EQ(open_bytes(&s, "x.npy", bytes, head + sizeof dict - 1 + 4, &f),
                 version < 4 ? SONDE_OK : SONDE_UNSUPPORTED);
        sonde_array_file_close(f);
    }
    scratch_end(&s);
}

static void an_npy_that_sonde_writes_is_what_numpy_writes(void) {
    static const char want[] = "\x93NUMPY\1\0v\0{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }";
    const scratch s = scratch_new();
    const scratch_path p = in_scratch(&s, "x.npy");
    const float data[6] = { 1, 2, 3, 4, 5, 6 };
    char got[200];
    CHECK_EQ(sonde_npy_write(p.text, &(sonde_array_spec){ "any", "F32", 2, { 2, 3 } }, data, &err), SONDE_OK);
    FILE *f = fopen(p.text, "rb");
    CHECK_EQ((long long)fread(got, 1, sizeof got, f), 128 + 24);
    fclose(f);
    CHECK(memcmp(got, want, sizeof want - 1) == 0 && got[127] == '\n');
    for (size_t i = sizeof want - 1; i < 127; i++) CHECK_EQ(got[i], ' ');
    CHECK(memcmp(got + 128, data, sizeof data) == 0);
    scratch_end(&s);
}

static void an_npy_of_any_rank_is_read_again(void) {
    const scratch s = scratch_new();
    const scratch_path p = in_scratch(&s, "x.npy");
    const float data[1] = { 2.5f };
    for (int rank = 0; rank <= SONDE_MAX_RANK; rank++) {
        const sonde_array_spec spec = { NULL, "F32", rank, { 1, 1, 1, 1, 1, 1, 1, 1 } };
        sonde_array_file *f;
        float out = 0;
        CHECK_EQ(sonde_npy_write(p.text, &spec, data, &err), SONDE_OK);
        CHECK_EQ(size_of(p.text) % 64, 4);
        CHECK_EQ(sonde_array_file_open(&f, p.text, &err), SONDE_OK);
        CHECK_EQ(sonde_array_file_spec(f, 0)->rank, rank);
        CHECK_EQ(sonde_array_read(f, 0, 0, 1, &out, &err), SONDE_OK);
        CHECK(out == 2.5f);
        sonde_array_file_close(f);
    }
    CHECK_EQ(sonde_npy_write(p.text, &(sonde_array_spec){ "", "I32", 1, { 1 } }, data, &err), SONDE_USAGE);
    CHECK_EQ(sonde_npy_write(p.text, &(sonde_array_spec){ "", "F32", 1, { -1 } }, data, &err), SONDE_USAGE);
    CHECK_EQ(sonde_npy_write(p.text, &(sonde_array_spec){ "", "F32", 2, { INT64_MAX, 2 } }, data, &err), SONDE_USAGE);
    scratch_end(&s);
}

static void only_integers_that_fit_are_read_as_integers(void) {
    const scratch s = scratch_new();
    static const sonde_array_spec spec[] = { { "f", "F32", 1, { 1 } }, { "u", "U64", 1, { 2 } } };
    const uint64_t u[2] = { INT64_MAX, (uint64_t)INT64_MAX + 1 };
    int64_t out[2];
    sonde_array_writer *w;
    sonde_array_file *f;
    CHECK_EQ(sonde_array_writer_open(&w, in_scratch(&s, "x").text, (sonde_array_list){ .specs = spec, .n = 2 }, &err), SONDE_OK);
    CHECK_EQ(sonde_array_write(w, 1, 0, u, 2, &err), SONDE_OK);
    CHECK_EQ(sonde_array_writer_close(w, &err), SONDE_OK);
    CHECK_EQ(sonde_array_file_open(&f, in_scratch(&s, "x").text, &err), SONDE_OK);
    CHECK_EQ(sonde_array_read_int(f, 0, 0, 1, out, &err), SONDE_FORMAT);
    CHECK_STR(err.message, "array f: is F32, expected integers");
    CHECK_EQ(sonde_array_read_int(f, 1, 0, 1, out, &err), SONDE_OK);
    CHECK(out[0] == INT64_MAX);
    CHECK_EQ(sonde_array_read_int(f, 1, 0, 2, out, &err), SONDE_FORMAT);
    CHECK_STR(err.message, "array u: item 1 is above 2^63 - 1");
    sonde_array_file_close(f);
    scratch_end(&s);
}

static void what_is_no_array_file_is_refused(void) {
    const scratch s = scratch_new();
    sonde_array_file *f;
    CHECK_EQ(sonde_array_file_open(&f, in_scratch(&s, "absent").text, &err), SONDE_NOT_FOUND);
    CHECK_EQ(sonde_array_file_open(&f, s.path, &err), SONDE_IO);
    CHECK_EQ(open_bytes(&s, "text", "hello", 5, &f), SONDE_UNSUPPORTED);
    CHECK_EQ(open_bytes(&s, "x.npy", "hello", 5, &f), SONDE_FORMAT);
    CHECK(strstr(err.message, "/x.npy: does not begin like an npy file"));
    scratch_end(&s);
}

/* Written by gguf-py; numbers in blocks are read block by block. */
static void plain_arrays_of_a_gguf_file_are_read(void) {
    sonde_array_file *f;
    float x[4];
    CHECK_EQ(sonde_array_file_open(&f, SONDE_SOURCE_DIR "/tests/truth/gguf/types.gguf", &err), SONDE_OK);
    CHECK_EQ(sonde_array_read(f, sonde_array_file_find(f, "plain.F16"), 2, 4, x, &err), SONDE_OK);
    CHECK_EQ(sonde_array_read(f, sonde_array_file_find(f, "blocks.Q8_0"), 0, 1, x, &err), SONDE_USAGE);
    CHECK_STR(err.message, "array blocks.Q8_0: its Q8_0 blocks of 32 are read whole");
    sonde_array_file_close(f);
}

#define TESTS(X) \
    X(what_was_written_is_read_in_any_order) \
    X(the_file_is_what_the_format_says) \
    X(a_dropped_writer_leaves_nothing) \
    X(a_file_that_could_not_be_read_again_is_not_begun) \
    X(items_outside_an_array_are_neither_written_nor_read) \
    X(an_npy_file_is_one_array_without_a_name) \
    X(npy_headers_are_read_with_care) \
    X(npy_versions_2_and_3_have_a_longer_length) \
    X(an_npy_that_sonde_writes_is_what_numpy_writes) \
    X(an_npy_of_any_rank_is_read_again) \
    X(only_integers_that_fit_are_read_as_integers) \
    X(what_is_no_array_file_is_refused) \
    X(plain_arrays_of_a_gguf_file_are_read)
TEST_MAIN(TESTS)
