// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * config.c - what the operator has set, xvhost.conf(5)
 *
 * Theory of operation: libinih takes the file apart and gives us section, name and value of each setting; a
 * table says what is known. libinih does not tell the line, so we count them as it reads. There may be many sections
 * [network NAME] and [switch NAME], which are not in the table.
 */
#include "daemon/config.h"

#include <errno.h>
#include <ini.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "daemon/text.h"
#include "worker/messages.h"

#define NET_TARGET_DEFAULT "switch:"
#define UPLINK_EXAMPLE "tap:bridge=xenbr0"

/* One call of config_read. */
struct reading {
	const char *path;
	FILE *file;
	struct config *config;
	void (*report)(const char *text);
	int line;
	int errors;
	uint32_t seen; /* a bit for each key of the table */
};

/* Sections of which there may be many, each with a name of its own and one setting, a target string. */
struct named_section {
	const char *prefix; /* of the section; what follows is the name */
	const char *key;
	const char *example; /* of a target */
	struct config_named *entries;
	uint32_t *count;
	uint32_t most;
};

struct key {
	const char *section;
	const char *name;
	bool (*set)(struct config *config, const char *value);
	const char *right; /* what a value must be */
};

static bool set_log_level(struct config *config, const char *value)
{
	return log_level_parse(value, &config->log_level) == 0;
}

/* set_path - an absolute path. */
static bool set_path(char path[PATH_MAX], const char *value)
{
	if (value[0] != '/' || strlen(value) >= PATH_MAX)
		return false;
	memcpy(path, value, strlen(value) + 1);
	return true;
}

static bool set_worker(struct config *config, const char *value)
{
	return set_path(config->worker, value);
}

static bool set_backend_directory(struct config *config, const char *value)
{
	return set_path(config->backend_directory, value);
}

/* set_number - a decimal number within these limits. */
static bool set_number(const char *value, uint64_t minimum, uint64_t maximum, uint32_t *member)
{
	uint64_t number;

	if (!text_number(value, minimum, maximum, &number))
		return false;
	*member = (uint32_t)number;
	return true;
}

static bool set_max_ring_page_order(struct config *config, const char *value)
{
	return set_number(value, 0, RING_ORDER_MAX, &config->max_ring_page_order);
}

static bool set_max_queues(struct config *config, const char *value)
{
	return set_number(value, 1, DISK_QUEUES_MAX, &config->max_queues);
}

/* set_target - a target string; the worker looks at what it says. */
static bool set_target(char target[CONFIG_TARGET_MAX], const char *value)
{
	if (value[0] == '\0' || strlen(value) >= CONFIG_TARGET_MAX)
		return false;
	memcpy(target, value, strlen(value) + 1);
	return true;
}

static bool set_net_target(struct config *config, const char *value)
{
	return set_target(config->net_target, value);
}

static bool set_net_adopt(struct config *config, const char *value)
{
	config->net_adopt_all = strcmp(value, "all") == 0;
	return config->net_adopt_all || strcmp(value, "ours") == 0;
}

static bool set_net_max_queues(struct config *config, const char *value)
{
	return set_number(value, 1, NET_QUEUES_MAX, &config->net_max_queues);
}

static bool set_memory_access(struct config *config, const char *value)
{
	return memory_access_parse(value, &config->memory_access);
}

static bool set_memory_guest_mib(struct config *config, const char *value)
{
	return set_number(value, 1, 32768, &config->memory_guest_mib);
}

static bool set_memory_host_mib(struct config *config, const char *value)
{
	return set_number(value, 1, 16777216, &config->memory_host_mib);
}

static bool set_memory_idle_s(struct config *config, const char *value)
{
	return set_number(value, 1, 255, &config->memory_idle_s);
}

/* default_max_queues - more queues than processors here would only share them. */
static uint32_t default_max_queues(uint32_t limit)
{
	long processors = sysconf(_SC_NPROCESSORS_ONLN);

	if (processors < 1)
		return 1;
	return processors < (long)limit ? (uint32_t)processors : limit;
}

