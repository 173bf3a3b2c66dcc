/* load.h - the parts of a tokenizer, and the layouts of files they are read from. For src/text alone. */
#ifndef SONDE_LOAD_H
#define SONDE_LOAD_H
#include "added.h"
#include "bpe.h"
#include "decode.h"
#include "model.h"
#include "normal.h"
#include "pieces.h"
#include "stage.h"
#include "tokenizer.h"

enum { MOST_STAGES = 32 };
typedef enum { KIND_BYTES, KIND_CHARACTERS, KIND_PIECES, KIND_PATHS, KIND_WORDPIECE, KIND_WORDS } model_kind;

/* What the post-processor puts around texts: tokens and texts in a row, each with its type. */
typedef struct { int32_t id; int16_t text, type; } around_part;         /* text 0, or 1 of a pair; -1: the token `id` */
typedef struct { around_part *part; size_t n, n_before; } around;       /* n_before: parts in front of the first text */
static inline size_t around_after(const around *a) { return a->n ? a->n - a->n_before - 1 : 0; }    /* of a single text */

typedef enum { PAIRS_NONE, PAIRS_BERT, PAIRS_ROBERTA } pair_form;                      /* load_around */

struct tokenizer {
    arena       *memory;
    vocab        vocab;
    bpe         *model;                 /* byte-level BPE, or NULL: */
    const text_model *text;             /* any other */
    added_set    raw, normalized;       /* looked for in the text as it came; in the normalised text between those */
    normal_step  normal[MOST_STAGES];
    stage        stages[MOST_STAGES];
    decode_step  decode[MOST_STAGES];   /* none: the bytes of the tokens in a row */
    size_t       n_normal, n_stages, n_decode;
    splitter    *owned[3 * MOST_STAGES];        /* the patterns of all steps */
    size_t       n_owned;
    bool         drop_first_space;      /* when decoding: it was put in front */
    around       single, pair;          /* of a text alone (n 0: nothing around it), and of two (n 0: there is none) */
    int32_t      bos, eos;
    model_kind   kind;
    int32_t      unknown;               /* -1: none */
    const char  *prefix;                /* WordPiece: of what continues a word */
    size_t       longest_word;          /* WordPiece */
    bool         ignore_merges;
    bpe_rule    *rules;                 /* CHARACTERS with byte fallback: [n_rules], by rank */
    size_t       n_rules;
    double      *score;                 /* by id, where the model has them */
    uint8_t     *type;                  /* piece_type by id, likewise */
    size_t       n_pieces;
    const char  *warning;               /* NULL: none */
};

/* An added token as files describe it; `id` and `order` of the token are not set. */
typedef struct { added_token token; bool normalized; } added_entry;

typedef struct {
    tokenizer   *t;
    arena       *scratch;               /* dies when loading ends */
    added_entry *added;
    size_t       n_added, cap_added;
    map         *added_place;           /* text: place in `added` */
    bool         byte_level;            /* a ByteLevel pre-tokenizer was read */
    const json  *config;                /* tokenizer_config.json, NULL where there is none */
    const json  *special_tokens;        /* of the template that is read */
    const json  *special_map, *added_map;       /* special_tokens_map.json, added_tokens.json */
    sonde_error *err;
} loader;

/* Of keys that stand twice in a file the last counts, with a warning. */
sonde_status load_parse(loader *l, const text_file *f, const char *name, const json **root);
/* A tokenizer filled by `fill`, which gets `from`. */
typedef sonde_status load_fill(loader *l, const void *from);
sonde_status load_tokenizer(tokenizer **out, load_fill *fill, const void *from, sonde_error *err);

/* Fill l->t. Messages begin with the name of the file, but for pieces. */
sonde_status load_tokenizer_json(loader *l, const json *root);
sonde_status load_vocab_and_merges(loader *l, const tokenizer_files *files);
sonde_status load_pieces(loader *l, const void *vocab_pieces);
sonde_status load_sentencepiece(loader *l, const text_file *f);
sonde_status load_bin(loader *l, const text_file *f, int64_t n_tokens);
sonde_status load_vocab_txt(loader *l, const text_file *f);
sonde_status load_tiktoken(loader *l, const text_file *f);
bool         load_is_tiktoken(const text_file *f);

/* What stands beside a file that is no tokenizer.json, as transformers reads it: the tokens it adds or makes special
 * (then `more`, which may be NULL); once those are closed, bos and eos, and whether they are put around the text. */
sonde_status load_config_tokens(loader *l, const json *more);
sonde_status load_config_ends(loader *l, bool add_bos, bool add_eos, pair_form pairs);
/* Id of the token that the member names. */
int32_t      load_config_id(const loader *l, const char *key, int32_t otherwise);

/* Shared by them. */
/* {"content": text, flags}; `special`: it is, whatever the flags say. */
sonde_status load_added(loader *l, const json *entry, bool special, const char *where);
sonde_status load_added_text(loader *l, added_entry e, const char *where);  /* of two with one text the later counts */
sonde_status load_added_close(loader *l);                                   /* into the sets; closes the vocabulary */
bool         load_knows_added(const loader *l, const char *text, size_t len);
sonde_status load_stage(loader *l, stage s, const char *where);
sonde_status load_normal(loader *l, normal_step k, const char *where);
sonde_status load_decode(loader *l, decode_step k, const char *where);
/* The tokenizer owns the pattern from now on, even where this fails. */
sonde_status load_pattern(loader *l, const char *pattern, size_t len, bool literal, const splitter **out);
/* A step that cuts by the expression. */
sonde_status load_cut(loader *l, const char *pattern, size_t len, const char *where);
/* The ids around the text: none where the id is negative. Of two texts BERT's way is before A after B after, types 0 and 1;
 * RoBERTa's before A after after B after, all of type 0. */
void         load_around(loader *l, int32_t before, int32_t after, pair_form pairs);
/* Of p->text, p->score and p->type, as SentencePiece reads its own file. */
typedef struct {
    const vocab_pieces *pieces;
    bool unigram, bytes;                /* the model; byte fallback */
    bool control;                       /* texts of control pieces are special tokens of the text */
    normal_step normal;                 /* of kind SENTENCEPIECE; `whole` is not set */
} spm_parts;
sonde_status load_spm(loader *l, const spm_parts *s);
/* WordPiece with BERT's normaliser and pre-tokenizer: text i is token i. */
typedef struct {
    const text_bytes *text;
    size_t  n;
    int32_t unknown;                    /* -1: "[UNK]" where there is one */
    bool    clean, chinese, accents, lower;
} bert_parts;
sonde_status load_bert(loader *l, const bert_parts *b);
sonde_status load_wordpieces(loader *l, wordpiece_rules r);     /* the model alone, once the vocabulary is read */
sonde_status load_gpt2_stages(loader *l, bool prefix_space, bool use_regex, const char *where);
bool         load_split_merge(const char *line, size_t len, merge_text *out);
/* Member `key` of `j`, `*out` where there is none. `where` may be "". */
sonde_status load_bool(const json *j, const char *where, const char *key, bool *out, sonde_error *err);
bool         load_is_set(const json *j);                                    /* there, and not null */
/* What member `key` of tokenizer_config.json names as a text or as {"content": text}; false: nothing. */
bool         load_named_text(const json *config, const char *key, const char **text, size_t *len);
bool         load_text(const json *j, const char **text, size_t *len);          /* the same of the member itself */
#endif
