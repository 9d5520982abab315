/* SPDX-License-Identifier: MIT */
/*
 * Resends or fails pending calls after the connection is lost. A call is sent again on the next
 * connection if vaild cannot have executed it, or if it may be executed twice. Other calls fail.
 *
 * Until the next connection the handle is reconnecting: new calls join the queue, and the fd to
 * poll is that of the wait.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "client/libvail/internal.h"

/* A call is resent at most this often, because the call may be why connections are lost. */
#define LOST_CONNECTIONS_MAX 5

/*
 * Methods that may be executed twice. They change nothing, set something to a value, or end an
 * entity that is the caller's own or named by a handle, because handles are never reused. Methods
 * that create something are not included, nor those that name an entity by an identifier that can
 * be reused (a VM's GUID, a pid, an address).
 */
static const char *const repeatable[] = {
	"io.vaild.CloseSharedObject",
	"io.vaild.Display.CloseDisplay",
	"io.vaild.Display.ListDisplays",
	"io.vaild.Gpu.DescribeAddressSpace",
	"io.vaild.Gpu.DestroyContext",
	"io.vaild.Gpu.ListAdapters",
	"io.vaild.Gpu.ListHolders",
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

/* ---- Waiting ---- */

bool is_transient_failure(const struct vail *vail, NTSTATUS status)
{
	/*
	 * Access is denied for a moment after the start: without systemd, vaild creates the socket
	 * before it sets the mode. A timeout means that the listen queue is full.
	 */
	return vail->resumes && vail->was_connected &&
	       (status == STATUS_CONNECTION_REFUSED || status == STATUS_ACCESS_DENIED ||
		status == STATUS_IO_TIMEOUT);
}

NTSTATUS resume_wait(struct vail *vail)
{
	int error = 0;

	vail->owner_pid = getpid();
	vail->is_reconnecting = true;
	if (vail->reconnect.epoll < 0)
		error = reconnect_begin(&vail->reconnect, vail->path);
	if (error == 0) {
		reconnect_delay(&vail->reconnect);
		error_clear(vail); /* waiting is no failure */
		return STATUS_SUCCESS;
	}
	error_set(vail, STATUS_INSUFFICIENT_RESOURCES,
		  "vaild at %s is not running, and waiting for it failed: %s; "
		  "try again later",
		  vail->path, strerror(-error));
	calls_fail_all(vail, STATUS_INSUFFICIENT_RESOURCES);
	return STATUS_INSUFFICIENT_RESOURCES;
}

void resume_cancel_if_idle(struct vail *vail)
{
	/*
	 * No wait has begun yet if this is called from a handler of a call that
	 * close_and_sort_calls() ends: leave is_reconnecting set.
	 */
	if (vail->first_call || vail->reconnect.epoll < 0)
		return;
	vail->is_reconnecting = false;
	reconnect_end(&vail->reconnect);
}

/* Sends all queued calls on a new connection. */
static NTSTATUS resend_calls(struct vail *vail)
{
	for (PendingCall *call = vail->first_call; call; call = call->next)
		if (!call_write(vail, call)) {
			error_set_no_memory(vail);
			calls_fail_all(vail, STATUS_NO_MEMORY);
			return STATUS_NO_MEMORY;
		}
	connection_flush(vail);
	return STATUS_SUCCESS;
}

/*
 * Tries to connect without blocking. If vaild cannot be reached yet, or this process is at its fd
 * limit, waits for the next attempt.
 */
static NTSTATUS try_reconnect(struct vail *vail)
{
	NTSTATUS status = connection_connect(vail, false);
	bool is_waiting = vail->reconnect.epoll >= 0;

	if (is_transient_failure(vail, status) ||
	    (is_waiting && status == STATUS_INSUFFICIENT_RESOURCES))
		return resume_wait(vail);
	if (status != STATUS_SUCCESS) {
		calls_fail_all(vail, status);
		return status;
	}
	vail->is_reconnecting = false;
	reconnect_end(&vail->reconnect);
	error_clear(vail);
	return resend_calls(vail);
}

NTSTATUS resume_continue(struct vail *vail)
{
	return reconnect_is_due(&vail->reconnect, vail->path) ? try_reconnect(vail)
							      : STATUS_SUCCESS;
}

/* ---- Losing the connection ---- */

/* Tests whether the kernel has accepted the whole request, except perhaps its NUL. */
static bool was_sent(const struct vail *vail, const PendingCall *call)
{
	return vail->output_position + 1 >= call->output_end;
}

/* Decides whether to resend the call on the next connection. */
static bool call_survives(struct vail *vail, PendingCall *call)
{
	if (call->on_disconnect) {
		bool nested = vail->in_callback;

		vail->in_callback = true;
		bool go_on = call->on_disconnect(vail, call);
		vail->in_callback = nested;
		return go_on;
	}
	if (call->has_reply || call->has_fds || ++call->lost_connections > LOST_CONNECTIONS_MAX)
		return false;
	return !call->was_sent || call->is_repeatable;
}

/*
 * Returns the status of a call that is not resent. STATUS_CONNECTION_REFUSED promises that vaild
 * did not execute it.
 */
static NTSTATUS lost_status(const PendingCall *call)
{
	return call->was_sent ? STATUS_CONNECTION_DISCONNECTED : STATUS_CONNECTION_REFUSED;
}

/* Closes the connection, keeps the calls to resend in the queue and fails the others. */
static void close_and_sort_calls(struct vail *vail)
{
	PendingCall *call = queue_take_all(vail);

	for (PendingCall *each = call; each; each = each->next)
		each->was_sent |= was_sent(vail, each);
	connection_close(vail);
	vail->is_reconnecting = true; /* calls that handlers submit join the queue */
	while (call) {
		PendingCall *next = call->next;

		if (call_survives(vail, call))
			queue_append(vail, call);
		else if (call->on_disconnect)
			call_free(call); /* on_disconnect() has ended it */
		else
			call_fail(vail, call, lost_status(call));
		call = next;
	}
}

NTSTATUS resume_calls(struct vail *vail)
{
	bool has_answered = vail->has_answered;

	close_and_sort_calls(vail);
	if (!vail->first_call) {
		vail->is_reconnecting = false;
		return STATUS_CONNECTION_DISCONNECTED;
	}
	/* If vaild closed the connection without a reply, wait before connecting again. */
	return has_answered ? try_reconnect(vail) : resume_wait(vail);
}
