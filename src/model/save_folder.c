/* A model as a Hugging Face folder: the tokenizer, model.safetensors, and config.json last, so that a folder without one is
 * not finished. What can be refused is refused before there is a folder. */
#define _GNU_SOURCE
#include "save_parts.h"
#include "base/file.h"
#include "base/text.h"
#include "sonde/array_file.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

typedef struct {
    const sonde_model        *m;
    const sonde_save_options *o;
    const char               *folder;
    arena                    *into;
    save_list                 list;
    text_bytes                tokenizer;        /* tokenizer.json where the model was read with another file; or empty */
    sonde_error              *err;
} saving;

static const char *inside(const saving *s, const char *name) { return arena_printf(s->into, "%s/%s", s->folder, name); }

static sonde_status make_folder(const saving *s) {
    if (mkdir(s->folder, 0777) == 0) return SONDE_OK;
    SONDE_FAIL_IF(errno != EEXIST || !folder_exists(s->folder), s->err, SONDE_IO, "%s: %s", name_shown(s->folder).text,
                  strerror(errno));
    static const char *const held[] = { "config.json", "model.safetensors", "model.safetensors.index.json" };
    for (size_t i = 0; i < sizeof held / sizeof *held; i++)
        SONDE_FAIL_IF(file_exists(inside(s, held[i])), s->err, SONDE_USAGE, "%s: holds a %s already, expected a new folder",
                      name_shown(s->folder).text, held[i]);
    return SONDE_OK;
}

static sonde_status write_text(const saving *s, const char *name, const void *text, size_t n) {
    file_out f;
    SONDE_TRY(file_out_open(&f, inside(s, name), s->err));
    const sonde_status wrote = file_out_write(&f, text, n, s->err);
    if (wrote == SONDE_OK) return file_out_commit(&f, s->err);
    file_out_drop(&f);
    return wrote;
}

static sonde_status write_tensors(saving *s, sonde_array_writer *w) {
    for (size_t i = 0; i < s->list.n; i++) {
        void *bytes;
        SONDE_FAIL_IF(s->o->stop && s->o->stop(s->o->user), s->err, SONDE_CANCELLED, "interrupted at tensor %s",
                      s->list.at[i].name);
        SONDE_TRY(save_pack(s->m, &s->list.at[i], s->o, &bytes, s->err));
        const sonde_status wrote = sonde_array_write(w, i, 0, bytes, save_count(&s->list.at[i]), s->err);
        free(bytes);
        SONDE_TRY(wrote);
        if (s->o->progress) s->o->progress(s->o->user, "tensors", (int64_t)i + 1, (int64_t)s->list.n);
    }
    return SONDE_OK;
}

/* Other programs want to be told that these are PyTorch's names. */
static sonde_status write_weights(saving *s) {
    static const sonde_array_note made_by = { "format", "pt" };
    sonde_array_spec *spec = arena_new_array(s->into, sonde_array_spec, s->list.n + 1);
    for (size_t i = 0; i < s->list.n; i++) {
        const save_tensor *t = &s->list.at[i];
        spec[i] = (sonde_array_spec){ .name = t->name, .dtype = dtype_table[t->to].name, .rank = t->rank };
        memcpy(spec[i].dim, t->dim, sizeof t->dim);
    }
    const sonde_array_list holds = { .specs = spec, .n = s->list.n, .notes = &made_by, .n_notes = 1 };
    sonde_array_writer *w;
    SONDE_TRY(sonde_array_writer_open(&w, inside(s, "model.safetensors"), holds, s->err));
    const sonde_status done = write_tensors(s, w);
    if (done == SONDE_OK) return sonde_array_writer_close(w, s->err);
    sonde_array_writer_drop(w);
    return done;
}

/* The files it was read from, as they are; a vocabulary that lay elsewhere as tokenizer.json. */
static const char *quoted(const saving *s, const char *key, int32_t id) {
    const char *bytes;
    size_t      len;
    if (id < 0 || !tokenizer_bytes(s->m->tokenizer, id, &bytes, &len)) return "";
    return arena_printf(s->into, ",\n  \"%s\": %s", key, json_quote(s->into, bytes, len));
}

/* Without it transformers guesses a class by the family, which may not follow tokenizer.json. */
static sonde_status write_tokenizer_config(const saving *s) {
    const char *text = arena_printf(s->into, "{\n  \"tokenizer_class\": \"PreTrainedTokenizerFast\",\n"
                                    "  \"clean_up_tokenization_spaces\": false%s%s\n}\n",
                                    quoted(s, "bos_token", tokenizer_bos(s->m->tokenizer)),
                                    quoted(s, "eos_token", tokenizer_eos(s->m->tokenizer)));
    return write_text(s, model_file_name(FILE_TOKENIZER_CONFIG), text, strlen(text));
}

static sonde_status write_tokenizer(const saving *s) {
    const struct model_files *f = s->m->files;
    if (!s->m->tokenizer) return SONDE_OK;
    for (int i = 0; i < FILE_COUNT; i++) {
        const bool kept = i != FILE_CONFIG && i != FILE_PARAMS && i != FILE_GIVEN && i != FILE_BIN;
        if (kept && f->file[i].size)
            SONDE_TRY(write_text(s, model_file_name((model_file)i), f->file[i].data, f->file[i].size));
    }
    if (!s->tokenizer.len) return SONDE_OK;
    SONDE_TRY(write_text(s, model_file_name(FILE_TOKENIZER), s->tokenizer.at, s->tokenizer.len));
    return f->file[FILE_TOKENIZER_CONFIG].size ? SONDE_OK : write_tokenizer_config(s);
}

static sonde_status save(saving *s) {
    const sonde_model *m = s->m;
    SONDE_FAIL_IF(s->o->type, s->err, SONDE_USAGE, "type %s: a folder holds plain numbers, expected a name that ends in .gguf",
                  name_shown(s->o->type).text);
    SONDE_TRY(save_list_of(m, SPELLED_HF, s->into, &s->list, s->err));
    if (m->tokenizer && !m->files->file[FILE_TOKENIZER].size)
        SONDE_TRY(tokenizer_write_json(m->tokenizer, s->into, &s->tokenizer, s->err));
    if (s->o->dry_run) {
        save_tell(&s->list, s->o);
        return SONDE_OK;
    }
    SONDE_TRY(make_folder(s));
    SONDE_TRY(write_tokenizer(s));
    SONDE_TRY(write_weights(s));
    return write_text(s, model_file_name(FILE_CONFIG), m->files->settings.text, m->files->settings.len);
}

sonde_status save_folder(const sonde_model *m, const char *path, const sonde_save_options *o, sonde_error *err) {
    saving s = { .m = m, .o = o, .folder = path, .into = arena_new(), .err = err };
    const sonde_status done = save(&s);
    arena_free(s.into);
    return done;
}

static bool ends_with(const char *text, const char *ending) {
    const size_t n = strlen(text), k = strlen(ending);
    return n > k && strcmp(text + n - k, ending) == 0;
}

sonde_status sonde_model_save(const sonde_model *m, const char *path, const sonde_save_options *o, sonde_error *err) {
    SONDE_FAIL_IF(m->config.layers == 0 || m->files->folded, err, SONDE_USAGE, "%s: %s, expected a model as it was opened",
                  m->info.name, m->files->folded ? "its norms are folded" : "its tokenizer alone was opened");
    return ends_with(path, ".gguf") ? save_gguf(m, path, o, err) : save_folder(m, path, o, err);
}
