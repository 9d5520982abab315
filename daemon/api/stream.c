/* SPDX-License-Identifier: MIT */
#include "daemon/api/stream.h"

#include <stdlib.h>

#include "daemon/api/dispatch.h"
#include "daemon/api/display-stream.h"
#include "daemon/api/encode.h"
#include "daemon/api/list.h"
#include "daemon/api/reply.h"
#include "daemon/api/session.h"
#include "daemon/api/watch-index.h"

/* Bound on unread events: that of the connection, less what its output buffer may hold. */
#define EVENTS_MAX (LIMIT_UNREAD_PER_CONNECTION - LIMIT_UNREAD_PAUSE)

Stream *stream_new(Session *session, const Method *method, char terminator)
{
	Stream *stream = calloc(1, sizeof(*stream));

	if (!stream)
		return NULL;
	stream->session = session;
	stream->method = method;
	stream->terminator = terminator;
	return stream;
}

Stream *stream_free(Stream *stream)
{
	if (!stream)
		return NULL;
	if (stream->is_watch)
		watch_index_remove(stream->session->service, stream);
	if (stream->serves_displays)
		display_stream_end(stream);
	charge_return(&stream->charge, &stream->session->service->broker->accounts);
	event_queue_deinit(&stream->events);
	buffer_deinit(&stream->reply);
	free(stream);
	return NULL;
}

bool stream_is_dropped(const Stream *stream)
{
	return stream && stream->is_dropped;
}

size_t stream_unread(const Stream *stream)
{
	return stream ? stream->events.bytes + buffer_size(&stream->reply) : 0;
}

/* --- permission to watch --------------------------------------------------------------------- */

/* Tests whether the caller may watch the VM. */
static bool caller_is_entitled(Service *service, const Caller *caller, const VirtualMachine *vm)
{
	return caller_sees_all(caller) || vm_is_run_by(vm, caller->process) ||
	       caller_is_agent(caller, vm) ||
	       registration_find(service->broker, caller->process, vm) != NULL;
}

/* Returns the GUID that an entity belongs to, or NULL for an adapter. */
static const Guid *entity_guid(const Entity *entity)
{
	const VirtualMachine *vm = entity_machine(entity);

	if (vm)
		return &vm->guid;
	if (entity->type == ENTITY_OBJECT)
		return &container_of(entity, SharedObject, entity)->virtual_machine;
	return entity->type == ENTITY_QUARANTINE ? &container_of(entity, Quarantine, entity)->guid
						 : NULL;
}

/* Tests for the caller's own registration. The caller may also see the end of it. */
static bool is_callers_registration(const Entity *entity, const Caller *caller)
{
	return entity->type == ENTITY_REGISTRATION &&
	       container_of(entity, Registration, entity)->process->key == caller->process;
}

/* Tests whether the caller sees a display channel: its own, or that of a VM which it runs. */
static bool watch_admits_display(const Stream *watch, const DisplayChannel *channel)
{
	const Registration *registration = channel->registration;
	const Caller *caller = watch->session->caller;

	if (watch->has_machine && guid_compare(&registration->vm->guid, &watch->machine) != 0)
		return false;
	return caller_sees_all(caller) || registration->process->key == caller->process ||
	       vm_is_run_by(registration->vm, caller->process) ||
	       caller_is_agent(caller, registration->vm);
}

/*
 * Tests whether a watch sees a GPU process. Operators and observers see it, and the process of its
 * adapter's driver, which watches on another connection than the one that registered the adapter.
 */
static bool watch_admits_gpu_process(const Stream *watch, const GpuProcess *gpu_process)
{
	const Caller *caller = watch->session->caller;
	const VirtualMachine *vm = gpu_process->vm;
	bool is_driver = gpu_process->adapter->connection &&
			 gpu_process->adapter->driver_process == caller->process;

	if (watch->has_machine && (!vm || guid_compare(&vm->guid, &watch->machine) != 0))
		return false;
	return caller_sees_all(caller) || is_driver;
}

