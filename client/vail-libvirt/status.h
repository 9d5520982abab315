/* SPDX-License-Identifier: MIT */
#ifndef CLIENT_VAIL_LIBVIRT_STATUS_H
#define CLIENT_VAIL_LIBVIRT_STATUS_H

/*
 * Prints all domains of libvirt: whether vaild knows them, who may register, and the command that
 * would make a domain share its screen.
 *
 * uri: of libvirt; NULL for its default.
 * socket: vaild's; NULL for the default.
 *
 * Returns the exit status.
 */
int status_print(const char *uri, const char *socket);

#endif
