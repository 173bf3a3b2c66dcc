#define _GNU_SOURCE
#include "test.h"
#include "scratch.h"
#include "format/container.h"

static sonde_error err;

typedef struct { uint8_t bytes[8192]; size_t size; } image;

/* A safetensors file of this header and n bytes 0, 1, 2, .. behind it. */
static image make(const char *header, size_t n) {
    image m = { .size = 8 + strlen(header) + n };
    const uint64_t length = strlen(header);
    memcpy(m.bytes, &length, 8);
    memcpy(m.bytes + 8, header, length);
    for (size_t i = 0; i < n; i++) m.bytes[8 + length + i] = (uint8_t)i;
    return m;
}

static sonde_status open_image(const image *m, weights **w) {
    *w = NULL;
    err = (sonde_error){ 0 };
    return weights_open_memory(m->bytes, m->size, w, &err);
}

#define A2 "\"a\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[0,2]}"

static void arrays_are_found_by_name_with_type_shape_and_place(void) {
    const image m = make("{\"__metadata__\":{\"format\":\"pt\",\"x\":\"\"},"
                         "\"z.weight\":{\"dtype\":\"I16\",\"shape\":[2,3],\"data_offsets\":[4,16]},"
                         "\"b\":{\"shape\":[],\"data_offsets\":[0,4],\"dtype\":\"F32\"},"
                         "\"none\":{\"dtype\":\"F64\",\"shape\":[7,0],\"data_offsets\":[16,16]}}   ", 16);
    weights *w;
    CHECK_EQ(open_image(&m, &w), SONDE_OK);
    CHECK_EQ((long long)weights_count(w), 3);
    CHECK_STR(weights_at(w, 0)->name, "b");
    CHECK_STR(weights_at(w, 1)->name, "none");
    const stored_tensor *z = weights_find(w, "z.weight");
    CHECK(z == weights_at(w, 2) && z->type == DTYPE_I16 && z->rank == 2 && z->dim[0] == 2 && z->dim[1] == 3);
    CHECK(z->data == m.bytes + m.size - 12 && z->bytes == 12);
    CHECK(weights_find(w, "b")->rank == 0 && weights_find(w, "b")->bytes == 4);
    CHECK_EQ((long long)weights_find(w, "none")->bytes, 0);
    CHECK(!weights_find(w, "z") && !weights_find(w, ""));
    CHECK_STR(weights_note(w, "format"), "pt");
    CHECK(!weights_note(w, "absent"));
    weights_close(w);
    weights_close(NULL);
}

static void a_file_without_arrays_is_a_file(void) {
    const image m = make("{}", 0);
    weights *w;
    CHECK_EQ(open_image(&m, &w), SONDE_OK);
    CHECK(weights_count(w) == 0 && !weights_find(w, "a") && !weights_note(w, "a"));
    weights_close(w);
}

