#define _GNU_SOURCE
#include "edit_cases.h"
#include "scratch.h"

/* Vectors: dir.npy 0.5, 1.5, .. (16 of them), zero.npy (16), two.npy [2, 16], heads.safetensors with "of head" [4, 4]
 * and "value/0" [4]. */
static scratch make_files(void) {
    scratch s = scratch_new();
    float data[32];
    for (int i = 0; i < 32; i++) data[i] = (float)i + 0.5f;
    sonde_array_spec spec = { .name = "", .dtype = "F32", .rank = 1, .dim = { 16 } };
    CHECK_EQ(sonde_npy_write(in_scratch(&s, "dir.npy").text, &spec, data, NULL), SONDE_OK);
    CHECK_EQ(sonde_npy_write(in_scratch(&s, "odd [1].npy").text, &spec, data, NULL), SONDE_OK);
    CHECK_EQ(sonde_npy_write(in_scratch(&s, "zero.npy").text, &spec, (float[16]){ 0 }, NULL), SONDE_OK);
    spec = (sonde_array_spec){ .name = "", .dtype = "F32", .rank = 2, .dim = { 2, 16 } };
    CHECK_EQ(sonde_npy_write(in_scratch(&s, "two.npy").text, &spec, data, NULL), SONDE_OK);
    spec = (sonde_array_spec){ .name = "", .dtype = "F32", .rank = 0 };
    CHECK_EQ(sonde_npy_write(in_scratch(&s, "one.npy").text, &spec, data, NULL), SONDE_OK);
    spec = (sonde_array_spec){ .name = "", .dtype = "F32", .rank = 6, .dim = { 1, 1, 1, 1, 2, 16 } };
    CHECK_EQ(sonde_npy_write(in_scratch(&s, "deep.npy").text, &spec, data, NULL), SONDE_OK);
    spec = (sonde_array_spec){ .name = "", .dtype = "F32", .rank = 2, .dim = { 11, 1 } };
    CHECK_EQ(sonde_npy_write(in_scratch(&s, "long.npy").text, &spec, data, NULL), SONDE_OK);
    data[20] = 0;
    for (int i = 16; i < 32; i++) data[i] = 0;
    spec = (sonde_array_spec){ .name = "", .dtype = "F32", .rank = 2, .dim = { 2, 16 } };
    CHECK_EQ(sonde_npy_write(in_scratch(&s, "half.npy").text, &spec, data, NULL), SONDE_OK);
    data[3] = INFINITY;
    spec = (sonde_array_spec){ .name = "", .dtype = "F32", .rank = 1, .dim = { 16 } };
    CHECK_EQ(sonde_npy_write(in_scratch(&s, "inf.npy").text, &spec, data, NULL), SONDE_OK);
    const sonde_array_spec specs[] = { { "of head", "F32", 2, { 4, 4 } }, { "value/0", "F32", 1, { 4 } } };
    sonde_array_writer *w;
    for (int i = 0; i < 16; i++) data[i] = (float)i;
    CHECK_EQ(sonde_array_writer_open(&w, in_scratch(&s, "heads.safetensors").text, (sonde_array_list){ .specs = specs, .n = 2 }, NULL), SONDE_OK);
    CHECK_EQ(sonde_array_write(w, 0, 0, data, 16, NULL), SONDE_OK);
    CHECK_EQ(sonde_array_write(w, 1, 0, data, 4, NULL), SONDE_OK);
    CHECK_EQ(sonde_array_writer_close(w, NULL), SONDE_OK);
    CHECK_EQ(chdir(s.path), 0);
    return s;
}

