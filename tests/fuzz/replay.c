/* replay.c - a main() for a fuzz target without libFuzzer: each file named on the command line, and each file in a
 * folder named there, is given to it whole and cut at every byte up to 4096. */
#define _GNU_SOURCE
#include "target.h"
#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

enum { CUTS = 4096 };

/* A copy of its own for each length, so that ASan sees a read behind the end. */
static void feed(const uint8_t *bytes, size_t size) {
    uint8_t *copy = malloc(size ? size : 1);
    PROMISE(copy);
    if (size) memcpy(copy, bytes, size);
    (void)LLVMFuzzerTestOneInput(copy, size);
    free(copy);
}

static size_t replay_file(const char *path) {
    FILE *f = fopen(path, "rb");
    if (!f) { perror(path); exit(2); }
    uint8_t *bytes = NULL;
    size_t size = 0, got;
    do {
        bytes = realloc(bytes, size + 65536);
        PROMISE(bytes);
        got = fread(bytes + size, 1, 65536, f);
        size += got;
    } while (got);
    fclose(f);
    feed(bytes, size);
    for (size_t cut = 0; cut < size && cut <= CUTS; cut++) feed(bytes, cut);
    free(bytes);
    return 1;
}

static size_t replay(const char *path) {
    struct stat st;
    if (stat(path, &st) || !S_ISDIR(st.st_mode)) return replay_file(path);
    struct dirent **entry;
    const int n = scandir(path, &entry, NULL, alphasort);
    size_t files = 0;
    for (int i = 0; i < n; i++) {
        char *inside;
        if (entry[i]->d_name[0] != '.' && asprintf(&inside, "%s/%s", path, entry[i]->d_name) > 0) {
            files += replay(inside);
            free(inside);
        }
        free(entry[i]);
    }
    if (n >= 0) free(entry);
    return files;
}

int main(int argc, char **argv) {
    size_t files = 0;
    for (int i = 1; i < argc; i++) files += replay(argv[i]);
    printf("%zu files replayed\n", files);
    return files == 0;                          /* an empty corpus proves nothing */
}
