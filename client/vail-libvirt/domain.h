/* SPDX-License-Identifier: MIT */
#ifndef CLIENT_VAIL_LIBVIRT_DOMAIN_H
#define CLIENT_VAIL_LIBVIRT_DOMAIN_H

#include <stdbool.h>
#include <stddef.h>

/* The namespace of vaild's element in a domain's metadata. */
#define DOMAIN_NAMESPACE "https://vaild.io/libvirt/1"

#define DOMAIN_CLIENTS_MAX 64

/* Says how a domain shows its screen on D-Bus. */
typedef enum DomainDisplay {
	DOMAIN_DISPLAY_NONE,
	DOMAIN_DISPLAY_BUS, /* <graphics type='dbus'/>: on a private bus */
	DOMAIN_DISPLAY_P2P, /* <graphics type='dbus' p2p='yes'/>: on sockets that libvirt opens */
} DomainDisplay;

/*
 * The parts of a libvirt domain that concern vaild. The domain's owner gives consent in its
 * metadata:
 *
 *   <vail:access xmlns:vail="https://vaild.io/libvirt/1">
 *     <vail:displayClient user="alice" rights="view input"/>
 *   </vail:access>
 */
typedef struct Domain {
	DomainDisplay display;
	unsigned int graphics; /* index of the display among the domain's <graphics> elements */
	char *clients[DOMAIN_CLIENTS_MAX];       /* the users that may register; owned */
	unsigned int rights[DOMAIN_CLIENTS_MAX]; /* of each on the display, with view */
	size_t client_count;                     /* 0 without consent */

	/* A running domain has these two; owned. */
	char *bus;   /* D-Bus address of the bus, or NULL */
	char *owner; /* QEMU's user and group, as +UID:+GID or names; NULL if libvirt names none */
} Domain;

/*
 * Reads a domain from its XML description.
 *
 * ret: the caller deinitialises it; unchanged on failure.
 * ret_fault: a sentence about invalid metadata; unchanged on success.
 *
 * Returns false if the text is not XML, the metadata is invalid, or out of memory.
 */
bool domain_parse(const char *xml, size_t size, Domain *ret, const char **ret_fault);
void domain_deinit(Domain *domain);

#endif
