/* No new process, as on a machine that has no room for one, while the file exists that NO_PROCESSES names. Loaded by LD_PRELOAD. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <spawn.h>
#include <stdlib.h>
#include <unistd.h>

static int is_full(void)
{
    const char *path = getenv("NO_PROCESSES");
    return path != NULL && access(path, F_OK) == 0;
}

pid_t fork(void)
{
    pid_t (*real)(void) = dlsym(RTLD_NEXT, "fork");
    if (is_full()) {
        errno = EAGAIN;
        return -1;
    }
    return real();
}

typedef int spawn(pid_t *, const char *, const posix_spawn_file_actions_t *, const posix_spawnattr_t *, char *const *, char *const *);

int posix_spawn(pid_t *pid, const char *path, const posix_spawn_file_actions_t *actions, const posix_spawnattr_t *attributes,
                char *const *argv, char *const *environment)
{
    spawn *real = dlsym(RTLD_NEXT, "posix_spawn");
    return is_full() ? EAGAIN : real(pid, path, actions, attributes, argv, environment);
}

int posix_spawnp(pid_t *pid, const char *file, const posix_spawn_file_actions_t *actions, const posix_spawnattr_t *attributes,
                 char *const *argv, char *const *environment)
{
    spawn *real = dlsym(RTLD_NEXT, "posix_spawnp");
    return is_full() ? EAGAIN : real(pid, file, actions, attributes, argv, environment);
}