/* NOLINTNEXTLINE(readability-function-size): a table of texts */
static void vectors_come_from_files(void) {
    const scratch s = make_files();
    static const row good[] = {
        { "add:hook_resid_post[-1]=4*dir.npy", NULL },
        { "add:hook_resid_post=dir.npy", NULL },
        { "set:hook_resid_post=./dir.npy@prompt", NULL },
        { "set:hook_resid_post=\"dir.npy\"", "set:hook_resid_post=dir.npy" },
        { "set:hook_resid_post=\"odd [1].npy\"", NULL },
        { "set:hook_resid_post=\"\\x6fdd [1].npy\"", "set:hook_resid_post=\"odd [1].npy\"" },
        { "set:hook_resid_post[0:2]=two.npy", NULL },
        { "set:hook_resid_post=two.npy[1]", NULL },
        { "set:hook_resid_post=two.npy[-1,0:16]", NULL },
        { "set:hook_resid_post=two.npy[0,0]", NULL },
        { "set:hook_resid_post=one.npy", NULL },
        { "set:hook_resid_post[:,0:4]=two.npy[0,{3,2,-1,0}]", NULL },
        { "set:hook_resid_post=deep.npy[0,0,0,0]", NULL },
        { "scale:hook_z=heads.safetensors#of head", "scale:hook_z=heads.safetensors#\"of head\"" },
        { "scale:hook_z[:,1]=heads.safetensors#\"of head\"[1]@all", NULL },
        { "project:hook_resid_pre=dir.npy", NULL },
        { "project:hook_z[:,1:4]=heads.safetensors#\"of head\"[1:4]", NULL },
        { "project:hook_resid_pre[:,0:4]=dir.npy[0:4]", NULL },
    };
    CHECK_GOOD(good);
    static const row bad[] = {
        { "project:hook_z=heads.safetensors#of head[1:4,:]",
          "heads.safetensors: its values are [3, 4], attn.hook_z there is [t, 4, 4] and expected values that numpy "
          "would "
          "broadcast to that" },
        { "add:hook_z=dir.npy",
          "dir.npy: its values are [16], attn.hook_z there is [t, 4, 4] and expected values that numpy "
                                "would broadcast to that" },
        { "add:hook_resid_post[0]=two.npy",
          "two.npy: its values are [2, 16], hook_resid_post there is [16] and expected "
                                            "values that numpy would broadcast to that" },
        { "add:hook_resid_post=long.npy",
          "long.npy: its values are [11, 1], hook_resid_post there is [t, 16] and expected "
                                          "values that numpy would broadcast to that" },
        { "add:{hook_resid_post,hook_z}=dir.npy",
          "dir.npy: its values are [16], attn.hook_z there is [t, 4, 4] and expected "
                                                  "values that numpy would broadcast to that" },
        { "add:hook_resid_post=two.npy[2]", "index 2 of a file's axis: expected -2 to 1" },
        { "add:hook_resid_post=two.npy[0,0,0]", "two.npy: an index of 3 parts for an array of 2 axes" },
        { "add:hook_resid_post=one.npy[0]", "one.npy: an index of 1 parts for an array of 0 axes" },
        { "add:hook_resid_post=two.npy[\"a\"]",
          "\"a\" in a file: a token names positions of a prompt, expected a number, a range "
                                                "or a list" },
        { "add:hook_resid_post=dir.npy#x", "expected the end or @WHEN behind the value, found \"#x\"" },
        { "add:hook_resid_post=heads.safetensors",
          "expected #NAME of an array behind the .safetensors file, found the end" },
        { "add:hook_resid_post=heads.safetensors#", "expected the name of an array behind #, found the end" },
        { "add:hook_resid_post=heads.safetensors#nobody",
          "not found: heads.safetensors: there is no array \"nobody\" in it" },
        { "add:hook_resid_post=\"dir\"", "expected a file name that ends in .npy or .safetensors, found \"\"dir\"\"" },
        { "add:hook_resid_post=value/0", "value/0 is a vector that lies in a trace, expected a file name here" },
        { "project:hook_resid_pre=zero.npy",
          "project: zero.npy is a zero vector, expected a direction of finite numbers, not "
                                             "all zero" },
        { "project:hook_resid_pre[0:2]=half.npy",
          "project: half.npy is a zero vector, expected a direction of finite numbers, "
                                                  "not all zero" },
        { "project:hook_resid_pre=inf.npy",
          "project: inf.npy is not finite, expected a direction of finite numbers, not all "
                                            "zero" },
        { "project:hook_resid_pre=one.npy", "project: a direction of 1 numbers, hook_resid_pre there has 16" },
        { "project:hook_resid_pre=dir.npy[0:1]", "project: a direction of 1 numbers, hook_resid_pre there has 16" },
        { "project:hook_resid_pre[:,3]=dir.npy[0:1]",
          "project on one entry of hook_resid_pre's last axis, expected the whole "
                                                      "axis or a range of it" },
        { "scale:hook_resid_pre=2*dir.npy", "scale takes a number, a vector" },
    };
    CHECK_BAD(bad);
    CHECK(strncmp(said("add:hook_resid_post=nobody.npy"), "not found: nobody.npy", 21) == 0);
    scratch_write(&s, "broken.npy", "\x93NUMPY\1", 7);
    CHECK(strncmp(said("add:hook_resid_post=broken.npy"), "other: broken.npy", 17) == 0);
    CHECK_EQ(chdir("/"), 0);
    scratch_end(&s);
}

static void check_vector(const sonde_edit *e, const int64_t *dim, int rank, const float *want, int n) {
    sonde_array_spec shape;
    const float *v = sonde_edit_vector(e, &shape);
    CHECK(v != NULL);
    CHECK_STR(shape.dtype, "F32");
    CHECK_EQ(shape.rank, rank);
    for (int i = 0; i < rank; i++) CHECK_EQ(shape.dim[i], dim[i]);
    for (int i = 0; i < n; i++) CHECK(v[i] == want[i]);
}