/* Tests whether a watch sees events about the entity. */
static bool watch_admits(Stream *watch, const Entity *entity)
{
	Service *service = watch->session->service;
	const Caller *caller = watch->session->caller;
	const Guid *guid = entity_guid(entity);
	const VirtualMachine *vm = entity_machine(entity);

	if (entity->type == ENTITY_GPU_PROCESS)
		return watch_admits_gpu_process(watch, container_of(entity, GpuProcess, entity));
	if (entity->type == ENTITY_DISPLAY)
		return watch_admits_display(watch, container_of(entity, DisplayChannel, entity));

	if (watch->has_machine && (!guid || guid_compare(guid, &watch->machine) != 0))
		return false;
	if (caller_sees_all(caller) || is_callers_registration(entity, caller))
		return true;
	if (!vm && guid)
		vm = vm_find_also_ending(service->broker, guid);
	return vm && caller_is_entitled(service, caller, vm);
}

/* Tests whether the event ends the caller's role as VMM or agent. The caller still sees it. */
static bool watch_loses_role(Stream *watch, const Event *event)
{
	return event_ends_role(event, watch->session->caller) &&
	       (!watch->has_machine || guid_compare(event->virtual_machine, &watch->machine) == 0);
}

static bool caller_has_registration(Service *service, const Caller *caller)
{
	const Process *process = process_find(service->broker, caller->process);

	return process && !LIST_EMPTY(&process->registrations);
}

static bool caller_is_driver_of_any(Service *service, const Caller *caller)
{
	const Adapter *adapter;

	for (adapter = adapter_after(service->broker, 0); adapter;
	     adapter = adapter_after(service->broker, adapter->entity.serial))
		if (adapter->connection && adapter->driver_process == caller->process)
			return true;
	return false;
}

/* Tests whether the watch can still see anything. */
static bool watch_is_entitled(Stream *watch)
{
	Service *service = watch->session->service;
	const Caller *caller = watch->session->caller;

	if (caller_sees_all(caller))
		return true;
	if (watch->has_machine) {
		const VirtualMachine *vm = vm_find_also_ending(service->broker, &watch->machine);

		return vm && caller_is_entitled(service, caller, vm);
	}
	return caller_may_share(service, caller) || caller_has_registration(service, caller) ||
	       caller_is_driver_of_any(service, caller);
}

/* --- watches --------------------------------------------------------------------------------- */

/*
 * Returns the kind of event that announces a new entity. EVENT_MAX means none: only its driver has
 * to know of a new GPU process, and the driver has created it.
 */
static EventKind announcing_event(const Entity *entity)
{
	static const EventKind kinds[] = {
		[ENTITY_ADAPTER] = EVENT_ADAPTER_ADDED,
		[ENTITY_QUARANTINE] = EVENT_QUARANTINED,
		[ENTITY_VIRTUAL_MACHINE] = EVENT_VIRTUAL_MACHINE_ADDED,
		[ENTITY_VIRTUAL_GPU] = EVENT_VIRTUAL_GPU_ASSIGNED,
		[ENTITY_REGISTRATION] = EVENT_REGISTERED,
		[ENTITY_GPU_PROCESS] = EVENT_MAX,
		[ENTITY_OBJECT] = EVENT_SHARED,
		[ENTITY_DISPLAY] = EVENT_DISPLAY_OPENED,
	};
	_Static_assert(ARRAY_SIZE(kinds) == ENTITY_MAX, "each type of entity has a kind");

	return kinds[entity->type];
}

/* Writes the event without the terminator. Returns false, with out unchanged, if out of memory. */
static bool write_event_text(const Stream *watch, const Event *event, bool continues, Buffer *out)
{
	Writer writer = WRITER_INIT(out);
	size_t begin = buffer_size(out);

	reply_begin(&writer, watch->method->interface);
	writer_key(&writer, "event");
	encode_event(&writer, event, watch->session->caller->pid_namespace);
	reply_end_without_terminator(&writer, continues);
	if (writer.failed)
		buffer_truncate(out, begin);
	return !writer.failed;
}

static void write_event(Stream *watch, const Event *event, bool continues, Buffer *out)
{
	size_t begin = buffer_size(out);

	if (write_event_text(watch, event, continues, out) &&
	    buffer_append(out, &watch->terminator, 1))
		return;
	buffer_truncate(out, begin);
	watch->is_dropped = true;
}

