/* SPDX-License-Identifier: MIT */
/*
 * redoubt-mrtd --cfg redoubt.cfg --dir FILES [--td NAME] [--tdboot tdboot.bin]
 *
 * Prints "NAME MRTD" for each TD of the configuration, or for one of them: what the TDX
 * module will measure when Redoubt starts that TD from the files in FILES. To be compared
 * with the MRTD of a quote. Without --tdboot the image is the one this tool was built
 * with, which is the one the hypervisor of the same build carries.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mgmt/config.h"
#include "sha384/sha384.h"
#include "tdx/measure.h"

#define EXIT_USAGE 2
#define PATH_BYTES 4096
#define READ_CHUNK (UINT64_C(1) << 16)

extern const uint8_t tdboot_image_start[], tdboot_image_end[];

struct options {
	const char *cfg, *dir, *td, *tdboot;
};

/* A file's bytes; the caller frees them. */
struct blob {
	uint8_t *bytes;
	size_t size;
};

static _Noreturn void usage(void)
{
	fputs("usage: redoubt-mrtd --cfg redoubt.cfg --dir FILES [--td NAME]"
	      " [--tdboot tdboot.bin]\n",
	      stderr);
	exit(EXIT_USAGE);
}

static _Noreturn void fail(const char *path, const char *what)
{
	fprintf(stderr, "redoubt-mrtd: %s: %s\n", path, what);
	exit(EXIT_FAILURE);
}

static struct blob read_file(const char *path)
{
	FILE *f = fopen(path, "rb");
	struct blob b = {NULL, 0};
	size_t got;

	if (f == NULL)
		fail(path, strerror(errno));
	do {
		uint8_t *more = realloc(b.bytes, b.size + READ_CHUNK);

		if (more == NULL)
			fail(path, "out of memory");
		b.bytes = more;
		got = fread(b.bytes + b.size, 1, READ_CHUNK, f);
		b.size += got;
	} while (got == READ_CHUNK);
	if (ferror(f))
		fail(path, strerror(errno));
	fclose(f);
	return b;
}

static struct launch_file measure_file(const char *dir, const char *name)
{
	struct launch_file file = {.length = 0};
	char path[PATH_BYTES];
	struct blob b;

	if (name[0] == '\0')
		return file;
	if (snprintf(path, sizeof(path), "%s/%s", dir, name) >= (int)sizeof(path))
		fail(name, "path too long");
	b = read_file(path);
	file.length = b.size;
	if (b.size != 0)
		sha384(b.bytes, b.size, file.sha384);
	free(b.bytes);
	return file;
}

static struct launch_file measure_text(const char *text)
{
	struct launch_file file = {.length = strlen(text)};

	if (file.length != 0)
		sha384(text, file.length, file.sha384);
	return file;
}

static void print_mrtd(const struct td_config *td, const char *dir, const uint8_t *image)
{
	struct launch_file files[TDBOOT_FILE_COUNT];
	uint8_t digest[SHA384_DIGEST_SIZE];
	struct tdboot_params params;

	files[TDBOOT_KERNEL] = measure_file(dir, td->kernel);
	files[TDBOOT_INITRD] = measure_file(dir, td->initrd);
	files[TDBOOT_CMDLINE] = measure_text(td->cmdline);
	launch_params_build(&params, td->vcpus, td->memory, files);
	launch_mrtd(&params, image, digest);
	printf("%s ", td->name);
	for (unsigned i = 0; i < sizeof(digest); i++)
		printf("%02x", digest[i]);
	putchar('\n');
}

static void print_config_error(void *ctx, const char *message)
{
	(void)ctx;
	fprintf(stderr, "redoubt-mrtd: %s\n", message);
}

static struct options parse_options(int argc, char **argv)
{
	struct options o = {NULL, NULL, NULL, NULL};

	for (int i = 1; i < argc; i += 2) {
		if (i + 1 == argc)
			usage();
		if (strcmp(argv[i], "--cfg") == 0)
			o.cfg = argv[i + 1];
		else if (strcmp(argv[i], "--dir") == 0)
			o.dir = argv[i + 1];
		else if (strcmp(argv[i], "--td") == 0)
			o.td = argv[i + 1];
		else if (strcmp(argv[i], "--tdboot") == 0)
			o.tdboot = argv[i + 1];
		else
			usage();
	}
	if (o.cfg == NULL || o.dir == NULL)
		usage();
	return o;
}

int main(int argc, char **argv)
{
	static struct config config;
	struct options o = parse_options(argc, argv);
	struct blob cfg = read_file(o.cfg);
	struct blob image = {NULL, 0};
	bool found = false;

	if (o.tdboot != NULL) {
		image = read_file(o.tdboot);
		if (image.size != TDBOOT_IMAGE_SIZE)
			fail(o.tdboot, "not a tdboot image: expected 65536 bytes");
	}
	config_parse((const char *)cfg.bytes, cfg.size, &config, print_config_error, NULL);
	if (config.error_count != 0)
		fail(o.cfg, "has mistakes; nothing is predicted from it");
	for (unsigned i = 0; i < config.td_count; i++) {
		const struct td_config *td = &config.tds[i];

		if (o.td != NULL && strcmp(o.td, td->name) != 0)
			continue;
		found = true;
		print_mrtd(td, o.dir, image.bytes != NULL ? image.bytes : tdboot_image_start);
	}
	if (!found)
		fail(o.cfg,
		     o.td == NULL ? "configures no TD" : "configures no TD of that name");
	free(image.bytes);
	free(cfg.bytes);
	return EXIT_SUCCESS;
}
