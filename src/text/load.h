/* load.h - the parts of a tokenizer, and the two layouts of files they are read from. For src/text alone. */
#ifndef SONDE_LOAD_H
#define SONDE_LOAD_H
#include "added.h"
#include "bpe.h"
#include "split.h"
#include "tokenizer.h"
#include "vocab.h"

enum { MOST_STAGES = 32 };

/* One step of the pre-tokenizer: a space in front of each piece that has none, or (split not NULL) a cut. */
typedef struct { splitter *split; } stage;

struct tokenizer {
    arena    *memory;
    vocab     vocab;
    bpe      *model;
    added_set raw, normalized;          /* looked for in the text as it came; in the normalised text between those */
    bool      nfc;
    stage     stages[MOST_STAGES];
    size_t    n_stages;
    int32_t  *before, *after;           /* what the post-processor puts around the text */
    size_t    n_before, n_after;
    int32_t   bos, eos;
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
    sonde_error *err;
} loader;

/* Fill l->t. Messages begin with the name of the file. */
sonde_status load_tokenizer_json(loader *l, const json *root);
sonde_status load_vocab_and_merges(loader *l, const tokenizer_files *files, const json *config);

/* Shared by the two. */
/* {"content": text, flags}; `special`: it is, whatever the flags say. */
sonde_status load_added(loader *l, const json *entry, bool special, const char *where);
sonde_status load_added_text(loader *l, added_entry e, const char *where);  /* of two with one text the later counts */
void         load_added_close(loader *l);                                   /* into the sets; closes the vocabulary */
bool         load_knows_added(const loader *l, const char *text, size_t len);
sonde_status load_stage(loader *l, splitter *split, const char *where);     /* NULL: the space in front */
sonde_status load_gpt2_stages(loader *l, bool prefix_space, bool use_regex, const char *where);
bool         load_split_merge(const char *line, size_t len, merge_text *out);
/* Member `key` of `j`, `*out` where there is none. `where` may be "". */
sonde_status load_bool(const json *j, const char *where, const char *key, bool *out, sonde_error *err);
bool         load_is_set(const json *j);                                    /* there, and not null */
/* What member `key` of tokenizer_config.json names as a text or as {"content": text}; false: nothing. */
bool         load_named_text(const json *config, const char *key, const char **text, size_t *len);
bool         load_text(const json *j, const char **text, size_t *len);          /* the same of the member itself */
#endif
