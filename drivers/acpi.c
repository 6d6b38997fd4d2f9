/* SPDX-License-Identifier: MIT */
#define LOG_TAG "acpi"
#include "drivers/acpi.h"

#include "core/log.h"
#include "core/string.h"

#define RSDP_V1_SIZE 20U
#define RSDP_V2_SIZE 36U
#define HEADER_SIZE  36U
#define MAX_TABLE    (UINT64_C(16) << 20)

#define MADT_ENTRIES   44U
#define MCFG_ENTRIES   44U
#define MCFG_ENTRY     16U
#define FADT_RESET_SUP (UINT32_C(1) << 10)

enum madt_type {
	MADT_LAPIC = 0,
	MADT_IOAPIC = 1,
	MADT_OVERRIDE = 2,
	MADT_X2APIC = 9,
};

/* Bytes of a table or of a structure in one, with its real length. */
struct view {
	const uint8_t *at;
	size_t size;
};

/* Little-endian field; what lies outside the view reads as 0. */
static uint64_t field(struct view v, size_t offset, size_t bytes)
{
	uint64_t value = 0;

	if (offset > v.size || v.size - offset < bytes)
		return 0;
	for (size_t i = bytes; i-- > 0;)
		value = value << 8 | v.at[offset + i];
	return value;
}

static uint8_t field8(struct view v, size_t offset) { return (uint8_t)field(v, offset, 1); }
static uint16_t field16(struct view v, size_t offset) { return (uint16_t)field(v, offset, 2); }
static uint32_t field32(struct view v, size_t offset) { return (uint32_t)field(v, offset, 4); }
static uint64_t field64(struct view v, size_t offset) { return field(v, offset, 8); }

static bool sum_is_zero(const uint8_t *p, size_t size)
{
	uint8_t sum = 0;

	for (size_t i = 0; i < size; i++)
		sum = (uint8_t)(sum + p[i]);
	return sum == 0;
}

/* The table at `at` if its header, length and checksum are sound. */
static bool open_table(hpa_t at, acpi_map_fn map, struct view *out)
{
	const uint8_t *p = map(at, HEADER_SIZE);
	uint32_t length;

	if (p == NULL)
		return false;
	length = field32((struct view){p, HEADER_SIZE}, 4);
	if (length < HEADER_SIZE || length > MAX_TABLE) {
		log_warn("table %.4s at %#lx: bad length %u", (const char *)p, at.raw, length);
		return false;
	}
	p = map(at, length);
	if (p == NULL)
		return false;
	if (!sum_is_zero(p, length)) {
		log_warn("table %.4s at %#lx: bad checksum, skipped", (const char *)p, at.raw);
		return false;
	}
	*out = (struct view){p, length};
	return true;
}

static bool has_signature(struct view t, const char *signature)
{
	return memcmp(t.at, signature, 4) == 0;
}

/* ---- MADT ---- */

static void add_cpu(struct acpi_info *info, uint32_t apic_id, uint32_t flags)
{
	if ((flags & 1) == 0)
		return;
	for (unsigned i = 0; i < info->cpu_count; i++) {
		if (info->apic_id[i] == apic_id)
			return;
	}
	if (info->cpu_count == MAX_CPUS) {
		info->cpu_excess++;
		return;
	}
	info->apic_id[info->cpu_count++] = apic_id;
}

static void add_ioapic(struct acpi_info *info, struct view e)
{
	if (e.size < 12 || info->ioapic_count == ACPI_MAX_IOAPICS)
		return;
	info->ioapic[info->ioapic_count++] =
		(struct acpi_ioapic){hpa(field32(e, 4)), field32(e, 8)};
}

/* Polarity in 1:0, trigger in 3:2; 3 means low or level, the rest is what ISA does anyway. */
static void add_override(struct acpi_info *info, struct view e)
{
	uint8_t irq = field8(e, 3);
	uint16_t flags = field16(e, 8);

	if (e.size < 10 || irq >= ACPI_ISA_IRQS)
		return;
	info->isa_irq[irq] = (struct acpi_isa_irq){
		.gsi = field32(e, 4),
		.is_low_active = (flags & 3) == 3,
		.is_level = (flags >> 2 & 3) == 3,
	};
}

static void parse_madt_entry(struct acpi_info *info, uint8_t type, struct view e)
{
	switch (type) {
	case MADT_LAPIC:
		if (e.size >= 8)
			add_cpu(info, field8(e, 3), field32(e, 4));
		break;
	case MADT_X2APIC:
		if (e.size >= 16)
			add_cpu(info, field32(e, 4), field32(e, 8));
		break;
	case MADT_IOAPIC:
		add_ioapic(info, e);
		break;
	case MADT_OVERRIDE:
		add_override(info, e);
		break;
	default: /* The set of types is open. */
		break;
	}
}

static void parse_madt(struct view t, struct acpi_info *info)
{
	size_t at = MADT_ENTRIES;

	while (at + 2 <= t.size) {
		size_t length = t.at[at + 1];

		if (length < 2 || length > t.size - at) {
			log_warn("MADT: entry at offset %zu has bad length %zu", at, length);
			return;
		}
		parse_madt_entry(info, t.at[at], (struct view){t.at + at, length});
		at += length;
	}
}

/* ---- MCFG ---- */

