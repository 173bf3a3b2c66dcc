/* make_bad_torch FOLDER - files of torch and numpy, each with one thing wrong, and the good ones they are made from.
 *
 * What `sonde info -m NAME` must say of each, run in FOLDER, stands in expected_torch.tsv. Standard library alone, and
 * zlib for checksums. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

typedef struct { uint8_t *at; size_t n; } bytes;

static void stop(const char *what) {
    perror(what);
    exit(2);
}

static void append(bytes *b, const void *data, size_t n) {
    b->at = realloc(b->at, b->n + n + 1);
    if (!b->at) stop("memory");
    if (n) memcpy(b->at + b->n, data, n);
    b->n += n;
}

static void number(bytes *b, uint64_t v, size_t n) { append(b, &v, n); }

static void save(const char *name, bytes b) {
    FILE *f = fopen(name, "wb");
    if (!f || fwrite(b.at, 1, b.n, f) != b.n || fclose(f)) stop(name);
    free(b.at);
}

static void make_folder(const char *name) {
    if (mkdir(name, 0777) && errno != EEXIST) stop(name);
}

/* -- zip files -- */

typedef struct { const char *name; const void *data; size_t n; } entry;

enum { MOST = 6 };

typedef struct { bytes b; size_t local[MOST], central[MOST], end64, locator, end; } archive;

static void put_local(archive *z, const entry *e) {
    append(&z->b, "PK\3\4\0\0\0\0\0\0\0\0\0\0", 14);
    number(&z->b, crc32_z(0, e->data, e->n), 4);
    number(&z->b, e->n, 4);
    number(&z->b, e->n, 4);
    number(&z->b, strlen(e->name), 4);
    append(&z->b, e->name, strlen(e->name));
    append(&z->b, e->data, e->n);
}

/* With a zip64 field of `wide` numbers when that is not 0: size, packed size, place, all ones in their own places. */
static void put_central(archive *z, const entry *e, size_t begin, size_t wide) {
    append(&z->b, "PK\1\2\0\0\0\0\0\0\0\0\0\0\0\0", 16);
    number(&z->b, crc32_z(0, e->data, e->n), 4);
    number(&z->b, wide ? UINT32_MAX : e->n, 4);
    number(&z->b, wide ? UINT32_MAX : e->n, 4);
    number(&z->b, strlen(e->name), 2);
    number(&z->b, wide ? 4 + 8 * wide : 0, 2);
    number(&z->b, 0, 8);
    number(&z->b, 0, 2);
    number(&z->b, wide ? UINT32_MAX : begin, 4);
    append(&z->b, e->name, strlen(e->name));
    const uint64_t extra[3] = { e->n, e->n, begin };
    if (wide) {
        number(&z->b, 1, 2);
        number(&z->b, 8 * wide, 2);
        append(&z->b, extra, 8 * wide);
    }
}

static void put_end64(archive *z, size_t n, size_t dir, size_t size) {
    z->end64 = z->b.n;
    append(&z->b, "PK\6\6", 4);
    number(&z->b, 44, 8);
    number(&z->b, 0, 4);
    number(&z->b, 0, 8);
    for (int i = 0; i < 2; i++) number(&z->b, n, 8);
    number(&z->b, size, 8);
    number(&z->b, dir, 8);
    z->locator = z->b.n;
    append(&z->b, "PK\6\7\0\0\0\0", 8);
    number(&z->b, z->end64, 8);
    number(&z->b, 1, 4);
}

typedef struct { size_t wide, prefix; } zip_options;      /* numbers in zip64 fields; bytes before the first entry */

static archive make_zip(const entry *e, size_t n, zip_options o) {
    archive z = { .b = { 0 } };
    for (size_t i = 0; i < o.prefix; i++) append(&z.b, "PK\3\4" + i % 4, 1);
    for (size_t i = 0; i < n; i++) {
        z.local[i] = z.b.n;
        put_local(&z, &e[i]);
    }
    const size_t dir = z.b.n;
    for (size_t i = 0; i < n; i++) {
        z.central[i] = z.b.n;
        put_central(&z, &e[i], z.local[i], o.wide);
    }
    const size_t size = z.b.n - dir;
    if (o.wide) put_end64(&z, n, dir, size);
    z.end = z.b.n;
    append(&z.b, "PK\5\6\0\0\0\0", 8);
    for (int i = 0; i < 2; i++) number(&z.b, n, 2);
    number(&z.b, size, 4);
    number(&z.b, dir, 4);
    number(&z.b, 0, 2);
    return z;
}

