/* SPDX-License-Identifier: MIT */
/* redoubt.cfg: whatever the file holds, what comes out of it is within its limits. */
#include "core/addr.h"
#include "mgmt/config.h"
#include "tests/fuzz/fuzz.h"

static unsigned message_count;

static bool is_printable(const char *text)
{
	for (; *text != '\0'; text++)
		if (*text < ' ' || *text > '~')
			return false;
	return true;
}

static void on_error(void *ctx, const char *message)
{
	(void)ctx;
	message_count++;
	FUZZ_CHECK(strncmp(message, "redoubt.cfg:", 12) == 0);
	FUZZ_CHECK(strstr(message, ": expected ") != NULL);
	FUZZ_CHECK(is_printable(message));
	FUZZ_CHECK(message[strlen(message) - 1] == '\'');
}

static void check_td(const struct td_config *td)
{
	FUZZ_CHECK(fuzz_is_string(td->name, sizeof(td->name)) && td->name[0] != '\0');
	FUZZ_CHECK(fuzz_is_string(td->kernel, sizeof(td->kernel)));
	FUZZ_CHECK(fuzz_is_string(td->initrd, sizeof(td->initrd)));
	FUZZ_CHECK(fuzz_is_string(td->cmdline, sizeof(td->cmdline)));
	FUZZ_CHECK(is_printable(td->name) && is_printable(td->kernel) &&
		   is_printable(td->initrd));
	FUZZ_CHECK(td->vcpus >= 1 && td->vcpus <= 64);
	FUZZ_CHECK(td->memory % SIZE_2M == 0 && td->memory >= 128U << 20);
	FUZZ_CHECK((td->attributes & ~(TD_ATTR_DEBUG | TD_ATTR_SEPT_VE_DISABLE | TD_ATTR_PKS |
				       TD_ATTR_PERFMON)) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct config config;
	uint8_t *text = fuzz_copy(data, size);

	message_count = 0;
	config_parse((const char *)text, size, &config, on_error, NULL);
	FUZZ_CHECK(config.td_count <= CONFIG_MAX_TDS);
	FUZZ_CHECK(message_count == (config.error_count < 32 ? config.error_count : 32));
	FUZZ_CHECK(config.console_port != 0 && config.console_baud != 0);
	FUZZ_CHECK(config.autostart_count <= CONFIG_MAX_TDS);
	for (unsigned i = 0; i < config.autostart_count; i++)
		FUZZ_CHECK(config.autostart[i] < config.td_count);
	for (unsigned i = 0; i < config.td_count; i++)
		check_td(&config.tds[i]);
	free(text);
	return 0;
}
