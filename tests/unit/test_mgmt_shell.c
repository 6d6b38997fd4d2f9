/* SPDX-License-Identifier: MIT */
/* The shell from its keyboard to its screen, above TDs that this file pretends. */
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

#include "core/log.h"
#include "drivers/power.h"
#include "drivers/timer.h"
#include "mgmt/cmd.h"
#include "mgmt/shell.h"
#include "mgmt/version.h"
#include "mm/frame.h"
#include "mm/phys.h"
#include "tdx/td.h"
#include "tests/fake/fake.h"
#include "tests/hosted/hosted.h"
#include "tests/unit/test.h"
#include "vm/cpu_loop.h"
#include "vm/launch.h"

/* ---- TDs ---- */

/* For the shell, the linker puts this function before the real one (tests/unit/unit.mk). */
#define PRETENDED(result, name, ...)                                                           \
	result __wrap_##name(__VA_ARGS__);                                                     \
	result __wrap_##name(__VA_ARGS__)

#define MAX_TDS 4

static struct vm_info tds[MAX_TDS];
static unsigned td_count;
static const char *create_problem = "";
static enum status create_status;
static vm_console_fn reader;
static char typed[64];
static bool is_input_full;
static struct tdx_module_info module = {.is_ready = true,
					.major = 1,
					.minor = 5,
					.update = 1,
					.build_date = 20230323,
					.keyid_count = 31};
static char events[128]; /* what happened at the end of the machine */

static void event(const char *what)
{
	strcat(events, what);
	strcat(events, " ");
}

static struct vm_info *find(const char *name)
{
	for (unsigned i = 0; i < td_count; i++)
		if (strcmp(tds[i].name, name) == 0)
			return &tds[i];
	return NULL;
}

PRETENDED(enum status, vm_create, const struct td_config *config, struct vm_error *why)
{
	struct vm_info *td = &tds[td_count];

	if (create_status != STATUS_OK) {
		strcpy(why->text, create_problem);
		return create_status;
	}
	if (find(config->name) != NULL) {
		strcpy(why->text, "TD exists already");
		return STATUS_EXISTS;
	}
	*td = (struct vm_info){.state = VM_CREATED,
			       .vcpus = config->vcpus,
			       .memory = config->memory,
			       .hkid = 33,
			       .has_mrtd = true,
			       .mrtd = {0xab, 0xcd},
			       .exits = 42,
			       .exits_by_kind = {[EXIT_KIND_CPUID] = 12, [EXIT_KIND_HLT] = 30},
			       .create_seamcalls = 1234};
	strcpy(td->name, config->name);
	td_count++;
	return STATUS_OK;
}

PRETENDED(enum status, vm_start, const char *name, struct vm_error *why)
{
	struct vm_info *td = find(name);

	if (td == NULL || td->state != VM_CREATED) {
		strcpy(why->text, "TD is not in state created");
		return STATUS_BAD_STATE;
	}
	td->state = VM_RUNNING;
	return STATUS_OK;
}

PRETENDED(enum status, vm_destroy, const char *name, struct vm_error *why)
{
	(void)why;
	find(name)->state = VM_DYING;
	find(name)->dying_percent = 45;
	return STATUS_OK;
}

PRETENDED(void, vm_finish_reclaim, void)
{
	unsigned kept = 0;

	for (unsigned i = 0; i < td_count; i++)
		if (tds[i].state != VM_DYING)
			tds[kept++] = tds[i];
	td_count = kept;
}

PRETENDED(bool, vm_vcpu, const char *name, unsigned index, struct vcpu_info *out)
{
	static const struct vcpu_info vcpus[] = {{3, "runnable", 1234}, {2, "halted", 5}};

	(void)name;
	if (index < 2)
		*out = vcpus[index];
	return index < 2;
}

/* The mechanism of every TD that lives, for that many more calls. */
static struct td *mechanism;
static unsigned mechanism_calls = 1000;

PRETENDED(struct td *, vm_td, const char *name)
{
	const struct vm_info *td = find(name);

	return td != NULL && td->state <= VM_RUNNING && mechanism_calls-- > 0 ? mechanism
									      : NULL;
}

PRETENDED(void, vm_shutdown_all, void) { event("shutdown"); }
PRETENDED(void, tdx_module_stop, void) { event("stop"); }

