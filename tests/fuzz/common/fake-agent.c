/* SPDX-License-Identifier: MIT */
#include "tests/fuzz/common/fake-agent.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "tests/fuzz/common/fuzz-input.h"

void fake_agent_init(Agent *agent)
{
	*agent = (Agent){ 0 };
	LIST_INIT(&agent->surfaces);
}

void agent_add(Agent *agent, Surface *surface)
{
	LIST_INSERT_HEAD(&agent->surfaces, surface, entries);
}

void agent_remove(Agent *agent, Surface *surface)
{
	agent_unshare(agent, surface);
	LIST_REMOVE(surface, entries);
}

/* The fd is open. If vail-qemu has made the memory, which can be sealed, the memory holds all rows.
 */
void agent_share(Agent *agent, Surface *surface)
{
	const VailPlane *plane = &surface->object.planes[0];
	struct stat status;

	agent_unshare(agent, surface);
	fuzz_must(surface_is_shown(surface) && surface->object.format != 0);
	fuzz_must(fstat(plane->descriptor, &status) == 0);
	if (!(fcntl(plane->descriptor, F_GET_SEALS) & F_SEAL_SEAL))
		fuzz_must(plane->stride * surface->object.height <= (uint64_t)status.st_size);
	strcpy(surface->handle, "6c929f34ddfa8c9f63c9960ef6e348a3");
}

void agent_unshare(Agent *agent, Surface *surface)
{
	(void)agent;
	surface->handle[0] = '\0';
	surface->damage.count = 0;
}
