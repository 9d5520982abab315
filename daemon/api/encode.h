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
void encode_event(Writer *writer, const Event *event);

#endif
