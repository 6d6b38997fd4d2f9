/* SPDX-License-Identifier: MIT */
#include <stddef.h>

#include "tests/unit/test.h"
#include "tests/unit/vm_machine.h"

#define TX VIRTIO_CONSOLE_TX
#define RX VIRTIO_CONSOLE_RX

#define STATUS_FIELD offsetof(struct virtio_pci_common, device_status)

static uint8_t device_status(struct machine *m)
{
	return (uint8_t)machine_read(m, STATUS_FIELD, 1);
}

static void send(struct machine *m, const char *text)
{
	machine_put(m, MACHINE_BUFFER, text, strlen(text));
	machine_set_desc(m, TX, 0,
			 (struct virtq_desc){MACHINE_BUFFER, (uint32_t)strlen(text), 0, 0});
	machine_offer(m, TX, 0);
}

static void expect_output(struct machine *m, const char *text)
{
	char out[CONSOLE_OUT_SIZE + 1] = "";

	out[virtio_console_read(&m->con, out, CONSOLE_OUT_SIZE)] = '\0';
	EXPECT_STR_EQ(out, text);
}

TEST(virtio_console_output_arrives_and_its_buffer_is_used_with_an_interrupt)
{
	struct machine *m = machine_new();

	machine_start_driver(m);
	EXPECT_EQ(device_status(m), 0x0f);
	send(m, "hello");
	expect_output(m, "hello");
	EXPECT_EQ(machine_used_index(m, TX), 1);
	EXPECT_EQ(m->interrupts, 1);
	EXPECT_EQ(m->msi_data, 0x42);
	EXPECT_EQ(m->msi_address, MSI_ADDRESS_BASE);
}

static void type(struct machine *m, const char *text)
{
	while (*text != '\0')
		virtio_console_type(&m->con, *text++);
}

TEST(virtio_console_input_fills_the_driver_s_buffer)
{
	struct machine *m = machine_new();
	struct virtq_used_elem used;
	char got[4];

	machine_start_driver(m);
	machine_set_desc(m, RX, 3,
			 (struct virtq_desc){MACHINE_BUFFER, 64, VIRTQ_DESC_F_WRITE, 0});
	type(m, "ls\r");
	EXPECT_EQ(machine_used_index(m, RX), 0);
	machine_offer(m, RX, 3);
	machine_get(m, machine_used(RX) + VIRTQ_RING_ENTRIES, &used, sizeof(used));
	EXPECT_EQ(used.id, 3);
	EXPECT_EQ(used.len, 3);
	machine_get(m, MACHINE_BUFFER, got, 3);
	EXPECT_MEM_EQ(got, "ls\r", 3);
	EXPECT_EQ(m->msi_data, 0x41);
}

TEST(virtio_console_input_typed_before_there_is_a_buffer_waits_for_one)
{
	struct machine *m = machine_new();

	machine_start_driver(m);
	type(m, "x");
	machine_set_desc(m, RX, 0,
			 (struct virtq_desc){MACHINE_BUFFER, 1, VIRTQ_DESC_F_WRITE, 0});
	machine_offer(m, RX, 0);
	EXPECT_EQ(machine_used_index(m, RX), 1);
	machine_set_desc(m, RX, 1,
			 (struct virtq_desc){MACHINE_BUFFER, 1, VIRTQ_DESC_F_WRITE, 0});
	machine_offer(m, RX, 1);
	EXPECT_EQ(machine_used_index(m, RX), 1);
	type(m, "y"); /* at once */
	EXPECT_EQ(machine_used_index(m, RX), 2);
}

TEST(virtio_console_input_that_its_ring_cannot_hold_is_lost)
{
	struct machine *m = machine_new();
	struct virtq_used_elem used;
	char last;

	machine_start_driver(m);
	for (unsigned i = 0; i < CONSOLE_IN_SIZE; i++)
		type(m, "a");
	type(m, "b");
	machine_set_desc(m, RX, 0,
			 (struct virtq_desc){MACHINE_BUFFER, CONSOLE_IN_SIZE + 1,
					     VIRTQ_DESC_F_WRITE, 0});
	machine_offer(m, RX, 0);
	machine_get(m, machine_used(RX) + VIRTQ_RING_ENTRIES, &used, sizeof(used));
	EXPECT_EQ(used.len, CONSOLE_IN_SIZE);
	machine_get(m, MACHINE_BUFFER + CONSOLE_IN_SIZE - 1, &last, 1);
	EXPECT_EQ(last, 'a');
}