/* NOLINTNEXTLINE(readability-function-size): a table of headers */
static void what_breaks_the_format_is_refused_in_words(void) {
#define ENTRY(text) "{\"a\":" text "}"
#define SHAPE(text) ENTRY("{\"dtype\":\"U8\",\"shape\":" text ",\"data_offsets\":[0,2]}")
#define PLACE(text) ENTRY("{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":" text "}")
    static const struct { const char *header; size_t n; const char *message; } rows[] = {
        { "", 0, "header does not begin with {" },
        { "[]", 0, "header does not begin with {" },
        { " {}", 0, "header does not begin with {" },
        { "{} x", 0, "header does not end with } and spaces" },
        { "{}\n", 0, "header does not end with } and spaces" },
        { "{}{}", 0, "header: offset 3: parse error: trailing garbage" },
        { "{\"a\":}", 0, "header: offset 6: parse error: unallowed token at this point in JSON text" },
        { "{" A2 "," A2 "}", 2, "header: offset 53: key \"a\" stands twice" },
        { "{\"a\":{\"dtype\":\"U8\",\"dtype\":\"U8\"}}", 2, "header: offset 19: key \"dtype\" stands twice" },
        { ENTRY("3"), 2, "tensor a: is not described by an object" },
        { ENTRY("{\"shape\":[2],\"data_offsets\":[0,2]}"), 2, "tensor a: has no dtype" },
        { ENTRY("{\"dtype\":7,\"shape\":[2],\"data_offsets\":[0,2]}"), 2, "tensor a: has no dtype" },
        { ENTRY("{\"dtype\":\"f32\",\"shape\":[2],\"data_offsets\":[0,2]}"), 2, "tensor a: dtype \"f32\" is unknown" },
        { ENTRY("{\"dtype\":\"U8\\u0000\",\"shape\":[2],\"data_offsets\":[0,2]}"), 2,
          "tensor a: dtype \"U8\\x00\" is unknown" },
        { ENTRY("{\"dtype\":\"U8\",\"data_offsets\":[0,2]}"), 2, "tensor a: has no shape" },
        { SHAPE("2"), 2, "tensor a: has no shape" },
        { SHAPE("[-2]"), 2, "tensor a: shape holds -2, expected whole numbers from 0 to 2^63 - 1" },
        { SHAPE("[2.0]"), 2, "tensor a: shape holds 2.0, expected whole numbers from 0 to 2^63 - 1" },
        { SHAPE("[2e0]"), 2, "tensor a: shape holds 2e0, expected whole numbers from 0 to 2^63 - 1" },
        { SHAPE("[\"2\"]"), 2,
          "tensor a: shape holds something that is no number, expected whole numbers from 0 to 2^63 - 1" },
        { SHAPE("[9223372036854775808]"), 2,
          "tensor a: shape holds 9223372036854775808, expected whole numbers from 0 to 2^63 - 1" },
        { SHAPE("[4294967296,4294967296]"), 2, "tensor a: its shape needs 2^63 bytes or more" },
        { SHAPE("[9223372036854775807,2]"), 2, "tensor a: its shape needs 2^63 bytes or more" },
        { SHAPE("[0,4294967296,4294967296]"), 2, "tensor a: its shape needs 2^63 bytes or more" },
        { SHAPE("[1]"), 2, "tensor a: data_offsets hold 2 bytes, dtype and shape need 1" },
        { SHAPE("[3]"), 2, "tensor a: data_offsets hold 2 bytes, dtype and shape need 3" },
        { PLACE("[0]"), 2, "tensor a: data_offsets are not two whole numbers from 0 to 2^63 - 1" },
        { PLACE("[0,1,2]"), 2, "tensor a: data_offsets are not two whole numbers from 0 to 2^63 - 1" },
        { PLACE("[0,2.0]"), 2, "tensor a: data_offsets are not two whole numbers from 0 to 2^63 - 1" },
        { PLACE("[-2,0]"), 2, "tensor a: data_offsets are not two whole numbers from 0 to 2^63 - 1" },
        { PLACE("[18446744073709551615,1]"), 2, "tensor a: data_offsets are not two whole numbers from 0 to 2^63 - 1" },
        { PLACE("[2,0]"), 2, "tensor a: begins at 2, behind its end 0" },
        { PLACE("[9223372036854775805,9223372036854775807]"), 2,
          "tensor a: ends 9223372036854775805 bytes past the end of the file" },
        { PLACE("[0,2]"), 1, "tensor a: ends 1 bytes past the end of the file" },
        { PLACE("[1,3]"), 3, "tensor a: begins at 1, expected 0: a hole" },
        { PLACE("[0,2]"), 3, "1 bytes stand behind the last tensor" },
        { "{}", 1, "1 bytes stand behind the last tensor" },
        { "{" A2 ",\"b\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[1,3]}}", 3,
          "tensor b: begins at 1, expected 2: tensors overlap" },
        { "{" A2 ",\"b\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[0,2]}}", 2,
          "tensor b: begins at 0, expected 2: tensors overlap" },
        { "{" A2 ",\"b\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[1,1]}}", 2,
          "tensor b: begins at 1, expected 2: tensors overlap" },
        { "{" A2 ",\"b\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[3,4]}}", 4,
          "tensor b: begins at 3, expected 2: a hole" },
        { "{\"a\\u0000b\":{}}", 0, "tensor a\\x00b: its name holds a NUL" },
        { "{\"\\u001b[2J\\n\":{}}", 0, "tensor \\x1b[2J\\x0a: has no dtype" },
        { "{\"__metadata__\":[]}", 0, "__metadata__ is no object" },
        { "{\"__metadata__\":{\"a\":1}}", 0, "__metadata__: a is no string" },
        { "{\"\xff\":{}}", 0, "header: offset 2: not UTF-8" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const image m = make(rows[i].header, rows[i].n);
        weights *w;
        CHECK_EQ(open_image(&m, &w), SONDE_FORMAT);
        CHECK_STR(err.message, rows[i].message);
        CHECK(!w);
    }
}

static void what_is_sound_but_not_read_is_unsupported(void) {
    weights *w;
    const image f8 = make("{\"a\":{\"dtype\":\"F8_E8M0\",\"shape\":[2],\"data_offsets\":[0,2]}}", 2);
    CHECK_EQ(open_image(&f8, &w), SONDE_UNSUPPORTED);
    CHECK_STR(err.message, "tensor a: dtype F8_E8M0 is not read; convert it to F32, F16 or BF16");
    const image rank9 = make("{\"a\":{\"dtype\":\"U8\",\"shape\":[1,1,1,1,1,1,1,1,1],\"data_offsets\":[0,1]}}", 1);
    CHECK_EQ(open_image(&rank9, &w), SONDE_UNSUPPORTED);
    CHECK_STR(err.message, "tensor a: has 9 dimensions, at most 8 are read");
}

static void a_header_length_that_cannot_be_is_refused(void) {
    static const struct { uint64_t length; const char *message; } rows[] = {
        { 0, "header does not begin with {" }, { 1, "header does not begin with {" },
        { 3, "header length is 3, but 2 bytes follow it" },
        { 100000000, "header length is 100000000, but 2 bytes follow it" },
        { 100000001, "header length is 100000001, at most 100000000 is allowed" },
        { 1ull << 63, "header length is 9223372036854775808, at most 100000000 is allowed" },
        { UINT64_MAX, "header length is 18446744073709551615, at most 100000000 is allowed" },
        { UINT64_MAX - 7, "header length is 18446744073709551608, at most 100000000 is allowed" },
    };
    image m = make("{}", 0);
    weights *w;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        memcpy(m.bytes, &rows[i].length, 8);
        if (rows[i].length == 1) m.bytes[8] = '{';
        CHECK_EQ(open_image(&m, &w), SONDE_FORMAT);
        CHECK_STR(err.message, rows[i].message);
    }
}

