#define _GNU_SOURCE
#include "test.h"
#include "scratch.h"
#include "base/file.h"
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>

static sonde_error err;

static bool holds(const char *path, const char *text) {
    file_map f;
    if (file_map_open(&f, path, &err) != SONDE_OK) return false;
    const bool same = f.size == strlen(text) && memcmp(f.data, text, f.size) == 0;
    file_map_close(&f);
    return same;
}

static void a_file_is_mapped_whole(void) {
    const scratch s = scratch_new();
    scratch_write(&s, "full", "content", 7);
    scratch_write(&s, "empty", "", 0);
    file_map f;
    CHECK(holds(in_scratch(&s, "full").text, "content"));
    CHECK_EQ(file_map_open(&f, in_scratch(&s, "empty").text, &err), SONDE_OK);
    CHECK_EQ((long long)f.size, 0);
    file_map_close(&f);
    file_map_close(&f);
    file_map_close(&(file_map){ .data = (const uint8_t *)"static", .size = 6 });
    scratch_end(&s);
}

/* Faults that reading every page takes. */
static long faults_of(const file_map *f) {
    struct rusage before, after;
    volatile uint8_t sum = 0;
    getrusage(RUSAGE_SELF, &before);
    for (size_t i = 0; i < f->size; i += 4096) sum = (uint8_t)(sum + f->data[i]);
    getrusage(RUSAGE_SELF, &after);
    return after.ru_minflt - before.ru_minflt + after.ru_majflt - before.ru_majflt;
}

/* As if it had just been mapped; sanitizers have their own pages for these addresses by then. */
static void unmap_pages(const file_map *f) { madvise((void *)(uintptr_t)f->data, f->size, MADV_DONTNEED); }

static void pages_are_mapped_before_they_are_read(void) {
    const scratch s = scratch_new();
    atomic_bool stop = true;
    file_map f;
    scratch_write(&s, "large", "", 0);
    CHECK_EQ(truncate(in_scratch(&s, "large").text, (64 << 20) + 5), 0);
    CHECK_EQ(file_map_open(&f, in_scratch(&s, "large").text, &err), SONDE_OK);
    faults_of(&f);
    unmap_pages(&f);
    file_map_ahead(&f, &stop);
    const long usual = faults_of(&f);
    CHECK(usual > 20);
    unmap_pages(&f);
    atomic_store(&stop, false);
    file_map_ahead(&f, &stop);
#ifdef MADV_POPULATE_READ
    if (madvise((void *)(uintptr_t)f.data, 4096, MADV_POPULATE_READ) == 0) CHECK(faults_of(&f) < usual / 2);
    else puts("skipped: this system does not map ahead");
#endif
    CHECK_EQ(truncate(in_scratch(&s, "large").text, 4096), 0);      /* what is cut off meanwhile stops it, and nothing more */
    file_map_ahead(&f, &stop);
    file_map_close(&f);
    file_map_ahead(&f, &stop);
    scratch_end(&s);
}

static void what_is_no_file_is_refused(void) {
    const scratch s = scratch_new();
    file_map f;
    CHECK_EQ(file_map_open(&f, in_scratch(&s, "absent").text, &err), SONDE_NOT_FOUND);
    CHECK(strstr(err.message, "/absent: No such file or directory"));
    CHECK(!f.data && !f.mapped);
    CHECK_EQ(file_map_open(&f, s.path, &err), SONDE_IO);
    CHECK(strstr(err.message, ": is a folder, expected a file"));
    CHECK_EQ(mkfifo(in_scratch(&s, "pipe").text, 0600), 0);
    CHECK_EQ(file_map_open(&f, in_scratch(&s, "pipe").text, &err), SONDE_IO);      /* without waiting for a writer */
    CHECK(strstr(err.message, ": is no regular file, expected a file"));
    scratch_end(&s);
}

static void files_and_folders_are_told_apart(void) {
    const scratch s = scratch_new();
    scratch_write(&s, "file", "", 0);
    CHECK(file_exists(in_scratch(&s, "file").text) && !folder_exists(in_scratch(&s, "file").text));
    CHECK(!file_exists(s.path) && folder_exists(s.path));
    CHECK(!file_exists(in_scratch(&s, "absent").text) && !folder_exists(in_scratch(&s, "absent").text));
    scratch_end(&s);
}

