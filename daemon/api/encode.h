/* SPDX-License-Identifier: MIT */
#ifndef API_ENCODE_H
#define API_ENCODE_H

#include "broker.h"
#include "writer.h"

/* The types of the interface files, written as they are declared there. */
void encode_registration(Writer *writer, const Registration *registration);
void encode_virtual_machine(Writer *writer, Broker *broker, const VirtualMachine *vm);
void encode_quarantine(Writer *writer, const Quarantine *quarantine);
void encode_adapter(Writer *writer, const Adapter *adapter);
void encode_gpu_process(Writer *writer, const GpuProcess *gpu_process);
void encode_range(Writer *writer, const GpuRange *range);

/* The members of a translation, without the braces of an object. */
void encode_translation(Writer *writer, const Translation *translation, bool with_page_table);
void encode_shared_object(Writer *writer, const SharedObject *object);
void encode_holder(Writer *writer, const ObjectHolder *holder);

/* Members, without the braces of an object: "holders"; "object" and "memory", with the indexes of
 * the descriptors that go with the reply; what an event says of an object. */
void encode_holders(Writer *writer, const SharedObject *object);
void encode_opened_object(Writer *writer, const SharedObject *object);
void encode_event_object(Writer *writer, const Event *event);
void encode_event(Writer *writer, const Event *event);

#endif
