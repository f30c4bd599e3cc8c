// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * rbd_image.c - an image of a cluster, and the thread that waits for the cluster
 */
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "rbd_internal.h"

#define CONNECT_S "6" /* librados gives up connecting */
#define OPEN_S 8      /* libxl waits 10 s */
#define CLOSE_S 3
#define DESCRIPTORS 64 /* what a connection takes, and some more */

/* ---- the thread ---- */

/* failed - keep the reason. Returns the error. */
static int XVHOST_PRINTF(3, 4) failed(struct image *image, int error, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(image->text, sizeof(image->text), format, arguments);
	va_end(arguments);
	return error;
}

/* configure - what librados and librbd are to do, of the configuration and in spite of it. */
static int configure(struct image *image)
{
	const char *const settings[][2] = {
		{"client_mount_timeout", CONNECT_S},
		/* A guest can change what it has us write while it is written. */
		{"rbd_disable_zero_copy_writes", "true"},
	};
	char seconds[24];
	int error = rados_create(&image->cluster, image->id);

	if (error < 0) {
		image->cluster = NULL;
		return failed(image, error, "librados does not begin: %s", strerror(-error));
	}
	error = rados_conf_read_file(image->cluster, image->conf);
	if (error < 0)
		return failed(image, error, "parameter conf is '%s', which can't be read: %s",
			      image->conf ? image->conf : "(librados's own choice)", strerror(-error));
	for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]) && error == 0; i++)
		error = rados_conf_set(image->cluster, settings[i][0], settings[i][1]);
	if (error == 0 && image->timeout_s > 0) {
		snprintf(seconds, sizeof(seconds), "%llu", (unsigned long long)image->timeout_s);
		error = rados_conf_set(image->cluster, "rados_osd_op_timeout", seconds);
	}
	return error == 0 ? 0 : failed(image, error, "librados takes no settings: %s", strerror(-error));
}

/* resized - librbd tells that something of the image has changed. In a thread of its own, which must not wait. */
static void resized(void *opaque)
{
	struct image *image = opaque;

	pthread_mutex_lock(&image->lock);
	image->resized = true;
	pthread_cond_broadcast(&image->changed);
	pthread_mutex_unlock(&image->lock);
}

/* open_handle - of the image, and what it tells. A user who may only read can't be told of changes. */
static int open_handle(struct image *image)
{
	bool watches = true;
	int error = rbd_open(image->pool_io, image->name, &image->handle, image->snapshot);

	if ((error == -EPERM || error == -EACCES) && image->may_be_read_only) {
		watches = false;
		error = rbd_open_read_only(image->pool_io, image->name, &image->handle, image->snapshot);
	}
	if (error < 0) {
		image->handle = NULL;
		if (error == -ENOENT)
			return failed(image, error, "pool %s has no such image%s", image->pool,
				      image->snapshot ? " or snapshot" : "");
		return failed(image, error, "the image can't be opened: %s", strerror(-error));
	}
	if (watches)
		image->watches_size = rbd_update_watch(image->handle, &image->size_watch, resized, image) ==
				      0;
	error = rbd_get_size(image->handle, &image->size_bytes);
	return error == 0 ? 0 : failed(image, error, "its size can't be told: %s", strerror(-error));
}

static int connect_and_open(struct image *image)
{
	int error = configure(image);

	if (error < 0)
		return error;
	error = rados_connect(image->cluster);
	if (error < 0) {
		rados_shutdown(image->cluster);
		image->cluster = NULL;
		return failed(image, error, "can't connect to the cluster as client.%s: %s",
			      image->id ? image->id : "admin", strerror(-error));
	}
	error = rados_ioctx_create(image->cluster, image->pool, &image->pool_io);
	if (error < 0) {
		image->pool_io = NULL;
		return failed(image, error,
			      error == -ENOENT ? "the cluster has no pool %s" : "pool %s can't be used",
			      image->pool);
	}
	if (image->namespace_name)
		rados_ioctx_set_namespace(image->pool_io, image->namespace_name);
	return open_handle(image);
}

/* measure - ask for the size again. Under the lock. */
static void measure(struct image *image)
{
	uint64_t size_bytes;
	int error;

	image->resized = false;
	pthread_mutex_unlock(&image->lock);
	error = rbd_get_size(image->handle, &size_bytes);
	pthread_mutex_lock(&image->lock);
	if (error == 0)
		image->size_bytes = size_bytes;
}

/* disconnect - as far as it got. Waits for all operations. */
static void disconnect(struct image *image)
{
	if (image->watches_size)
		rbd_update_unwatch(image->handle, image->size_watch);
	if (image->handle)
		rbd_close(image->handle);
	if (image->pool_io)
		rados_ioctx_destroy(image->pool_io);
	if (image->cluster)
		rados_shutdown(image->cluster);
}

static void destroy(struct image *image)
{
	pthread_cond_destroy(&image->changed);
	pthread_mutex_destroy(&image->lock);
	free(image->words);
	free(image->conf);
	free(image->id);
	free(image);
}

static void *image_main(void *opaque)
{
	struct image *image = opaque;
	bool abandoned;
	int error = connect_and_open(image);

	pthread_mutex_lock(&image->lock);
	image->error = error;
	image->opened = error == 0;
	pthread_cond_broadcast(&image->changed);
	while (image->opened && !image->closing)
		if (image->resized)
			measure(image);
		else
			pthread_cond_wait(&image->changed, &image->lock);
	pthread_mutex_unlock(&image->lock);
	disconnect(image);
	pthread_mutex_lock(&image->lock);
	image->ended = true;
	abandoned = image->abandoned;
	pthread_cond_broadcast(&image->changed);
	pthread_mutex_unlock(&image->lock);
	if (abandoned)
		destroy(image);
	return NULL;
}