static void every_cut_is_refused(void) {
    const image whole = make("{" A2 ",\"b\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[2,10]}}", 10);
    weights *w;
    for (size_t n = 0; n < whole.size; n++) {
        uint8_t *copy = malloc(n ? n : 1);          /* ASan sees a read behind it */
        memcpy(copy, whole.bytes, n);
        w = NULL;
        CHECK_EQ(weights_open_memory(copy, n, &w, &err), SONDE_FORMAT);
        CHECK(!w);
        free(copy);
    }
    CHECK_EQ(open_image(&whole, &w), SONDE_OK);
    weights_close(w);
}

static void a_name_may_have_1024_bytes_and_no_more(void) {
    char header[2048], name[1026];
    memset(name, 'n', sizeof name);
    weights *w;
    for (int extra = 0; extra < 2; extra++) {
        name[1024 + extra] = 0;
        snprintf(header, sizeof header, "{\"%s\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[0,0]}}", name);
        name[1024 + extra] = 'n';
        const image m = make(header, 0);
        CHECK_EQ(open_image(&m, &w), extra ? SONDE_FORMAT : SONDE_OK);
        weights_close(w);
    }
    CHECK(strstr(err.message, ": its name is 1025 bytes long, at most 1024 are allowed"));
}

/* -- files and folders -- */