static const struct key keys[] = {
	{"daemon", "log_level", set_log_level, "error, warning, info or debug"},
	{"daemon", "worker", set_worker, "an absolute path"},
	{"daemon", "backend_directory", set_backend_directory, "an absolute path"},
	{"disk", "max_ring_page_order", set_max_ring_page_order, "a number from 0 to 4"},
	{"disk", "max_queues", set_max_queues, "a number from 1 to 16"},
	{"net", "adopt", set_net_adopt, "ours or all"},
	{"net", "target", set_net_target, "a target string, such as " NET_TARGET_DEFAULT},
	{"net", "max_queues", set_net_max_queues, "a number from 1 to 8"},
	{"memory", "access", set_memory_access, MEMORY_ACCESS_NAMES},
	{"memory", "guest_mib", set_memory_guest_mib, "a number from 1 to 32768"},
	{"memory", "host_mib", set_memory_host_mib, "a number from 1 to 16777216"},
	{"memory", "idle_s", set_memory_idle_s, "a number from 1 to 255"},
};

#define KEY_COUNT (sizeof(keys) / sizeof(keys[0]))

void config_set_defaults(struct config *config)
{
	memset(config, 0, sizeof(*config));
	config->log_level = LOG_LEVEL_INFO;
	snprintf(config->worker, sizeof(config->worker), "%s", XVHOST_LIBEXECDIR "/xvhost-worker");
	snprintf(config->backend_directory, sizeof(config->backend_directory), "%s", XVHOST_BACKEND_DIR);
	config->max_ring_page_order = RING_ORDER_MAX;
	config->max_queues = default_max_queues(DISK_QUEUES_MAX);
	snprintf(config->net_target, sizeof(config->net_target), "%s", NET_TARGET_DEFAULT);
	config->net_max_queues = default_max_queues(NET_QUEUES_MAX);
	config->memory_access = MEMORY_AUTO;
	config->memory_guest_mib = CONFIG_MEMORY_GUEST_MIB;
	config->memory_host_mib = CONFIG_MEMORY_HOST_MIB;
	config->memory_idle_s = MEMORY_IDLE_DEFAULT_S;
}

const char *config_net_target(const struct config *config, const char *network)
{
	for (uint32_t i = 0; i < config->network_count; i++)
		if (strcmp(config->networks[i].name, network) == 0 && config->networks[i].target[0] != '\0')
			return config->networks[i].target;
	return config->net_target;
}

/* complain - one error, of the line `line`. */
__attribute__((format(printf, 3, 4))) static void complain(struct reading *reading, int line,
							   const char *format, ...)
{
	char text[REPORT_MAX];
	va_list arguments;
	int used;

	used = snprintf(text, sizeof(text), "%s:%d: ", reading->path, line);
	if (used < 0 || (size_t)used >= sizeof(text))
		used = 0;
	va_start(arguments, format);
	vsnprintf(text + used, sizeof(text) - (size_t)used, format, arguments);
	va_end(arguments);
	text_clean(text);
	reading->report(text);
	reading->errors++;
}

/* complain_unknown - a setting that the table does not have; tells what it has. */
static void complain_unknown(struct reading *reading, const char *section, const char *name)
{
	char known[REPORT_MAX / 2] = "";
	size_t used = 0;
	bool section_known = false;

	for (size_t i = 0; i < KEY_COUNT && used < sizeof(known); i++) {
		if (strcmp(keys[i].section, section) != 0)
			continue;
		section_known = true;
		used += (size_t)snprintf(known + used, sizeof(known) - used, "%s%s", used == 0 ? "" : ", ",
					 keys[i].name);
	}
	if (section_known)
		complain(reading, reading->line, "unknown key %s in [%s]; it must be one of %s", name,
			 section, known);
	else
		complain(reading, reading->line,
			 "key %s is in the unknown section [%s]; it must be [daemon], [disk], [net], "
			 "[network NAME], [switch NAME] or [memory]",
			 name, section);
}

/* entry_of - the one of this name, made if there is none; NULL: there are too many. */
static struct config_named *entry_of(const struct named_section *kind, const char *name)
{
	struct config_named *entry = kind->entries;

