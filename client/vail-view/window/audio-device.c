/* SPDX-License-Identifier: MIT */
#include "client/vail-view/window/audio-device.h"

#include "client/vail-view/sound-pace.h"

bool audio_device_is_open(const AudioDevice *device, const SoundFormat *format)
{
	return device->id != 0 && device->format.channels == format->channels &&
	       device->format.frequency == format->frequency;
}

bool audio_device_open(AudioDevice *device, const SoundFormat *format, bool is_recording)
{
	SDL_AudioSpec wanted = {
		.freq = (int)format->frequency,
		.format = AUDIO_F32SYS,
		.channels = (uint8_t)format->channels,
		.samples = (uint16_t)sound_buffer_frames(format->frequency),
	};

	if (audio_device_is_open(device, format))
		return true;
	audio_device_close(device);
	if (SDL_InitSubSystem(SDL_INIT_AUDIO) != 0)
		return false;
	device->id = SDL_OpenAudioDevice(NULL, is_recording, &wanted, NULL, 0);
	if (device->id == 0) {
		SDL_QuitSubSystem(SDL_INIT_AUDIO);
		return false;
	}
	device->format = *format;
	SDL_PauseAudioDevice(device->id, 0);
	return true;
}

void audio_device_close(AudioDevice *device)
{
	if (device->id == 0)
		return;
	SDL_ClearQueuedAudio(device->id);
	SDL_CloseAudioDevice(device->id);
	SDL_QuitSubSystem(SDL_INIT_AUDIO);
	device->id = 0;
}