static sonde_status open_path(const char *path, weights **w) {
    *w = NULL;
    err = (sonde_error){ 0 };
    return weights_open(path, w, &err);
}

/* The message behind the path and ": ". */
static const char *behind(const char *path) {
    const size_t n = strlen(path);
    CHECK(strncmp(err.message, path, n) == 0 && strncmp(err.message + n, ": ", 2) == 0);
    return err.message + n + 2;
}

static void write_image(const scratch *s, const char *name, const char *header, size_t n) {
    const image m = make(header, n);
    scratch_write(s, name, m.bytes, m.size);
}

static void a_file_or_its_folder_opens(void) {
    const scratch s = scratch_new();
    weights *w;
    write_image(&s, "model.safetensors", "{" A2 "}", 2);
    CHECK_EQ(open_path(s.path, &w), SONDE_OK);
    CHECK(weights_find(w, "a"));
    weights_close(w);
    CHECK_EQ(open_path(in_scratch(&s, "model.safetensors").text, &w), SONDE_OK);
    weights_close(w);
    CHECK_EQ(open_path(in_scratch(&s, "absent").text, &w), SONDE_NOT_FOUND);
    write_image(&s, "other", "{" A2 "}", 2);                 /* known by its bytes, whatever its name */
    CHECK_EQ(open_path(in_scratch(&s, "other").text, &w), SONDE_OK);
    weights_close(w);
    write_image(&s, "model.safetensors", "{" A2 "}", 1);
    CHECK_EQ(open_path(s.path, &w), SONDE_FORMAT);
    CHECK_STR(behind(in_scratch(&s, "model.safetensors").text), "tensor a: ends 1 bytes past the end of the file");
    scratch_end(&s);
}

static void files_of_other_programs_are_named(void) {
    static const char other[] = "; use the model's model.safetensors instead";
    static const char pickle[] = "; save the model's state_dict() by torch.save or safetensors";
    static const char arrays[] = "; save the arrays under the model's names as safetensors";
    static const char objects[] = "is a pickle of Python objects (joblib, scikit-learn), which may hold code";
    static const struct { const char *name, *bytes; size_t n; const char *is, *instead; } rows[] = {
        { "x.pth", "\200\2\212\12", 4, objects, pickle },
        { "model.pickle", "\200\4\225", 3, objects, pickle },
        { "svm.joblib", "\200\3", 2, "is a pickle of Python objects (joblib)", pickle },
        { "tf_model.h5", "\211HDF\r\n\32\n", 8, "is an HDF5 file, as Keras and TensorFlow write", other },
        { "model.onnx", "\10\7", 2, "is an ONNX graph", other },
        { "m.tflite", "\34\0\0\0TFL3", 8, "is a TensorFlow Lite model", other },
        { "flax_model.msgpack", "\201", 1, "is Flax weights", other },
        { "a.npz", "PK\3\4\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\5\0\0\0a.npy", 35,
          "is a numpy archive of arrays, not a model", arrays },
        { "a.npy", "\223NUMPY\1", 7, "is a numpy array, not a model", arrays },
    };
    const scratch s = scratch_new();
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char want[300];
        weights *w;
        scratch_write(&s, rows[i].name, rows[i].bytes, rows[i].n);
        snprintf(want, sizeof want, "%s, this version reads %s%s", rows[i].is, formats_known().text, rows[i].instead);
        CHECK_EQ(open_path(in_scratch(&s, rows[i].name).text, &w), SONDE_UNSUPPORTED);
        CHECK_STR(behind(in_scratch(&s, rows[i].name).text), want);
    }
    scratch_end(&s);
}