/*
 * Tests whether the entity is a channel that was cut before the watch began, or belongs to a VM
 * whose end had begun before. No request finds these any more, so the watch never announces them. A
 * GPU process is excepted, because its driver has created it and waits for its end.
 */
static bool ended_before_watch(const Stream *watch, const Entity *entity)
{
	if (entity->type == ENTITY_DISPLAY &&
	    display_channel_ended_before(container_of(entity, DisplayChannel, entity),
					 watch->newest_end))
		return true;
	const Guid *guid = entity_guid(entity);
	const VirtualMachine *vm = entity_machine(entity);

	if (!vm && guid && entity->type == ENTITY_OBJECT)
		vm = vm_find_also_ending(watch->session->service->broker, guid);
	return vm && vm_is_ending(vm) && vm->ending.number <= watch->newest_end &&
	       entity->type != ENTITY_GPU_PROCESS;
}

NTSTATUS stream_watch(Stream *stream, Request *request)
{
	const Payer payer = payer_of(request->caller);
	NTSTATUS status = charge_take(&stream->charge, &request->service->broker->accounts, &payer,
				      LIMIT_WATCHES, &request->failure);

	if (status != STATUS_SUCCESS)
		return status;
	stream->is_watch = true;
	stream->newest_end = request->service->broker->endings.begun;
	stream->has_machine = request->subject.vm != NULL;
	if (stream->has_machine)
		stream->machine = request->subject.vm->guid;
	watch_index_add(request->service, stream);
	return STATUS_SUCCESS;
}

/* Tests whether the event ends the caller's last permission to watch, and so ends the watch. */
static bool event_is_last(Stream *watch, const Event *event)
{
	const Caller *caller = watch->session->caller;
	bool may_end = event->kind == EVENT_VIRTUAL_MACHINE_REMOVED ||
		       event->kind == EVENT_VIRTUAL_MACHINE_CHANGED ||
		       (event->kind == EVENT_UNREGISTERED &&
			is_callers_registration(event->entity, caller));

	return may_end && !watch_is_entitled(watch);
}

/* Tests whether the watch has yet to send the entity, and so will send its newest state. */
static bool watch_will_send(const Stream *watch, const Entity *entity)
{
	return !watch->is_current && entity->serial > watch->cursor.position &&
	       announcing_event(entity) != EVENT_MAX;
}

/* Tests for the caller's own UpdateObject. The caller knows of it, and does it for every frame. */
static bool is_callers_update(const Stream *watch, const Event *event)
{
	return event->kind == EVENT_UPDATED &&
	       container_of(event->entity, SharedObject, entity)->sharer->key ==
		       watch->session->caller->process;
}

/*
 * An event on its way to watches. Its text is the same for all of them that continue and whose
 * callers are in one pid namespace. It is kept for the daemon's own namespace, and for the last
 * other one.
 */
typedef struct Delivery {
	WatchVisit visit;
	EventText *text;    /* NULL until it is written; the same for inner_text */
	PidNamespace inner; /* the namespace of inner_text */
	EventText *inner_text;
} Delivery;

/* Writes the event as a text of its own. Returns NULL if out of memory. */
static EventText *new_text(const Stream *watch, const Event *event, bool continues)
{
	EventText *text = event_text_new();

	if (text && !write_event_text(watch, event, continues, &text->text))
		text = event_text_unref(text);
	return text;
}

/* Returns the text of the event for the watch, which continues. Returns NULL if out of memory. */
static EventText *delivery_text(Delivery *delivery, const Stream *watch)
{
	const PidNamespace reader = watch->session->caller->pid_namespace;
	EventText **text = reader == PID_NAMESPACE_OWN ? &delivery->text : &delivery->inner_text;

	if (reader != PID_NAMESPACE_OWN && delivery->inner != reader) {
		delivery->inner_text = event_text_unref(delivery->inner_text);
		delivery->inner = reader;
	}
	if (!*text)
		*text = new_text(watch, delivery->visit.event, true);
	return *text;
}

static void queue_text(Stream *watch, EventText *text)
{
	if (!text || !event_queue_add(&watch->events, text) || watch->events.bytes > EVENTS_MAX)
		watch->is_dropped = true;
}

