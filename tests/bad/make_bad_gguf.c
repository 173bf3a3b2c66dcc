/* Broken GGUF and llama2.c files: a good one each, and what was done to it. */
#include "make_bad.h"
#include "../gguf_bytes.h"
#include <stdio.h>

/* Where things stand in the good file: a pair general.alignment = 32, tensors a (F32, 3 x 2) and b (Q8_0, 32). */
enum {
    VERSION = 4, TENSORS = 8, PAIRS = 16, KEY_LENGTH = 24, KEY = 32, TYPE = 49, VALUE = 53, NAME_LENGTH = 57, NAME = 65,
    RANK = 66, DIM_0 = 70, DIM_1 = 78, STORED = 86, OFFSET = 90, NAME_B = 106, DIM_B = 111, OFFSET_B = 123, LINES_END = 131,
    DATA = 160, DATA_B = 192, END = 226
};

static void save_as(const char *file, const gguf_bytes *b) {
    FILE *f = fopen(file, "wb");
    if (!f || fwrite(b->at, 1, b->n, f) != b->n || fclose(f)) {
        perror(file);
        exit(2);
    }
}

static gguf_bytes good(void) {
    gguf_bytes b = { 0 };
    gguf_begin(&b, 2, 1);
    gguf_pair_u32(&b, "general.alignment", 32);
    gguf_tensor(&b, (gguf_line){ "a", 2, { 3, 2 }, 0, 0 });
    gguf_tensor(&b, (gguf_line){ "b", 1, { 32 }, 8, 32 });
    gguf_pad(&b, 32);
    while (b.n < END) gguf_u8(&b, (uint8_t)b.n);
    return b;
}

typedef struct { const char *file; size_t at, n; uint64_t value; } patch;       /* n bytes become those of value */

#define U64_MAX UINT64_MAX

static const patch patches[] = {
    { "gguf_magic.gguf", 0, 4, 0x58554747 },
    { "gguf_version_0.gguf", VERSION, 4, 0 },
    { "gguf_version_1.gguf", VERSION, 4, 1 },
    { "gguf_version_4.gguf", VERSION, 4, 4 },
    { "gguf_big_endian.gguf", VERSION, 4, 0x03000000 },
    { "gguf_tensors_2_64.gguf", TENSORS, 8, U64_MAX },
    { "gguf_tensors_2_58.gguf", TENSORS, 8, 1ull << 58 },
    { "gguf_tensors_one_more.gguf", TENSORS, 8, 3 },
    { "gguf_pairs_2_64.gguf", PAIRS, 8, U64_MAX },
    { "gguf_pairs_65537.gguf", PAIRS, 8, 65537 },
    { "gguf_pairs_one_more.gguf", PAIRS, 8, 2 },
    { "gguf_key_2_64.gguf", KEY_LENGTH, 8, U64_MAX },
    { "gguf_key_2_30.gguf", KEY_LENGTH, 8, 1 << 30 },
    { "gguf_key_empty.gguf", KEY_LENGTH, 8, 0 },
    { "gguf_key_nul.gguf", KEY, 1, 0 },
    { "gguf_key_not_utf8.gguf", KEY, 1, 0xff },
    { "gguf_value_type_13.gguf", TYPE, 4, 13 },
    { "gguf_value_type_2_32.gguf", TYPE, 4, UINT32_MAX },
    { "gguf_alignment_type.gguf", TYPE, 4, 5 },
    { "gguf_alignment_0.gguf", VALUE, 4, 0 },
    { "gguf_alignment_4.gguf", VALUE, 4, 4 },
    { "gguf_alignment_13.gguf", VALUE, 4, 13 },
    { "gguf_alignment_2_31.gguf", VALUE, 4, 1u << 31 },
    { "gguf_alignment_other.gguf", VALUE, 4, 64 },
    { "gguf_name_2_64.gguf", NAME_LENGTH, 8, U64_MAX },
    { "gguf_name_64.gguf", NAME_LENGTH, 8, 64 },
    { "gguf_name_empty.gguf", NAME_LENGTH, 8, 0 },
    { "gguf_name_nul.gguf", NAME, 1, 0 },
    { "gguf_name_not_utf8.gguf", NAME, 1, 0xff },
    { "gguf_name_twice.gguf", NAME_B, 1, 'a' },
    { "gguf_rank_0.gguf", RANK, 4, 0 },
    { "gguf_rank_5.gguf", RANK, 4, 5 },
    { "gguf_rank_2_32.gguf", RANK, 4, UINT32_MAX },
    { "gguf_dim_0.gguf", DIM_1, 8, 0 },
    { "gguf_dim_2_63.gguf", DIM_0, 8, 1ull << 63 },
    { "gguf_dim_negative.gguf", DIM_0, 8, U64_MAX },
    { "gguf_dims_wrap_to_small.gguf", DIM_1, 8, (1ull << 62) + 2 },
    { "gguf_dims_wrap_to_0.gguf", DIM_1, 8, 1ull << 62 },
    { "gguf_dim_2_42.gguf", DIM_B, 8, 1ull << 42 },
    { "gguf_dim_no_blocks.gguf", DIM_B, 8, 33 },
    { "gguf_blocks_wrap.gguf", DIM_B, 8, INT64_MAX - 31 },
    { "gguf_type_q4_2.gguf", STORED, 4, 4 },
    { "gguf_type_iq1_m.gguf", STORED, 4, 29 },
    { "gguf_type_q4_0_4_4.gguf", STORED, 4, 31 },
    { "gguf_type_nvfp4.gguf", STORED, 4, 40 },
    { "gguf_type_77.gguf", STORED, 4, 77 },
    { "gguf_type_2_32.gguf", STORED, 4, UINT32_MAX },
    { "gguf_offset_first.gguf", OFFSET, 8, 32 },
    { "gguf_offset_unaligned.gguf", OFFSET_B, 8, 24 },
    { "gguf_offset_overlap.gguf", OFFSET_B, 8, 0 },
    { "gguf_offset_hole.gguf", OFFSET_B, 8, 64 },
    { "gguf_offset_wraps.gguf", OFFSET_B, 8, U64_MAX - 31 },
    { "gguf_larger_than_file.gguf", DIM_B, 8, 64 },
    { "gguf_larger_than_line.gguf", DIM_1, 8, 1 << 20 },
};