static jmp_buf machine_end;

PRETENDED(_Noreturn void, power_end, enum power_action action, uint8_t code)
{
	char text[32];

	snprintf(text, sizeof(text), "end(%d,%u)", (int)action, code);
	event(text);
	longjmp(machine_end, 1);
}

PRETENDED(bool, vm_nth, unsigned place, struct vm_info *out)
{
	if (place < td_count)
		*out = tds[place];
	return place < td_count;
}

PRETENDED(enum status, vm_get, const char *name, struct vm_info *out)
{
	struct vm_info *td = find(name);

	if (td == NULL)
		return STATUS_NOT_FOUND;
	*out = *td;
	return STATUS_OK;
}

PRETENDED(void, vm_console_attach, const char *name, vm_console_fn emit)
{
	reader = name != NULL ? emit : NULL;
	if (reader != NULL)
		reader("old\r\n", 5);
}

PRETENDED(void, vm_console_input, char c)
{
	if (!is_input_full)
		strncat(typed, &c, 1);
}

PRETENDED(const struct tdx_module_info *, tdx_module_info, void) { return &module; }

PRETENDED(void, tdx_check_each, void (*emit)(void *ctx, const struct tdx_check *row), void *ctx)
{
	emit(ctx, &(struct tdx_check){"SEAMRR", "enabled", "enabled", "", true});
	emit(ctx, &(struct tdx_check){"private KeyIDs", "0", "at least 2",
				      "BIOS: TDX key split", false});
}

static unsigned keyids_lost;

PRETENDED(unsigned, tdx_keyid_free_count, void) { return 31 - keyids_lost - td_count; }
PRETENDED(uint64_t, tdx_seamcall_count, void) { return 4711; }

static void (*poll_shell)(void);

PRETENDED(void, cpu_loop_set_poll, void (*poll)(void)) { poll_shell = poll; }

/* ---- A session ---- */

static struct boot_info bi = {.boot_path = "uefi"};
static struct config config;

static void begin(const char *cfg)
{
	config_parse(cfg, strlen(cfg), &config, NULL, NULL);
	launch_init(&bi);
	shell_init(&bi, &config);
}

static void begin_with_web(void) { begin("[td web]\nkernel = vmlinuz\n[td db]\nvcpus = 2\n"); }

static void settle(void)
{
	for (int i = 0; i < 50; i++) {
		fake_set_tsc(hw_rdtsc() + 1000000);
		poll_shell();
	}
}

/* What the shell prints while it reads `keys` and settles, or ends the machine. */
static const char *type(const char *keys)
{
	fake_uart_clear();
	fake_uart_type(keys);
	if (setjmp(machine_end) == 0)
		settle();
	return fake_uart_output();
}

static void expect_answer(const char *keys, const char *answer)
{
	static char want[4096];

	snprintf(want, sizeof(want), "%.*s\n%s\r\x1b[Kredoubt> ", (int)strlen(keys) - 1, keys,
		 answer);
	EXPECT_STR_EQ(type(keys), want);
}

static void expect_contains(const char *text, const char *part)
{
	if (strstr(text, part) == NULL)
		test_fail(__FILE__, __LINE__, "\"%s\" is not in:\n%s", part, text);
}

/* ---- Words ---- */

TEST(shell_prints_its_prompt_before_anything_else)
{
	begin("[redoubt]\nautostart = a\n[td a]\nkernel = k");
	EXPECT_STR_EQ(fake_uart_output(), "\r\x1b[Kredoubt> ");
	EXPECT_EQ(td_count, 0);
}

TEST(shell_names_the_words_it_knows_when_one_is_wrong)
{
	begin_with_web();
	expect_answer("frobnicate now\r",
		      "frobnicate: unknown command, expected one of: help version info list "
		      "create start destroy console td-info exits vcpu-list mem sept gpa hkid "
		      "tdx-check log reboot poweroff panic-test\n");
}

