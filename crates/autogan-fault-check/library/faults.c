// This library is loaded before libc (LD_PRELOAD) into a program under test. It counts the calls that touch files of one
// directory, and lets the n-th call of a kind fail, write half of its bytes, or be the last thing before SIGKILL.
//
//   AUTOGAN_FAULT_ROOT  the directory; relative paths count as being in it
//   AUTOGAN_FAULT_LOG   a file outside of it, to which lines are appended: what was struck, renamed, counted
//   AUTOGAN_FAULT       "KIND N ACTION VALUE", such as "write 12 error 28"; without it, calls are only counted
//
// Calls that a program makes without libc are not seen; `cargo xtask faults --strace` compares with what the kernel saw.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

// Kinds of calls. Each call has one of the first seven; the next three are sets of them.
enum { OPEN, WRITE, SYNC, RENAME, OTHER, READ, SQLITE, DATA, CHANGE, ANY, CLOCK, KINDS };
static const char *const kind_names[KINDS] = {"open", "write",  "sync", "rename", "other", "read",
                                              "sqlite", "data", "change", "any", "clock"};
// Flags of a call: it changes a file or a directory; it writes two bytes or more.
enum { CHANGES = 1, BYTES = 2 };
// What becomes of a call. LASTING fails this call of the kind and all after it.
enum { PASS, ERROR, LASTING, SHORT, TORN, KILL, JUMP };
static const char *const action_names[] = {"", "error", "lasting", "short", "torn", "kill", "jump"};

static atomic_long counts[KINDS];
static int target = -1, action = PASS;
static long target_n, value;
static atomic_int struck;
static char root[4096], log_path[4096];

// Descriptors of files in the directory: 0 for others, 1 for its files, 2 for SQLite's.
enum { FOREIGN, PLAIN, DATABASE, DESCRIPTORS = 4096 };
static atomic_char descriptors[DESCRIPTORS];

// The function that this library stands before.
#define REAL(type, name, ...)                                                      \
    static type (*real)(__VA_ARGS__);                                              \
    if (!real) real = (type(*)(__VA_ARGS__))dlsym(RTLD_NEXT, name)