	for (uint32_t i = 0; i < *kind->count; i++, entry++)
		if (strcmp(entry->name, name) == 0)
			return entry;
	if (*kind->count == kind->most)
		return NULL;
	++*kind->count;
	snprintf(entry->name, sizeof(entry->name), "%s", name);
	entry->target[0] = '\0';
	return entry;
}

/* take_named - one setting of such a section. */
static void take_named(struct reading *reading, const struct named_section *kind, const char *section,
		       const char *name, const char *value)
{
	const char *called = section + strlen(kind->prefix);
	struct config_named *entry;

	if (called[0] == '\0' || strlen(called) >= NET_NAME_MAX) {
		complain(reading, reading->line, "the name in [%s] must have from 1 to %d characters",
			 section, NET_NAME_MAX - 1);
		return;
	}
	if (strcmp(name, kind->key) != 0) {
		complain(reading, reading->line, "unknown key %s in [%s]; it must be %s", name, section,
			 kind->key);
		return;
	}
	entry = entry_of(kind, called);
	if (entry == NULL)
		complain(reading, reading->line, "[%s] is one %.*s too many; there can be %" PRIu32, section,
			 (int)strcspn(kind->prefix, " "), kind->prefix, kind->most);
	else if (entry->target[0] != '\0')
		complain(reading, reading->line, "%s in [%s] is given a second time, as \"%s\"", name,
			 section, value);
	else if (!set_target(entry->target, value))
		complain(reading, reading->line,
			 "%s in [%s] is \"%s\"; it must be a target string, such as %s", name, section, value,
			 kind->example);
}

/* take_if_named - a setting of a section that has a name. False: it has none. */
static bool take_if_named(struct reading *reading, const char *section, const char *name, const char *value)
{
	struct config *config = reading->config;
	const struct named_section kinds[] = {
		{"network ", "target", NET_TARGET_DEFAULT, config->networks, &config->network_count,
		 CONFIG_NETWORKS_MAX},
		{"switch ", "uplink", UPLINK_EXAMPLE, config->switches, &config->switch_count,
		 CONFIG_SWITCHES_MAX},
	};

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (strncmp(section, kinds[i].prefix, strlen(kinds[i].prefix)) != 0)
			continue;
		take_named(reading, &kinds[i], section, name, value);
		return true;
	}
	return false;
}

/* take - libinih's handler: one setting. Always 1, for errors are counted here. */
static int take(void *user, const char *section, const char *name, const char *value)
{
	struct reading *reading = user;

	if (take_if_named(reading, section, name, value))
		return 1;
	for (size_t i = 0; i < KEY_COUNT; i++) {
		if (strcmp(keys[i].section, section) != 0 || strcmp(keys[i].name, name) != 0)
			continue;
		if (reading->seen & (1u << i))
			complain(reading, reading->line, "%s in [%s] is given a second time, as \"%s\"", name,
				 section, value);
		else if (!keys[i].set(reading->config, value))
			complain(reading, reading->line, "%s in [%s] is \"%s\"; it must be %s", name, section,
				 value, keys[i].right);
		reading->seen |= 1u << i;
		return 1;
	}
	complain_unknown(reading, section, name);
	return 1;
}

/* next_line - libinih's reader: fgets that counts, and takes no line in two. */
static char *next_line(char *line, int size, void *user)
{
	struct reading *reading = user;
	int c;

	if (fgets(line, size, reading->file) == NULL)
		return NULL;
	reading->line++;
	if (strchr(line, '\n') != NULL || feof(reading->file))
		return line;
	complain(reading, reading->line, "the line is longer than %d characters", size - 2);
	do
		c = getc(reading->file);
	while (c != '\n' && c != EOF);
	line[0] = '\0';
	return line;
}

int config_read(const char *path, struct config *config, void (*report)(const char *text))
{
	struct reading reading = {.path = path, .config = config, .report = report};
	int wrong_line;

	reading.file = fopen(path, "re");
	if (reading.file == NULL)
		return -errno;
	wrong_line = ini_parse_stream(next_line, &reading, take, &reading);
	if (wrong_line > 0)
		complain(&reading, wrong_line, "neither [section] nor key = value nor a comment");
	if (ferror(reading.file))
		complain(&reading, reading.line, "can't be read further");
	fclose(reading.file);
	return reading.errors;
}
