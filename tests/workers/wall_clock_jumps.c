/* A wall clock that is an hour ahead at each second look; the monotonic clock is left alone. Loaded by LD_PRELOAD. */

#define _GNU_SOURCE
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static unsigned looks;

int clock_gettime(clockid_t clock, struct timespec *now)
{
    int result = syscall(SYS_clock_gettime, clock, now);
    if (result == 0 && clock == CLOCK_REALTIME && __atomic_fetch_add(&looks, 1, __ATOMIC_RELAXED) % 2)
        now->tv_sec += 3600;
    return result;
}
