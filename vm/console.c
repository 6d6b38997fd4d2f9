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

void vm_console_attach(const char *name, vm_console_fn emit)
{
	if (attached != NULL)
		set_reader(attached, false);
	attached = name != NULL ? registry_find(name) : NULL;
	show = emit;
	if (attached != NULL)
		set_reader(attached, true);
}

void vm_console_input(char c)
{
	if (attached == NULL)
		return;
	spin_lock(&attached->device_lock);
	virtio_console_type(&attached->console, c);
	spin_unlock(&attached->device_lock);
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