static void a_written_file_appears_when_it_is_committed(void) {
    const scratch s = scratch_new();
    const scratch_path p = in_scratch(&s, "out");
    file_out f;
    scratch_write(&s, "out", "old", 3);
    CHECK_EQ(file_out_open(&f, p.text, &err), SONDE_OK);
    CHECK_EQ(file_out_write(&f, "new text", 8, &err), SONDE_OK);
    CHECK_EQ(file_out_write_at(&f, 4, "TEXT!", 5, &err), SONDE_OK);
    CHECK(holds(p.text, "old"));
    CHECK_EQ(file_out_commit(&f, &err), SONDE_OK);
    CHECK(holds(p.text, "new TEXT!"));
    CHECK_EQ((long long)scratch_count(s.path), 1);
    scratch_end(&s);
}

static void a_dropped_file_leaves_nothing(void) {
    const scratch s = scratch_new();
    file_out f, none = { 0 };
    CHECK_EQ(file_out_open(&f, in_scratch(&s, "out").text, &err), SONDE_OK);
    CHECK_EQ(file_out_write(&f, "x", 1, &err), SONDE_OK);
    file_out_drop(&f);
    file_out_drop(&f);
    file_out_drop(&none);
    CHECK_EQ((long long)scratch_count(s.path), 0);
    scratch_end(&s);
}

static void a_place_that_cannot_be_written_is_told(void) {
    const scratch s = scratch_new();
    file_out f;
    CHECK_EQ(file_out_open(&f, in_scratch(&s, "no/out").text, &err), SONDE_NOT_FOUND);
    CHECK_EQ(file_out_open(&f, s.path, &err), SONDE_IO);
    CHECK(!f.path && !f.temporary);
    CHECK_EQ(file_out_open(&f, in_scratch(&s, "out").text, &err), SONDE_OK);
    CHECK_EQ(mkdir(in_scratch(&s, "out").text, 0700), 0);
    CHECK_EQ(file_out_commit(&f, &err), SONDE_IO);                   /* a folder took the name meanwhile */
    CHECK_EQ((long long)scratch_count(s.path), 1);
    scratch_end(&s);
}

static void a_link_stays_and_what_it_names_is_replaced(void) {
    const scratch s = scratch_new();
    struct stat st;
    file_out f;
    scratch_write(&s, "target", "old", 3);
    CHECK_EQ(symlink("target", in_scratch(&s, "link").text), 0);
    CHECK_EQ(file_out_open(&f, in_scratch(&s, "link").text, &err), SONDE_OK);
    CHECK_EQ(file_out_write(&f, "new", 3, &err), SONDE_OK);
    CHECK_EQ(file_out_commit(&f, &err), SONDE_OK);
    CHECK(holds(in_scratch(&s, "target").text, "new"));
    CHECK(lstat(in_scratch(&s, "link").text, &st) == 0 && S_ISLNK(st.st_mode));
    scratch_end(&s);
}

/* As with /dev/null and /dev/stdout. */
static void what_is_no_regular_file_is_written_to_and_never_replaced(void) {
    const scratch s = scratch_new();
    const scratch_path p = in_scratch(&s, "pipe");
    struct stat st;
    char got[4] = { 0 };
    file_out f;
    CHECK_EQ(mkfifo(p.text, 0600), 0);
    const int fd = open(p.text, O_RDONLY | O_NONBLOCK);
    CHECK(fd >= 0);
    CHECK_EQ(file_out_open(&f, p.text, &err), SONDE_OK);
    CHECK_EQ(file_out_write(&f, "abc", 3, &err), SONDE_OK);
    CHECK_EQ(file_out_commit(&f, &err), SONDE_OK);
    CHECK_EQ(read(fd, got, 3), 3);
    CHECK_STR(got, "abc");
    CHECK(stat(p.text, &st) == 0 && S_ISFIFO(st.st_mode));
    close(fd);
    scratch_end(&s);
}

static void rights_are_those_of_the_umask(void) {
    const scratch s = scratch_new();
    struct stat st;
    file_out f;
    const mode_t old = umask(027);
    CHECK_EQ(file_out_open(&f, in_scratch(&s, "out").text, &err), SONDE_OK);
    CHECK_EQ(file_out_commit(&f, &err), SONDE_OK);
    umask(old);
    CHECK_EQ(stat(in_scratch(&s, "out").text, &st), 0);
    CHECK_EQ(st.st_mode & 0777, 0640);
    scratch_end(&s);
}

#define TESTS(X) \
    X(a_file_is_mapped_whole) \
    X(pages_are_mapped_before_they_are_read) \
    X(what_is_no_file_is_refused) \
    X(files_and_folders_are_told_apart) \
    X(a_written_file_appears_when_it_is_committed) \
    X(a_dropped_file_leaves_nothing) \
    X(a_place_that_cannot_be_written_is_told) \
    X(a_link_stays_and_what_it_names_is_replaced) \
    X(what_is_no_regular_file_is_written_to_and_never_replaced) \
    X(rights_are_those_of_the_umask)
TEST_MAIN(TESTS)
