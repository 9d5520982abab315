/* SPDX-License-Identifier: MIT */
#ifndef CLIENT_VAIL_VIEW_WINDOW_AUDIO_STREAMS_H
#define CLIENT_VAIL_VIEW_WINDOW_AUDIO_STREAMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <systemd/sd-bus.h>

#include "client/common/display-methods.h"
#include "client/vail-view/sound-format.h"
#include "client/vail-view/window/sound-device.h"

/*
 * The streams that the agent has on a listener, and the methods that the listeners for played sound
 * and for the microphone share: AudioOutListener and AudioInListener of org.qemu.Display1.
 */

/* The most streams that the agent may have at a time. */
#define AUDIO_STREAMS 16

typedef struct AudioStream {
	uint64_t id;
	SoundFormat format;
	bool is_valid; /* the format can be played and recorded */
	bool is_enabled;
	SoundVolume volume;
	SoundDevice device; /* plays the stream; the microphone has one device for all streams */
} AudioStream;

typedef struct AudioStreams AudioStreams;

/* The differences between the two listeners. Each function is called before the change. */
typedef struct AudioStreamsKind {
	void (*begin)(AudioStreams *streams, AudioStream *stream); /* it gets a format */
	void (*pause)(AudioStreams *streams, AudioStream *stream); /* it is disabled */
	void (*end)(AudioStreams *streams, AudioStream *stream);   /* it is removed */
} AudioStreamsKind;

struct AudioStreams {
	const AudioStreamsKind *kind;
	AudioStream items[AUDIO_STREAMS];
	size_t count;
};

/* Returns NULL if no stream has the id. */
AudioStream *audio_streams_find(AudioStreams *streams, uint64_t id);

/* Handlers of the methods. Their context is the AudioStreams. */
int audio_streams_on_init(sd_bus_message *message, void *context, sd_bus_error *error);
int audio_streams_on_fini(sd_bus_message *message, void *context, sd_bus_error *error);
int audio_streams_on_set_enabled(sd_bus_message *message, void *context, sd_bus_error *error);
int audio_streams_on_set_volume(sd_bus_message *message, void *context, sd_bus_error *error);

/* A table of methods for sd-bus: those above, and one that only this listener has. */
#define AUDIO_STREAMS_TABLE(method)                                                         \
	{                                                                                   \
		SD_BUS_VTABLE_START(0),                                                     \
			DISPLAY_SOUND_METHODS(audio_streams_on_init, audio_streams_on_fini, \
					      audio_streams_on_set_enabled,                 \
					      audio_streams_on_set_volume),                 \
			method, DISPLAY_NO_INTERFACES, SD_BUS_VTABLE_END                    \
	}

#endif
