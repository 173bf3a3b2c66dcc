/* GPT-2's layout: vocab.json, merges.txt and, where there is one, tokenizer_config.json, as transformers'
 * GPT2Tokenizer reads them. */
#include "load.h"
#include "load_pre.h"
#include "base/text.h"
#include "grow.h"

static const char end_of_text[] = "<|endoftext|>";

/* Classes of transformers, with the row of load_pre.c that says how they split. Others split or normalise in ways that
 * these files do not say. `around`: bos and eos stand around the text. */
static const struct { const char *name, *pre; bool around; } classes[] = {
    { "GPT2Tokenizer", "gpt-2", false }, { "CodeGenTokenizer", "gpt-2", false }, { "Qwen2Tokenizer", "qwen2", false },
    { "GPTNeoXTokenizer", "gptneox", false }, { "RobertaTokenizer", "roberta-bpe", true },
    { "BartTokenizer", "roberta-bpe", true },
};

/* The place in `classes` of the class with or without "Fast" behind it; where none is named GPT-2's. */
static sonde_status find_class(const json *config, size_t *place, sonde_error *err) {
    const char *class;
    size_t len;
    *place = 0;
    if (!json_string(json_get(config, "tokenizer_class"), &class, &len)) return SONDE_OK;
    if (len > 4 && memcmp(class + len - 4, "Fast", 4) == 0) len -= 4;
    for (size_t i = 0; i < sizeof classes / sizeof *classes; i++) {
        *place = i;
        if (strlen(classes[i].name) == len && memcmp(classes[i].name, class, len) == 0) return SONDE_OK;
    }
    return sonde_fail(err, SONDE_UNSUPPORTED, "tokenizer_class \"%s\": vocab.json and merges.txt are read as GPT-2's, "
                      "Qwen2's, GPT-NeoX's or RoBERTa's only; save a tokenizer.json", text_shown(class, len).text);
}

typedef struct { const char *at, *end; size_t number; } line_reader;

/* The next line without its end, LF or CRLF. */
static bool next_line(line_reader *r, const char **line, size_t *len) {
    if (r->at == r->end) return false;
    const char *stop = memchr(r->at, '\n', (size_t)(r->end - r->at));
    *line = r->at;
    *len = (size_t)((stop ? stop : r->end) - r->at);
    if (*len && (*line)[*len - 1] == '\r') --*len;
    r->at = stop ? stop + 1 : r->end;
    r->number++;
    return true;
}

/* Lines "a b"; those that begin with "#version" are skipped, empty ones may only end the file. */
static sonde_status read_merges(const text_file *f, arena *scratch, merge_text **out, size_t *n, sonde_error *err) {
    line_reader r = { .at = f->data, .end = f->size ? f->data + f->size : f->data };
    const char *line;
    size_t len, cap = 0, empty = 0;
    *out = NULL;
    *n = 0;
    while (next_line(&r, &line, &len)) {
        if (len == 0 && !empty) empty = r.number;
        if (len == 0 || (len >= 8 && memcmp(line, "#version", 8) == 0)) continue;
        *out = grow(scratch, *out, *n, *n + 1, &cap, sizeof **out);
        SONDE_FAIL_IF(empty, err, SONDE_FORMAT, "line %zu is empty", empty);
        SONDE_FAIL_IF(!load_split_merge(line, len, &(*out)[(*n)++]), err, SONDE_FORMAT,
                      "line %zu: \"%s\", expected two texts with one space between", r.number,
                      text_shown(line, len).text);
    }
    return SONDE_OK;
}

static sonde_status read_config(loader *l) {
    const json end = { .kind = JSON_STRING, .text = end_of_text, .len = strlen(end_of_text) };
    bool prefix = false;
    size_t class;
    SONDE_TRY(find_class(l->config, &class, l->err));
    SONDE_TRY(load_bool(l->config, "", "add_prefix_space", &prefix, l->err));
    if (prefix) SONDE_TRY(load_stage(l, (stage){ .kind = STAGE_SPACE, .name = "" }, ""));
    SONDE_TRY(load_pre(l, pre_find(classes[class].pre, NULL)));
    const bool has_end = vocab_model_id(&l->t->vocab, end.text, end.len) >= 0;
    SONDE_TRY(load_config_tokens(l, has_end ? &end : NULL));
    SONDE_TRY(load_added_close(l));
    l->t->bos = l->t->eos = vocab_id(&l->t->vocab, end.text, end.len);
    return load_config_ends(l, classes[class].around, classes[class].around, classes[class].around ? PAIRS_ROBERTA : PAIRS_NONE);
}

sonde_status load_vocab_and_merges(loader *l, const tokenizer_files *files) {
    const char *vocab_name = files->vocab.name ? files->vocab.name : "vocab.json";
    const char *merges_name = files->merges.name ? files->merges.name : "merges.txt";
    const char *config_name = files->config.name ? files->config.name : "tokenizer_config.json";
    const json *root;
    merge_text *merges;
    size_t n;
    sonde_status s;
    SONDE_TRY(load_parse(l, &files->vocab, vocab_name, &root));
    SONDE_TRY(vocab_read(&l->t->vocab, root, vocab_name, l->err));
    s = read_merges(&files->merges, l->scratch, &merges, &n, l->err);
    if (s == SONDE_OK) s = bpe_new(&l->t->model, &l->t->vocab, merges, n, (bpe_options){ .unknown = -1 }, l->err);
    if (s != SONDE_OK) return sonde_fail_at(l->err, s, "%s", merges_name);
    s = read_config(l);
    return s == SONDE_OK ? s : sonde_fail_at(l->err, s, "%s", config_name);
}
