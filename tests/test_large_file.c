/* A file of 10 GB opens at once and takes no memory: only its header is read. */
#define _GNU_SOURCE
#include "test.h"
#include "scratch.h"
#include "gguf_bytes.h"
#include "format/weights.h"
#include <fcntl.h>
#include <inttypes.h>
#include <sys/resource.h>
#include <time.h>

static const uint64_t large = 10ull << 30;      /* of one tensor, F32 */
static sonde_error err;

static double seconds(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static long most_resident(void) {
    struct rusage use;
    getrusage(RUSAGE_SELF, &use);
    return use.ru_maxrss;                       /* kilobytes */
}

static bool make_sparse(const scratch *s, const char *name, const gguf_bytes *head, uint64_t size) {
    scratch_write(s, name, head->at, head->n);
    if (truncate(in_scratch(s, name).text, (off_t)size) == 0) return true;
    perror("skipped: no file of 10 GB in the temporary folder");
    return false;
}

static void opens_at_once(const char *path) {
    const long before = most_resident();
    const double start = seconds();
    weights *w = NULL;
    if (weights_open(path, &w, &err) != SONDE_OK) FAIL_("%s", err.message);
    const stored_tensor *t = weights_find(w, "large");
    CHECK(t && t->bytes == large && t->data[large - 1] == 0);
    CHECK(weights_count(w) == 2 && weights_find(w, "small")->data[3] == 0);
    weights_close(w);
    CHECK_NEAR(seconds() - start, 0, 0.1);
    CHECK_NEAR((double)(most_resident() - before), 0, 20 * 1024);
}

static void safetensors(void) {
    const scratch s = scratch_new();
    char header[400];
    snprintf(header, sizeof header, "{\"large\":{\"dtype\":\"F32\",\"shape\":[%" PRIu64 "],\"data_offsets\":[0,%" PRIu64
             "]},\"small\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[%" PRIu64 ",%" PRIu64 "]}}", large / 4, large,
             large, large + 4);
    gguf_bytes b = { 0 };
    gguf_text(&b, header);                      /* the length and the bytes, as safetensors has them too */
    if (make_sparse(&s, "model.safetensors", &b, b.n + large + 4)) opens_at_once(s.path);
    free(b.at);
    scratch_end(&s);
}

static void gguf(void) {
    const scratch s = scratch_new();
    gguf_bytes b = { 0 };
    gguf_begin(&b, 2, 0);
    gguf_tensor(&b, (gguf_line){ "large", 2, { large / 4 / 1024, 1024 }, 0, 0 });
    gguf_tensor(&b, (gguf_line){ "small", 1, { 1 }, 0, large });
    gguf_pad(&b, 32);
    if (make_sparse(&s, "model.gguf", &b, b.n + large + 4)) opens_at_once(s.path);
    free(b.at);
    scratch_end(&s);
}

#define TESTS(X) X(safetensors) X(gguf)
TEST_MAIN(TESTS)
