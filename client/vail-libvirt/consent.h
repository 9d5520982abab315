/* SPDX-License-Identifier: MIT */
#ifndef CLIENT_VAIL_LIBVIRT_CONSENT_H
#define CLIENT_VAIL_LIBVIRT_CONSENT_H

#include <stdbool.h>

#include "client/common/client-list.h"
#include "client/vail-libvirt/domain.h"
#include <vail.h>

/*
 * The consent of a guest's owner in vaild. vail-libvirt remembers which display clients it gave to
 * vaild for each guest. If vaild has others, an operator or a drop-in has named them, whose word
 * comes first. A file for each guest remembers them while vail-libvirt does not run, so that a
 * consent that is withdrawn meanwhile ends at its next start.
 */

/* The result of consent_change(). */
typedef enum ConsentResult {
	CONSENT_CHANGED, /* vaild has the new display clients, or none if none were wanted */
	CONSENT_KEPT_BY_OPERATOR, /* a request of an operator has named others, and they stay */
	CONSENT_KEPT_BY_DROP_IN,
	CONSENT_NO_VM,     /* vaild does not know the VM */
	CONSENT_WITHDRAWN, /* vaild refuses the new ones, so the VM was ended in vaild */
	CONSENT_FAILED,    /* nothing has changed, because vaild cannot be asked; try again */
} ConsentResult;

/* Tests whether both have the same display clients with the same rights, in the same order. */
bool consent_equal(const Domain *one, const Domain *other);

/*
 * Appends the display clients, whose strings stay those of consent. Returns STATUS_SUCCESS or
 * STATUS_NO_MEMORY.
 */
NTSTATUS consent_clients(const Domain *consent, ClientList *clients);

/*
 * Returns the first user whom this host does not know, or NULL. Looks up names, which may block.
 */
const char *consent_unknown_user(const Domain *consent);

/*
 * Replaces the display clients of the VM in vaild, unless an operator or a drop-in has named
 * others. It also replaces those of an operator who has named the given ones. Without any
 * wanted, ends the VM in vaild with all its registrations. Logs each failure.
 *
 * socket: of vaild; NULL for the default.
 * name: of the guest, for messages.
 */
ConsentResult consent_change(const char *socket, const char *guid, const char *name,
			     const Domain *given, const Domain *wanted);

/*
 * Returns the process that serves the guest's display channels in vaild, or 0 if none does or vaild
 * cannot be asked. socket: see consent_change().
 */
pid_t consent_server(const char *socket, const char *guid);

/*
 * Reads the remembered display clients of a guest, if any, into *ret. The caller deinitialises it.
 *
 * folder: of the files; NULL to remember nothing.
 */
void consent_recall(const char *folder, const char *guid, Domain *ret);

/* Remembers the display clients of a guest, or forgets the guest if it has no clients. */
void consent_remember(const char *folder, const char *guid, const Domain *given);

/*
 * Returns the path of the folder, which is created: $RUNTIME_DIRECTORY under systemd, or
 * vail-libvirt in /run for root and in $XDG_RUNTIME_DIR for others. The caller frees it. Returns
 * NULL after it has logged an error.
 */
char *consent_folder(void);

#endif
