/* SPDX-License-Identifier: MIT */
/*
 * What becomes of calls when vaild goes away: those that cannot have been carried out, or may be
 * carried out twice, stay in the queue, and are asked again of the vaild that comes.
 *
 * Between the loss and the next connection the handle waits (is_waiting): what is submitted joins
 * the queue, and the descriptor to poll is that of the wait.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "libvail-internal.h"

/* So many connections may end before they answer a call: it may be the call that ends them. */
#define LOST_MAX 5

/*
 * What may be asked again though vaild may have done it already: what changes nothing, what sets
 * something to a value, and what ends a thing that is the caller's own or named by a handle, which
 * nothing else will ever have. Not what makes something new, and not what is named by a number that
 * may have come to mean another thing meanwhile (a VM's GUID, a pid, an address).
 */
static const char *const repeatable[] = {
	"io.vaild.CloseSharedObject",
	"io.vaild.Gpu.DescribeAddressSpace",
	"io.vaild.Gpu.DestroyContext",
	"io.vaild.Gpu.ListAdapters",
	"io.vaild.Gpu.ListProcesses",
	"io.vaild.Gpu.TranslateGpuVirtualAddress",
	"io.vaild.ListRegistrations",
	"io.vaild.ListSharedObjects",
	"io.vaild.Machine.DescribeVirtualMachine",
	"io.vaild.Machine.ListQuarantines",
	"io.vaild.Machine.ListVirtualMachines",
	"io.vaild.Machine.RegisterVirtualMachine",
	"io.vaild.Machine.RemoveVirtualGpu",
	"io.vaild.Machine.SetQuarantine",
	"io.vaild.Machine.UpdateVirtualMachine",
	"io.vaild.Monitor.GetMetrics",
	"io.vaild.Monitor.GetStatus",
	"io.vaild.Monitor.ReloadConfiguration",
	"io.vaild.OpenSharedObject",
	"io.vaild.RegisterVailProcess",
	"io.vaild.UnregisterVailProcess",
	"io.vaild.UnshareObject",
	"io.vaild.UpdateObject",
	"io.vaild.Watch",
	"org.varlink.service.GetInfo",
	"org.varlink.service.GetInterfaceDescription",
};

bool method_is_repeatable(const char *method)
{
	for (size_t i = 0; i < ARRAY_SIZE(repeatable); i++)
		if (strcmp(repeatable[i], method) == 0)
			return true;
	return false;
}

/* ---- The wait ---- */

bool may_come_back(const struct vail *vail, NTSTATUS status)
{
	/* Without systemd the socket is there before others may use it; a full queue becomes empty.
	 */
	return vail->resumes && vail->was_there &&
	       (status == STATUS_CONNECTION_REFUSED || status == STATUS_ACCESS_DENIED ||
		status == STATUS_IO_TIMEOUT);
}

NTSTATUS wait_for_vaild(struct vail *vail)
{
	int error = 0;

	vail->owner = getpid();
	vail->is_waiting = true;
	if (vail->absence.descriptor < 0)
		error = absence_begin(&vail->absence, vail->path);
	if (error == 0) {
		absence_put_off(&vail->absence);
		vail_error_clear(vail); /* nothing has failed yet */
		return STATUS_SUCCESS;
	}
	vail_error_set(vail, STATUS_INSUFFICIENT_RESOURCES,
		       "vaild at %s is not there, and cannot be waited for: %s", vail->path,
		       strerror(-error));
	calls_lose(vail, STATUS_INSUFFICIENT_RESOURCES);
	return STATUS_INSUFFICIENT_RESOURCES;
}

void wait_end_if_idle(struct vail *vail)
{
	/* While handlers are told of a loss the queue may be empty, and the wait is yet to begin.
	 */
	if (vail->first || vail->absence.descriptor < 0)
		return;
	vail->is_waiting = false;
	absence_end(&vail->absence);
}

/* Sends what is queued on a connection that is new. */
static NTSTATUS ask_again(struct vail *vail)
{
	for (Call *call = vail->first; call; call = call->next)
		if (!call_put(vail, call)) {
			vail_error_no_memory(vail);
			calls_lose(vail, STATUS_NO_MEMORY);
			return STATUS_NO_MEMORY;
		}
	connection_flush(vail);
	return STATUS_SUCCESS;
}

/* Looks for vaild, without waiting. Who has no descriptor left while it waits tries again later. */
static NTSTATUS look_for_vaild(struct vail *vail)
{
	NTSTATUS status = connection_open(vail, false);
	bool is_waiting = vail->absence.descriptor >= 0;

	if (may_come_back(vail, status) || (is_waiting && status == STATUS_INSUFFICIENT_RESOURCES))
		return wait_for_vaild(vail);
	if (status != STATUS_SUCCESS) {
		calls_lose(vail, status);
		return status;
	}
	vail->is_waiting = false;
	absence_end(&vail->absence);
	vail_error_clear(vail);
	return ask_again(vail);
}

NTSTATUS wait_go_on(struct vail *vail)
{
	return absence_may_be_over(&vail->absence, vail->path) ? look_for_vaild(vail)
							       : STATUS_SUCCESS;
}

/* ---- The loss ---- */

/* Whether the kernel has taken all of the request but, at most, its terminator. */
static bool was_sent(const struct vail *vail, const Call *call)
{
	return vail->output_position + 1 >= call->end;
}

/* Whether the call stays. */
static bool call_goes_on(struct vail *vail, Call *call)
{
	if (call->interrupted) {
		bool nested = vail->in_reply;

		vail->in_reply = true;
		bool go_on = call->interrupted(vail, call);
		vail->in_reply = nested;
		return go_on;
	}
	if (call->was_told || call->has_descriptors || ++call->lost > LOST_MAX)
		return false;
	return !call->was_sent || call->is_repeatable;
}

/* What one that does not go on ends with: whether it was done is not known, or known. */
static NTSTATUS lost_status(const Call *call)
{
	return call->was_sent ? STATUS_CONNECTION_DISCONNECTED : STATUS_CONNECTION_REFUSED;
}

/* Keeps in the queue what goes on, and tells the rest. */
static void sort_out(struct vail *vail)
{
	Call *call = queue_take_all(vail);

	for (Call *each = call; each; each = each->next)
		each->was_sent |= was_sent(vail, each);
	connection_close(vail);
	vail->is_waiting = true; /* what the handlers submit joins the queue */
	while (call) {
		Call *next = call->next;

		if (call_goes_on(vail, call))
			queue_append(vail, call);
		else if (call->interrupted)
			call_free(call); /* it has asked to stop */
		else
			call_lose(vail, call, lost_status(call));
		call = next;
	}
}

NTSTATUS calls_interrupt(struct vail *vail)
{
	bool has_answered = vail->is_known;

	sort_out(vail);
	if (!vail->first) {
		vail->is_waiting = false;
		return STATUS_CONNECTION_DISCONNECTED;
	}
	/* One that ends each connection at once is not to be asked all the time. */
	return has_answered ? look_for_vaild(vail) : wait_for_vaild(vail);
}
