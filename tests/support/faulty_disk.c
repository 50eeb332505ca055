/* Comes before the C library. While the file $FAULTY_DISK.fault exists, whatever would change a file below the folder
   $FAULTY_DISK fails with the error number that the file holds, as on a disk that is broken (EIO) or read-only (EROFS). A
   broken disk cannot be read either. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static int fault(const char *path) {
    const char *folder = getenv("FAULTY_DISK");
    char name[4096], number[16] = "";
    if (!folder || strncmp(path, folder, strlen(folder)) || path[strlen(folder)] != '/') return 0;
    snprintf(name, sizeof name, "%s.fault", folder);
    int file = syscall(SYS_openat, AT_FDCWD, name, O_RDONLY | O_CLOEXEC);
    if (file < 0) return 0;
    syscall(SYS_read, file, number, sizeof number - 1);
    syscall(SYS_close, file);
    return atoi(number);
}

static int fault_of(int fd) {
    char link[64], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0) return 0;
    path[length] = 0;
    return fault(path);
}

static int broken(int fd) { return fault_of(fd) == EIO ? EIO : 0; }

#define NEXT(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))
#define FAIL_IF(error) do { int number = error; if (number) { errno = number; return -1; } } while (0)

ssize_t read(int fd, void *bytes, size_t count) {
    FAIL_IF(broken(fd));
    return NEXT(read)(fd, bytes, count);
}

ssize_t pread64(int fd, void *bytes, size_t count, off64_t at) {
    FAIL_IF(broken(fd));
    return NEXT(pread64)(fd, bytes, count, at);
}

ssize_t pread(int fd, void *bytes, size_t count, off_t at) { return pread64(fd, bytes, count, at); }

ssize_t write(int fd, const void *bytes, size_t count) {
    FAIL_IF(fault_of(fd));
    return NEXT(write)(fd, bytes, count);
}

ssize_t pwrite64(int fd, const void *bytes, size_t count, off64_t at) {
    FAIL_IF(fault_of(fd));
    return NEXT(pwrite64)(fd, bytes, count, at);
}

ssize_t pwrite(int fd, const void *bytes, size_t count, off_t at) { return pwrite64(fd, bytes, count, at); }

int ftruncate64(int fd, off64_t length) {
    FAIL_IF(fault_of(fd));
    return NEXT(ftruncate64)(fd, length);
}

int ftruncate(int fd, off_t length) { return ftruncate64(fd, length); }

int fdatasync(int fd) {
    FAIL_IF(fault_of(fd));
    return NEXT(fdatasync)(fd);
}

int fsync(int fd) {
    FAIL_IF(fault_of(fd));
    return NEXT(fsync)(fd);
}

int open64(const char *path, int flags, ...) {
    va_list arguments;
    va_start(arguments, flags);
    int mode = va_arg(arguments, int);
    va_end(arguments);
    /* A broken disk still opens files. A read-only file system opens them to read, and SQLite falls back to that. */
    if ((flags & O_ACCMODE) != O_RDONLY && fault(path) == EROFS) FAIL_IF(EROFS);
    return syscall(SYS_openat, AT_FDCWD, path, flags, mode);
}

int open(const char *path, int flags, ...) {
    va_list arguments;
    va_start(arguments, flags);
    int mode = va_arg(arguments, int);
    va_end(arguments);
    return open64(path, flags, mode);
}