/* -- pickles: the opcodes of protocol 2, with texts and numbers written out -- */

#define PROTO   "\200\2"
#define TEXT(length, text) "X" length "\0\0\0" text
#define FLOATS  "ctorch\nFloatStorage\n"
#define ID(type, key, count) "(" TEXT("\7", "storage") type TEXT("\1", key) TEXT("\3", "cpu") count "tQ"
#define REBUILD(storage, offset, size, stride) "ctorch._utils\n_rebuild_tensor_v2\n(" storage offset size stride "\211}tR"
#define STORED  ID(FLOATS, "0", "K\4")                                  /* four floats */
#define TENSOR  REBUILD(STORED, "K\0", "K\2K\2\206", "K\2K\1\206")      /* [2, 2] */
#define SAVED(tensor) PROTO "}" TEXT("\1", "w") tensor "s."
#define HUGE_   "\212\10\377\377\377\377\377\377\377\177"               /* 2^63 - 1 */
#define P(text) (text), sizeof(text) - 1

static const float four[] = { 1, 2, 3, 4 };
static const char good_pickle[] = SAVED(TENSOR);

typedef struct { const char *name, *pickle; size_t n; } pickle_case;

/* Each in a good zip with four floats as data/0. */
static const pickle_case pickles[] = {
    { "pk_global_system.pt", P(PROTO "cposix\nsystem\n" TEXT("\4", "true") "\205R.") },
    { "pk_global_eval.pt", P(PROTO "cbuiltins\neval\n" TEXT("\1", "1") "\205R.") },
    { "pk_global_unused.pt", P(SAVED(TENSOR "0" "cos\nsystem\n")) },
    { "pk_global_in_value.pt", P(PROTO "}" TEXT("\1", "x") "cnt\nsystem\ns" TEXT("\1", "w") TENSOR "s.") },
    { "pk_stack_global.pt", P("\200\4\214\2os\224\214\6system\224\223\214\4true\224\205R.") },
    { "pk_stack_global_int.pt", P("\200\4K\1K\2\223.") },
    { "pk_global_near.pt", P(PROTO "ctorch._utils\n_rebuild_tensor_v2x\n.") },
    { "pk_global_other_module.pt", P(PROTO "cevil\n_rebuild_tensor_v2\n.") },
    { "pk_global_dotted.pt", P(PROTO "ctorch\n_utils._rebuild_tensor_v2\n.") },
    { "pk_global_for_a_terminal.pt", P(PROTO "c\033[2J\nx\033]0;owned\a\n.") },
    { "pk_global_endless.pt", P(PROTO "ctorch") },
    { "pk_dataloader.pt", P(PROTO "ctorch.jit._pickle\nrestore_type_tag\n.") },
    { "pk_reduce_dtype.pt", P(PROTO "ctorch\nFloatStorage\n)R.") },
    { "pk_reduce_no_name.pt", P(PROTO "K\1)R.") },
    { "pk_reduce_no_tuple.pt", P(PROTO "ccollections\nOrderedDict\n]R.") },
    { "pk_reduce_dict_items.pt", P(PROTO "ccollections\nOrderedDict\n]\205R.") },
    { "pk_reduce_few.pt", P(PROTO "ctorch._utils\n_rebuild_tensor_v2\n)R.") },
    { "pk_inst.pt", P(PROTO "(ios\nsystem\n.") },
    { "pk_obj.pt", P(PROTO "(ccollections\nOrderedDict\no.") },
    { "pk_newobj.pt", P(PROTO "ccollections\nOrderedDict\n)\201.") },
    { "pk_newobj_ex.pt", P("\200\4ccollections\nOrderedDict\n)}\222.") },
    { "pk_ext1.pt", P(PROTO "\202\1.") },
    { "pk_persid.pt", P(PROTO "Pstorage\n.") },
    { "pk_pop.pt", P(PROTO "K\1K\2" "0.") },
    { "pk_dup.pt", P(PROTO "K\1" "2.") },
    { "pk_unknown.pt", P(PROTO "\377.") },
    { "pk_protocol_0.pt", P("(dp0\nVw\np1\nI1\ns.") },
    { "pk_protocol_1.pt", P("}q\0.") },
    { "pk_protocol_6.pt", P("\200\6}.") },
    { "pk_protocol_twice.pt", P(PROTO PROTO "}.") },
    { "pk_empty.pt", "", 0 },
    { "pk_no_stop.pt", P(PROTO "}") },
    { "pk_stop_two.pt", P(PROTO "}}.") },
    { "pk_stop_none.pt", P(PROTO ".") },
    { "pk_stop_mark.pt", P(PROTO "}(.") },
    { "pk_behind.pt", P(PROTO "}.x") },
    { "pk_text_cut.pt", P(PROTO "X\377\377\377\177w") },
    { "pk_text_2_63.pt", P("\200\4\215\377\377\377\377\377\377\377\177w.") },
    { "pk_text_not_utf8.pt", P(PROTO "X\1\0\0\0\377.") },
    { "pk_frame_long.pt", P("\200\4\225\377\377\377\377\377\377\377\377}.") },
    { "pk_memo_unset.pt", P(PROTO "}q\0h\1.") },
    { "pk_memo_far.pt", P(PROTO "}r\377\377\377\377.") },
    { "pk_memo_nothing.pt", P(PROTO "q\0.") },
    { "pk_tuple_no_mark.pt", P(PROTO "K\1t.") },
    { "pk_tuple3_below_mark.pt", P(PROTO "K\1K\2(K\3\207.") },
    { "pk_setitems_odd.pt", P(PROTO "}(K\1u.") },
    { "pk_setitem_list.pt", P(PROTO "]K\1K\2s.") },
    { "pk_setitem_below.pt", P(PROTO "K\1s.") },
    { "pk_append_dict.pt", P(PROTO "}K\1a.") },
    { "pk_appends_below.pt", P(PROTO "(K\1e.") },
    { "pk_key_list.pt", P(PROTO "}]K\1s.") },
    { "pk_key_tuple_of_list.pt", P(PROTO "}]\205K\1s.") },
    { "pk_build_dict.pt", P(PROTO "}}b.") },
    { "pk_build_tensor.pt", P(PROTO TENSOR "}b.") },
    { "pk_id_no_tuple.pt", P(PROTO "K\1Q.") },
    { "pk_id_module.pt", P(PROTO "(" TEXT("\6", "module") "K\1K\2K\3K\4tQ.") },
    { "pk_id_four.pt", P(PROTO "(" TEXT("\7", "storage") FLOATS TEXT("\1", "0") TEXT("\3", "cpu") "tQ.") },
    { "pk_id_type.pt", P(PROTO ID("ctorch\nSize\n", "0", "K\4") ".") },
    { "pk_id_key_number.pt", P(PROTO "(" TEXT("\7", "storage") FLOATS "K\0" TEXT("\3", "cpu") "K\4tQ.") },
    { "pk_id_count_negative.pt", P(PROTO ID(FLOATS, "0", "J\377\377\377\377") ".") },
    { "pk_storage_absent.pt", P(SAVED(REBUILD(ID(FLOATS, "7", "K\4"), "K\0", "K\4\205", "K\1\205"))) },
    { "pk_storage_leaves.pt", P(SAVED(REBUILD("(" TEXT("\7", "storage") FLOATS TEXT("\13", "../data.pkl") TEXT("\3", "cpu")
                                              "K\4tQ", "K\0", "K\4\205", "K\1\205"))) },
    { "pk_storage_short.pt", P(SAVED(REBUILD(ID(FLOATS, "0", "K\5"), "K\0", "K\5\205", "K\1\205"))) },
    { "pk_storage_long.pt", P(SAVED(REBUILD(ID(FLOATS, "0", "K\3"), "K\0", "K\3\205", "K\1\205"))) },
    { "pk_storage_wraps.pt", P(SAVED(REBUILD(ID(FLOATS, "0", "\212\10\4\0\0\0\0\0\0\100"), "K\0", "K\4\205", "K\1\205"))) },
    { "pk_storage_complex.pt", P(SAVED(REBUILD(ID("ctorch\nComplexFloatStorage\n", "0", "K\2"), "K\0", "K\2\205",
                                               "K\1\205"))) },
    { "pk_offset_negative.pt", P(SAVED(REBUILD(STORED, "J\377\377\377\377", "K\4\205", "K\1\205"))) },
    { "pk_offset_past.pt", P(SAVED(REBUILD(STORED, "K\1", "K\4\205", "K\1\205"))) },
    { "pk_offset_huge.pt", P(SAVED(REBUILD(STORED, HUGE_, "K\2\205", "K\1\205"))) },
    { "pk_size_past.pt", P(SAVED(REBUILD(STORED, "K\0", "K\5\205", "K\1\205"))) },
    { "pk_size_negative.pt", P(SAVED(REBUILD(STORED, "K\0", "J\377\377\377\377\205", "K\1\205"))) },
    { "pk_size_list.pt", P(SAVED(REBUILD(STORED, "K\0", "]", "K\1\205"))) },
    { "pk_size_bool.pt", P(SAVED(REBUILD(STORED, "K\0", "\210\205", "K\1\205"))) },
    { "pk_size_2_64.pt", P(SAVED(REBUILD(STORED, "K\0", "\212\11\0\0\0\0\0\0\0\0\1\205", "K\1\205"))) },
    { "pk_size_wraps.pt", P(SAVED(REBUILD(STORED, "K\0", "\212\10\0\0\0\0\0\0\0\100K\4\206", "K\0K\0\206"))) },
    { "pk_size_zero_hides_wrap.pt", P(SAVED(REBUILD(STORED, "K\0", HUGE_ HUGE_ "K\0\207", "K\0K\0K\0\207"))) },
    { "pk_stride_wraps.pt", P(SAVED(REBUILD(STORED, "K\0", "K\3K\2\206", HUGE_ "K\1\206"))) },
    { "pk_stride_sum_wraps.pt", P(SAVED(REBUILD(STORED, "K\1", "K\2K\2\206", HUGE_ HUGE_ "\206"))) },
    { "pk_stride_past.pt", P(SAVED(REBUILD(STORED, "K\0", "K\2K\2\206", "K\3K\1\206"))) },
    { "pk_stride_negative.pt", P(SAVED(REBUILD(STORED, "K\3", "K\4\205", "J\377\377\377\377\205"))) },
    { "pk_stride_count.pt", P(SAVED(REBUILD(STORED, "K\0", "K\4\205", ")"))) },
    { "pk_stride_zero.pt", P(SAVED(REBUILD(STORED, "K\0", "\212\5\0\0\0\0\1\205", "K\0\205"))) },
    { "pk_rank_9.pt", P(SAVED(REBUILD(STORED, "K\0", "(K\1K\1K\1K\1K\1K\1K\1K\1K\1t", "(K\1K\1K\1K\1K\1K\1K\1K\1K\1t"))) },
    { "pk_tensor_of_none.pt", P(SAVED(REBUILD("N", "K\0", "K\4\205", "K\1\205"))) },
    { "pk_dtype_float8.pt", P(SAVED("ctorch._utils\n_rebuild_tensor_v3\n("
                                    ID("ctorch.storage\nUntypedStorage\n", "0", "K\20")
                                    "K\0K\20\205K\1\205\211}ctorch\nfloat8_e4m3fn\ntR")) },
    { "pk_negated.pt", P(SAVED("ctorch._utils\n_rebuild_tensor_v2\n(" STORED "K\0K\4\205K\1\205\211}}" TEXT("\3", "neg")
                               "\210stR")) },
    { "pk_name_twice.pt", P(PROTO "}" TEXT("\1", "w") TENSOR "s" TEXT("\1", "w") TENSOR "s.") },
    { "pk_name_nul.pt", P(PROTO "}" TEXT("\2", "w\0") TENSOR "s.") },
    { "pk_top_list.pt", P(PROTO "]" TENSOR "a.") },
    { "pk_top_empty.pt", P(PROTO "}.") },
    { "pk_top_itself.pt", P(PROTO "]q\0h\0a.") },
    { "pk_nested_twice.pt", P(PROTO "}" TEXT("\5", "model") "}" TEXT("\1", "w") TENSOR "ss" TEXT("\12", "state_dict")
                              "}" TEXT("\1", "w") TENSOR "ss.") },
};