TEST(shell_names_the_usage_when_arguments_are_wrong)
{
	begin_with_web();
	expect_answer("create\r", "create: expected 'create NAME', found 0 arguments\n");
	expect_answer("list -x\r", "list: expected 'list [-j]', found 1 argument\n");
	expect_answer("td-info a b -j\r",
		      "td-info: expected 'td-info [-j] NAME', found 2 arguments\n");
	expect_answer("start 1 2 3 4 5 6 7 8 9\r",
		      "start: expected 'start NAME', found 9 arguments\n");
	expect_answer("gpa\r", "gpa: expected 'gpa [-j] NAME [GPA]', found 0 arguments\n");
	expect_answer("gpa a 0 0\r",
		      "gpa: expected 'gpa [-j] NAME [GPA]', found 3 arguments\n");
	expect_answer("  \r", "");
}

TEST(shell_names_the_tds_when_one_is_unknown)
{
	begin_with_web();
	expect_answer("start wbe\r", "start: unknown TD 'wbe', expected one of: web db\n");
	expect_answer("console wbe\r", "console: unknown TD 'wbe', expected one of: web db\n");
	expect_answer("destroy web\r",
		      "destroy: TD 'web' is not created, expected 'create web' "
		      "or 'start web' before\n");
	begin("");
	expect_answer("create x\r", "create: unknown TD 'x', expected a [td NAME] of "
				    "redoubt.cfg, which has none\n");
}

TEST(shell_create_prints_measurement_and_cost)
{
	begin_with_web();
	expect_answer("create web\r", "web created: MRTD abcd"
				      "00000000000000000000000000000000000000000000000"
				      "00000000000000000000000000000000000000000000"
				      "0, 1234 SEAMCALLs\n");
	EXPECT_EQ(tds[0].state, VM_CREATED);
}

TEST(shell_create_without_kernel_names_the_line)
{
	begin_with_web();
	expect_answer("create db\r",
		      "create: redoubt.cfg:3: expected a line kernel = FILE in [td db]\n");
}

TEST(shell_passes_on_why_create_failed)
{
	begin_with_web();
	create_status = STATUS_NO_KEYID;
	create_problem = "TD web: no KeyID left, expected 1 free of 31";
	expect_answer("create web\r", "create: TD web: no KeyID left, expected 1 free of 31\n");
}

TEST(shell_start_creates_the_td_if_need_be)
{
	begin_with_web();
	expect_answer("start web\r", "web started\n");
	EXPECT_EQ(tds[0].state, VM_RUNNING);
	expect_answer("start web\r", "start: TD is not in state created\n");
}

TEST(shell_start_of_a_dying_name_waits_for_its_end)
{
	begin_with_web();
	type("start web\r");
	expect_answer("destroy web\r",
		      "web destroyed: its KeyID is free, its memory follows\n");
	expect_contains(type("list\r"), "web              dying 45%        ");
	expect_answer("start web\r", "web started\n");
	EXPECT_EQ(td_count, 1);
}

TEST(shell_list_shows_tds_and_what_could_be_one)
{
	begin_with_web();
	type("start web\r");
	expect_answer("list\r", "NAME             STATE                   VCPUS   MEMORY/MIB   "
				"     KEYID        EXITS REASON\n"
				"web              running                     1          512   "
				"        33           42\n"
				"db               configured                  2          512   "
				"         0            0\n");
	expect_answer(
		"list -j\r",
		"{\"name\":\"web\",\"state\":\"running\",\"vcpus\":1,\"memory_mib\":512,"
		"\"keyid\":33,\"exits\":42,\"reason\":\"\"}\n"
		"{\"name\":\"db\",\"state\":\"configured\",\"vcpus\":2,\"memory_mib\":512,"
		"\"keyid\":0,\"exits\":0,\"reason\":\"\"}\n");
}

TEST(shell_json_escapes_what_it_must)
{
	begin_with_web();
	type("create web\r");
	strcpy(tds[0].reason, "said \"\\\" and \x07");
	expect_contains(type("list -j\r"), "\"reason\":\"said \\\"\\\\\\\" and \\u0007\"}\n");
}

TEST(shell_td_info_tells_all)
{
	begin_with_web();
	type("create web\r");
	expect_contains(type("td-info web\r"), "state              created\n");
	expect_contains(type("td-info web\r"), "mrtd               abcd00");
	expect_contains(type("td-info web -j\r"), "\"create_seamcalls\":1234}\n");
}

