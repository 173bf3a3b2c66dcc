#define _GNU_SOURCE
#include "tiny_model.h"
#include "base/sha256.h"

static const char *hash_of(const char *folder) {
    static char hash[17];
    sonde_model *m = open_or_say(folder, NULL);
    memcpy(hash, sonde_model_hash(m), sizeof hash);
    sonde_model_close(m);
    return hash;
}

static void the_hash_tells_what_changed(void) {
    char first[17];
    tiny_model t = tiny_new("hash", "transformer.");
    tiny_add(&t, "zz.unused", 5, 0);
    tiny_save(&t);
    snprintf(first, sizeof first, "%s", hash_of("hash"));
    CHECK_STR(hash_of("hash"), first);
    tiny_write_text("hash", "generation_config.json", "{}");
    t.folder = "hash-elsewhere";
    const tiny_tensor last = t.tensor[0];       /* another order in the file */
    t.tensor[0] = t.tensor[5];
    t.tensor[5] = last;
    tiny_save(&t);
    CHECK_STR(hash_of("hash-elsewhere"), first);
    for (int i = 0; i < t.n; i++) {
        t.tensor[i].change = 1.f / 64;
        tiny_save(&t);
        CHECK(strcmp(hash_of("hash-elsewhere"), first) != 0);
        t.tensor[i].change = 0;
    }
    tiny_find(&t, "zz.unused")->name[1] = 'y';
    tiny_save(&t);
    CHECK(strcmp(hash_of("hash-elsewhere"), first) != 0);
    tiny_find(&t, "zy.unused")->name[1] = 'z';
    t.config = tiny_config("\"seen\": 1,");
    tiny_save(&t);
    CHECK(strcmp(hash_of("hash-elsewhere"), first) != 0);
    t.config = NULL;
    tiny_save(&t);
    CHECK_STR(hash_of("hash-elsewhere"), first);
    tiny_save_tokenizer("hash-elsewhere", "null");
    char with[17];
    snprintf(with, sizeof with, "%s", hash_of("hash-elsewhere"));
    CHECK(strcmp(with, first) != 0);
    tiny_write_text("hash-elsewhere", "merges.txt", "not used beside tokenizer.json");
    CHECK_STR(hash_of("hash-elsewhere"), with);
    tiny_write_text("hash-elsewhere", "tokenizer_config.json", "{}");
    CHECK(strcmp(hash_of("hash-elsewhere"), with) != 0);
    CHECK_EQ(unlink("hash-elsewhere/tokenizer.json"), 0);
    CHECK_STR(hash_of("hash-elsewhere"), first);
}

/* model_hash.c's definition, written down again. */
static void the_hash_is_its_definition(void) {
    tiny_model t = tiny_new("closed", "");
    tiny_save(&t);
    sha256 *h = sha256_new();
    sha256_add(h, "sonde model 1\nconfig.json", 26);
    const char *config = tiny_config("");
    const uint64_t size = strlen(config);
    sha256_add(h, &size, 8);
    sha256_add(h, config, size);
    char order[TINY_TENSORS][96];
    for (int i = 0; i < t.n; i++) memcpy(order[i], t.tensor[i].name, sizeof order[i]);
    qsort(order, (size_t)t.n, sizeof order[0], (int (*)(const void *, const void *))strcmp);
    for (int i = 0; i < t.n; i++) {
        const tiny_tensor *x = tiny_find(&t, order[i]);
        sha256_add(h, x->name, strlen(x->name) + 1);
        sha256_add(h, "F32", 4);
        const uint64_t rank = (uint64_t)x->rank;
        sha256_add(h, &rank, 8);
        sha256_add(h, x->dim, 8 * rank);
        for (int64_t k = 0; k < tiny_count(x); k++) {
            const float v = tiny_value(x->name, k);
            sha256_add(h, &v, 4);
        }
    }
    uint8_t digest[32];
    char hex[65];
    CHECK_EQ(sha256_end(h, digest, NULL), SONDE_OK);
    sha256_hex(digest, hex);
    hex[16] = 0;
    CHECK_STR(hash_of("closed"), hex);
}

/* 11008 rows of 32 bytes are 86 pages: of those 0, 1, 2, 4, .. are read; 3 is the first that is not. */
static void long_tensors_are_read_at_64_pages(void) {
    tiny_model t = tiny_new("pages", "");
    t.tensor[0].dim[0] = 11008;
    t.config = tiny_config("\"vocab_size\": 11008,");
    tiny_save(&t);
    char first[17], path[] = "pages/model.safetensors";
    snprintf(first, sizeof first, "%s", hash_of("pages"));
    uint64_t header;
    for (int page = 0; page < 86; page++) {
        bool read = false;
        for (int i = 0; i < 64; i++) read |= i * 85 / 63 == page;
        FILE *f = fopen(path, "r+b");
        CHECK(f && fread(&header, 8, 1, f) == 1);
        const long at = (long)header + 8 + 4096L * page + 4095;
        CHECK(fseek(f, at, SEEK_SET) == 0);
        const int old = fgetc(f);
        CHECK(fseek(f, at, SEEK_SET) == 0 && fputc(old ^ 1, f) != EOF && fclose(f) == 0);
        CHECK_EQ(strcmp(hash_of("pages"), first) != 0, read);
        f = fopen(path, "r+b");
        CHECK(f && fseek(f, at, SEEK_SET) == 0 && fputc(old, f) != EOF && fclose(f) == 0);
    }
    CHECK_STR(hash_of("pages"), first);
}

static void shards_are_the_same_model(void) {
    tiny_model t = tiny_new("whole", ""), part[2] = { tiny_new("shards", ""), tiny_new("shards", "") };
    static const char *const files[] = { "model-1.safetensors", "model-2.safetensors" };
    char index[8192];
    size_t used = (size_t)snprintf(index, sizeof index, "{\"weight_map\":{");
    part[0].n = part[1].n = 0;
    for (int i = 0; i < t.n; i++) {
        tiny_model *p = &part[i % 2];
        p->tensor[p->n++] = t.tensor[i];
        used += (size_t)snprintf(index + used, sizeof index - used, "%s\"%s\":\"%s\"", i ? "," : "",
                                 t.tensor[i].name, files[i % 2]);
    }
    snprintf(index + used, sizeof index - used, "}}");
    tiny_save(&t);
    for (int i = 0; i < 2; i++) {
        part[i].file = files[i];
        tiny_save(&part[i]);
    }
    tiny_write_text("shards", "model.safetensors.index.json", index);
    char first[17];
    snprintf(first, sizeof first, "%s", hash_of("whole"));
    CHECK_STR(hash_of("shards"), first);
}

#define TESTS(X) \
    X(the_hash_tells_what_changed) \
    X(the_hash_is_its_definition) \
    X(long_tensors_are_read_at_64_pages) \
    X(shards_are_the_same_model)
TEST_MAIN(TESTS)