static archive zip_of(const char *pickle, size_t n, zip_options o) {
    const entry e[] = { { "a/data.pkl", pickle, n }, { "a/data/0", four, sizeof four }, { "a/version", "3\n", 2 } };
    return make_zip(e, 3, o);
}

static void make_pickles(void) {
    for (size_t i = 0; i < sizeof pickles / sizeof *pickles; i++)
        save(pickles[i].name, zip_of(pickles[i].pickle, pickles[i].n, (zip_options){ 0 }).b);
}

/* -- one number of a zip changed, in one or two headers -- */

typedef enum { LOCAL, CENTRAL, BOTH, END, END64, LOCATOR } header;

typedef struct {
    const char *name;
    size_t      wide;                   /* make_zip's */
    header      where;
    int         entry, at;              /* at: of the local header, in the central one */
    size_t      bytes;
    uint64_t    value;
    int         central;                /* for BOTH: the place in the central header */
} change;

/* Entry 0 is a/data.pkl, 1 is a/data/0 (16 bytes), 2 is a/version. */
static const change changes[] = {
    { "zip_name_differs.pt", 0, LOCAL, 1, 37, 1, '1', 0 },
    { "zip_name_shorter.pt", 0, LOCAL, 1, 26, 2, 7, 0 },
    { "zip_encrypted.pt", 0, BOTH, 1, 6, 2, 1, 8 },
    { "zip_strong.pt", 0, BOTH, 1, 6, 2, 1 << 6, 8 },
    { "zip_masked.pt", 0, BOTH, 1, 6, 2, 1 << 13, 8 },
    { "zip_flags_differ.pt", 0, LOCAL, 1, 6, 2, 1, 0 },
    { "zip_deflated.pt", 0, BOTH, 1, 8, 2, 8, 10 },
    { "zip_method_differs.pt", 0, LOCAL, 1, 8, 2, 8, 0 },
    { "zip_crc_of_pickle.pt", 0, BOTH, 0, 14, 4, 0x12345678, 16 },
    { "zip_crc_differs.pt", 0, LOCAL, 0, 14, 4, 0x12345678, 0 },
    { "zip_size_differs.pt", 0, CENTRAL, 1, 20, 4, 15, 0 },
    { "zip_local_size_differs.pt", 0, LOCAL, 1, 22, 4, 15, 0 },
    { "zip_wide_size_missing.pt", 0, CENTRAL, 1, 24, 4, UINT32_MAX, 0 },
    { "zip_local_extra_long.pt", 0, LOCAL, 2, 28, 2, 65535, 0 },
    { "zip_offset_inside.pt", 0, CENTRAL, 1, 42, 4, 3, 0 },
    { "zip_offset_past.pt", 0, CENTRAL, 1, 42, 4, 0xfffffff0, 0 },
    { "zip_offset_of_another.pt", 0, CENTRAL, 1, 42, 4, 0, 0 },
    { "zip_other_volume.pt", 0, CENTRAL, 1, 34, 2, 1, 0 },
    { "zip_name_long.pt", 0, CENTRAL, 2, 28, 2, 65535, 0 },
    { "zip_name_empty.pt", 0, CENTRAL, 0, 28, 2, 0, 0 },
    { "zip_name_nul.pt", 0, CENTRAL, 0, 47, 1, 0, 0 },
    { "zip_central_signature.pt", 0, CENTRAL, 1, 0, 1, 'Q', 0 },
    { "zip_end_signature.pt", 0, END, 0, 2, 1, 'Q', 0 },
    { "zip_end_volume.pt", 0, END, 0, 4, 2, 1, 0 },
    { "zip_end_fewer.pt", 0, END, 0, 8, 4, 2 | 2 << 16, 0 },
    { "zip_end_more.pt", 0, END, 0, 8, 4, 4 | 4 << 16, 0 },
    { "zip_end_many.pt", 0, END, 0, 8, 4, 65535u | 65535u << 16, 0 },
    { "zip_end_none.pt", 0, END, 0, 8, 4, 0, 0 },
    { "zip_end_size.pt", 0, END, 0, 12, 4, 1, 0 },
    { "zip_end_offset.pt", 0, END, 0, 16, 4, 0xfffffff0, 0 },
    { "zip_end_comment.pt", 0, END, 0, 20, 2, 1, 0 },
    { "zip64_good.pt", 3, END, 0, 0, 1, 'P', 0 },
    { "zip64_short_field.pt", 2, END, 0, 0, 1, 'P', 0 },
    { "zip64_field_other_length.pt", 3, CENTRAL, 1, 56, 2, 16, 0 },
    { "zip64_field_other_id.pt", 3, CENTRAL, 1, 54, 1, 2, 0 },
    { "zip64_size_2_64.pt", 3, CENTRAL, 1, 58, 8, UINT64_MAX, 0 },
    { "zip64_offset_2_63.pt", 3, CENTRAL, 1, 74, 8, INT64_MAX, 0 },
    { "zip64_entries_differ.pt", 3, END64, 0, 32, 8, 2, 0 },
    { "zip64_disagrees.pt", 3, END, 0, 16, 4, 100, 0 },
    { "zip64_record_signature.pt", 3, END64, 0, 0, 1, 'Q', 0 },
    { "zip64_record_length.pt", 3, END64, 0, 4, 8, UINT64_MAX - 11, 0 },
    { "zip64_directory_wraps.pt", 3, END64, 0, 48, 8, UINT64_MAX, 0 },
    { "zip64_locator_past.pt", 3, LOCATOR, 0, 8, 8, UINT64_MAX - 55, 0 },
    { "zip64_locator_volume.pt", 3, LOCATOR, 0, 4, 4, 1, 0 },
    { "zip64_locator_gone.pt", 3, LOCATOR, 0, 2, 1, 'Q', 0 },
};

