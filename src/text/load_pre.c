/* Names and flags: llama.cpp, src/llama-vocab.cpp; expressions: the tokenizer.json of the models themselves. */
#include "load_pre.h"
#include <string.h>

#define GPT2   "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+"
#define ENDS   "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
#define SPACES "\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"
#define WORDS(digits) ENDS "|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|" digits "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|" SPACES
#define UPPER  "[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]"
#define LOWER  "[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]"
#define CASES(ends, digits) "[^\\r\\n\\p{L}\\p{N}]?" UPPER "*" LOWER "+" ends "|[^\\r\\n\\p{L}\\p{N}]?" UPPER "+" LOWER \
    "*" ends "|" digits "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|" SPACES
#define CJK    "[\u4e00-\u9fa5\u0800-\u4e00\uac00-\ud7ff]+"
/* The letters with an upper and a lower case. */
#define CASED  "[A-Za-z\u00b5\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u01ba\u01bc-\u01bf\u01c4-\u0293\u0295-\u02af\u0370-\u0373" \
    "\u0376\u0377\u037b-\u037d\u037f\u0386\u0388-\u038a\u038c\u038e-\u03a1\u03a3-\u03f5\u03f7-\u0481\u048a-\u052f" \
    "\u0531-\u0556\u10a0-\u10c5\u13a0-\u13f5\u13f8-\u13fd\u1c90-\u1cba\u1cbd-\u1cbf\u1d00-\u1d2b\u1d6b-\u1d77" \
    "\u1d79-\u1d9a\u1e00-\u1f15\u1f18-\u1f1d\u1f20-\u1f45\u1f48-\u1f4d\u1f50-\u1f57\u1f59\u1f5b\u1f5d\u1f5f-\u1f7d" \
    "\u1f80-\u1fb4\u1fb6-\u1fbc\u1fbe\u1fc2-\u1fc4\u1fc6-\u1fcc\u1fd0-\u1fd3\u1fd6-\u1fdb\u1fe0-\u1fec\u1ff2-\u1ff4" \
    "\u1ff6-\u1ffc\u2102\u2107\u210a-\u2113\u2115\u2119-\u211d\u2124\u2126\u2128\u212a-\u212d\u212f-\u2134\u2139" \
    "\u213c-\u213f\u2145-\u2149\u214e\u2183\u2184\u2c00-\u2c7b\u2c7e-\u2ce4\u2ceb-\u2cee\u2cf2\u2cf3\ua640-\ua66d" \
    "\ua680-\ua69b\ua722-\ua76f\ua771-\ua787\ua78b-\ua78e\uab70-\uabbf\ufb00-\ufb06\ufb13-\ufb17\uff21-\uff3a" \
    "\uff41-\uff5a\U00010400-\U0001044f\U000104b0-\U000104d3\U000104d8-\U000104fb\U00010c80-\U00010cb2" \
    "\U00010cc0-\U00010cf2\U000118a0-\U000118df\U0001e900-\U0001e943]"
#define MARKS  "[!-/:-~\uff01-\uff0f\uff1a-\uff5e\u2018-\u201f\u3000-\u3002]"

static const pre_row rows[] = {
    { .name = "gpt-2",            .pattern = { GPT2 } },
    { .name = "default",          .pattern = { GPT2 } },
    { .name = "phi-2",            .pattern = { GPT2 } },
    { .name = "mpt",              .pattern = { GPT2 }, .nfc = true },
    { .name = "olmo",             .pattern = { GPT2 }, .nfc = true },
    { .name = "gptneox",          .pattern = { GPT2 }, .nfc = true },          /* no word of GGUF's: the family */
    { .name = "jais",             .pattern = { GPT2 } },
    { .name = "roberta-bpe",      .pattern = { GPT2 }, .add_bos = true },
    { .name = "jina-es",          .pattern = { GPT2 }, .add_bos = true },
    { .name = "jina-de",          .pattern = { GPT2 }, .add_bos = true },
    { .name = "jina-v2-es",       .pattern = { GPT2 }, .add_bos = true },
    { .name = "jina-v2-de",       .pattern = { GPT2 }, .add_bos = true },
    { .name = "llama-bpe",        .pattern = { WORDS("\\p{N}{1,3}") }, .ignore_merges = true, .add_bos = true },
    { .name = "llama3",           .pattern = { WORDS("\\p{N}{1,3}") }, .ignore_merges = true, .add_bos = true },
    { .name = "llama-v3",         .pattern = { WORDS("\\p{N}{1,3}") }, .ignore_merges = true, .add_bos = true },
    { .name = "falcon3",          .pattern = { WORDS("\\p{N}{1,3}") }, .ignore_merges = true, .add_bos = true },
    { .name = "pixtral",          .pattern = { WORDS("\\p{N}{1,3}") }, .ignore_merges = true, .add_bos = true },
    { .name = "qwen2",            .pattern = { WORDS("\\p{N}") }, .nfc = true },
    { .name = "deepseek-r1-qwen", .pattern = { WORDS("\\p{N}") }, .nfc = true },
    { .name = "starcoder",        .pattern = { "\\p{N}", GPT2 } },
    { .name = "refact",           .pattern = { "\\p{N}", GPT2 } },
    { .name = "command-r",        .pattern = { "\\p{N}", GPT2 }, .nfc = true },
    { .name = "smollm",           .pattern = { "\\p{N}", GPT2 } },
    { .name = "falcon",           .pattern = { "[\\p{P}\\$\\+<=>\\^~\\|`]+", GPT2, "[0-9][0-9][0-9]" } },
    { .name = "deepseek-llm",     .pattern = { "[\r\n]", "\\s?" CASED "+", "\\s?" MARKS "+", "\\s+$", CJK, "\\p{N}+" } },
    { .name = "deepseek-coder",   .pattern = { "[\r\n]", "\\s?\\p{L}+", "\\s?\\p{P}+", CJK, "\\p{N}" } },
    { .name = "tekken",           .pattern = { CASES("", "\\p{N}") }, .ignore_merges = true, .add_bos = true },
    { .name = "gpt-4o",           .pattern = { CASES(ENDS "?", "\\p{N}{1,3}") } },
    { .name = "llama4",           .pattern = { CASES(ENDS "?", "\\p{N}{1,3}") } },
};
enum { ROWS = sizeof rows / sizeof *rows };

const pre_row *pre_find(const char *name, const char *family) {
    const char *wanted = name ? name : family && strcmp(family, "gptneox") == 0 ? family : "default";
    for (size_t i = 0; i < ROWS; i++)
        if (strcmp(rows[i].name, wanted) == 0) return &rows[i];
    return NULL;
}

size_t         pre_rows(void)   { return ROWS; }
const pre_row *pre_at(size_t i) { return &rows[i]; }

bool tokenizer_pre_at(size_t i, pre_shown *out) {
    if (i >= ROWS) return false;
    *out = (pre_shown){ rows[i].name, 0, rows[i].nfc, rows[i].ignore_merges, rows[i].add_bos };
    while (out->patterns < PRE_PATTERNS && rows[i].pattern[out->patterns]) out->patterns++;
    return true;
}

const char *pre_known(void) {
    return "default, gpt-2, phi-2, mpt, olmo, jais, roberta-bpe, jina-es, jina-de, llama-bpe, falcon3, pixtral, qwen2, "
           "deepseek-r1-qwen, starcoder, refact, command-r, smollm, falcon, deepseek-llm, deepseek-coder, tekken, gpt-4o, "
           "llama4";
}
