/* SPDX-License-Identifier: MIT */
#ifndef CLIENT_VAIL_VIEW_FRAME_LOOP_H
#define CLIENT_VAIL_VIEW_FRAME_LOOP_H

#include "client/vail-view/view-options.h"

/*
 * The main loop without a window: writes each frame of the picture to the file or to stdout, until
 * there are enough of them, or the VM, the reader or the time ends.
 */

/* Writes the frames that the options ask for. Logs errors. Returns the exit status. */
int frame_loop_run(const ViewOptions *options);

#endif