TEST(shell_exits_are_summed_up)
{
	begin_with_web();
	type("create web\r");
	expect_answer("exits web\r", "CPUID                      12\n"
				     "HLT                        30\n"
				     "total                      42\n");
	expect_answer("exits -j web\r", "{\"reason\":\"CPUID\",\"count\":12}\n"
					"{\"reason\":\"HLT\",\"count\":30}\n");
}

TEST(shell_mem_owners_add_up_to_the_total)
{
	const char *line;
	uint64_t sum = 0;
	char name[64];
	unsigned long value;

	begin_with_web();
	line = strchr(type("mem\r"), '\n');
	for (unsigned i = 0; i < FRAME_OWNER_COUNT; i++) {
		EXPECT_EQ(sscanf(line + 1, "%63s %lu", name, &value), 2);
		EXPECT_STR_EQ(name, frame_owner_name((enum frame_owner)i));
		sum += value;
		line = strchr(line + 1, '\n');
	}
	EXPECT_EQ(sscanf(line + 1, "%63s %lu", name, &value), 2);
	EXPECT_STR_EQ(name, "total");
	EXPECT_EQ(sum, value);
	expect_contains(line, "\nkeyids_free        31\n");
	expect_contains(type("mem -j\r"), ",\"keyids_free\":31}\n");
}

TEST(shell_shows_what_waits_for_its_write_back_as_a_figure_of_its_own)
{
	begin("[td web]\nkernel = k\n[td db]\nkernel = k\n");
	type("create web\rcreate db\r");
	tds[0].write_back_bytes = 0x200000;
	tds[1].write_back_bytes = 0x1000;
	expect_contains(type("mem\r"), "\nwrite_back         2101248\n");
	expect_contains(type("td-info web\r"), "\nwrite_back_bytes   2097152\n");
}

TEST(shell_hkid_tells_who_has_the_keyids)
{
	begin("[td web]\nkernel = k\n[td db]\nkernel = k\n");
	type("create web\rcreate db\r");
	tds[1].hkid = 35;
	module.global_keyid = 32;
	keyids_lost = 2;
	expect_answer("hkid\r", "global_keyid       32\n"
				"keyids             31\n"
				"keyids_free        27\n"
				"keyids_of_tds      2\n"
				"keyids_lost        2\n"
				"          33 web\n"
				"          35 db\n");
	expect_contains(type("hkid -j\r"), ",\"keyids_lost\":2}\n"
					   "{\"keyid\":33,\"td\":\"web\"}\n");
}

TEST(shell_hkid_counts_no_td_whose_keyid_is_back)
{
	begin_with_web();
	type("create web\r");
	tds[0].state = VM_DYING;
	tds[0].hkid = 0;
	keyids_lost = 1; /* which the fake has still for the TD */
	expect_contains(type("hkid\r"), "keyids_of_tds      0\n"
					"keyids_lost        2\n"
					"\r");
}

TEST(shell_vcpu_list_tells_where_and_how_vcpus_are)
{
	begin_with_web();
	type("create web\r");
	expect_answer("vcpu-list web\r", "        VCPU          CPU        EXITS STATE\n"
					 "           0            3         1234 runnable\n"
					 "           1            2            5 halted\n");
	expect_contains(type("vcpu-list web -j\r"),
			"{\"vcpu\":0,\"cpu\":3,\"exits\":1234,\"state\":\"runnable\"}\n");
}

/* ---- A TD's memory ---- */

#define RAM (UINT64_C(1) << 31)

/* A TD called web of 2 GiB, its memory empty, on the hosted machine. */
static void begin_with_memory(void)
{
	static struct td td;
	static struct td_vcpu vcpu;
	const struct td_params params = {.attributes = TDX_ATTR_SEPT_VE_DISABLE,
					 .max_vcpus = 1,
					 .tsc_khz = 1000000,
					 .ram_low_end = gpa(RAM),
					 .ram_high_end = gpa(RAM * 2)};

	hosted_start_ready(&hosted_default);
	EXPECT_EQ(td_create(&td, &params), STATUS_OK);
	EXPECT_EQ(td_vcpu_create(&td, &vcpu, 0), STATUS_OK);
	EXPECT_EQ(td_finalize(&td), STATUS_OK);
	mechanism = &td;
	begin_with_web();
	type("create web\r");
}

static void share(uint64_t at, uint64_t size)
{
	EXPECT_EQ(td_unmap_private_begin(mechanism, gpa(at), size), STATUS_OK);
	EXPECT_EQ(td_unmap_private_commit(mechanism, gpa(at), size), STATUS_OK);
}

