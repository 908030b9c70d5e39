/* Stands between a process and the C library (LD_PRELOAD): counts what changes files below one folder, and at a chosen one of these
 * points kills the process, lets the call fail, or breaks it off half-way; or writes down every one, so that a power cut can be
 * played afterwards. Does nothing until torture_arm() is called. Linux, glibc. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { OPEN = 1, WRITE, TRUNCATE, SYNC, RENAME, UNLINK, MKDIR, RMDIR, NOTE };             /* kinds of points */
enum { WATCH = 0, KILL, KILL_HALF, FAIL, FAIL_HALF, FULL, TRACE };                        /* what to do */

#define FDS 4096
static char folder[PATH_MAX];
static int armed, what, error_number, trace_fd = -1;
static long none[16], *seen = none;         /* shared with the harness: the kind reached, then a count for each kind */
static int wanted_kind;                     /* 0: any */
static long at, count;
static char *paths[FDS];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

struct record { uint8_t kind; uint8_t made; uint16_t path, other; uint32_t data; uint64_t inode; int64_t offset; } __attribute__((packed));

#define REAL(result, name, ...) \
    static result (*real_##name)(__VA_ARGS__); \
    if (!real_##name) real_##name = (result (*)(__VA_ARGS__))dlsym(RTLD_NEXT, #name)

static ssize_t put(const void *data, size_t size) {
    REAL(ssize_t, write, int, const void *, size_t);
    return real_write(trace_fd, data, size);
}

static int inside(const char *path) { return armed && path && strncmp(path, folder, strlen(folder)) == 0; }

static const char *path_of(int fd) { return armed && fd >= 0 && fd < FDS ? paths[fd] : NULL; }

static const char *absolute(int folder_fd, const char *path, char *buffer) {
    if (path[0] == '/') return path;
    const char *base = folder_fd == AT_FDCWD ? NULL : path_of(folder_fd);
    char here[PATH_MAX];
    if (!base && folder_fd == AT_FDCWD) base = getcwd(here, sizeof here);
    if (!base) return NULL;
    snprintf(buffer, PATH_MAX, "%s/%s", base, path);
    return buffer;
}

static uint64_t inode_of(const char *path, int fd) {
    struct stat found;
    if ((fd >= 0 ? fstat(fd, &found) : lstat(path, &found)) != 0) return 0;
    return found.st_ino;
}

static void trace(int kind, int made, const char *path, const char *other, uint64_t inode, int64_t offset, const void *data, size_t size) {
    if (what != TRACE || trace_fd < 0) return;
    struct record r = {kind, made, path ? strlen(path) : 0, other ? strlen(other) : 0, size, inode, offset};
    pthread_mutex_lock(&lock);
    put(&r, sizeof r);
    if (r.path) put(path, r.path);
    if (r.other) put(other, r.other);
    if (size) put(data, size);
    pthread_mutex_unlock(&lock);
}

/* Whether this point is the chosen one: 0 go on, 1 fail, 2 half of it, then as `what` says. Dies here when that is asked for. */
static int point(int kind) {
    seen[kind]++;
    if (what == FULL && seen[0]) return kind == UNLINK || kind == RMDIR || kind == SYNC || kind == RENAME ? 0 : 1;
    if (wanted_kind && kind != wanted_kind) return 0;
    if (++count != at) return 0;
    seen[0] = kind;
    switch (what) {
        case KILL: raise(SIGKILL); return 0;
        case KILL_HALF: if (kind == WRITE) return 2; raise(SIGKILL); return 0;
        case FAIL: return 1;
        case FAIL_HALF: return kind == WRITE ? 2 : 1;
        case FULL: return kind == WRITE ? 2 : 1;
        default: return 0;
    }
}

static void after_half(void) { if (what == KILL_HALF) raise(SIGKILL); }

static int failed(void) { errno = error_number; return -1; }

/* -- what the harness calls */

void torture_arm(const char *under, int what_, long at_, int kind, int error_, int trace_fd_) {
    snprintf(folder, sizeof folder, "%s", under);
    what = what_; at = at_; wanted_kind = kind; error_number = error_; trace_fd = trace_fd_; count = 0; armed = 1;
}
void torture_disarm(void) { armed = 0; }
void torture_share(long *place) { seen = place; }
void torture_note(const char *said) { trace(NOTE, 0, said, NULL, 0, 0, NULL, 0); }

/* -- what changes files */

static int opened(int fd, const char *path, int flags, int was_there) {
    if (fd < 0 || fd >= FDS) return fd;
    free(paths[fd]);
    paths[fd] = strdup(path);
    if (((flags & O_CREAT) && !was_there) || (flags & O_TRUNC))
        trace(OPEN, !was_there, path, NULL, inode_of(path, fd), 0, NULL, 0);
    return fd;
}

#define OPENING(real_call) \
    mode_t mode = 0; \
    if (flags & (O_CREAT | O_TMPFILE)) { va_list rest; va_start(rest, flags); mode = va_arg(rest, mode_t); va_end(rest); }

static int open_any(int at_fd, const char *path, int flags, mode_t mode) {
    REAL(int, openat, int, const char *, int, ...);
    char buffer[PATH_MAX];
    const char *full = armed ? absolute(at_fd, path, buffer) : NULL;
    if (!full || !inside(full)) return real_openat(at_fd, path, flags, mode);
    struct stat found;
    int was_there = stat(full, &found) == 0;
    if (((flags & O_CREAT) && !was_there) || ((flags & O_TRUNC) && was_there && found.st_size))
        if (point(OPEN)) return failed();
    return opened(real_openat(at_fd, path, flags, mode), full, flags, was_there);
}

int open(const char *path, int flags, ...) { OPENING(0) return open_any(AT_FDCWD, path, flags, mode); }
int open64(const char *path, int flags, ...) { OPENING(0) return open_any(AT_FDCWD, path, flags | O_LARGEFILE, mode); }
int openat(int at_fd, const char *path, int flags, ...) { OPENING(0) return open_any(at_fd, path, flags, mode); }
int openat64(int at_fd, const char *path, int flags, ...) { OPENING(0) return open_any(at_fd, path, flags | O_LARGEFILE, mode); }

int close(int fd) {
    REAL(int, close, int);
    if (fd >= 0 && fd < FDS && paths[fd]) { free(paths[fd]); paths[fd] = NULL; }
    return real_close(fd);
}

static ssize_t written(int fd, const void *data, size_t size, off_t offset, int positioned) {
    REAL(ssize_t, write, int, const void *, size_t);
    REAL(ssize_t, pwrite64, int, const void *, size_t, off_t);
    const char *path = path_of(fd);
    if (!path) return positioned ? real_pwrite64(fd, data, size, offset) : real_write(fd, data, size);
    int decided = point(WRITE);
    if (decided == 1) return failed();
    if (decided == 2) size /= 2;
    if (decided == 2 && size == 0) { after_half(); return failed(); }
    int64_t where = positioned ? offset : lseek(fd, 0, SEEK_CUR);
    ssize_t done = positioned ? real_pwrite64(fd, data, size, offset) : real_write(fd, data, size);
    if (done > 0) trace(WRITE, 0, path, NULL, inode_of(path, fd), where, data, done);
    if (decided == 2) after_half();
    return done;
}

ssize_t write(int fd, const void *data, size_t size) { return written(fd, data, size, 0, 0); }
ssize_t pwrite(int fd, const void *data, size_t size, off_t offset) { return written(fd, data, size, offset, 1); }
ssize_t pwrite64(int fd, const void *data, size_t size, off64_t offset) { return written(fd, data, size, offset, 1); }

int ftruncate(int fd, off_t size) {
    REAL(int, ftruncate, int, off_t);
    const char *path = path_of(fd);
    if (path && point(TRUNCATE)) return failed();
    int done = real_ftruncate(fd, size);
    if (path && done == 0) trace(TRUNCATE, 0, path, NULL, inode_of(path, fd), size, NULL, 0);
    return done;
}
int ftruncate64(int fd, off64_t size) { return ftruncate(fd, size); }

static int synced(int fd, int data_only) {
    REAL(int, fsync, int);
    REAL(int, fdatasync, int);
    const char *path = path_of(fd);
    if (path && point(SYNC)) return failed();
    int done = data_only ? real_fdatasync(fd) : real_fsync(fd);
    if (path && done == 0) trace(SYNC, 0, path, NULL, inode_of(path, fd), 0, NULL, 0);
    return done;
}
int fsync(int fd) { return synced(fd, 0); }
int fdatasync(int fd) { return synced(fd, 1); }

int renameat(int from_fd, const char *from, int to_fd, const char *to) {
    REAL(int, renameat, int, const char *, int, const char *);
    char one[PATH_MAX], two[PATH_MAX];
    const char *old = armed ? absolute(from_fd, from, one) : NULL, *new = armed ? absolute(to_fd, to, two) : NULL;
    if (!inside(old) && !inside(new)) return real_renameat(from_fd, from, to_fd, to);
    if (point(RENAME)) return failed();
    int done = real_renameat(from_fd, from, to_fd, to);
    if (done == 0) trace(RENAME, 0, old, new, inode_of(new, -1), 0, NULL, 0);
    return done;
}
int rename(const char *from, const char *to) { return renameat(AT_FDCWD, from, AT_FDCWD, to); }

int unlinkat(int at_fd, const char *path, int flags) {
    REAL(int, unlinkat, int, const char *, int);
    char buffer[PATH_MAX];
    const char *full = armed ? absolute(at_fd, path, buffer) : NULL;
    if (!inside(full)) return real_unlinkat(at_fd, path, flags);
    int kind = flags & AT_REMOVEDIR ? RMDIR : UNLINK;
    if (point(kind)) return failed();
    int done = real_unlinkat(at_fd, path, flags);
    if (done == 0) trace(kind, 0, full, NULL, 0, 0, NULL, 0);
    return done;
}
int unlink(const char *path) { return unlinkat(AT_FDCWD, path, 0); }
int rmdir(const char *path) { return unlinkat(AT_FDCWD, path, AT_REMOVEDIR); }

int mkdirat(int at_fd, const char *path, mode_t mode) {
    REAL(int, mkdirat, int, const char *, mode_t);
    char buffer[PATH_MAX];
    const char *full = armed ? absolute(at_fd, path, buffer) : NULL;
    if (!inside(full)) return real_mkdirat(at_fd, path, mode);
    if (point(MKDIR)) return failed();
    int done = real_mkdirat(at_fd, path, mode);
    if (done == 0) trace(MKDIR, 1, full, NULL, inode_of(full, -1), 0, NULL, 0);
    return done;
}
int mkdir(const char *path, mode_t mode) { return mkdirat(AT_FDCWD, path, mode); }
