/* cost SONDE FOLDER... - no model in these folders, file or folder, may cost `sonde` 100 MB or a second of computing,
 * whatever it is asked: its sites, its card, how it splits a text. Exits of a crash count as failures too. */
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MOST_KB = 100 << 10, MOST_SECONDS = 1, HANGS = 20, LONG = 600 };

static char text[LONG + 2];             /* many letters and one more, at which patterns that backtrack take longest */
static size_t passed, failed;
static long largest;
static double slowest;

static void child(const char *sonde, const char *verb, const char *model) {
    const struct rlimit hangs = { HANGS, HANGS };
    const int null = open("/dev/null", O_RDWR);
    if (null < 0 || dup2(null, 0) < 0 || dup2(null, 1) < 0 || dup2(null, 2) < 0 || setrlimit(RLIMIT_CPU, &hangs)) _exit(127);
    execl(sonde, sonde, verb, "-m", model, strcmp(verb, "tokens") == 0 ? text : (char *)NULL, (char *)NULL);
    _exit(127);
}

static void measure(const char *sonde, const char *verb, const char *model) {
    struct rusage used;
    int status;
    const pid_t p = fork();
    if (p < 0) { perror("fork"); exit(2); }
    if (p == 0) child(sonde, verb, model);
    if (wait4(p, &status, 0, &used) != p) { perror("wait4"); exit(2); }
    const double seconds = (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
                           1e-6 * (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec);
    if (used.ru_maxrss > largest) largest = used.ru_maxrss;
    if (seconds > slowest) slowest = seconds;
    const int ended = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    if (ended >= 0 && ended <= 7 && used.ru_maxrss <= MOST_KB && seconds <= MOST_SECONDS) {
        passed++;
        return;
    }
    failed++;
    printf("sonde %s -m %s: exit %d, %ld kB, %.2f s, expected at most %d kB and %d s\n", verb, model, ended, used.ru_maxrss,
           seconds, (int)MOST_KB, (int)MOST_SECONDS);
}

static void measure_all(const char *sonde, const char *folder) {
    static const char *const verbs[] = { "sites", "info", "tokens" };
    DIR *d = opendir(folder);
    if (!d) { perror(folder); exit(2); }
    for (struct dirent *e; (e = readdir(d)) != NULL; ) {
        char model[1024];
        if (e->d_name[0] == '.') continue;
        snprintf(model, sizeof model, "%s/%s", folder, e->d_name);
        for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++) measure(sonde, verbs[i], model);
    }
    closedir(d);
}

int main(int argc, char **argv) {
    memset(text, 'a', LONG);
    text[LONG] = '!';
    for (int i = 2; i < argc; i++) measure_all(argv[1], argv[i]);
    printf("%zu passed, %zu failed; at most %ld kB and %.2f s\n", passed, failed, largest, slowest);
    return failed > 0 || passed == 0;
}
