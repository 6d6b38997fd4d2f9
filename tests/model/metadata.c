/* SPDX-License-Identifier: MIT */
/*
 * Metadata: field ids, walking, access rights. What a field's value is stands in
 * metadata_values.c.
 */
#include "tests/model/metadata.h"

#include <string.h>

#include "tests/model/metadata_tables.h"

#define COUNT(table) ((unsigned)(sizeof(table) / sizeof((table)[0])))

/* Field id layout. */
#define ID_CODE(id)     ((uint32_t)((id)&0xffffff))
#define ID_SIZE(id)     ((id) >> 32 & 3)
#define ID_CLASS(id)    ((id) >> 56 & 0x3f)
#define ID_INC(id)      ((id) >> 50 & 1)
#define ID_CONTEXT_MASK (UINT64_C(7) << 52)
/* Reserved bits, and "last element" and "last field", which single accesses leave 0. */
#define ID_SINGLE_ZERO                                                                         \
	(UINT64_C(1) << 62 | UINT64_C(1) << 55 | UINT64_C(7) << 47 | UINT64_C(0x1ff) << 38 |   \
	 UINT64_C(0xf) << 34 | UINT64_C(0xff) << 24)

#define CLASS_VMCS          0x00
#define CLASS_CPUID_VALUES  0x14
#define CPUID_CODE_RESERVED 0xfe0000u

struct table {
	const struct md_entry *entry;
	unsigned count;
};

struct position {
	struct table table;
	unsigned entry;  /* index in the table */
	uint32_t offset; /* element within the entry */
};

/* The last fields of TD and vCPU are those of the L2 VMs: as many as the TD has. */
static struct table table_of(const struct md_query *query)
{
	unsigned absent_vms = query->td ? MAX_L2_VMS - query->td->cs->l2_vm_count : MAX_L2_VMS;

	switch (query->context) {
	case MD_SYSTEM:
		return (struct table){system_fields, COUNT(system_fields)};
	case MD_TD:
		return (struct table){td_fields, COUNT(td_fields) - absent_vms};
	case MD_VP:
		break;
	}
	return (struct table){vcpu_fields, COUNT(vcpu_fields) - 2 * absent_vms};
}

static bool is_null_id(uint64_t id) { return (id | ID_CONTEXT_MASK) == NULL_ID; }

static uint32_t entry_size(const struct md_entry *e)
{
	return (uint32_t)e->fields * e->elements;
}

static bool is_cpuid_values(enum md_context context, uint64_t id)
{
	return context == MD_TD && ID_CLASS(id) == CLASS_CPUID_VALUES;
}

/* Leaf and sub-leaf of a CPUID_VALUES id; -1 if the module has no such entry. */
static int cpuid_of_code(uint32_t code)
{
	uint32_t leaf = (code >> 9 & 0x7f) | (code >> 16 & 1) << 31;
	uint32_t subleaf = code >> 8 & 1 ? UINT32_MAX : code >> 1 & 0x7f;

	if (code & CPUID_CODE_RESERVED)
		return -1;
	for (int i = 0; i < CPUID_ENTRIES; i++)
		if (cpuid_entry((unsigned)i)->leaf == leaf &&
		    cpuid_entry((unsigned)i)->subleaf == subleaf)
			return i;
	return -1;
}

static uint32_t code_of_cpuid(unsigned index)
{
	const struct cpuid_entry *entry = cpuid_entry(index);
	uint32_t subleaf = entry->subleaf == UINT32_MAX ? 0x1fe : (entry->subleaf & 0x7f) << 1;

	return (entry->leaf & 0x7f) << 9 | (entry->leaf >> 31) << 16 | subleaf;
}

/*
 * Class and code decide; size, context and the "non-architectural" bit do not. The odd
 * codes of the VMCS, halves of 64-bit fields, are no fields of their own.
 */
