/* LD_PRELOAD: copies a file of a SQLite store to FILE.durable whenever it is synced.
 *
 * A machine that loses its power may lose every write after the last sync: `power.py` then restores these copies.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int ends(const char *text, const char *end) {
    size_t n = strlen(text), m = strlen(end);
    return n >= m && strcmp(text + n - m, end) == 0;
}

static void copy_durable(int fd) {
    char link[64], path[PATH_MAX], part[PATH_MAX + 32], durable[PATH_MAX + 32], block[65536];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0) return;
    path[length] = 0;
    if (!ends(path, ".db") && !ends(path, ".db-wal") && !ends(path, ".db-journal")) return;
    snprintf(part, sizeof part, "%s.%d.part", path, (int)getpid());
    snprintf(durable, sizeof durable, "%s.durable", path);
    /* pread by the same descriptor: closing another one would drop SQLite's locks on the file */
    int to = open(part, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    if (to < 0) abort();
    off_t at = 0;
    ssize_t got;
    while ((got = pread(fd, block, sizeof block, at)) > 0) {
        if (write(to, block, (size_t)got) != got) abort();
        at += got;
    }
    if (got < 0 || close(to) || rename(part, durable)) abort();
}

static int synced(const char *name, int fd) {
    int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, name);
    int result = real(fd);
    if (result == 0) copy_durable(fd);
    return result;
}

int fsync(int fd) { return synced("fsync", fd); }
int fdatasync(int fd) { return synced("fdatasync", fd); }
