/* The question whether there is room for what is to be written */

#ifndef DM_COMMON_ROOM_H
#define DM_COMMON_ROOM_H


#include <stddef.h>


/*
 * Looks whether so many octets could be written to fd now: a pipe or socket has
 * somebody at its other end, a device takes what it is given, and in a file
 * room is taken for them, where its file system can do that.  0, or an errno.
 */
int dm_room(int fd, size_t octets);


#endif /* DM_COMMON_ROOM_H */