TEST(shell_sept_tells_what_is_mapped_at_4k_and_why)
{
	begin_with_memory();
	EXPECT_EQ(td_populate(mechanism, gpa(0), 8 * SIZE_2M), STATUS_OK);
	share(SIZE_2M + 0x1000, SIZE_2M);
	EXPECT_EQ(td_resolve_fault(mechanism, gpa(RAM - 0x1000), LEVEL_4K), STATUS_OK);
	expect_answer("sept web\r",
		      "pages_1g           0\n"
		      "pages_2m           6\n"
		      "pages_4k           513\n"
		      "private_bytes      14684160\n"
		      "sept_pages         6\n"
		      "FROM             TO                   PAGES/4K REASON\n"
		      "0x200000         0x600000                  512 partly shared\n"
		      "0x7fe00000       0x80000000                  1 partly absent\n");
	expect_contains(type("sept -j web\r"),
			"\"private_bytes\":14684160,\"sept_pages\":6}\n"
			"{\"from\":\"0x200000\",\"to\":\"0x600000\",\"pages_4k\":512,"
			"\"reason\":\"partly shared\"}\n");
	expect_contains(
		type("sept web 0x612345\r"),
		"REASON\n0x7fe00000       0x80000000                  1 partly absent\n");
}

TEST(shell_sept_of_a_td_all_at_2m_has_no_list)
{
	begin_with_memory();
	EXPECT_EQ(td_populate(mechanism, gpa(0), SIZE_2M), STATUS_OK);
	expect_contains(type("sept web\r"), "sept_pages         2\n\r");
}

TEST(shell_gpa_lists_what_is_private_and_what_is_shared)
{
	begin_with_memory();
	share(0x3000, 0x2000);
	expect_answer("gpa web\r", "map_bytes          0\n"
				   "map_bytes_held     0\n"
				   "FROM             TO                      BYTES KIND\n"
				   "0x0              0x3000                  12288 private\n"
				   "0x3000           0x5000                   8192 shared\n"
				   "0x5000           0x80000000         2147463168 private\n");
	expect_contains(type("gpa web -j\r"),
			"{\"map_bytes\":0,\"map_bytes_held\":0}\n"
			"{\"from\":\"0x0\",\"to\":\"0x3000\",\"bytes\":12288,"
			"\"kind\":\"private\"}\n");
}

TEST(shell_gpa_tells_all_about_one)
{
	begin_with_memory();
	EXPECT_EQ(td_populate(mechanism, gpa(0), SIZE_2M), STATUS_OK);
	share(0x3000, 0x2000);
	expect_answer("gpa web 3fff\r",
		      "gpa                0x3fff\n"
		      "page               shared, no page (4K entry FREE)\n"
		      "FROM             TO                      BYTES KIND\n"
		      "0x3000           0x5000                   8192 shared\n"
		      "0x5000           0x80000000         2147463168 private\n");
	expect_contains(type("gpa web 0X5000 -j\r"),
			"{\"gpa\":\"0x5000\",\"page\":\"private, 4K PENDING");
}

TEST(shell_sept_and_gpa_name_a_bad_gpa)
{
	begin_with_memory();
	expect_answer("gpa web 12x\r", "gpa: expected a GPA like 0x200000, found '12x'\n");
	expect_answer("gpa web 0x\r", "gpa: expected a GPA like 0x200000, found '0x'\n");
	expect_answer("sept web 12345678123456780\r",
		      "sept: expected a GPA like 0x200000, found '12345678123456780'\n");
	expect_answer("gpa web 80000000\r", "gpa: 0x80000000 is no RAM of 'web'\n");
	expect_answer("gpa web ffffffffffffffff\r",
		      "gpa: 0xffffffffffffffff is no RAM of 'web'\n");
	expect_contains(type("sept web ffffffffffffffff\r"), "sept_pages         0\n\r");
}

TEST(shell_sept_and_gpa_need_a_td_that_is_there)
{
	begin_with_memory();
	expect_answer("sept wbe\r", "sept: unknown TD 'wbe', expected one of: web db\n");
	expect_answer("gpa db\r", "gpa: TD 'db' is not created, expected 'create db' or "
				  "'start db' before\n");
	tds[0].state = VM_STOPPED;
	expect_answer("gpa web\r",
		      "gpa: 'web' is stopped, expected a TD that is created or running\n");
}