/* Queues an event that ends the watch. */
static void queue_last(Stream *watch, const Event *event)
{
	EventText *text = new_text(watch, event, false);

	queue_text(watch, text);
	event_text_unref(text);
	watch->is_over = true;
}

static void watch_send(WatchVisit *visit, Stream *watch)
{
	const Event *event = visit->event;

	if (watch->is_over || watch->is_dropped || is_callers_update(watch, event))
		return;
	if (!watch_admits(watch, event->entity) && !watch_loses_role(watch, event))
		return;
	/* The caller gets the end of its own registration, whose beginning a reply has reported. */
	if (ended_before_watch(watch, event->entity) &&
	    !is_callers_registration(event->entity, watch->session->caller))
		return;
	bool is_over = event_is_last(watch, event);
	/* If the watch ends, it will not send the entity later. */
	if (watch_will_send(watch, event->entity) && !is_over)
		return;
	if (is_over)
		queue_last(watch, event);
	else
		queue_text(watch, delivery_text(container_of(visit, Delivery, visit), watch));
	watch->session->service->watch_ready(watch->session);
}

static void watches_send(Service *service, const Event *event)
{
	Delivery delivery = {
		.visit = { .service = service, .event = event, .visit = watch_send },
	};

	if (!event->entity || TAILQ_EMPTY(&service->watches))
		return;
	const VirtualMachine *vm = entity_machine(event->entity);
	const Guid *guid = entity_guid(event->entity);
	if (!vm && guid)
		vm = vm_find_also_ending(service->broker, guid);
	watch_index_visit(&delivery.visit, vm);
	event_text_unref(delivery.text);
	event_text_unref(delivery.inner_text);
}

void streams_send(Service *service, const Event *event)
{
	watches_send(service, event);
	/* Last, because this can end a server, which is another event. */
	display_streams_send(service, event);
}

void watches_reclassify(Service *service)
{
	Stream *watch;

	TAILQ_FOREACH (watch, &service->watches, link)
		watch_index_reclassify(service, watch);
}

/*
 * Returns the next existing entity that the watch sends, or NULL. NULL is not the end if
 * *ret_goes_on is set: the walk then continues from the cursor.
 */
static const Entity *watch_find_existing(Stream *watch, bool *ret_goes_on)
{
	Broker *broker = watch->session->service->broker;
	const Entity *entity = entity_after_of_any_type(broker, watch->cursor.position);

	for (int i = 0; entity && i < LIMIT_LIST_WALK; i++) {
		watch->cursor.position = entity->serial;
		if (announcing_event(entity) != EVENT_MAX && watch_admits(watch, entity) &&
		    !ended_before_watch(watch, entity))
			return entity;
		entity = entity_after_of_any_type(broker, entity->serial);
	}
	*ret_goes_on = entity;
	return NULL;
}

/* Sends the next existing entity, or the event current after the last one. */
static StreamStep watch_send_existing(Stream *watch, Buffer *out)
{
	bool goes_on = false;
	const Entity *entity = watch_find_existing(watch, &goes_on);

	if (goes_on)
		return STREAM_CONTINUES;
	if (!entity) {
		watch->is_current = true;
		write_event(watch, &(Event){ .kind = EVENT_CURRENT }, true, out);
		return STREAM_CONTINUES;
	}
	Event event = {
		.kind = announcing_event(entity),
		.virtual_machine = entity_guid(entity),
		.entity = entity,
	};
	write_event(watch, &event, true, out);
	return STREAM_CONTINUES;
}

static StreamStep watch_next(Stream *watch, Buffer *out)
{
	if (watch->is_dropped)
		return STREAM_BREAKS;
	if (!event_queue_is_empty(&watch->events))
		return event_queue_take(&watch->events, watch->terminator, out) ? STREAM_CONTINUES
										: STREAM_BREAKS;
	if (watch->is_over)
		return STREAM_ENDS;
	return watch->is_current ? STREAM_WAITS : watch_send_existing(watch, out);
}

StreamStep stream_next(Stream *stream, Buffer *out)
{
	if (stream->serves_displays)
		return display_stream_next(stream, out);
	return stream->is_watch ? watch_next(stream, out) : list_step(stream, out);
}
