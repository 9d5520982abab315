/* SPDX-License-Identifier: MIT */
/*
 * make-fd KIND[,KIND...] COMMAND...: makes fds of GPU memory and fences, and executes the command
 * with them. Their numbers begin with 3, in the order of the kinds. Memory has 16384 bytes. Exits
 * with status 3 if this machine lacks the device for a kind. The kinds are
 *
 *   memfd             a memfd that can be sealed
 *   udmabuf           a dma-buf of a memfd
 *   dma-heap          a dma-buf from the system heap
 *   vgem, virtio-gpu  a dumb buffer of this driver, exported as a dma-buf
 *   pending-fence     a pending sync_file; the next number is the device that signals it when it is
 *                     closed, or after ten seconds
 *   signalled-fence   a signalled sync_file
 */
#include <linux/dma-buf.h>
#include <linux/dma-heap.h>
#include <linux/udmabuf.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include "tests/support/helper.h"

#define MEMORY_SIZE      16384
#define FIRST_NUMBER     3  /* of the fds that the command gets */
#define NUMBERS_END      20 /* fds have numbers from here on until all are made */
#define DEVICES_MAX      16
#define EXIT_NO_DEVICE   3
#define EXPORT_FLAGS     (O_CLOEXEC | O_RDWR)
#define BUFFER_EDGE      64 /* width and height in pixels, so that the size is MEMORY_SIZE */
#define VGEM_FENCE_WRITE 1

/* The parts of the DRM interface that are used here, because its headers may not be installed. */

struct drm_version {
	int major, minor, patch;
	size_t name_length;
	char *name;
	size_t date_length;
	char *date;
	size_t description_length;
	char *description;
};

struct drm_create_dumb {
	uint32_t height, width, bits_per_pixel, flags, handle, pitch;
	uint64_t size;
};

struct drm_prime_handle {
	uint32_t handle, flags;
	int32_t fd;
};

struct drm_vgem_fence {
	uint32_t handle, flags, out_fence, padding;
};

#define DRM_VERSION            _IOWR('d', 0x00, struct drm_version)
#define DRM_PRIME_HANDLE_TO_FD _IOWR('d', 0x2d, struct drm_prime_handle)
#define DRM_VGEM_FENCE_ATTACH  _IOWR('d', 0x41, struct drm_vgem_fence)
#define DRM_MODE_CREATE_DUMB   _IOWR('d', 0xb2, struct drm_create_dumb)

static int open_device(const char *path)
{
	int device = open(path, O_RDWR | O_CLOEXEC);

	if (device < 0)
		err(errno == ENOENT ? EXIT_NO_DEVICE : 2, "%s", path);
	return device;
}

static void control(int fd, unsigned long request, void *argument, const char *name)
{
	if (ioctl(fd, request, argument) < 0)
		err(2, "%s", name);
}

static bool is_driver(int device, const char *name)
{
	char found[32] = "";
	struct drm_version version = { .name = found, .name_length = sizeof(found) - 1 };

	return ioctl(device, DRM_VERSION, &version) == 0 && strcmp(found, name) == 0;
}

/* Opens the primary node of the driver with this name. */
static int open_driver(const char *name)
{
	char path[32];

	for (int i = 0; i < DEVICES_MAX; i++) {
		snprintf(path, sizeof(path), "/dev/dri/card%d", i);
		int device = open(path, O_RDWR | O_CLOEXEC);
		if (device >= 0 && is_driver(device, name))
			return device;
		if (device >= 0)
			close(device);
	}
	errx(EXIT_NO_DEVICE, "this machine has no device of the driver %s", name);
}

static int make_memfd(void)
{
	int fd = memfd_create("vail-test", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd < 0 || ftruncate(fd, MEMORY_SIZE) < 0)
		err(2, "memfd");
	return fd;
}

static int make_udmabuf(void)
{
	struct udmabuf_create create = {
		.memfd = (uint32_t)make_memfd(),
		.flags = UDMABUF_FLAGS_CLOEXEC,
		.size = MEMORY_SIZE,
	};

	if (fcntl((int)create.memfd, F_ADD_SEALS, F_SEAL_SHRINK) < 0)
		err(2, "F_ADD_SEALS");
	int fd = ioctl(open_device("/dev/udmabuf"), UDMABUF_CREATE, &create);
	if (fd < 0)
		err(2, "UDMABUF_CREATE");
	return fd;
}