static unsigned count_lines(const char *text, const char *part)
{
	unsigned n = 0;

	for (; (text = strstr(text, part)) != NULL; text++)
		n++;
	return n;
}

TEST(shell_list_of_many_runs_ends_with_where_the_rest_begins)
{
	begin_with_memory();
	for (uint64_t at = 0; at < 600 * 2 * SIZE_4K; at += 2 * SIZE_4K)
		EXPECT_EQ(gpa_map_set(&mechanism->map, gpa(at), SIZE_4K, GPA_SHARED),
			  STATUS_OK);
	EXPECT_EQ(count_lines(type("gpa web\r"), "\n0x"), 512);
	expect_contains(fake_uart_output(), " private\nmore_from          0x200000\n\r");
	EXPECT_EQ(count_lines(type("gpa web 200000\r"), "\n0x"), 512);
	expect_contains(fake_uart_output(), "\nmore_from          0x400000\n\r");
	EXPECT_EQ(count_lines(type("gpa web 400000\r"), "\n0x"), 1200 - 2 * 512);
	EXPECT_EQ(count_lines(fake_uart_output(), "more_from"), 0);
	expect_contains(type("gpa web -j\r"), "{\"more_from\":\"0x200000\"}\n");
}

TEST(shell_sept_of_many_runs_ends_with_where_the_rest_begins)
{
	begin_with_memory();
	for (uint64_t at = 0; at < RAM; at += 2 * SIZE_2M)
		EXPECT_EQ(td_resolve_fault(mechanism, gpa(at), LEVEL_4K), STATUS_OK);
	EXPECT_EQ(count_lines(type("sept web\r"), "\n0x"), 512);
	EXPECT_EQ(count_lines(fake_uart_output(), "more_from"), 0);
	EXPECT_EQ(td_populate(mechanism, gpa(SIZE_2M), SIZE_2M), STATUS_OK);
	EXPECT_EQ(td_resolve_fault(mechanism, gpa(SIZE_2M), LEVEL_4K), STATUS_OK);
	EXPECT_EQ(count_lines(type("sept web\r"), "\n0x"), 512);
	expect_contains(fake_uart_output(), "\nmore_from          0x7fc00000\n\r");
	EXPECT_EQ(count_lines(type("sept web 0x7fc00000\r"), "\n0x"), 1);
}

TEST(shell_list_says_when_the_td_ends_in_the_middle)
{
	begin_with_memory();
	for (uint64_t at = 0; at < 100 * 2 * SIZE_4K; at += 2 * SIZE_4K)
		EXPECT_EQ(gpa_map_set(&mechanism->map, gpa(at), SIZE_4K, GPA_SHARED),
			  STATUS_OK);
	mechanism_calls = 3;
	EXPECT_EQ(count_lines(type("gpa web\r"), "\n0x"), 32);
	expect_contains(fake_uart_output(), "\ngpa: 'web' ended before the list did\n\r");
}

TEST(shell_tdx_check_says_what_is_missing)
{
	begin_with_web();
	expect_answer(
		"tdx-check\r",
		"ok      SEAMRR: found enabled, needed enabled\n"
		"missing private KeyIDs: found 0, needed at least 2; BIOS: TDX key split\n"
		"TDX is ready\n");
	module.is_ready = false;
	strcpy(module.refusal, "no VMX");
	expect_contains(type("tdx-check\r"), "TDX is refused: no VMX\n");
	expect_contains(type("info\r"), "tdx                refused: no VMX\n");
	expect_contains(type("version\r"), "Redoubt " REDOUBT_VERSION "\nTDX module none\n");
	expect_contains(type("tdx-check -j\r"),
			"{\"check\":\"SEAMRR\",\"result\":\"ok\",\"found\":\"enabled\",");
}