// Appends a line to the log, by system calls that nobody counts.
static void note(const char *format, ...) {
    if (!log_path[0]) return;
    int before = errno;
    char line[8300];
    va_list list;
    va_start(list, format);
    int length = vsnprintf(line, sizeof line, format, list);
    va_end(list);
    if (length > (int)sizeof line - 1) length = sizeof line - 1;
    long fd = syscall(SYS_openat, AT_FDCWD, log_path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
    if (fd >= 0) {
        syscall(SYS_write, fd, line, length);
        syscall(SYS_close, fd);
    }
    errno = before;
}

static int find(const char *name, const char *const *names, int count) {
    for (int at = 0; at < count; at++)
        if (!strcmp(name, names[at])) return at;
    return -1;
}

__attribute__((constructor)) static void begin(void) {
    const char *text;
    if ((text = getenv("AUTOGAN_FAULT_ROOT"))) snprintf(root, sizeof root, "%s/", text);
    if ((text = getenv("AUTOGAN_FAULT_LOG"))) snprintf(log_path, sizeof log_path, "%s", text);
    if ((text = getenv("AUTOGAN_FAULT"))) {
        char kind[16], what[16];
        if (sscanf(text, "%15s %ld %15s %ld", kind, &target_n, what, &value) == 4) {
            target = find(kind, kind_names, KINDS);
            action = find(what, action_names, 7);
        }
        if (target < 0 || action < 0) {
            note("unknown %s\n", text);
            abort();
        }
    }
    // Programs that this one starts are not under test.
    unsetenv("LD_PRELOAD");
}

__attribute__((destructor)) static void end(void) {
    char line[512];
    int length = 0;
    for (int kind = 0; kind < KINDS; kind++)
        length += snprintf(line + length, sizeof line - length, " %s=%ld", kind_names[kind], counts[kind]);
    note("counts%s\n", line);
}

static void die(void) {
    kill(getpid(), SIGKILL);
    for (;;) pause();
}

// Counts one call of a kind; whether the fault is due.
static int due(int kind) {
    long n = atomic_fetch_add(&counts[kind], 1) + 1;
    return kind == target && (action == LASTING || action == JUMP ? n >= target_n : n == target_n);
}

// Counts a call, and tells what becomes of it. An ERROR has set errno.
static int meet(int kind, int flags, const char *call, const char *path) {
    int now = due(kind) | due(ANY);
    if (flags & CHANGES) now |= due(CHANGE);
    if (flags & BYTES) now |= due(DATA);
    if (!now) return PASS;
    if (!atomic_exchange(&struck, 1)) note("struck %s %s\n", call, path);
    if (action == KILL) die();
    if (action == SHORT || action == TORN) return action;
    errno = (int)value;
    return ERROR;
}

static int descriptor(int fd) {
    return fd >= 0 && fd < DESCRIPTORS ? descriptors[fd] : FOREIGN;
}

static int is_database(const char *path) {
    const char *name = strrchr(path, '/');
    return strstr(name ? name : path, ".sqlite") != NULL;
}

// Whose file a path is.
static int owner(int dir, const char *path) {
    if (!path || !root[0]) return FOREIGN;
    int in = path[0] == '/' ? !strncmp(path, root, strlen(root)) : dir == AT_FDCWD || descriptor(dir);
    return !in ? FOREIGN : is_database(path) ? DATABASE : PLAIN;
}

// As `meet`, for a call with a path.
static int meet_path(int kind, int flags, const char *call, int dir, const char *path) {
    int whose = owner(dir, path);
    return whose == FOREIGN ? PASS : meet(whose == DATABASE ? SQLITE : kind, flags, call, path);
}

// As `meet`, for a call with a descriptor.
static int meet_fd(int kind, int flags, const char *call, int fd) {
    int whose = descriptor(fd);
    if (whose == FOREIGN) return PASS;
    char link[64], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    long length = syscall(SYS_readlinkat, AT_FDCWD, link, path, sizeof path - 1);
    path[length > 0 ? length : 0] = 0;
    return meet(whose == DATABASE ? SQLITE : kind, flags, call, path);
}

static int opened(int fd, int dir, const char *path) {
    if (fd >= 0 && fd < DESCRIPTORS) descriptors[fd] = (char)owner(dir, path);
    return fd;
}

static int flags_of(int flags) {
    return flags & (O_CREAT | O_TRUNC) ? CHANGES : 0;
}

#define MODE(flags, mode)                   \
    mode_t mode = 0;                        \
    if ((flags) & (O_CREAT | O_TMPFILE)) {  \
        va_list list;                       \
        va_start(list, flags);              \
        mode = va_arg(list, mode_t);        \
        va_end(list);                       \
    }

#define WRAP_OPEN(name)                                                                    \
    int name(const char *path, int flags, ...) {                                           \
        REAL(int, #name, const char *, int, ...);                                          \
        MODE(flags, mode)                                                                  \
        if (meet_path(OPEN, flags_of(flags), #name, AT_FDCWD, path)) return -1;            \
        return opened(real(path, flags, mode), AT_FDCWD, path);                            \
    }
WRAP_OPEN(open)
WRAP_OPEN(open64)

#define WRAP_OPENAT(name)                                                                  \
    int name(int dir, const char *path, int flags, ...) {                                  \
        REAL(int, #name, int, const char *, int, ...);                                     \
        MODE(flags, mode)                                                                  \
        if (meet_path(OPEN, flags_of(flags), #name, dir, path)) return -1;                 \
        return opened(real(dir, path, flags, mode), dir, path);                            \
    }
WRAP_OPENAT(openat)
WRAP_OPENAT(openat64)

void *opendir(const char *path) {
    REAL(void *, "opendir", const char *);
    return meet_path(OPEN, 0, "opendir", AT_FDCWD, path) ? NULL : real(path);
}

int close(int fd) {
    REAL(int, "close", int);
    if (fd >= 0 && fd < DESCRIPTORS) descriptors[fd] = FOREIGN;
    return real(fd);
}

// A write of `size` bytes; REST are the arguments behind the buffer's size.
#define WRITE_AS(call, fd, data, size, ...)                                                \
    switch (meet_fd(WRITE, CHANGES | (size > 1 ? BYTES : 0), call, fd)) {                  \
    case PASS: return real(fd, data, size __VA_ARGS__);                                    \
    case SHORT: return real(fd, data, size / 2 __VA_ARGS__);                               \
    case TORN: real(fd, data, size / 2 __VA_ARGS__); die();                                \
    }                                                                                      \
    return -1

ssize_t write(int fd, const void *data, size_t size) {
    REAL(ssize_t, "write", int, const void *, size_t);
    WRITE_AS("write", fd, data, size, );
}

#define COMMA ,
#define WRAP_PWRITE(name)                                                                  \
    ssize_t name(int fd, const void *data, size_t size, off_t offset) {                    \
        REAL(ssize_t, #name, int, const void *, size_t, off_t);                            \
        WRITE_AS(#name, fd, data, size, COMMA offset);                                     \
    }
WRAP_PWRITE(pwrite)
WRAP_PWRITE(pwrite64)

// Half of a gathered write is half of its first part that is not empty.
static ssize_t half_of(int fd, const struct iovec *parts, int count) {
    for (int at = 0; at < count; at++)
        if (parts[at].iov_len) return syscall(SYS_write, fd, parts[at].iov_base, (parts[at].iov_len + 1) / 2);
    return 0;
}

ssize_t writev(int fd, const struct iovec *parts, int count) {
    REAL(ssize_t, "writev", int, const struct iovec *, int);
    size_t size = 0;
    for (int at = 0; at < count; at++) size += parts[at].iov_len;
    switch (meet_fd(WRITE, CHANGES | (size > 1 ? BYTES : 0), "writev", fd)) {
    case PASS: return real(fd, parts, count);
    case SHORT: return half_of(fd, parts, count);
    case TORN: half_of(fd, parts, count); die();
    }
    return -1;
}

#define WRAP_READ(name, ...)                                                               \
    {                                                                                      \
        REAL(ssize_t, #name, int, void *, size_t __VA_ARGS__);                             \
        return meet_fd(READ, 0, #name, fd) ? -1 : real(fd, data, size
ssize_t read(int fd, void *data, size_t size) WRAP_READ(read)); }
ssize_t pread(int fd, void *data, size_t size, off_t at) WRAP_READ(pread, , off_t), at); }
ssize_t pread64(int fd, void *data, size_t size, off_t at) WRAP_READ(pread64, , off_t), at); }

ssize_t readv(int fd, const struct iovec *parts, int count) {
    REAL(ssize_t, "readv", int, const struct iovec *, int);
    return meet_fd(READ, 0, "readv", fd) ? -1 : real(fd, parts, count);
}

// A call of one descriptor and up to one more argument.
#define WRAP_FD(name, kind, flags)                                                         \
    int name(int fd) {                                                                     \
        REAL(int, #name, int);                                                             \
        return meet_fd(kind, flags, #name, fd) ? -1 : real(fd);                            \
    }
WRAP_FD(fsync, SYNC, CHANGES)
WRAP_FD(fdatasync, SYNC, CHANGES)

#define WRAP_FD_WITH(name, type, flags)                                                    \
    int name(int fd, type with) {                                                          \
        REAL(int, #name, int, type);                                                       \
        return meet_fd(OTHER, flags, #name, fd) ? -1 : real(fd, with);                     \
    }
WRAP_FD_WITH(ftruncate, off_t, CHANGES)
WRAP_FD_WITH(ftruncate64, off_t, CHANGES)
WRAP_FD_WITH(flock, int, 0)

// The third argument of fcntl is a number or a pointer; both fit into a long.
#define WRAP_FCNTL(name)                                                                   \
    int name(int fd, int command, ...) {                                                   \
        REAL(int, #name, int, int, long);                                                  \
        va_list list;                                                                      \
        va_start(list, command);                                                           \
        long with = va_arg(list, long);                                                    \
        va_end(list);                                                                      \
        int locks = command == F_SETLK || command == F_SETLKW;                             \
        if (locks && meet_fd(OTHER, 0, #name, fd)) return -1;                              \
        int got = real(fd, command, with);                                                 \
        int copies = command == F_DUPFD || command == F_DUPFD_CLOEXEC;                     \
        if (copies && got >= 0 && got < DESCRIPTORS) descriptors[got] = (char)descriptor(fd); \
        return got;                                                                        \
    }
WRAP_FCNTL(fcntl)
WRAP_FCNTL(fcntl64)

#define WRAP_MMAP(name)                                                                    \
    void *name(void *at, size_t size, int protection, int flags, int fd, off_t offset) {   \
        REAL(void *, #name, void *, size_t, int, int, int, off_t);                         \
        return meet_fd(READ, 0, #name, fd) ? (void *)-1 : real(at, size, protection, flags, fd, offset); \
    }
WRAP_MMAP(mmap)
WRAP_MMAP(mmap64)

int rename(const char *from, const char *to) {
    REAL(int, "rename", const char *, const char *);
    if (meet_path(RENAME, CHANGES, "rename", AT_FDCWD, to)) return -1;
    int failed = real(from, to);
    if (!failed && owner(AT_FDCWD, to)) note("renamed %s\n", to);
    return failed;
}

int unlink(const char *path) {
    REAL(int, "unlink", const char *);
    return meet_path(OTHER, CHANGES, "unlink", AT_FDCWD, path) ? -1 : real(path);
}

int unlinkat(int dir, const char *path, int flags) {
    REAL(int, "unlinkat", int, const char *, int);
    return meet_path(OTHER, CHANGES, "unlinkat", dir, path) ? -1 : real(dir, path, flags);
}

int rmdir(const char *path) {
    REAL(int, "rmdir", const char *);
    return meet_path(OTHER, CHANGES, "rmdir", AT_FDCWD, path) ? -1 : real(path);
}

int mkdir(const char *path, mode_t mode) {
    REAL(int, "mkdir", const char *, mode_t);
    return meet_path(OTHER, CHANGES, "mkdir", AT_FDCWD, path) ? -1 : real(path, mode);
}

// Seconds that the clock is off now.
static long jump(void) {
    if (!root[0] || !due(CLOCK)) return 0;
    if (!atomic_exchange(&struck, 1)) note("struck clock jumps by %ld s\n", value);
    return value;
}

int clock_gettime(clockid_t clock, struct timespec *now) {
    REAL(int, "clock_gettime", clockid_t, struct timespec *);
    int failed = real(clock, now);
    if (!failed && clock == CLOCK_REALTIME) now->tv_sec += jump();
    return failed;
}

int gettimeofday(struct timeval *now, void *zone) {
    REAL(int, "gettimeofday", struct timeval *, void *);
    int failed = real(now, zone);
    if (!failed) now->tv_sec += jump();
    return failed;
}

time_t time(time_t *now) {
    REAL(time_t, "time", time_t *);
    time_t seconds = real(NULL) + jump();
    if (now) *now = seconds;
    return seconds;
}