/* ---- the control thread's side ---- */

/* start_thread - signals are for the others, and those that librados starts have them as the thread has. */
static int start_thread(struct image *image)
{
	sigset_t all, before;
	int error;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	error = -pthread_create(&image->thread, NULL, image_main, image);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return error;
}

static struct timespec after(time_t seconds)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	time.tv_sec += seconds;
	return time;
}

/* part - from the thread, which keeps the image if it does not end in time. Returns whether it has ended. */
static bool part(struct image *image, time_t seconds)
{
	struct timespec until = after(seconds);
	int error = 0;
	bool ended;

	pthread_mutex_lock(&image->lock);
	image->closing = true;
	pthread_cond_broadcast(&image->changed);
	while (!image->ended && error == 0)
		error = pthread_cond_timedwait(&image->changed, &image->lock, &until);
	ended = image->ended;
	image->abandoned = !ended;
	if (!ended)
		pthread_detach(image->thread);
	pthread_mutex_unlock(&image->lock);
	if (ended) {
		pthread_join(image->thread, NULL);
		destroy(image);
	}
	return ended;
}

/* split - POOL/[NAMESPACE/]IMAGE[@SNAPSHOT]. */
static bool split(struct image *image)
{
	char *rest = image->words, *at = strrchr(rest, '@'), *slash;

	if (at) {
		*at = '\0';
		image->snapshot = at + 1;
	}
	slash = strchr(rest, '/');
	if (!slash)
		return false;
	*slash = '\0';
	image->pool = rest;
	rest = slash + 1;
	slash = strchr(rest, '/');
	if (slash) {
		*slash = '\0';
		image->namespace_name = rest;
		rest = slash + 1;
	}
	image->name = rest;
	return image->pool[0] != '\0' && image->name[0] != '\0' && !strchr(image->name, '/') &&
	       (!image->namespace_name || image->namespace_name[0] != '\0') &&
	       (!image->snapshot || image->snapshot[0] != '\0');
}

static struct image *image_new(const struct xvhost_disk *disk, const struct rbd_config *config)
{
	struct image *image = calloc(1, sizeof(*image));
	pthread_condattr_t attributes;

	if (!image)
		return NULL;
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&image->changed, &attributes);
	pthread_condattr_destroy(&attributes);
	pthread_mutex_init(&image->lock, NULL);
	image->disk = disk;
	image->may_be_read_only = disk->flags & XVHOST_DISK_READ_ONLY;
	image->timeout_s = config->timeout_s;
	image->words = strdup(config->image);
	image->conf = config->conf ? strdup(config->conf) : NULL;
	image->id = config->id ? strdup(config->id) : NULL;
	if (image->words && !image->conf == !config->conf && !image->id == !config->id)
		return image;
	destroy(image);
	return NULL;
}

/* wait_open - until it is open. Returns 0 or a negative errno, with the reason in `text`. */
static int wait_open(struct image *image, const char **text)
{
	struct timespec until = after(OPEN_S);
	int error = 0;

	pthread_mutex_lock(&image->lock);
	while (!image->opened && image->error == 0 && error == 0)
		error = pthread_cond_timedwait(&image->changed, &image->lock, &until);
	error = image->opened ? 0 : image->error < 0 ? image->error : -ETIMEDOUT;
	*text = image->error < 0 ? image->text : "the cluster does not answer";
	pthread_mutex_unlock(&image->lock);
	return error;
}

/* is_room - for the descriptors that librados needs. It ends the process if there is not. */
static bool is_room(void)
{
	int held[DESCRIPTORS], count = 0;

	while (count < DESCRIPTORS && (held[count] = eventfd(0, EFD_CLOEXEC)) >= 0)
		count++;
	for (int i = 0; i < count; i++)
		close(held[i]);
	return count == DESCRIPTORS;
}

int image_open(struct xvhost_disk *disk, const struct rbd_config *config, struct image **opened)
{
	struct image *image = image_new(disk, config);
	const char *text;
	int error;

	if (!image)
		return -ENOMEM;
	if (!split(image)) {
		disk->host->fail(disk,
				 "parameter image of backend rbd is '%s'; it must be POOL/IMAGE, "
				 "POOL/NAMESPACE/IMAGE or one of these with @SNAPSHOT",
				 config->image);
		destroy(image);
		return -EINVAL;
	}
	if (!is_room()) {
		disk->host->fail(disk, "backend rbd needs %d more descriptors (RLIMIT_NOFILE)", DESCRIPTORS);
		destroy(image);
		return -EMFILE;
	}
	error = start_thread(image);
	if (error < 0) {
		disk->host->fail(disk, "backend rbd can't start a thread: %s", strerror(-error));
		destroy(image);
		return error;
	}
	error = wait_open(image, &text);
	if (error == 0) {
		*opened = image;
		return 0;
	}
	disk->host->fail(disk, "parameter image of backend rbd is '%s': %s", config->image, text);
	part(image, text == image->text ? CLOSE_S : 0);
	return error;
}

void image_close(struct image *image)
{
	const struct xvhost_disk *disk = image->disk;

	if (!part(image, CLOSE_S))
		disk->host->log(disk, XVHOST_LOG_WARNING,
				"the cluster does not answer; the image stays open until it does, or the "
				"worker ends");
}

uint64_t image_size(struct image *image)
{
	uint64_t size_bytes;

	pthread_mutex_lock(&image->lock);
	size_bytes = image->size_bytes;
	pthread_mutex_unlock(&image->lock);
	return size_bytes;
}