static void a_folder_of_another_program_names_the_file(void) {
    const scratch s = scratch_new();
    weights *w;
    CHECK_EQ(open_path(s.path, &w), SONDE_NOT_FOUND);
    CHECK_STR(behind(s.path), "holds none of model.safetensors, model.safetensors.index.json, pytorch_model.bin, "
                              "pytorch_model.bin.index.json, consolidated.00.pth, consolidated.safetensors, one .gguf");
    scratch_write(&s, "config.json", "{}", 2);
    scratch_write(&s, "tf_model.h5", "", 0);
    CHECK_EQ(open_path(s.path, &w), SONDE_UNSUPPORTED);
    CHECK(strstr(behind(in_scratch(&s, "tf_model.h5").text), "is an HDF5 file"));
    scratch_write(&s, "pytorch_model.bin", "", 0);
    CHECK_EQ(open_path(s.path, &w), SONDE_FORMAT);
    CHECK_STR(behind(in_scratch(&s, "pytorch_model.bin").text),
              "begins neither like the zip nor like the pickle that torch.save writes");
    scratch_end(&s);
}

static void a_file_that_is_nobodys_is_unsupported(void) {
    const scratch s = scratch_new();
    weights *w;
    scratch_write(&s, "notes.txt", "hello", 5);
    CHECK_EQ(open_path(in_scratch(&s, "notes.txt").text, &w), SONDE_UNSUPPORTED);
    scratch_write(&s, "config.json", "{\"a\":1}", 7);
    CHECK_EQ(open_path(in_scratch(&s, "config.json").text, &w), SONDE_UNSUPPORTED);
    CHECK_STR(behind(in_scratch(&s, "config.json").text), "is JSON, expected weights; name the model's folder instead");
    scratch_write(&s, "empty.safetensors", "", 0);
    CHECK_EQ(open_path(in_scratch(&s, "empty.safetensors").text, &w), SONDE_FORMAT);
    CHECK_STR(behind(in_scratch(&s, "empty.safetensors").text), "file is 0 bytes, a safetensors file has at least 10");
    scratch_end(&s);
}

static const char lfs[] = "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 5\n";

static void a_git_lfs_pointer_is_named(void) {
    const scratch s = scratch_new();
    weights *w;
    scratch_write(&s, "model.safetensors", lfs, sizeof lfs - 1);
    CHECK_EQ(open_path(s.path, &w), SONDE_UNSUPPORTED);
    CHECK_STR(behind(in_scratch(&s, "model.safetensors").text),
              "is a Git LFS pointer, not the file itself; fetch it with: git lfs pull");
    scratch_end(&s);
}

#define INDEX "model.safetensors.index.json"
#define B1 "\"b\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]}"

static void shards_are_one_set_of_arrays(void) {
    const scratch s = scratch_new();
    static const char index[] = "{\"metadata\":{\"total_size\":99},\"weight_map\":{\"b\":\"2.st\",\"a\":\"1.st\","
                                "\"extra\":\"2.st\"}}";
    weights *w;
    write_image(&s, "1.st", "{" A2 "}", 2);
    write_image(&s, "2.st", "{\"__metadata__\":{\"format\":\"pt\"}," B1 ",\"extra\":{\"dtype\":\"U8\",\"shape\":[0],"
                            "\"data_offsets\":[1,1]}}", 1);
    scratch_write(&s, INDEX, index, sizeof index - 1);
    CHECK_EQ(open_path(s.path, &w), SONDE_OK);
    CHECK_EQ((long long)weights_count(w), 3);
    CHECK_STR(weights_at(w, 0)->name, "a");
    CHECK_STR(weights_at(w, 1)->name, "b");
    CHECK_EQ(weights_find(w, "a")->data[1], 1);
    CHECK_STR(weights_note(w, "format"), "pt");             /* of the first shard that the index names */
    weights_close(w);
    scratch_end(&s);
}

