/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_API_ENCODE_H
#define DAEMON_API_ENCODE_H

#include "daemon/core/broker.h"
#include "proto/json-writer.h"

/*
 * Encoders for the types of the interface files. reader is the pid namespace of the process that
 * gets the text: pids are written as they are there.
 */
void encode_registration(Writer *writer, const Registration *registration, PidNamespace reader);
void encode_virtual_machine(Writer *writer, Broker *broker, const VirtualMachine *vm,
			    PidNamespace reader);
void encode_quarantine(Writer *writer, const Quarantine *quarantine);
void encode_adapter(Writer *writer, const Adapter *adapter);
void encode_gpu_process(Writer *writer, const GpuProcess *gpu_process, PidNamespace reader);
void encode_range(Writer *writer, const GpuRange *range);

/* Writes the members of a translation, without braces. */
void encode_translation(Writer *writer, const Translation *translation, bool with_page_table);

void encode_shared_object(Writer *writer, const SharedObject *object, PidNamespace reader);
void encode_holder(Writer *writer, const ObjectHolder *holder, PidNamespace reader);

void encode_display(Writer *writer, const DisplayChannel *channel, PidNamespace reader);

/* Writes the member "rights". rights are DISPLAY_RIGHT_BIT(). */
void encode_display_rights(Writer *writer, unsigned int rights);

/* Writes the pid of a process as a number. */
void encode_pid(Writer *writer, const Process *process, PidNamespace reader);

/* Writes the member "holders". */
void encode_holders(Writer *writer, const SharedObject *object, PidNamespace reader);

/* Writes the members "object" and "memory", with the indexes of the fds that the reply carries. */
void encode_opened_object(Writer *writer, const SharedObject *object);

/* Writes an event's members about its object, without braces. */
void encode_event_object(Writer *writer, const Event *event, PidNamespace reader);

void encode_event(Writer *writer, const Event *event, PidNamespace reader);

#endif