static void make_changes(void) {
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        const change *c = &changes[i];
        archive z = zip_of(P(good_pickle), (zip_options){ .wide = c->wide });
        const size_t places[] = { [LOCAL] = z.local[c->entry], [CENTRAL] = z.central[c->entry],
                                  [BOTH] = z.local[c->entry], [END] = z.end, [END64] = z.end64, [LOCATOR] = z.locator };
        memcpy(z.b.at + places[c->where] + c->at, &c->value, c->bytes);
        if (c->where == BOTH) memcpy(z.b.at + z.central[c->entry] + c->central, &c->value, c->bytes);
        save(c->name, z.b);
    }
}

/* -- zips with other entries, or with bytes around them -- */

#define PICKLE { "a/data.pkl", good_pickle, sizeof good_pickle - 1 }
#define STORAGE { "a/data/0", four, sizeof four }

static const struct { const char *name; entry e[MOST]; } entries[] = {
    { "zip_twice.pt", { PICKLE, STORAGE, STORAGE } },
    { "zip_no_pickle.pt", { { "a/datapkl", "", 0 }, STORAGE } },
    { "zip_pickle_deep.pt", { { "a/b/data.pkl", "", 0 }, STORAGE } },
    { "zip_pickle_root.pt", { { "data.pkl", "", 0 }, STORAGE } },
    { "zip_two_pickles.pt", { PICKLE, STORAGE, { "b/data.pkl", good_pickle, sizeof good_pickle - 1 } } },
    { "zip_big_endian.pt", { PICKLE, STORAGE, { "a/byteorder", "big", 3 } } },
    { "zip_torchscript.pt", { PICKLE, STORAGE, { "a/code/__torch__.py", "", 0 } } },
    { "zip_constants.pt", { PICKLE, STORAGE, { "a/constants.pkl", ")", 1 } } },
    { "zip_keras.pt", { { "metadata.json", "{}", 2 }, { "model.weights.h5", "", 0 } } },
    { "zip_java.pt", { { "META-INF/MANIFEST.MF", "", 0 } } },
    { "zip_numpy.pt", { { "w.npy", "", 0 } } },
    { "arrays.npz", { { "w.npy", "", 0 } } },
};