static int make_from_heap(void)
{
	struct dma_heap_allocation_data allocation = { .len = MEMORY_SIZE,
						       .fd_flags = EXPORT_FLAGS };

	control(open_device("/dev/dma_heap/system"), DMA_HEAP_IOCTL_ALLOC, &allocation,
		"DMA_HEAP_IOCTL_ALLOC");
	return (int)allocation.fd;
}

static uint32_t create_dumb(int device)
{
	struct drm_create_dumb create = {
		.height = BUFFER_EDGE,
		.width = BUFFER_EDGE,
		.bits_per_pixel = 32,
	};

	control(device, DRM_MODE_CREATE_DUMB, &create, "DRM_IOCTL_MODE_CREATE_DUMB");
	return create.handle;
}

static int export_buffer(int device, uint32_t handle)
{
	struct drm_prime_handle prime = { .handle = handle, .flags = EXPORT_FLAGS };

	control(device, DRM_PRIME_HANDLE_TO_FD, &prime, "DRM_IOCTL_PRIME_HANDLE_TO_FD");
	return prime.fd;
}

static int make_vgem(void)
{
	int device = open_driver("vgem");

	return export_buffer(device, create_dumb(device));
}

static int make_virtio_gpu(void)
{
	int device = open_driver("virtio_gpu");

	return export_buffer(device, create_dumb(device));
}

static int make_fence(int device)
{
	struct drm_vgem_fence fence = { .handle = create_dumb(device), .flags = VGEM_FENCE_WRITE };
	struct dma_buf_export_sync_file export = { .flags = DMA_BUF_SYNC_RW };

	control(device, DRM_VGEM_FENCE_ATTACH, &fence, "DRM_IOCTL_VGEM_FENCE_ATTACH");
	control(export_buffer(device, fence.handle), DMA_BUF_IOCTL_EXPORT_SYNC_FILE, &export,
		"DMA_BUF_IOCTL_EXPORT_SYNC_FILE");
	return export.fd;
}

/* Makes a fence. The driver signals it when *ret_device is closed. */
static int make_pending_fence(int *ret_device)
{
	*ret_device = open_driver("vgem");
	return make_fence(*ret_device);
}

static int make_signalled_fence(void)
{
	int device = open_driver("vgem"), fence = make_fence(device);

	close(device);
	return fence;
}

static int make(const char *name, int *ret_device)
{
	static const struct {
		const char *name;
		int (*make)(void);
	} kinds[] = {
		{ "memfd", make_memfd },           { "udmabuf", make_udmabuf },
		{ "dma-heap", make_from_heap },    { "vgem", make_vgem },
		{ "virtio-gpu", make_virtio_gpu }, { "signalled-fence", make_signalled_fence },
	};

	*ret_device = -1;
	if (strcmp(name, "pending-fence") == 0)
		return make_pending_fence(ret_device);
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (strcmp(name, kinds[i].name) == 0)
			return kinds[i].make();
	errx(2, "%s is not a kind of fd that make-fd can make", name);
}

/* Adds an fd for the command. All other fds are closed on exec. */
static void add(int *saved, size_t *count, int fd)
{
	if (fd < 0)
		return;
	if (*count == NUMBERS_END - FIRST_NUMBER)
		errx(2, "more than %d fds", NUMBERS_END - FIRST_NUMBER);
	saved[*count] = fcntl(fd, F_DUPFD_CLOEXEC, NUMBERS_END);
	if (saved[(*count)++] < 0)
		err(2, "F_DUPFD_CLOEXEC");
	close(fd);
}

int main(int argc, char **argv)
{
	int saved[NUMBERS_END - FIRST_NUMBER], device;
	size_t count = 0;

	if (argc < 3)
		errx(2, "usage: make-fd KIND[,KIND...] COMMAND...");
	for (char *kinds = argv[1], *name; (name = strsep(&kinds, ","));) {
		add(saved, &count, make(name, &device));
		add(saved, &count, device);
	}
	for (size_t i = 0; i < count; i++)
		if (dup2(saved[i], FIRST_NUMBER + (int)i) < 0)
			err(2, "dup2");
	execvp(argv[2], argv + 2);
	err(2, "%s", argv[2]);
}
