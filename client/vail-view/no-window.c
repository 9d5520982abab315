/* SPDX-License-Identifier: MIT */
#include "client/common/program-options.h"
#include "client/vail-view/desktop-window.h"

int desktop_window_run(const WindowRequest *request)
{
	(void)request;
	return usage_error("this vail-view was built without a window, for lack of SDL 2; give "
			   "--png or --raw, or build it again with the packages libsdl2-dev and "
			   "pkgconf; see vail-view --help");
}