/* The second entry's bytes are said to reach into the third. */
static void make_overlap(void) {
    archive z = zip_of(P(good_pickle), (zip_options){ 0 });
    const uint32_t more = sizeof four + 8;
    memcpy(z.b.at + z.local[1] + 18, &more, 4);
    memcpy(z.b.at + z.local[1] + 22, &more, 4);
    memcpy(z.b.at + z.central[1] + 20, &more, 4);
    memcpy(z.b.at + z.central[1] + 24, &more, 4);
    save("zip_overlap.pt", z.b);
}

static void make_zips(void) {
    for (size_t i = 0; i < sizeof entries / sizeof *entries; i++) {
        size_t n = 0;
        while (n < MOST && entries[i].e[n].name) n++;
        save(entries[i].name, make_zip(entries[i].e, n, (zip_options){ 0 }).b);
    }
    make_overlap();
    save("zip_prefix.pt", zip_of(P(good_pickle), (zip_options){ .prefix = 4 }).b);
    archive z = zip_of(P(good_pickle), (zip_options){ 0 });
    append(&z.b, "!", 1);
    save("zip_suffix.pt", z.b);
    z = zip_of(P(good_pickle), (zip_options){ 0 });
    z.b.n--;
    save("zip_cut.pt", z.b);
    save("zip_magic_alone.pt", make_zip(NULL, 0, (zip_options){ 0 }).b);
}