static void make_patches(void) {
    for (size_t i = 0; i < sizeof patches / sizeof *patches; i++) {
        gguf_bytes b = good();
        memcpy(b.at + patches[i].at, &patches[i].value, patches[i].n);
        save_as(patches[i].file, &b);
        free(b.at);
    }
}

static void make_cuts(void) {
    static const struct { const char *file; size_t n; } cuts[] = {
        { "gguf_cut_0.gguf", 0 }, { "gguf_cut_in_counts.gguf", PAIRS + 3 }, { "gguf_cut_in_key.gguf", KEY + 4 },
        { "gguf_cut_in_type.gguf", TYPE + 2 }, { "gguf_cut_in_value.gguf", VALUE + 1 },
        { "gguf_cut_in_name.gguf", NAME_B }, { "gguf_cut_in_line.gguf", DIM_B + 2 },
        { "gguf_cut_after_lines.gguf", LINES_END },
        { "gguf_cut_in_a.gguf", DATA + 5 }, { "gguf_cut_before_b.gguf", DATA_B - 2 }, { "gguf_cut_last_byte.gguf", END - 1 },
    };
    for (size_t i = 0; i < sizeof cuts / sizeof *cuts; i++) {
        gguf_bytes b = good();
        b.n = cuts[i].n;
        save_as(cuts[i].file, &b);
        free(b.at);
    }
    gguf_bytes b = good();
    gguf_pad(&b, 32);
    gguf_u8(&b, 0);
    save_as("gguf_trailing.gguf", &b);
    free(b.at);
}

/* A file of one pair: behind its type a number of 4 bytes, some of 8, then text. */
typedef struct {
    const char *file, *key;
    uint32_t    type;
    int         words, longs;   /* how many of the numbers stand there */
    uint32_t    word;
    uint64_t    number[3];
    const char *text;
} value;

