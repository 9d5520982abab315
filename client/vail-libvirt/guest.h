/* SPDX-License-Identifier: MIT */
#ifndef CLIENT_VAIL_LIBVIRT_GUEST_H
#define CLIENT_VAIL_LIBVIRT_GUEST_H

#include <libvirt/libvirt.h>
#include <sys/queue.h>

/*
 * The running domains of one libvirt, and the vail-qemu process of each that gives its consent.
 * libvirt's event loop calls the functions here; nothing runs in another thread.
 */

typedef struct Guest Guest;

typedef struct Guests {
	const char *socket;    /* vaild's; NULL for the default */
	const char *vail_qemu; /* path of the program */
	const char *folder;    /* see consent_recall() */
	LIST_HEAD(, Guest) list;
} Guests;

/*
 * Brings one domain into line with libvirt: starts its vail-qemu if the domain runs, has a
 * D-Bus display and consents; changes its display clients in vaild if the metadata have
 * changed; stops sharing if the consent was withdrawn or cannot be read; and forgets a domain that
 * has stopped. A user who is unknown only since the consent was given ends nothing. Logs each
 * reason for doing nothing once.
 */
void guest_check(Guests *guests, virDomainPtr domain);

/* Ends all vail-qemu processes. */
void guests_deinit(Guests *guests);

#endif