static void parse_mcfg(struct view t, struct acpi_info *info)
{
	for (size_t at = MCFG_ENTRIES; at + MCFG_ENTRY <= t.size; at += MCFG_ENTRY) {
		struct view e = {t.at + at, MCFG_ENTRY};

		if (info->ecam_count == ACPI_MAX_ECAMS || field8(e, 10) > field8(e, 11))
			return;
		info->ecam[info->ecam_count++] = (struct acpi_ecam){
			.base = hpa(field64(e, 0)),
			.segment = field16(e, 8),
			.first_bus = field8(e, 10),
			.last_bus = field8(e, 11),
		};
	}
}

/* ---- FADT and \_S5 ---- */

/* One byte of an AML package: BytePrefix, or the constants ZeroOp and OneOp. */
static bool aml_small_integer(struct view t, size_t *at, uint8_t *value)
{
	uint8_t op = field8(t, *at);

	if (*at >= t.size)
		return false;
	(*at)++;
	if (op <= 1) {
		*value = op;
		return true;
	}
	if (op != 0x0a || *at >= t.size)
		return false;
	*value = field8(t, (*at)++);
	return true;
}

/* "\_S5_" Package { a, b, ... }: NameOp, optional root, name, PackageOp, PkgLength, count. */
static bool parse_s5_at(struct view t, size_t name, struct acpi_info *info)
{
	size_t at = name + 4;
	bool is_named = (name >= 1 && t.at[name - 1] == 0x08) ||
			(name >= 2 && t.at[name - 1] == '\\' && t.at[name - 2] == 0x08);

	if (!is_named || field8(t, at) != 0x12)
		return false;
	at++;
	at += 1U + (field8(t, at) >> 6); /* PkgLength: 0 to 3 bytes follow the first */
	if (field8(t, at++) < 2)
		return false;
	return aml_small_integer(t, &at, &info->s5_type_a) &&
	       aml_small_integer(t, &at, &info->s5_type_b);
}

static void parse_dsdt(struct view t, struct acpi_info *info)
{
	for (size_t at = HEADER_SIZE; at + 4 <= t.size && !info->has_s5; at++) {
		if (memcmp(t.at + at, "_S5_", 4) == 0)
			info->has_s5 = parse_s5_at(t, at, info);
	}
}

static void parse_reset(struct view t, struct acpi_info *info)
{
	uint8_t space = field8(t, 116);

	if ((field32(t, 112) & FADT_RESET_SUP) == 0 || space > 1 || field64(t, 120) == 0)
		return;
	if (space == 1 && field64(t, 120) > UINT16_MAX)
		return;
	info->has_reset = true;
	info->reset_is_memory = space == 0;
	info->reset_address = field64(t, 120);
	info->reset_value = field8(t, 128);
}

static uint16_t port(struct view t, size_t offset)
{
	uint32_t p = field32(t, offset);

	return p <= UINT16_MAX ? (uint16_t)p : 0;
}

static void parse_fadt(struct view t, acpi_map_fn map, struct acpi_info *info)
{
	uint64_t dsdt = field64(t, 140) != 0 ? field64(t, 140) : field32(t, 40);
	struct view table;

	info->smi_command = port(t, 48);
	info->acpi_enable = field8(t, 52);
	info->pm1a_control = port(t, 64);
	info->pm1b_control = port(t, 68);
	info->pm_timer = field8(t, 91) == 4 ? port(t, 76) : 0;
	parse_reset(t, info);
	if (dsdt != 0 && open_table(hpa(dsdt), map, &table) && has_signature(table, "DSDT"))
		parse_dsdt(table, info);
}

/* ---- the root ---- */

static void parse_table(hpa_t at, acpi_map_fn map, struct acpi_info *info)
{
	struct view t;

	if (!open_table(at, map, &t))
		return;
	if (has_signature(t, "FACP"))
		parse_fadt(t, map, info);
	else if (has_signature(t, "MCFG"))
		parse_mcfg(t, info);
	else if (has_signature(t, "APIC"))
		parse_madt(t, info);
}

/* Where the root table is, and the size of its entries: XSDT if the RSDP knows one. */
static bool find_root(hpa_t rsdp, acpi_map_fn map, hpa_t *root, size_t *entry)
{
	const uint8_t *p = map(rsdp, RSDP_V1_SIZE);
	struct view v = {p, RSDP_V1_SIZE};

	if (p == NULL || memcmp(p, "RSD PTR ", 8) != 0 || !sum_is_zero(p, RSDP_V1_SIZE))
		return false;
	*root = hpa(field32(v, 16));
	*entry = 4;
	if (field8(v, 15) < 2)
		return true;
	v = (struct view){map(rsdp, RSDP_V2_SIZE), RSDP_V2_SIZE};
	if (v.at == NULL || !sum_is_zero(v.at, RSDP_V2_SIZE) || field64(v, 24) == 0)
		return true;
	*root = hpa(field64(v, 24));
	*entry = 8;
	return true;
}

enum status acpi_parse(hpa_t rsdp, acpi_map_fn map, struct acpi_info *out)
{
	struct view root;
	hpa_t at;
	size_t entry;

	memset(out, 0, sizeof(*out));
	for (uint32_t i = 0; i < ACPI_ISA_IRQS; i++)
		out->isa_irq[i].gsi = i;
	if (rsdp.raw == 0 || !find_root(rsdp, map, &at, &entry) || !open_table(at, map, &root))
		return STATUS_NOT_FOUND;
	for (size_t i = HEADER_SIZE; i + entry <= root.size; i += entry)
		parse_table(hpa(field(root, i, entry)), map, out);
	return out->cpu_count > 0 ? STATUS_OK : STATUS_NOT_FOUND;
}
