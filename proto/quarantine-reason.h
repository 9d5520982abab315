/* SPDX-License-Identifier: MIT */
#ifndef PROTO_QUARANTINE_REASON_H
#define PROTO_QUARANTINE_REASON_H

/* The reason of a quarantine that vaild-fleet has imposed begins with this text. */
#define QUARANTINE_REASON_OF_FLEET "fleet: "

#endif