TEST(virtio_console_remembers_the_end_of_what_nobody_read)
{
	struct machine *m = machine_new();
	char out[CONSOLE_OUT_SIZE];

	for (unsigned i = 0; i < CONSOLE_OUT_SIZE; i++)
		virtio_console_put(&m->con, 'a');
	virtio_console_put(&m->con, 'b');
	EXPECT_EQ(virtio_console_read(&m->con, out, sizeof(out)), sizeof(out));
	EXPECT_EQ(out[sizeof(out) - 1], 'b');
	EXPECT_EQ(out[0], 'a');
}

TEST(virtio_console_lets_the_guest_wait_while_its_reader_is_slow)
{
	struct machine *m = machine_new();
	static char out[CONSOLE_OUT_SIZE];

	machine_start_driver(m);
	virtio_console_set_reader(&m->con, true);
	for (unsigned i = 0; i < CONSOLE_OUT_SIZE / 2 + 1; i++)
		virtio_console_put(&m->con, 'a');
	send(m, "late");
	EXPECT_EQ(machine_used_index(m, TX), 0);
	(void)virtio_console_read(&m->con, out, sizeof(out));
	EXPECT_EQ(machine_used_index(m, TX), 1);
	expect_output(m, "late");
}

/* What a broken driver may put into its rings; the device stops, and nothing else does. */

static void expect_broken(struct machine *m)
{
	EXPECT_EQ(device_status(m) & VIRTIO_STATUS_DEVICE_NEEDS_RESET,
		  VIRTIO_STATUS_DEVICE_NEEDS_RESET);
	EXPECT_EQ(machine_used_index(m, TX), 0);
	machine_write(m, STATUS_FIELD, 1, 0);
	EXPECT_EQ(device_status(m), 0);
}

TEST(virtio_descriptor_chain_that_bites_its_tail_breaks_the_device)
{
	struct machine *m = machine_new();

	machine_start_driver(m);
	machine_set_desc(m, TX, 0,
			 (struct virtq_desc){MACHINE_BUFFER, 1, VIRTQ_DESC_F_NEXT, 1});
	machine_set_desc(m, TX, 1,
			 (struct virtq_desc){MACHINE_BUFFER, 1, VIRTQ_DESC_F_NEXT, 0});
	machine_offer(m, TX, 0);
	expect_broken(m);
}

TEST(virtio_head_beyond_the_table_breaks_the_device)
{
	struct machine *m = machine_new();

	machine_start_driver(m);
	machine_offer(m, TX, MACHINE_QUEUE_SIZE);
	expect_broken(m);
}

TEST(virtio_next_beyond_the_table_breaks_the_device)
{
	struct machine *m = machine_new();

	machine_start_driver(m);
	machine_set_desc(m, TX, 0,
			 (struct virtq_desc){MACHINE_BUFFER, 1, VIRTQ_DESC_F_NEXT, 999});
	machine_offer(m, TX, 0);
	expect_broken(m);
}

TEST(virtio_available_index_that_runs_ahead_breaks_the_device)
{
	struct machine *m = machine_new();

	machine_start_driver(m);
	m->avail[TX] = MACHINE_QUEUE_SIZE + 5;
	machine_offer(m, TX, 0);
	expect_broken(m);
}

TEST(virtio_buffer_outside_shared_memory_breaks_the_device)
{
	struct machine *m = machine_new();

	machine_start_driver(m);
	machine_set_desc(m, TX, 0, (struct virtq_desc){0x7fff0000, 16, 0, 0});
	machine_offer(m, TX, 0);
	expect_broken(m);
}

TEST(virtio_buffer_that_wraps_the_address_space_breaks_the_device)
{
	struct machine *m = machine_new();

	machine_start_driver(m);
	machine_set_desc(m, TX, 0, (struct virtq_desc){UINT64_MAX - 3, 16, 0, 0});
	machine_offer(m, TX, 0);
	expect_broken(m);
}

