// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * device_model.c - the host's handle of a guest's device model: pages it has written, memory the guest gave away
 *
 * Xen tells each of a guest's ioreq servers when the guest has given memory away, and keeps the guest's processor
 * waiting until all have answered. Invalidations are counted; a model has answered up to a number.
 */
#include "sim/machine.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct device_model {
	struct device_model *next; /* of the same guest */
	struct sim_guest *guest;
	int fd;
	uint64_t seen, answered;
};

static int device_model_open(const struct platform *platform, uint16_t domid, struct device_model **model)
{
	struct sim_machine *machine = platform->context;
	int error = sim_fault_check(machine, SIM_DEVICE_MODEL_OPEN);
	struct sim_guest *guest = error < 0 ? NULL : sim_guest_hold(machine, domid);
	struct device_model *opened = NULL;

	if (!guest)
		return error < 0 ? error : -ESRCH;
	if (guest->options.pv)
		error = -EINVAL;
	else if (!(opened = calloc(1, sizeof(*opened))))
		error = -ENOMEM;
	else if ((opened->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) < 0)
		error = -errno;
	if (error < 0) {
		free(opened);
		sim_guest_drop(guest);
		return error;
	}
	opened->guest = guest;
	pthread_mutex_lock(&guest->models_lock);
	opened->seen = opened->answered = guest->invalidations;
	opened->next = guest->models;
	guest->models = opened;
	pthread_mutex_unlock(&guest->models_lock);
	*model = opened;
	return 0;
}

static int device_model_possible(const struct platform *platform, uint16_t domid)
{
	int error = sim_fault_check(platform->context, SIM_DEVICE_MODEL_POSSIBLE);
	struct sim_guest *guest = error < 0 ? NULL : sim_guest_hold(platform->context, domid);

	if (!guest)
		return error < 0 ? error : -ESRCH;
	if (guest->options.pv)
		error = -EINVAL;
	sim_guest_drop(guest);
	return error;
}

/* Nobody is killed who has one. */
static int device_model_clean_up(const struct platform *platform, uint16_t domid)
{
	(void)domid;
	return sim_fault_check(platform->context, SIM_DEVICE_MODEL_CLEAN_UP);
}

/* Who waits for it waits no more, as when an ioreq server is destroyed. */
static void device_model_close(struct device_model *model)
{
	struct sim_guest *guest = model->guest;
	struct device_model **link = &guest->models;

	pthread_mutex_lock(&guest->models_lock);
	while (*link != model)
		link = &(*link)->next;
	*link = model->next;
	pthread_cond_broadcast(&guest->models_answered);
	pthread_mutex_unlock(&guest->models_lock);
	close(model->fd);
	free(model);
	sim_guest_drop(guest);
}

/* Xen looks at frames while the guest migrates only. It passes over those that the guest does not have at the moment, but
 * not over those it can't have. */
static int device_model_modified(struct device_model *model, const uint64_t *frames, uint32_t count)
{
	struct sim_guest *guest = model->guest;
	uint32_t most = count;
	int error = sim_fault_part(guest->machine, SIM_DEVICE_MODEL_MODIFIED, &most);

	if (error < 0 && most == count)
		return error;
	if (sim_guest_find(guest->machine, sim_guest_domid(guest)) != guest)
		return -ESRCH;
	for (uint32_t i = 0; i < most; i++) {
		uint32_t page = sim_page_find(guest, frames[i]);

		if (__atomic_load_n(&guest->migrating, __ATOMIC_ACQUIRE) &&
		    frames[i] >= guest->first_frame + guest->slot_count)
			return -EINVAL;
		if (page != SIM_NO_PAGE)
			sim_dirty_page(guest, page);
	}
	return error;
}

static int device_model_fd(struct device_model *model)
{
	return model->fd;
}

static bool device_model_invalidated(struct device_model *model)
{
	uint64_t count;
	bool waits;

	pthread_mutex_lock(&model->guest->models_lock);
	if (read(model->fd, &count, sizeof(count)) < 0 && errno != EAGAIN)
		abort();
	model->seen = model->guest->invalidations;
	waits = model->seen > model->answered;
	pthread_mutex_unlock(&model->guest->models_lock);
	return waits;
}

static int device_model_answer(struct device_model *model)
{
	int error = sim_fault_check(model->guest->machine, SIM_DEVICE_MODEL_ANSWER);

	if (error < 0)
		return error;
	pthread_mutex_lock(&model->guest->models_lock);
	model->answered = model->seen;
	pthread_cond_broadcast(&model->guest->models_answered);
	pthread_mutex_unlock(&model->guest->models_lock);
	return 0;
}

/* all_answered - have all models answered this invalidation? One that came later has nothing of before. */
static bool all_answered(const struct sim_guest *guest, uint64_t number)
{
	for (const struct device_model *model = guest->models; model; model = model->next)
		if (model->answered < number)
			return false;
	return true;
}

void sim_invalidate(struct sim_guest *guest)
{
	const uint64_t one = 1;
	uint64_t number;

	pthread_mutex_lock(&guest->models_lock);
	number = ++guest->invalidations;
	for (const struct device_model *model = guest->models; model; model = model->next)
		if (write(model->fd, &one, sizeof(one)) < 0)
			abort();
	while (!all_answered(guest, number))
		pthread_cond_wait(&guest->models_answered, &guest->models_lock);
	pthread_mutex_unlock(&guest->models_lock);
}

void sim_device_model_platform(struct platform *platform)
{
	platform->device_model_open = device_model_open;
	platform->device_model_possible = device_model_possible;
	platform->device_model_clean_up = device_model_clean_up;
	platform->device_model_close = device_model_close;
	platform->device_model_modified = device_model_modified;
	platform->device_model_fd = device_model_fd;
	platform->device_model_invalidated = device_model_invalidated;
	platform->device_model_answer = device_model_answer;
}