/* -- the older layout -- */

#define MAGIC   PROTO "\212\12\154\374\234\106\371\040\152\250\120\031."
#define NUMBER  PROTO "M\351\3."
#define MACHINE(little) PROTO "}(" TEXT("\20", "protocol_version") "M\351\3" TEXT("\15", "little_endian") little "u."
#define ID6(key, count, view) "(" TEXT("\7", "storage") FLOATS TEXT("\1", key) TEXT("\3", "cpu") count view "tQ"
#define OBJECT(id) SAVED(REBUILD(id, "K\0", "K\4\205", "K\1\205"))
#define KEY(key) PROTO "]" TEXT("\1", key) "a."
#define ITEMS   "\4\0\0\0\0\0\0\0" "\0\0\200\77\0\0\0\100\0\0\100\100\0\0\200\100"
#define LEGACY  MAGIC NUMBER MACHINE("\210") OBJECT(ID6("0", "K\4", "N"))

static const pickle_case legacies[] = {
    { "old_number.pt", P(MAGIC PROTO "K\1." MACHINE("\210") "") },
    { "old_big_endian.pt", P(MAGIC NUMBER MACHINE("\211")) },
    { "old_machine_unknown.pt", P(MAGIC NUMBER PROTO "}.") },
    { "old_machine_number.pt", P(MAGIC NUMBER MACHINE("K\1")) },
    { "old_cut_in_pickle.pt", P(MAGIC NUMBER MACHINE("\210") PROTO "}") },
    { "old_cut_before_keys.pt", P(LEGACY) },
    { "old_system.pt", P(MAGIC NUMBER MACHINE("\210") PROTO "cposix\nsystem\n)R.") },
    { "old_system_in_keys.pt", P(LEGACY PROTO "cposix\nsystem\n)R.") },
    { "old_system_first.pt", P(MAGIC "\200\2cposix\nsystem\n)R.") },
    { "old_view.pt", P(MAGIC NUMBER MACHINE("\210") OBJECT(ID6("0", "K\4", "(" TEXT("\1", "1") "K\0K\4t"))) },
    { "old_keys_no_list.pt", P(LEGACY PROTO "}." ITEMS) },
    { "old_key_number.pt", P(LEGACY PROTO "]K\0a." ITEMS) },
    { "old_key_unknown.pt", P(LEGACY KEY("1") ITEMS) },
    { "old_key_twice.pt", P(LEGACY PROTO "]" TEXT("\1", "0") "a" TEXT("\1", "0") "a." ITEMS ITEMS) },
    { "old_key_missing.pt", P(LEGACY PROTO "].") },
    { "old_items_missing.pt", P(LEGACY KEY("0")) },
    { "old_items_cut.pt", P(LEGACY KEY("0") "\4\0\0\0\0\0\0\0\0\0") },
    { "old_items_fewer.pt", P(LEGACY KEY("0") "\3\0\0\0\0\0\0\0") },
    { "old_items_negative.pt", P(LEGACY KEY("0") "\377\377\377\377\377\377\377\377") },
    { "old_items_behind.pt", P(LEGACY KEY("0") ITEMS "!") },
    { "old_two_types.pt", P(MAGIC NUMBER MACHINE("\210") PROTO "}" TEXT("\1", "w") REBUILD(ID6("0", "K\4", "N"), "K\0",
                            "K\4\205", "K\1\205") "s" TEXT("\1", "v") REBUILD(ID6("0", "K\3", "N"), "K\0", "K\3\205",
                            "K\1\205") "s." KEY("0") ITEMS) },
    { "old_huge.pt", P(MAGIC NUMBER MACHINE("\210") OBJECT(ID6("0", HUGE_, "N")) KEY("0")
                       "\377\377\377\377\377\377\377\177") },
};