static bool find(const struct md_query *query, uint64_t id, struct position *pos)
{
	if (query->context == MD_VP && ID_CLASS(id) == CLASS_VMCS && (id & 1))
		return false;
	pos->table = table_of(query);
	for (unsigned i = 0; i < pos->table.count; i++) {
		const struct md_entry *e = &pos->table.entry[i];
		uint32_t stride = 1 + (uint32_t)ID_INC(e->id);
		uint32_t code = ID_CODE(id), first = ID_CODE(e->id);
		uint32_t offset = (code - first) / stride;

		if (ID_CLASS(e->id) != ID_CLASS(id))
			continue;
		if (is_cpuid_values(query->context, id)) {
			int cpuid = cpuid_of_code(code);

			pos->entry = i;
			pos->offset = 2 * (uint32_t)cpuid + (code & 1);
			return cpuid >= 0;
		}
		if (code >= first && offset < entry_size(e)) {
			pos->entry = i;
			pos->offset = offset;
			return true;
		}
	}
	return false;
}

/* Id of the first readable field at or after table entry `i`. */
static uint64_t first_readable(const struct md_query *query, unsigned i)
{
	struct table table = table_of(query);

	for (; i < table.count; i++) {
		if (table.entry[i].read[query->access] == 0)
			continue;
		if (is_cpuid_values(query->context, table.entry[i].id))
			return table.entry[i].id | code_of_cpuid(0);
		return table.entry[i].id;
	}
	return NULL_ID;
}

static uint64_t next_of(const struct md_query *query, uint64_t id, const struct position *pos)
{
	const struct md_entry *e = &pos->table.entry[pos->entry];

	id = (id & ~ID_CONTEXT_MASK) | (uint64_t)query->context << 52;
	if (is_cpuid_values(query->context, id)) {
		if (!(pos->offset & 1))
			return id + 1;
		if (pos->offset / 2 + 1 < CPUID_ENTRIES)
			return (id & ~UINT64_C(0xffffff)) | code_of_cpuid(pos->offset / 2 + 1);
	} else if (pos->offset + 1 < entry_size(e)) {
		return id + 1 + ID_INC(e->id);
	}
	return first_readable(query, pos->entry + 1);
}

uint64_t md_read(const struct md_query *query, uint64_t id, bool first_allowed, uint64_t *value,
		 uint64_t *next_id)
{
	struct position pos;
	const struct md_entry *e;

	*value = 0;
	*next_id = NULL_ID;
	if (first_allowed && is_null_id(id)) {
		*next_id = first_readable(query, 0);
		return TDX_METADATA_FIRST_FIELD_ID_IN_CONTEXT;
	}
	if ((id & ID_SINGLE_ZERO) || !find(query, id, &pos))
		return TDX_METADATA_FIELD_ID_INCORRECT;
	e = &pos.table.entry[pos.entry];
	if (e->read[query->access] == 0 || !md_value(query, e->id, pos.offset, value)) {
		*value = 0;
		return TDX_METADATA_FIELD_NOT_READABLE;
	}
	*value &= e->read[query->access];
	*next_id = next_of(query, id, &pos);
	return TDX_SUCCESS;
}

static uint64_t element_mask(const struct md_entry *e)
{
	return UINT64_MAX >> (64 - (8u << ID_SIZE(e->id)));
}

/*
 * What a write starts from. An address in the VMCS that was never written is all ones, also
 * where it cannot be written; there it counts as 0.
 */
static uint64_t value_to_change(const struct md_query *query, const struct md_entry *e,
				uint64_t before, uint64_t writable)
{
	uint32_t code = ID_CODE(e->id);
	bool is_address = query->context == MD_VP && ID_CLASS(e->id) == CLASS_VMCS &&
			  (code == VMCS_PML_ADDRESS || code == VMCS_PID_ADDRESS ||
			   code == VMCS_SHARED_EPT);

	return is_address && before >> 63 ? before & writable : before;
}

