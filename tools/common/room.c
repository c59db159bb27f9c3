/* The question whether there is room for what is to be written */

#define _GNU_SOURCE     /* fallocate() */

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/room.h"


static int dm_room_file(int fd, size_t octets, off_t size);


int
dm_room(int fd, size_t octets)
{
    struct stat    sb;
    struct pollfd  out;

    if (fstat(fd, &sb) == -1) {
        return errno;
    }

    if (S_ISREG(sb.st_mode)) {
        return dm_room_file(fd, octets, sb.st_size);
    }

    /* a full device refuses nothing, too */

    if (S_ISCHR(sb.st_mode)) {
        return write(fd, "", 0) == -1 ? errno : 0;
    }

    out = (struct pollfd) { fd, POLLOUT, 0 };

    if (poll(&out, 1, 0) == 1
        && (out.revents & (POLLERR|POLLHUP|POLLNVAL)) != 0)
    {
        return EPIPE;
    }

    return 0;
}


static int
dm_room_file(int fd, size_t octets, off_t size)
{
    int    flags;
    off_t  start;

    flags = fcntl(fd, F_GETFL);
    start = (flags != -1 && (flags & O_APPEND)) ? size
                                                : lseek(fd, 0, SEEK_CUR);

    if (flags == -1 || start == -1) {
        return errno;
    }

    if (octets == 0
        || fallocate(fd, FALLOC_FL_KEEP_SIZE, start, (off_t) octets) == 0
        || errno == EOPNOTSUPP || errno == ENOSYS)
    {
        return 0;
    }

    return errno;
}