static const value values[] = {
    { "gguf_bool_2.gguf", "k", 7, 0, 0, 0, { 0 }, "\2" },
    { "gguf_text_2_64.gguf", "k", 8, 0, 1, 0, { U64_MAX }, "text" },
    { "gguf_text_2_30.gguf", "k", 8, 0, 1, 0, { 1 << 30 }, "text" },
    { "gguf_text_one_more.gguf", "k", 8, 0, 1, 0, { 5 }, "text" },
    { "gguf_list_nested.gguf", "k", 9, 1, 2, 9, { 1, 0 }, "" },
    { "gguf_list_type_13.gguf", "k", 9, 1, 2, 13, { 1, 0 }, "" },
    { "gguf_list_wraps.gguf", "k", 9, 1, 2, 10, { (1ull << 61) + 1, 7 }, "" },
    { "gguf_list_2_64.gguf", "k", 9, 1, 2, 0, { U64_MAX, 7 }, "" },
    { "gguf_list_one_more.gguf", "k", 9, 1, 1, 6, { 2 }, "1234567" },
    { "gguf_list_of_texts_wraps.gguf", "k", 9, 1, 2, 8, { 1ull << 60, 0 }, "" },
    { "gguf_list_text_2_64.gguf", "k", 9, 1, 3, 8, { 2, 0, U64_MAX }, "text" },
    { "gguf_list_text_cut.gguf", "k", 9, 1, 2, 8, { 2, 3 }, "abc45678" },
    { "gguf_list_bool_2.gguf", "k", 9, 1, 1, 7, { 3 }, "\1\1\2" },
    { "gguf_list_cut.gguf", "k", 9, 1, 0, 7, { 0 }, "abc" },
    { "gguf_alignment_list.gguf", "general.alignment", 9, 1, 1, 4, { 1 }, "abcd" },
    { "gguf_key_for_a_terminal.gguf", "\33]0;owned\7\n", 13, 0, 0, 0, { 0 }, "" },
};

static void make_values(void) {
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        const value *v = &values[i];
        gguf_bytes b = { 0 };
        gguf_begin(&b, 0, 1);
        gguf_key(&b, v->key, v->type);
        if (v->words) gguf_u32(&b, v->word);
        for (int k = 0; k < v->longs; k++) gguf_u64(&b, v->number[k]);
        gguf_put(&b, v->text, strlen(v->text));
        save_as(v->file, &b);
        free(b.at);
    }
    gguf_bytes b = { 0 };
    gguf_begin(&b, 0, 3);
    gguf_pair_u32(&b, "k", 1);
    gguf_pair_u32(&b, "l", 1);
    gguf_pair_u32(&b, "k", 2);
    save_as("gguf_key_twice.gguf", &b);
    free(b.at);
}

/* Three tensors of almost 2^63 bytes: each fits, their sum wraps. */
static void make_sum(void) {
    const uint64_t bytes = (1ull << 63) - 128;
    gguf_bytes b = { 0 };
    gguf_begin(&b, 3, 0);
    for (uint64_t i = 0; i < 3; i++) gguf_tensor(&b, (gguf_line){ &"a\0b\0c"[2 * i], 1, { bytes / 4 }, 0, i * bytes });
    gguf_pad(&b, 32);
    save_as("gguf_sum_wraps.gguf", &b);
    free(b.at);
}

void make_bad_gguf(void) {
    make_patches();
    make_cuts();
    make_values();
    make_sum();
}

/* -- llama2.c -- */

/* dim, hidden_dim, n_layers, n_heads, n_kv_heads, vocab_size, seq_len. */
typedef struct {
    const char *file;
    int32_t     n[7];
    uint32_t    version;
    uint8_t     shared;
    int32_t     group;
    int         padding;
    size_t      size;
} small;

enum { SIZE_0 = 660, SIZE_1 = 864, SIZE_2 = 724, WIDE = (1 << 24) - 2 };

