/* SPDX-License-Identifier: MIT */
/* trace-replay [--level N] DIR|FILE...: recorded conversations against the model. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "tests/trace/replay.h"

#define MAX_PATH 4096

static bool ends_with(const char *text, const char *end)
{
	size_t length = strlen(text), tail = strlen(end);

	return length >= tail && strcmp(text + length - tail, end) == 0;
}

static void replay_file(struct replay *replay, const char *path, unsigned outcomes[3])
{
	if (ends_with(path, "mrtd.txt"))
		replay_mrtd(replay, path, outcomes);
	else if (ends_with(path, "sysrd.txt"))
		replay_sysrd(replay, path, outcomes);
	else if (ends_with(path, ".trace"))
		outcomes[replay_trace(replay, path)]++;
}

static void replay_path(struct replay *replay, const char *path, unsigned outcomes[3])
{
	struct dirent **entries;
	struct stat st;
	int count;

	if (stat(path, &st) != 0) {
		printf("%s: does not exist\n", path);
		outcomes[FAILED]++;
		return;
	}
	if (!S_ISDIR(st.st_mode)) {
		replay_file(replay, path, outcomes);
		return;
	}
	count = scandir(path, &entries, NULL, alphasort);
	for (int i = 0; i < count; i++) {
		char child[MAX_PATH];

		if (entries[i]->d_name[0] != '.' &&
		    snprintf(child, sizeof(child), "%s/%s", path, entries[i]->d_name) <
			    (int)sizeof(child))
			replay_path(replay, child, outcomes);
		free(entries[i]);
	}
	if (count >= 0)
		free(entries);
}

int main(int argc, char **argv)
{
	static struct replay replay = {.level = LEVEL_STRICTEST};
	unsigned outcomes[3] = {0};

	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--level") == 0 && i + 1 < argc)
			replay.level = atoi(argv[++i]);
		else
			replay_path(&replay, argv[i], outcomes);
	}
	replay_free(&replay);
	if (replay.not_compared > 0)
		printf("%lu values of CPUID and MSR reads depend on the CPU: not compared\n",
		       replay.not_compared);
	printf("%u passed, %u failed, %u skipped\n", outcomes[PASSED], outcomes[FAILED],
	       outcomes[SKIPPED]);
	return outcomes[FAILED] == 0 && outcomes[PASSED] > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