TEST(shell_info_hashes_the_boot_files)
{
	static const char digest[] = "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded163"
				     "1a8b605a43ff5bed8086072ba1e7cc2358baeca134c825a7\n";

	memcpy(phys_ptr(hpa(0x10000)), "abc", 3);
	bi.module_count = 2;
	bi.modules[0] = (struct boot_module){"abc", hpa(0x10000), 3};
	bi.modules[1] = (struct boot_module){"big", hpa(0x100000), 1 << 20};
	begin_with_web();
	expect_contains(type("info\r"), "boot               uefi\n");
	expect_contains(fake_uart_output(), "tdx                ready\n");
	expect_contains(fake_uart_output(), "module             1.5.01, build 20230323\n");
	expect_contains(fake_uart_output(), "\nabc                         3 cb00753f");
	expect_contains(fake_uart_output(), digest);
	expect_contains(fake_uart_output(), "\nbig                   1048576 ");
	expect_contains(type("info -j\r"), "{\"file\":\"big\",\"bytes\":1048576,\"sha384\":\"");
}

TEST(shell_runs_the_line_behind_a_long_command_after_it)
{
	bi.module_count = 1;
	bi.modules[0] = (struct boot_module){"big", hpa(0x100000), 4 << 20};
	begin_with_web();
	type("info\rversion\r");
	expect_contains(strstr(fake_uart_output(), "\nbig "), "version\nRedoubt ");
}

TEST(shell_echoes_what_was_typed_ahead_behind_its_prompt)
{
	begin_with_web();
	expect_contains(type("version\rpower"), "\r\x1b[Kredoubt> power");
}

TEST(shell_help_explains_every_word)
{
	begin_with_web();
	expect_contains(type("help\r"), "destroy    NAME       ends a TD");
	expect_answer("help mem\r", "mem [-j]: physical memory by owner, free KeyIDs\n"
				    "-j: answers with one JSON object a line\n");
	expect_contains(type("help x\r"), "x: unknown command, expected one of: help");
}

TEST(shell_log_prints_the_ring_and_sets_the_level)
{
	begin_with_web();
	log_debug("below the threshold");
	log_info("first line");
	expect_contains(type("log\r"), "hv: first line\n");
	expect_answer("log debug\r", "log level debug\n");
	EXPECT_EQ(log_threshold, LOG_DEBUG);
	expect_answer("log loud\r", "log: expected error, warn, info or debug, found 'loud'\n");
}

TEST(shell_poweroff_ends_tds_then_the_module_then_as_configured)
{
	begin("[redoubt]\non-exit = port 0xf4\n");
	type("poweroff\r");
	EXPECT_STR_EQ(events, "shutdown stop end(2,16) ");
}

TEST(shell_reboot_reboots_whatever_is_configured)
{
	begin("[redoubt]\non-exit = port 0xf4\n");
	type("reboot\r");
	EXPECT_STR_EQ(events, "shutdown stop end(1,16) ");
}

TEST(shell_panic_test_panics)
{
	begin_with_web();
	fake_expect_panic();
	type("panic-test\r");
	test_fail(__FILE__, __LINE__, "still here");
}

/* ---- Autostart ---- */

TEST(shell_autostart_starts_what_is_configured_in_that_order_and_reports_the_rest)
{
	begin("[redoubt]\nautostart = c, b a\n[td a]\nkernel = k\n[td b]\n"
	      "[td c]\nkernel = k\n");
	type("");
	EXPECT_EQ(td_count, 2);
	EXPECT_STR_EQ(tds[0].name, "c");
	EXPECT_EQ(tds[0].state, VM_RUNNING);
	EXPECT_EQ(tds[1].state, VM_RUNNING);
	expect_contains(fake_uart_output(), "shell: autostart: a started\n");
	expect_contains(fake_uart_output(),
			"shell: autostart: b: redoubt.cfg:5: expected a line kernel = FILE in "
			"[td b]\n");
}

/* ---- Log lines and the prompt ---- */

TEST(shell_log_line_takes_the_place_of_the_prompt_which_comes_back)
{
	const char *out;

	begin_with_web();
	type("lis");
	fake_uart_clear();
	log_info("hello");
	out = fake_uart_output();
	EXPECT_EQ(strncmp(out, "\r\x1b[K[", 5), 0);
	log_info("again");
	fake_uart_clear();
	poll_shell();
	EXPECT_STR_EQ(fake_uart_output(), "\r\x1b[Kredoubt> lis");
	poll_shell();
	EXPECT_STR_EQ(fake_uart_output(), "\r\x1b[Kredoubt> lis");
	expect_contains(type("t\r"), "NAME ");
}

