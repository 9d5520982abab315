/* SPDX-License-Identifier: MIT */
#ifndef PROTO_VERSION_H
#define PROTO_VERSION_H

#define VAILD_VERSION "0.1.0"

#endif