/* The caller may name bits that it cannot write, but only with the value that they have. */
uint64_t md_write(const struct md_query *query, uint64_t id, uint64_t value, uint64_t mask,
		  uint64_t *old)
{
	uint64_t before, base, writable, status;
	struct position pos;
	const struct md_entry *e;

	*old = 0;
	if ((id & ID_SINGLE_ZERO) || !find(query, id, &pos))
		return TDX_METADATA_FIELD_ID_INCORRECT;
	e = &pos.table.entry[pos.entry];
	if (!md_value(query, e->id, pos.offset, &before))
		return TDX_METADATA_FIELD_NOT_READABLE;
	writable = e->write[query->access] & element_mask(e);
	if ((mask & writable) == 0)
		return TDX_METADATA_FIELD_NOT_WRITABLE;
	base = value_to_change(query, e, before, writable);
	if ((base ^ value) & mask & ~writable)
		return TDX_METADATA_FIELD_VALUE_NOT_VALID;
	writable &= mask;
	status = md_set_value(query, e->id, pos.offset, (base & ~writable) | (value & writable),
			      writable);
	if (status)
		return status;
	*old = before & e->read[query->access];
	return TDX_SUCCESS;
}

/* ---- metadata list pages -------------------------------------------------- */

struct list {
	uint8_t *page;
	uint16_t size, sequences;
	unsigned header_at; /* of the sequence being written */
};

static void put64(struct list *list, uint64_t value)
{
	memcpy(list->page + list->size, &value, sizeof(value));
	list->size = (uint16_t)(list->size + sizeof(value));
}

/* Entries follow one another in one sequence if class, size and shape agree. */
static bool continues(const struct md_entry *before, const struct md_entry *e)
{
	return ID_CLASS(before->id) == ID_CLASS(e->id) &&
	       ID_SIZE(before->id) == ID_SIZE(e->id) && before->elements == e->elements &&
	       ID_CODE(before->id) + entry_size(before) == ID_CODE(e->id);
}

static void close_sequence(struct list *list, uint64_t id, unsigned fields, unsigned elements)
{
	uint64_t header = id | (uint64_t)(fields - 1) << 38 | (uint64_t)(elements - 1) << 34;

	memcpy(list->page + list->header_at, &header, sizeof(header));
}

static void dump_from(const struct md_query *query, struct list *list, struct position pos)
{
	const struct table table = pos.table;
	const struct md_entry *last = NULL;
	uint64_t first_id = 0;
	unsigned fields = 0;

	for (unsigned i = pos.entry; i < table.count; i++) {
		const struct md_entry *e = &table.entry[i];
		uint32_t offset = i == pos.entry ? pos.offset : 0;

		if (e->read[query->access] == 0)
			continue;
		if (!last || !continues(last, e)) {
			if (last)
				close_sequence(list, first_id, fields, last->elements);
			list->header_at = list->size;
			put64(list, 0);
			list->sequences++;
			first_id = e->id + offset;
			fields = 0;
		}
		fields += (entry_size(e) - offset) / e->elements;
		for (; offset < entry_size(e); offset++) {
			uint64_t value = 0;

			md_value(query, e->id, offset, &value);
			put64(list, value);
		}
		last = e;
	}
	if (last)
		close_sequence(list, first_id, fields, last->elements);
}

/* A list starts with a whole field, whose element size the id must name too. */
static bool is_list_start(const struct position *pos, uint64_t id)
{
	const struct md_entry *e = &pos->table.entry[pos->entry];

	return ID_SIZE(e->id) == ID_SIZE(id) && pos->offset % e->elements == 0;
}

uint64_t md_dump_system(struct call *call, enum md_access access, uint64_t id, uint8_t *page,
			uint64_t *next_id)
{
	struct md_query query = {.call = call, .context = MD_SYSTEM, .access = access};
	struct position pos = {.table = table_of(&query)};
	struct list list = {.page = page, .size = 8};

	*next_id = NULL_ID;
	if (!is_null_id(id) && (!find(&query, id, &pos) || !is_list_start(&pos, id)))
		return TDX_METADATA_FIELD_ID_INCORRECT;
	memset(page, 0, PAGE_4K);
	dump_from(&query, &list, pos);
	memcpy(page, &list.size, sizeof(list.size));
	memcpy(page + 2, &list.sequences, sizeof(list.sequences));
	return TDX_SUCCESS;
}
