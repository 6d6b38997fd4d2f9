/* SPDX-License-Identifier: MIT */
#include "vm/console.h"

#include <stddef.h>

#include "vm/registry.h"

#define PIECE_SIZE 512U

static struct vm *attached;
static vm_console_fn show;

static void set_reader(struct vm *vm, bool is_read)
{
	spin_lock(&vm->device_lock);
	virtio_console_set_reader(&vm->console, is_read);
	spin_unlock(&vm->device_lock);
}

void console_forget(const struct vm *vm)
{
	if (attached == vm)
		attached = NULL;
}

enum status vm_console_attach(const char *name, vm_console_fn emit)
{
	struct vm *vm = name != NULL ? registry_find(name) : NULL;

	if (name != NULL && vm == NULL)
		return STATUS_NOT_FOUND;
	if (attached != NULL)
		set_reader(attached, false);
	attached = vm;
	show = emit;
	if (vm != NULL)
		set_reader(vm, true);
	return STATUS_OK;
}

bool vm_console_input(const char *bytes, size_t length)
{
	bool taken;

	if (attached == NULL)
		return true;
	spin_lock(&attached->device_lock);
	taken = virtio_console_type(&attached->console, bytes, length);
	spin_unlock(&attached->device_lock);
	return taken;
}

/* The guest may refill the ring meanwhile: one ring full a round, then others have their turn.
 */
void console_flush(void)
{
	for (unsigned shown = 0; attached != NULL && shown < CONSOLE_OUT_SIZE;) {
		char piece[PIECE_SIZE];
		size_t n;

		spin_lock(&attached->device_lock);
		n = virtio_console_read(&attached->console, piece, sizeof(piece));
		spin_unlock(&attached->device_lock);
		if (n == 0)
			return;
		show(piece, n);
		shown += (unsigned)n;
	}
}