static void make_legacies(void) {
    for (size_t i = 0; i < sizeof legacies / sizeof *legacies; i++) {
        bytes b = { 0 };
        append(&b, legacies[i].pickle, legacies[i].n);
        save(legacies[i].name, b);
    }
    bytes tar = { 0 };
    for (int i = 0; i < 257; i++) append(&tar, "\0", 1);
    append(&tar, "ustar\0" "00", 8);
    save("old_tar.pt", tar);
}

/* -- folders -- */

static void save_text(const char *name, const char *text) {
    bytes b = { 0 };
    append(&b, text, strlen(text));
    save(name, b);
}

static void make_folders(void) {
    static const char *const folders[] = { "gap", "lora", "lora_unknown", "slices_names", "slices_types", "index",
                                          "lora_bare" };
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) make_folder(folders[i]);
    save("gap/consolidated.00.pth", zip_of(P(good_pickle), (zip_options){ 0 }).b);
    save("gap/consolidated.02.pth", zip_of(P(good_pickle), (zip_options){ 0 }).b);
    save_text("lora/adapter_config.json", "{\"base_model_name_or_path\": \"org/base\", \"peft_type\": \"LORA\"}");
    save_text("lora_unknown/adapter_config.json", "{}");
    save_text("lora_bare/adapter_model.safetensors", "");
    save("slices_names/consolidated.00.pth", zip_of(P(good_pickle), (zip_options){ 0 }).b);
    save("slices_names/consolidated.01.pth", zip_of(P(PROTO "}" TEXT("\1", "v") TENSOR "s."), (zip_options){ 0 }).b);
    save("slices_types/consolidated.00.pth", zip_of(P(good_pickle), (zip_options){ 0 }).b);
    save("slices_types/consolidated.01.pth",
         zip_of(P(SAVED(REBUILD(STORED, "K\0", "K\4\205", "K\1\205"))), (zip_options){ 0 }).b);
    save("index/1.bin", zip_of(P(good_pickle), (zip_options){ 0 }).b);
    save_text("index/pytorch_model.bin.index.json", "{\"weight_map\": {\"w\": \"1.bin\", \"v\": \"1.bin\"}}");
}

int main(int argc, char **argv) {
    if (argc != 2) {
        fputs("usage: make_bad_torch FOLDER\n", stderr);
        return 2;
    }
    make_folder(argv[1]);
    if (chdir(argv[1])) stop(argv[1]);
    save("good.pt", zip_of(P(good_pickle), (zip_options){ 0 }).b);
    bytes old = { 0 };
    append(&old, P(LEGACY KEY("0") ITEMS));
    save("old_good.pt", old);
    make_pickles();
    make_changes();
    make_zips();
    make_legacies();
    make_folders();
    return 0;
}