/* ---- Console ---- */

static void attach(void)
{
	begin_with_web();
	type("start web\r");
	EXPECT_STR_EQ(type("console web\r"),
		      "console web\nconsole of web, Ctrl-] leaves it\nold\r\n");
}

TEST(console_passes_keys_to_the_td_and_its_output_to_the_screen)
{
	attach();
	EXPECT_STR_EQ(type("ls\r\x03"), "");
	EXPECT_STR_EQ(typed, "ls\r\x03");
	reader("bin\r\n# ", 7);
	EXPECT_STR_EQ(fake_uart_output(), "bin\r\n# ");
}

TEST(console_is_left_by_control_bracket_and_the_prompt_returns)
{
	attach();
	EXPECT_STR_EQ(type("a\x1d"), "console of web left: Ctrl-]\n\r\x1b[Kredoubt> ");
	EXPECT_STR_EQ(typed, "a");
	EXPECT_TRUE(reader == NULL);
	expect_contains(type("version\r"), "Redoubt");
}

TEST(console_is_left_when_the_td_ends_and_says_why)
{
	attach();
	reader("# ", 2);
	tds[0].state = VM_STOPPED;
	strcpy(tds[0].reason, "power off by the guest");
	EXPECT_STR_EQ(type(""), "\nconsole of web left: TD stopped: power off by the guest\n"
				"\r\x1b[Kredoubt> ");
}

TEST(console_is_left_when_the_td_is_gone)
{
	attach();
	td_count = 0;
	EXPECT_STR_EQ(type(""), "console of web left: the TD is gone\n\r\x1b[Kredoubt> ");
}

TEST(console_of_a_td_that_takes_no_keys_can_be_left)
{
	static char keys[400];

	attach();
	is_input_full = true;
	memset(keys, 'x', sizeof(keys) - 2);
	keys[sizeof(keys) - 2] = 0x1d;
	expect_contains(type(keys), "console of web left: Ctrl-]\n");
	EXPECT_STR_EQ(typed, "");
}

TEST(console_shows_log_lines_between_the_lines_of_the_td)
{
	attach();
	reader("hel", 3);
	fake_uart_clear();
	log_warn("look");
	poll_shell();
	EXPECT_STR_EQ(fake_uart_output(), "");
	reader("lo\r\nnext", 8);
	expect_contains(fake_uart_output(), "lo\r\n[");
	expect_contains(fake_uart_output(), "hv: look\nnext");
}

TEST(console_shows_log_lines_behind_a_prompt_after_a_while)
{
	attach();
	reader("# ", 2);
	log_warn("look");
	expect_contains(type(""), "\n[");
	expect_contains(fake_uart_output(), "hv: look\n");
	log_warn("again");
	EXPECT_EQ(type("")[0], '[');
}

TEST(console_shows_log_lines_although_the_tds_line_never_ends)
{
	attach();
	reader("x", 1);
	log_warn("look");
	fake_uart_clear();
	for (unsigned i = 0; i < 60; i++) {
		timer_delay_us(20000);
		reader("x", 1);
		poll_shell();
	}
	expect_contains(fake_uart_output(), "x\n[");
	expect_contains(fake_uart_output(), "hv: look\nx");
}

TEST(console_shows_every_log_line_once)
{
	attach();
	log_warn("one");
	EXPECT_EQ(count_lines(type(""), "hv: one"), 1);
	reader("# ", 2);
	log_warn("two");
	fake_uart_clear();
	EXPECT_EQ(count_lines(type("\x1d"), "hv: two"), 1);
	EXPECT_EQ(fake_uart_output()[0], '\n');
	expect_contains(fake_uart_output(), "hv: two\nconsole of web left: Ctrl-]\n");
	log_warn("three");
	expect_contains(fake_uart_output(), "hv: three\n");
	EXPECT_STR_EQ(type(""), "\r\x1b[Kredoubt> ");
}

TEST(console_holds_no_log_line_back_when_the_machine_dies)
{
	attach();
	reader("hel", 3);
	log_set_dying();
	fake_uart_clear();
	log_error("the end");
	EXPECT_EQ(fake_uart_output()[0], '\n');
	expect_contains(fake_uart_output(), "hv: the end\n");
}