TEST(virtio_chain_of_absurd_length_breaks_the_device)
{
	struct machine *m = machine_new();

	machine_start_driver(m);
	machine_set_desc(m, TX, 0, (struct virtq_desc){MACHINE_BUFFER, UINT32_MAX, 0, 0});
	machine_offer(m, TX, 0);
	expect_broken(m);
}

TEST(virtio_writable_descriptor_in_the_transmit_queue_breaks_the_device)
{
	struct machine *m = machine_new();

	machine_start_driver(m);
	machine_set_desc(m, TX, 0,
			 (struct virtq_desc){MACHINE_BUFFER, 1, VIRTQ_DESC_F_WRITE, 0});
	machine_offer(m, TX, 0);
	expect_broken(m);
}

TEST(virtio_indirect_descriptor_was_not_offered_and_breaks_the_device)
{
	struct machine *m = machine_new();

	machine_start_driver(m);
	machine_set_desc(m, TX, 0,
			 (struct virtq_desc){MACHINE_BUFFER, 16, VIRTQ_DESC_F_INDIRECT, 0});
	machine_offer(m, TX, 0);
	expect_broken(m);
}

TEST(virtio_queue_whose_size_is_no_power_of_two_is_not_enabled)
{
	struct machine *m = machine_new();

	EXPECT_TRUE(pci_mmio_write(&m->pci, TD_PCI_ECAM_BASE + 0x8000 + PCI_COMMAND, 2,
				   PCI_COMMAND_MEMORY));
	machine_write(m, offsetof(struct virtio_pci_common, queue_size), 2, 6);
	machine_write(m, offsetof(struct virtio_pci_common, queue_enable), 2, 1);
	EXPECT_EQ(machine_read(m, offsetof(struct virtio_pci_common, queue_enable), 2), 0);
	EXPECT_EQ(device_status(m), VIRTIO_STATUS_DEVICE_NEEDS_RESET);
}

TEST(virtio_features_are_ok_only_with_version_1_and_access_platform)
{
	struct machine *m = machine_new();

	EXPECT_TRUE(pci_mmio_write(&m->pci, TD_PCI_ECAM_BASE + 0x8000 + PCI_COMMAND, 2,
				   PCI_COMMAND_MEMORY));
	machine_write(m, offsetof(struct virtio_pci_common, driver_feature_select), 4, 1);
	machine_write(m, offsetof(struct virtio_pci_common, driver_feature), 4, 1);
	machine_write(m, STATUS_FIELD, 1, 0x0b);
	EXPECT_EQ(device_status(m), 0x03);
}

TEST(virtio_masked_vector_is_pending_until_it_is_unmasked)
{
	struct machine *m = machine_new();

	machine_start_driver(m);
	machine_write(m, 0x3000 + 16 * 2 + 12, 4, PCI_MSIX_ENTRY_MASKED);
	send(m, "x");
	EXPECT_EQ(m->interrupts, 0);
	EXPECT_EQ(machine_read(m, 0x3800, 8), 1U << 2);
	machine_write(m, 0x3000 + 16 * 2 + 12, 4, 0);
	EXPECT_EQ(m->interrupts, 1);
	EXPECT_EQ(machine_read(m, 0x3800, 8), 0);
}

TEST(virtio_driver_that_wants_no_interrupt_gets_none)
{
	struct machine *m = machine_new();
	uint16_t flags = VIRTQ_AVAIL_F_NO_INTERRUPT;

	machine_start_driver(m);
	machine_put(m, machine_avail(TX), &flags, sizeof(flags));
	send(m, "x");
	EXPECT_EQ(machine_used_index(m, TX), 1);
	EXPECT_EQ(m->interrupts, 0);
}

TEST(virtio_stopped_device_serves_no_queue)
{
	struct machine *m = machine_new();

	machine_start_driver(m);
	virtio_pci_stop(&m->con.virtio);
	send(m, "x");
	EXPECT_EQ(machine_used_index(m, TX), 0);
}
