/* Makes the Nth change of a folder fail, or kills the process there. Preloaded into the program under test:
   FAULT_FOLDER   changes of files below it are counted
   FAULT_AT       the change to fail at, from 1; 0 only counts
   FAULT          kill, or the number of the error
   FAULT_COUNT    file that the number of changes is written to at the end */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

static atomic_long changes;

static int below(const char *path) {
    const char *folder = getenv("FAULT_FOLDER");
    char here[2048], full[4096];
    if (!folder || !path) return 0;
    if (path[0] != '/' && getcwd(here, sizeof here)) {
        snprintf(full, sizeof full, "%s/%s", here, path);
        path = full;
    }
    return strncmp(path, folder, strlen(folder)) == 0;
}

static int below_fd(int fd) {
    char link[64], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0) return 0;
    path[length] = 0;
    return below(path);
}

static int fails(void) {
    const char *at = getenv("FAULT_AT"), *fault = getenv("FAULT");
    long number = atomic_fetch_add(&changes, 1) + 1;
    if (!at || number != atol(at)) return 0;
    if (!fault || strcmp(fault, "kill") == 0) {
        kill(getpid(), SIGKILL);
        pause();
    }
    errno = atoi(fault);
    return 1;
}

__attribute__((destructor)) static void tell(void) {
    const char *place = getenv("FAULT_COUNT");
    FILE *file = place ? fopen(place, "w") : NULL;
    if (file) {
        fprintf(file, "%ld", (long)changes);
        fclose(file);
    }
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

ssize_t write(int fd, const void *bytes, size_t length) {
    if (below_fd(fd) && fails()) return -1;
    return REAL(write)(fd, bytes, length);
}

ssize_t writev(int fd, const struct iovec *parts, int count) {
    if (below_fd(fd) && fails()) return -1;
    return REAL(writev)(fd, parts, count);
}

int fsync(int fd) {
    if (below_fd(fd) && fails()) return -1;
    return REAL(fsync)(fd);
}

int fdatasync(int fd) {
    if (below_fd(fd) && fails()) return -1;
    return REAL(fdatasync)(fd);
}

int rename(const char *from, const char *to) {
    if (below(to) && fails()) return -1;
    return REAL(rename)(from, to);
}

int unlink(const char *path) {
    if (below(path) && fails()) return -1;
    return REAL(unlink)(path);
}

int mkdir(const char *path, mode_t mode) {
    if (below(path) && fails()) return -1;
    return REAL(mkdir)(path, mode);
}
