/* SPDX-License-Identifier: MIT */
/* The XML of a libvirt domain. Its owner writes the metadata. */
#include <stdint.h>
#include <string.h>

#include "client/vail-libvirt/domain.h"
#include "tests/fuzz/common/fuzz-input.h"
#include <vail.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *fault = NULL;
	Domain domain = { 0 };

	if (!domain_parse((const char *)data, size, &domain, &fault))
		fuzz_must(fault && domain.client_count == 0);
	fuzz_must(domain.client_count <= DOMAIN_CLIENTS_MAX);
	for (size_t i = 0; i < domain.client_count; i++) {
		/* vail-qemu gets them as NAME:RIGHTS. */
		fuzz_must(domain.clients[i][0] != '\0' && !strchr(domain.clients[i], ':'));
		fuzz_must(domain.rights[i] & VAIL_DISPLAY_VIEW);
	}
	domain_deinit(&domain);
	return 0;
}
