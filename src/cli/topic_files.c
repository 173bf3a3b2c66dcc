/* Does my file open? The rows come from the readers' own tables; how each list is tested stands beside it. */
#include "page.h"

static const struct {
    sonde_files_kind kind;
    const char *title, *left, *right;
    int         width;
    const char *about, *tested;
} lists[] = {
    { SONDE_FILES_CONTAINERS, "Files of weights", "format", "what it is", 12,
      "Told by the first bytes; the name counts where those are nobody's.",
      "Tested: files that torch, safetensors, numpy and the gguf package wrote give the bytes that these read back; "
      "broken ones end with one line and exit 3; the readers are fuzzed." },
    { SONDE_FILES_FOLDER, "A model's folder", "file", "when it is read", 28,
      "An index reads the shards that it names, consolidated.00.pth the parts that follow it; a GGUF file of a set opens "
      "the set. -m NAME:TAG picks one of several GGUF files in the cache. Beside them lies config.json, or Meta's "
      "params.json; GGUF and llama2.c's files say their sizes themselves.",
      "Tested: which of several files is read; a small Llama in more than one of these layouts beside the logits that numpy "
      "computes." },
    { SONDE_FILES_FAMILIES, "Families that run", "family", "under whose names", 8,
      "Of another family the tokenizer opens (sonde tokens, sonde info --tree, sonde export --vocabulary); running it is "
      "exit 4, which names those that run.",
      "Tested: every site of small models is compared with transformers, float32, within 1e-5." },
    { SONDE_FILES_TYPES, "Types of stored numbers", "type", "how it is stored", 9,
      "Matrices run as they lie, without a copy in float32; norms and biases are widened. Bits an item include the "
      "scales of its block.",
      "Tested: blocks of every kind beside what the gguf package makes of them, runs of stored types beside the same in "
      "float32." },
    { SONDE_FILES_TOKENIZERS, "Files of a tokenizer", "file", "what it holds", 16,
      "The first of these in a folder; a GGUF file has its own vocabulary. --tokenizer FILE takes any of them, and a GGUF "
      "file, in place of the model's own; -m FILE opens it alone. tokenizer_config.json, special_tokens_map.json and "
      "added_tokens.json beside them are read.",
      "Tested: ids of many texts beside those of the official libraries, and of llama.cpp for its own vocabularies." },
    { SONDE_FILES_TOKENIZER_KINDS, "Kinds of tokenizers", "kind", "how it works", 18, NULL, NULL },
    { SONDE_FILES_PRE, "GGUF's words for pre-tokenizers (tokenizer.ggml.pre)", "word", "what it does", 18,
      "Another word is exit 4; name the model's tokenizer.json by --tokenizer.",
      "Tested: where random texts are cut, beside the tokenizers library with the models' own patterns." },
    { SONDE_FILES_REFUSED, "Refused: files of other programs (exit 4)", "told by", "what it is; what to use instead", 32,
      "Nothing of them is read, and no code in a pickle is ever run: a torch file that names a function outside a short "
      "list is exit 3. A Git LFS pointer is exit 4 (git lfs pull fetches the file), a LoRA adapter too (merge it into "
      "its model).",
      "Tested: one of each kind." },
    { SONDE_FILES_QUANTIZED, "Refused: weights that config.json calls quantized (exit 4)", "quant_method",
      "what people call it", 20,
      "Use the model that they were made from, or a GGUF file of it.", NULL },
};

static sonde_status put_row(const sonde_files_row *row, void *user, sonde_error *err) {
    (void)err;
    page_row(user, row->name, row->doc);
    return SONDE_OK;
}

sonde_status topic_files(page *p, sonde_error *err) {
    page_title(p, 1, "Files");
    page_text(p, "Does my file open? sonde info -m FILE says what it is and runs nothing. Exits: 3, the file breaks its "
                 "format or names code to run; 4, it is well formed and not read by this version, and the line says what "
                 "to use instead; 5, it is not there.");
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
        page_title(p, 3, lists[i].title);
        if (lists[i].about) page_text(p, lists[i].about);
        page_rows(p, lists[i].left, lists[i].right, lists[i].width);
        SONDE_TRY(sonde_files_list(lists[i].kind, put_row, p, err));
        page_rows_end(p);
        if (lists[i].tested) page_text(p, lists[i].tested);
    }
    return SONDE_OK;
}