static void a_broken_index_is_refused_in_words(void) {
#define MAP(text) "{\"weight_map\":{" text "}}"
    static const struct { const char *index; sonde_status status; const char *message; } rows[] = {
        { MAP("\"a\":\"../1.st\""), SONDE_FORMAT,
          "weight_map: a lies in \"../1.st\", expected the name of a file beside the index" },
        { MAP("\"a\":\"/etc/passwd\""), SONDE_FORMAT,
          "weight_map: a lies in \"/etc/passwd\", expected the name of a file beside the index" },
        { MAP("\"a\":\"..\""), SONDE_FORMAT,
          "weight_map: a lies in \"..\", expected the name of a file beside the index" },
        { MAP("\"a\":\"x\\\\1.st\""), SONDE_FORMAT,
          "weight_map: a lies in \"x\\1.st\", expected the name of a file beside the index" },
        { MAP("\"a\":\"1.st\\u0000\""), SONDE_FORMAT,
          "weight_map: a lies in \"1.st\\x00\", expected the name of a file beside the index" },
        { MAP("\"a\":\"\""), SONDE_FORMAT, "weight_map: a lies in \"\", expected the name of a file beside the index" },
        { MAP("\"a\":\"1\\n.st\""), SONDE_FORMAT,
          "weight_map: a lies in \"1\\x0a.st\", expected the name of a file beside the index" },
        { MAP("\"a\":1"), SONDE_FORMAT, "weight_map: a is no string" },
        { MAP("\"a\":\"1.st\",\"b\":\"1.st\""), SONDE_FORMAT, "tensor b is not in 1.st, where the index puts it" },
        { MAP("\"a\":\"1.st\",\"b\":\"both.st\""), SONDE_FORMAT, "tensor a lies in two shards, 1.st is the first" },
        { MAP(""), SONDE_FORMAT, "has no weight_map, or an empty one" },
        { "{}", SONDE_FORMAT, "has no weight_map, or an empty one" },
        { "[]", SONDE_FORMAT, "has no weight_map, or an empty one" },
        { "{", SONDE_FORMAT, "offset 1: parse error: premature EOF" },
        { lfs, SONDE_UNSUPPORTED, "is a Git LFS pointer, not the file itself; fetch it with: git lfs pull" },
    };
    const scratch s = scratch_new();
    write_image(&s, "1.st", "{" A2 "}", 2);
    write_image(&s, "both.st", "{" B1 ",\"a\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[1,1]}}", 1);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        weights *w;
        scratch_write(&s, INDEX, rows[i].index, strlen(rows[i].index));
        CHECK_EQ(open_path(s.path, &w), rows[i].status);
        CHECK_STR(behind(in_scratch(&s, INDEX).text), rows[i].message);
    }
    scratch_end(&s);
}

static void a_missing_or_broken_shard_is_named(void) {
    const scratch s = scratch_new();
    static const char index[] = MAP("\"a\":\"1.st\",\"b\":\"2.safetensors\"");
    weights *w;
    scratch_write(&s, INDEX, index, sizeof index - 1);
    write_image(&s, "1.st", "{" A2 "}", 2);
    CHECK_EQ(open_path(s.path, &w), SONDE_NOT_FOUND);
    CHECK(strstr(err.message, "/2.safetensors: No such file or directory"));
    scratch_write(&s, "2.safetensors", "bad", 3);
    CHECK_EQ(open_path(s.path, &w), SONDE_FORMAT);
    CHECK(strstr(err.message, "/2.safetensors: file is 3 bytes, a safetensors file has at least 10"));
    scratch_end(&s);
}

#define TESTS(X) \
    X(arrays_are_found_by_name_with_type_shape_and_place) \
    X(a_file_without_arrays_is_a_file) \
    X(what_breaks_the_format_is_refused_in_words) \
    X(what_is_sound_but_not_read_is_unsupported) \
    X(a_header_length_that_cannot_be_is_refused) \
    X(every_cut_is_refused) \
    X(a_name_may_have_1024_bytes_and_no_more) \
    X(a_file_or_its_folder_opens) \
    X(files_of_other_programs_are_named) \
    X(a_folder_of_another_program_names_the_file) \
    X(a_file_that_is_nobodys_is_unsupported) \
    X(a_git_lfs_pointer_is_named) \
    X(shards_are_one_set_of_arrays) \
    X(a_broken_index_is_refused_in_words) \
    X(a_missing_or_broken_shard_is_named)
TEST_MAIN(TESTS)
