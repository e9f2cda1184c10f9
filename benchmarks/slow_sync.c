/* Makes every fsync and fdatasync of a program take longer, and counts them. For measuring on a fast disk what a
 * sender would do on a slow one.
 *
 *   cc -O2 -std=c11 -Wall -Wextra -Werror -shared -fPIC -o slow_sync.so benchmarks/slow_sync.c -ldl
 *   LD_PRELOAD=./slow_sync.so SLOW_SYNC_US=5000 program
 *
 *   SLOW_SYNC_US  microseconds more for each call (0, none, when left out): the disk's own time comes on top
 *
 * A program asks `slow_sync_calls` how many there were; it is found by dlsym in the program itself. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

static atomic_long calls;
static long extra; /* microseconds */
static int (*real_fsync)(int), (*real_fdatasync)(int);

__attribute__((constructor)) static void begin(void) {
    const char *text = getenv("SLOW_SYNC_US");
    extra = text ? strtol(text, NULL, 10) : 0;
    *(void **)&real_fsync = dlsym(RTLD_NEXT, "fsync");
    *(void **)&real_fdatasync = dlsym(RTLD_NEXT, "fdatasync");
}

long slow_sync_calls(void) {
    return atomic_load(&calls);
}

/* Count one, and take the time. The kernel's usual slack of 50 microseconds would be half of the shortest. */
static void linger(void) {
    static _Thread_local int exact;
    atomic_fetch_add(&calls, 1);
    if (!extra)
        return;
    if (!exact) {
        prctl(PR_SET_TIMERSLACK, 1000UL, 0UL, 0UL, 0UL);
        exact = 1;
    }
    struct timespec rest = {.tv_sec = extra / 1000000, .tv_nsec = extra % 1000000 * 1000};
    while (nanosleep(&rest, &rest) < 0 && errno == EINTR)
        ;
}

int fsync(int descriptor) {
    linger();
    return real_fsync(descriptor);
}

int fdatasync(int descriptor) {
    linger();
    return real_fdatasync(descriptor);
}
