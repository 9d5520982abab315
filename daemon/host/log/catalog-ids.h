/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_HOST_LOG_CATALOG_IDS_H
#define DAEMON_HOST_LOG_CATALOG_IDS_H

/*
 * Message ids of the journal entries. They must never change, because users search for them.
 * systemd/vaild.catalog explains each. Create an id for a new kind of entry with `systemd-id128
 * new`.
 */
#define MESSAGE_STARTED             "f8cbc522b6714bd1b1c78139035ce42b"
#define MESSAGE_STOPPING            "9a829782c677411a9b92a0d7d8e1f768"
#define MESSAGE_ALLOWED             "c964e45cc3aa4dcb84ae6e9509beb5f0"
#define MESSAGE_DENIED              "434d5b3e95044e1a87c611bf03cc3403"
#define MESSAGE_DENIALS_SUMMARISED  "20b170c0b08145bd960bfe4a5e1463cc"
#define MESSAGE_REGISTRATION_ENDED  "345fd8ece77d4c26b4992c682bbd98c9"
#define MESSAGE_VM_ENDED            "a1fb6b669ec34a38919d9d770aa0d222"
#define MESSAGE_VM_HANDED_OVER      "30637a5013414d818d617894fb5d4179"
#define MESSAGE_HAND_OVER_ENDED     "227aa701b4ee45349ac9196faf79225c"
#define MESSAGE_ADAPTER_GONE        "30a237af22624f88bdb02d603e34a1c5"
#define MESSAGE_DISPLAY_CLOSED      "3b11e6024d3f451280a34b4dd084bf15"
#define MESSAGE_RELOADED            "6a2f8a0f0eb3451c8b57a983ff4e155d"
#define MESSAGE_CONFIGURATION_WRONG "4d2c8a05f3e94a7f9c1b6a0e7d58b3c6"
#define MESSAGE_RELOAD_REFUSED      "7a709a9e899b442c853a530be2c2a212"

#endif