static const small smalls[] = {
    { "llama2c_v0_one_byte_more.bin", { 4, 6, 1, 2, 1, 5, 3 }, 0, 0, 0, 0, SIZE_0 + 1 },
    { "llama2c_v0_one_byte_less.bin", { 4, 6, 1, 2, 1, 5, 3 }, 0, 0, 0, 0, SIZE_0 - 1 },
    { "llama2c_v0_no_classifier.bin", { 4, 6, 1, 2, 1, -5, 3 }, 0, 0, 0, 0, SIZE_0 },
    { "llama2c_v0_wraps.bin", { WIDE, WIDE, 4096, 1, 1, WIDE, WIDE }, 0, 0, 0, 0, SIZE_0 },
    { "llama2c_v0_int_min.weights", { 4, 6, 1, 2, 1, INT32_MIN, 3 }, 0, 0, 0, 0, SIZE_0 },
    { "llama2c_v0_heads_0.weights", { 4, 6, 1, 0, 1, 5, 3 }, 0, 0, 0, 0, SIZE_0 },
    { "llama2c_one_byte_more.bin", { 4, 6, 1, 2, 1, 5, 3 }, 1, 1, 0, 0, SIZE_1 + 1 },
    { "llama2c_one_byte_less.bin", { 4, 6, 1, 2, 1, 5, 3 }, 1, 1, 0, 0, SIZE_1 - 1 },
    { "llama2c_cut_in_header.bin", { 4, 6, 1, 2, 1, 5, 3 }, 1, 1, 0, 0, 255 },
    { "llama2c_cut_in_numbers.bin", { 4, 6, 1, 2, 1, 5, 3 }, 1, 1, 0, 0, 20 },
    { "llama2c_wraps.bin", { WIDE, WIDE, 4096, 1, 1, WIDE, WIDE }, 1, 1, 0, 0, SIZE_1 },
    { "llama2c_dim_int_min.bin", { INT32_MIN, 6, 1, 2, 1, 5, 3 }, 1, 1, 0, 0, SIZE_1 },
    { "llama2c_vocab_negative.bin", { 4, 6, 1, 2, 1, -5, 3 }, 1, 1, 0, 0, SIZE_1 },
    { "llama2c_heads_0.bin", { 4, 6, 1, 0, 1, 5, 3 }, 1, 1, 0, 0, SIZE_1 },
    { "llama2c_heads_do_not_divide.bin", { 4, 6, 1, 3, 1, 5, 3 }, 1, 1, 0, 0, SIZE_1 },
    { "llama2c_kv_heads_do_not_divide.bin", { 8, 6, 1, 4, 3, 5, 3 }, 1, 1, 0, 0, SIZE_1 },
    { "llama2c_kv_heads_more.bin", { 4, 6, 1, 2, 4, 5, 3 }, 1, 1, 0, 0, SIZE_1 },
    { "llama2c_head_odd.bin", { 4, 6, 1, 4, 1, 5, 3 }, 1, 1, 0, 0, SIZE_1 },
    { "llama2c_layers_4097.bin", { 4, 6, 4097, 2, 1, 5, 3 }, 1, 1, 0, 0, SIZE_1 },
    { "llama2c_hidden_huge.bin", { 4, INT32_MAX, 1, 2, 1, 5, 3 }, 1, 1, 0, 0, SIZE_1 },
    { "llama2c_version_3.bin", { 4, 6, 1, 2, 1, 5, 3 }, 3, 1, 0, 0, SIZE_1 },
    { "llama2c_shared_2.bin", { 4, 6, 1, 2, 1, 5, 3 }, 1, 2, 0, 0, SIZE_1 },
    { "llama2c_padding.bin", { 4, 6, 1, 2, 1, 5, 3 }, 1, 1, 0, 7, SIZE_1 },
    { "llama2c_groups_one_byte_less.bin", { 4, 6, 1, 2, 1, 5, 3 }, 2, 1, 2, 0, SIZE_2 - 1 },
    { "llama2c_group_0.bin", { 4, 6, 1, 2, 1, 5, 3 }, 2, 1, 0, 0, SIZE_2 },
    { "llama2c_group_negative.bin", { 4, 6, 1, 2, 1, 5, 3 }, 2, 1, -2, 0, SIZE_2 },
    { "llama2c_group_does_not_divide.bin", { 4, 6, 1, 2, 1, 5, 3 }, 2, 1, 3, 0, SIZE_2 },
};

void make_bad_llama2c(void) {
    for (size_t i = 0; i < sizeof smalls / sizeof *smalls; i++) {
        const small *s = &smalls[i];
        gguf_bytes b = { 0 };
        if (s->version) {
            gguf_u32(&b, 0x616b3432);
            gguf_u32(&b, s->version);
        }
        gguf_put(&b, s->n, sizeof s->n);
        if (s->version) gguf_u8(&b, s->shared);
        if (s->version == 2) gguf_put(&b, &s->group, sizeof s->group);
        while (b.n < s->size) gguf_u8(&b, b.n == 200 ? (uint8_t)s->padding : 0);
        b.n = s->size;
        save_as(s->file, &b);
        free(b.at);
    }
}
