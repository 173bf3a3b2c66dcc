#include "test.h"
#include "base/library.h"
#include "sonde/linear.h"
#include <stdio.h>
#include <string.h>

/* Does the process hold a library of this name? */
static bool loaded(const char *name) {
    FILE *f = fopen("/proc/self/maps", "r");
    char  line[4096];
    bool  found = false;
    while (f && !found && fgets(line, sizeof line, f)) found = strstr(line, name) != NULL;
    if (f) fclose(f);
    return found;
}

static void what_few_runs_need_is_loaded_when_they_need_it(void) {
    double a[] = { 4 }, b[] = { 8 };
    sonde_error err = { 0 };
    CHECK(loaded("libc.so"));
    CHECK(!loaded("liblapacke") && !loaded("libcurl"));
    CHECK_EQ(sonde_solve(a, 1, b, &err), SONDE_OK);
    CHECK_NEAR(b[0], 2, 0);
    CHECK(loaded("liblapacke"));
}

static void what_is_not_there_is_told(void) {
    library_fn  fn[2];
    sonde_error err = { 0 };
    CHECK_EQ(library_load("libsonde-none.so.7", (const char *const[]){ "f" }, 1, fn, &err), SONDE_UNSUPPORTED);
    CHECK(strstr(err.message, "libsonde-none.so.7"));
    CHECK_EQ(library_load("libc.so.6", (const char *const[]){ "strlen", "sonde_none" }, 2, fn, &err), SONDE_UNSUPPORTED);
    CHECK_STR(err.message, "libc.so.6 has no sonde_none");
    CHECK_EQ(library_load("libc.so.6", (const char *const[]){ "strlen", "strchr" }, 2, fn, &err), SONDE_OK);
    CHECK_EQ((int)((size_t (*)(const char *))fn[0])("four"), 4);
}

#define TESTS(X) X(what_few_runs_need_is_loaded_when_they_need_it) X(what_is_not_there_is_told)
TEST_MAIN(TESTS)
