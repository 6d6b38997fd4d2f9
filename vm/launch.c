/* SPDX-License-Identifier: MIT */
#include "vm/launch.h"

#include <stddef.h>

#include "core/string.h"
#include "guest-abi/linux_boot.h"
#include "guest-abi/tdboot.h"
#include "mm/frame.h"
#include "mm/phys.h"
#include "sha384/sha384.h"
#include "tdx/measure.h"

#define DIGEST_STEP (UINT64_C(256) << 10)

/* tdboot/tdboot_blob.S */
extern const uint8_t tdboot_image_start[], tdboot_image_end[];

static const struct boot_info *boot;

/* A module never changes, so its digest is made once. */
static struct digest {
	struct sha384 hash;
	uint64_t offset; /* bytes that are in `hash` */
	bool is_known;
	uint8_t sha384[SHA384_DIGEST_SIZE];
} digests[BOOT_MAX_MODULES];

void launch_init(const struct boot_info *bi) { boot = bi; }

const uint8_t *vm_file_digest(const struct boot_module *m)
{
	struct digest *d = &digests[m - boot->modules];
	uint64_t left = m->size - d->offset;
	uint64_t n = left < DIGEST_STEP ? left : DIGEST_STEP;

	if (d->is_known)
		return d->sha384;
	if (d->offset == 0)
		sha384_init(&d->hash);
	sha384_update(&d->hash, phys_ptr(hpa_add(m->base, d->offset)), n);
	d->offset += n;
	if (n < left)
		return NULL;
	sha384_final(&d->hash, d->sha384);
	d->is_known = true;
	return d->sha384;
}

/* ---- Files ---- */

static uint64_t field(const uint8_t *file, unsigned at, unsigned size)
{
	uint64_t v = 0;

	memcpy(&v, file + at, size);
	return v;
}

/* The header tells how long the file has to be: a copy that broke off is found here. */
static enum status check_kernel(const struct td_config *c, const struct boot_module *m,
				struct vm_error *why)
{
	const uint8_t *file = phys_ptr(m->base);
	uint64_t sectors;
	uint64_t size;

	if (m->size < LINUX_SETUP_HEADER_LIMIT ||
	    field(file, LINUX_MAGIC, 4) != LINUX_MAGIC_VALUE ||
	    field(file, LINUX_VERSION, 2) < LINUX_VERSION_MIN ||
	    (field(file, LINUX_XLOADFLAGS, 2) & LINUX_XLF_KERNEL_64) == 0)
		return explain(why, STATUS_BAD_ARG,
			       "%s: kernel '%s' (%lu bytes): expected a 64-bit Linux bzImage",
			       c->name, m->name, m->size);
	sectors = field(file, LINUX_SETUP_SECTS, 1);
	size = ((sectors == 0 ? 4 : sectors) + 1) * 512 + field(file, LINUX_SYSSIZE, 4) * 16;
	if (m->size < size)
		return explain(why, STATUS_BAD_ARG,
			       "%s: kernel '%s' is truncated: %lu bytes, expected %lu", c->name,
			       m->name, m->size, size);
	return STATUS_OK;
}

static const struct boot_module *find(const struct td_config *c, const char *what,
				      const char *name, struct vm_error *why)
{
	const struct boot_module *m = boot_module_find(boot, name);

	if (m == NULL)
		(void)explain(
			why, STATUS_NOT_FOUND,
			"redoubt.cfg:%u: %s: %s '%s' was not loaded, expected a file of that "
			"name beside redoubt.cfg or a boot module",
			c->line, c->name, what, name);
	return m;
}

enum status launch_check(const struct td_config *config, struct vm_error *why)
{
	const struct boot_module *kernel = find(config, "kernel", config->kernel, why);

	if (kernel == NULL)
		return STATUS_NOT_FOUND;
	if (config->initrd[0] != '\0' && find(config, "initrd", config->initrd, why) == NULL)
		return STATUS_NOT_FOUND;
	return check_kernel(config, kernel, why);
}

/* ---- Into the TD ---- */

/* Binds the boot module `name`, if the TD has one; returns where it is. */
static hpa_t bind_module(struct launch_file *f, const char *name)
{
	const struct boot_module *m = boot_module_find(boot, name);
	const uint8_t *digest = NULL;

	if (m == NULL)
		return hpa(0);
	while (digest == NULL)
		digest = vm_file_digest(m);
	f->length = m->size;
	memcpy(f->sha384, digest, sizeof(f->sha384));
	return m->base;
}

/* The command line gets a page of its own, as it is no file. */
static enum status bind_cmdline(struct launch_file *f, struct vm *vm)
{
	enum status s = frame_alloc(LEVEL_4K, FRAME_HOST, &vm->cmdline);

	STATIC_ASSERT(TD_CMDLINE_MAX <= PAGE_SIZE, "a command line fits one page");
	if (s != STATUS_OK)
		return s;
	memset(phys_ptr(vm->cmdline), 0, PAGE_SIZE);
	f->length = strlen(vm->config.cmdline);
	memcpy(phys_ptr(vm->cmdline), vm->config.cmdline, f->length);
	sha384(vm->config.cmdline, f->length, f->sha384);
	return STATUS_OK;
}

/* Maps the files where the parameter page, which is made here, says. */
static enum status map_files(struct vm *vm, struct tdboot_params *params)
{
	struct launch_file files[TDBOOT_FILE_COUNT] = {0};
	hpa_t from[TDBOOT_FILE_COUNT];
	enum status s = bind_cmdline(&files[TDBOOT_CMDLINE], vm);

	from[TDBOOT_CMDLINE] = vm->cmdline;
	from[TDBOOT_KERNEL] = bind_module(&files[TDBOOT_KERNEL], vm->config.kernel);
	from[TDBOOT_INITRD] = bind_module(&files[TDBOOT_INITRD], vm->config.initrd);
	launch_params_build(params, vm->config.vcpus, vm->config.memory, files);
	for (unsigned i = 0; i < TDBOOT_FILE_COUNT && s == STATUS_OK; i++)
		s = shared_mem_map_file(&vm->shared, gpa(params->file[i].gpa), from[i],
					align_up(files[i].length, PAGE_SIZE));
	return s;
}

/* TDH.MEM.PAGE.ADD copies from the direct map; the image lies in the kernel's own mapping. */
static enum status add_measured(struct vm *vm, const struct tdboot_params *params)
{
	hpa_t bounce;
	enum status s = frame_alloc(LEVEL_4K, FRAME_HOST, &bounce);

	if (s != STATUS_OK)
		return s;
	for (unsigned i = 0; i < LAUNCH_PAGE_COUNT && s == STATUS_OK; i++) {
		const void *content;
		gpa_t at = launch_page(params, tdboot_image_start, i, &content);

		memcpy(phys_ptr(bounce), content, PAGE_SIZE);
		s = td_add_measured_page(&vm->td, at, phys_ptr(bounce));
	}
	frame_free(bounce, PAGE_SIZE);
	return s;
}

enum status launch_load(struct vm *vm)
{
	static struct tdboot_params params; /* a page is large for a stack */
	enum status s = map_files(vm, &params);

	return s == STATUS_OK ? add_measured(vm, &params) : s;
}