static void a_vector_is_what_its_index_leaves(void) {
    const scratch s = make_files();
    sonde_model m = small_model();
    sonde_edit *e = edit_of(&m, "set:hook_resid_post[:,0:4]=two.npy[-1,{3,2,-1,0}]", NULL);
    check_vector(e, (int64_t[]){ 4 }, 1, (float[]){ 19.5f, 18.5f, 31.5f, 16.5f }, 4);
    sonde_edit_free(e);
    e = edit_of(&m, "set:hook_resid_post[0:2,0:3]=two.npy[{1,0},-3:16]", NULL);
    check_vector(e, (int64_t[]){ 2, 3 }, 2, (float[]){ 29.5f, 30.5f, 31.5f, 13.5f, 14.5f, 15.5f }, 6);
    sonde_edit_free(e);
    e = edit_of(&m, "set:hook_resid_post[0:2,5]=two.npy[:,5]", NULL);
    check_vector(e, (int64_t[]){ 2 }, 1, (float[]){ 5.5f, 21.5f }, 2);
    sonde_edit_free(e);
    e = edit_of(&m, "set:hook_resid_post[0:2]=deep.npy", NULL);
    check_vector(e, (int64_t[]){ 1, 1, 2, 16 }, 4, (float[]){ 0.5f, 1.5f }, 2);
    sonde_edit_free(e);
    e = edit_of(&m, "set:hook_z=one.npy", NULL);
    check_vector(e, NULL, 0, (float[]){ 0.5f }, 1);
    sonde_array_spec shape;
    sonde_edit_free(e);
    e = edit_of(&m, "set:hook_z=1", NULL);
    CHECK(sonde_edit_vector(e, &shape) == NULL);
    sonde_edit_free(e);
    small_model_free(&m);
    CHECK_EQ(chdir("/"), 0);
    scratch_end(&s);
}

static void vectors_of_a_trace(void) {
    const scratch s = make_files();
    sonde_model m = small_model();
    sonde_array_file *values;
    sonde_error err = { 0 };
    char text[200];
    CHECK_EQ(sonde_array_file_open(&values, "heads.safetensors", &err), SONDE_OK);
    sonde_edit *e = edit_of(&m, "add:hook_z[:,1]=4*value/0@prompt", values);
    check_vector(e, (int64_t[]){ 4 }, 1, (float[]){ 0, 1, 2, 3 }, 4);
    sonde_edit_format(e, text, sizeof text);
    CHECK_STR(text, "add:hook_z[:,1]=4*value/0@prompt");
    sonde_edit_free(e);
    e = edit_of(&m, "scale:hook_z[:,1]=heads.safetensors#\"of head\"[1]@all", values);
    sonde_edit_format_as(e, "value/3", text, sizeof text);
    CHECK_STR(text, "scale:hook_z[:,1]=value/3@all");
    sonde_edit_free(e);
    CHECK_EQ(sonde_edit_parse(&e, &m, "add:hook_z=value/1", values, &err), SONDE_NOT_FOUND);
    CHECK_STR(err.message, "edit \"add:hook_z=value/1\": value/1: there is no array \"value/1\" in it");
    sonde_array_file_close(values);
    small_model_free(&m);
    CHECK_EQ(chdir("/"), 0);
    scratch_end(&s);
}

static void vectors_in_memory(void) {
    sonde_model m = small_model();
    sonde_edit *e;
    sonde_error err = { 0 };
    char text[200];
    float data[32];
    for (int i = 0; i < 32; i++) data[i] = (float)i / 3;
    const sonde_values two = { data, 2, { 2, 16 } };
    CHECK_EQ(sonde_edit_of_values(&e, &m, "set:hook_resid_post[0:2]=value/0", two, &err), SONDE_OK);
    check_vector(e, (int64_t[]){ 2, 16 }, 2, data, 32);
    sonde_edit_format(e, text, sizeof text);
    CHECK_STR(text, "set:hook_resid_post[0:2]=value/0");
    data[0] = 7;
    sonde_array_spec shape;
    CHECK(sonde_edit_vector(e, &shape)[0] == 0);
    sonde_edit_free(e);
    static const struct { const char *text; sonde_values values; const char *why; } bad[] = {
        { "set:hook_resid_post[0:3]=value/0", { NULL, 2, { 2, 16 } },
          "value/0: its values are [2, 16], hook_resid_post there is [3, 16] and expected values that numpy would broadcast to that" },
        { "set:hook_resid_post=value/1", { NULL, 1, { 16 } }, "found value/1, values in memory are named value/0, without an index" },
        { "set:hook_resid_post=value/0[0]", { NULL, 1, { 16 } },
          "found value/0, values in memory are named value/0, without an index" },
        { "set:hook_resid_post=value/0", { NULL, 4, { 16 } }, "values of 4 axes, expected 0 to 3" },
        { "set:hook_resid_post=value/0", { NULL, 2, { 0, 16 } }, "values without a number along axis 0" },
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        CHECK_EQ(sonde_edit_of_values(&e, &m, bad[i].text, bad[i].values, &err), SONDE_USAGE);
        CHECK(e == NULL);
        CHECK_STR(strstr(err.message, ": ") + 2, bad[i].why);
    }
    small_model_free(&m);
}

#define TESTS(X) \
    X(vectors_in_memory) \
    X(vectors_come_from_files) \
    X(a_vector_is_what_its_index_leaves) \
    X(vectors_of_a_trace)
TEST_MAIN(TESTS)
