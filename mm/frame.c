/* SPDX-License-Identifier: MIT */
/*
 * RAM is cut into chunks of 2 MiB. A chunk has one owner, or is mixed, and then a byte
 * per 4K page says whose it is: 4 bytes a chunk that are always in use, and 512 that are
 * written only when it becomes mixed. Chunks are numbered densely over the GiBs that hold
 * any RAM ("slots"), ascending with the address, so holes cost nothing; every other address
 * falls on slot 0, which holds none.
 *
 * Free memory is found through two sets for each of two classes (usable for TDs or not):
 * free chunks, and mixed chunks with a free page. The lowest address goes first, so that
 * whole GiBs stay free where they can. A GiB in one piece is looked for slot by slot.
 *
 * A chunk is clean when no cache holds a line of its free pages that the host wrote.
 * Nothing is ever stored in a free frame, so it stays clean until pages come back that
 * the host has used. Free chunks for TDs that are not clean form a set of their own.
 */
#include "mm/frame.h"

#include <stddef.h>

#include "core/hw.h"
#include "core/panic.h"
#include "core/spinlock.h"
#include "core/string.h"
#include "mm/bitset.h"
#include "mm/phys.h"

#define CHUNKS_PER_GIB  512U
#define PAGES_PER_CHUNK 512U
#define MAX_GIBS        65536U /* what the direct map reaches */

/* Owners of chunks and pages besides enum frame_owner; only a chunk is flushing or mixed. */
enum {
	NOT_RAM = FRAME_OWNER_COUNT,
	FLUSHING, /* free, but in no set while its lines are written back */
	MIXED,
};

/* Not usable for TDs, or usable: index of the sets. */
enum { CLASS_HOST, CLASS_TDX, CLASS_COUNT };

struct chunk {
	uint8_t owner;
	uint8_t class : 1;
	bool is_clean : 1;
	uint16_t free_pages;
};

/* Everything below is protected by lock. */
static struct spinlock lock = SPINLOCK_INIT;
static struct chunk *chunks;
static uint8_t (*page_owners)[PAGES_PER_CHUNK]; /* of mixed chunks */
static uint16_t slot_of_gib[MAX_GIBS];
static uint16_t gib_of_slot[MAX_GIBS];
static unsigned last_slot;
static uint64_t ram_end;
static struct bitset free_chunks[CLASS_COUNT];
static struct bitset partial_chunks[CLASS_COUNT];
static struct bitset dirty_chunks; /* of free ones of CLASS_TDX */
static unsigned flushing;          /* chunks */
static bool needs_flush;
static uint64_t account[MIXED];
static uint64_t free_tdx_pages;

const char *frame_owner_name(enum frame_owner o)
{
	static const char *const names[FRAME_OWNER_COUNT] = {
		[FRAME_FREE] = "free",     [FRAME_HOST] = "host",
		[FRAME_PAMT] = "pamt",     [FRAME_TD_CONTROL] = "td-control",
		[FRAME_SEPT] = "sept",     [FRAME_TD_PRIVATE] = "td-private",
		[FRAME_SHARED] = "shared", [FRAME_QUARANTINED] = "quarantined",
	};

	return o < FRAME_OWNER_COUNT ? names[o] : "unknown";
}

/* ---- chunks and pages ---- */

static uint64_t chunk_count(void) { return (last_slot + UINT64_C(1)) * CHUNKS_PER_GIB; }

/* The chunk that holds `at`. */
static uint64_t chunk_at(hpa_t at)
{
	uint64_t gib = at.raw / SIZE_1G;
	uint64_t slot = gib < MAX_GIBS ? slot_of_gib[gib] : 0;

	return slot * CHUNKS_PER_GIB + at.raw % SIZE_1G / SIZE_2M;
}

static hpa_t chunk_base(uint64_t c)
{
	return hpa(gib_of_slot[c / CHUNKS_PER_GIB] * SIZE_1G + c % CHUNKS_PER_GIB * SIZE_2M);
}

static unsigned page_owner(hpa_t at)
{
	uint64_t c = chunk_at(at);

	if (chunks[c].owner != MIXED)
		return chunks[c].owner;
	return page_owners[c][at.raw % SIZE_2M / PAGE_SIZE];
}

/* ---- the sets ---- */

/* Enters chunk `c` into the sets that it belongs to, or takes it out before it changes. */
static void chunk_index(uint64_t c, bool is_in)
{
	void (*change)(struct bitset * s, uint64_t member) = is_in ? bitset_add : bitset_remove;
	const struct chunk *k = &chunks[c];

	if (k->class == CLASS_TDX)
		free_tdx_pages += is_in ? k->free_pages : -(uint64_t)k->free_pages;
	if (k->owner == FRAME_FREE) {
		change(&free_chunks[k->class], c);
		if (k->class == CLASS_TDX && !k->is_clean)
			change(&dirty_chunks, c);
	} else if (k->owner == MIXED && k->free_pages > 0) {
		change(&partial_chunks[k->class], c);
	}
}

static bool gib_is_free(unsigned slot, unsigned class)
{
	return bitset_has_all(&free_chunks[class], slot * (uint64_t)CHUNKS_PER_GIB,
			      CHUNKS_PER_GIB);
}

/* ---- changes of owner, the only place that keeps the account ---- */

static void change_pages(struct chunk *k, unsigned from, unsigned to, unsigned count)
{
	account[from] -= count * PAGE_SIZE;
	account[to] += count * PAGE_SIZE;
	if (from == FRAME_FREE)
		k->free_pages = (uint16_t)(k->free_pages - count);
	if (to == FRAME_FREE)
		k->free_pages = (uint16_t)(k->free_pages + count);
}

/* Pages [first, first+count) of chunk `c` get a new owner. */
static void chunk_set_pages(uint64_t c, unsigned first, unsigned count, unsigned owner)
{
	struct chunk *k = &chunks[c];
	uint8_t *owners = page_owners[c];

	chunk_index(c, false);
	if (k->owner != MIXED && count == PAGES_PER_CHUNK) {
		change_pages(k, k->owner, owner, count);
		k->owner = (uint8_t)owner;
	} else {
		if (k->owner != MIXED)
			memset(owners, k->owner, PAGES_PER_CHUNK);
		for (unsigned p = first; p < first + count; p++) {
			change_pages(k, owners[p], owner, 1);
			owners[p] = (uint8_t)owner;
		}
		k->owner = k->free_pages == PAGES_PER_CHUNK ? FRAME_FREE : MIXED;
	}
	chunk_index(c, true);
}

/* True if every chunk of [base, base+size) was clean. */
static bool set_pages(hpa_t base, uint64_t size, unsigned owner)
{
	bool was_clean = true;

	while (size > 0) {
		uint64_t offset = base.raw % SIZE_2M;
		uint64_t n = SIZE_2M - offset < size ? SIZE_2M - offset : size;
		uint64_t c = chunk_at(base);

		was_clean &= chunks[c].is_clean;
		chunk_set_pages(c, (unsigned)(offset / PAGE_SIZE), (unsigned)(n / PAGE_SIZE),
				owner);
		base = hpa_add(base, n);
		size -= n;
	}
	return was_clean;
}

/* ---- allocation ---- */

static bool find_gib(unsigned class, hpa_t *out)
{
	for (unsigned slot = 1; slot <= last_slot; slot++) {
		if (!gib_is_free(slot, class))
			continue;
		*out = hpa(gib_of_slot[slot] * SIZE_1G);
		return true;
	}
	return false;
}

static bool find(enum page_level level, unsigned class, hpa_t *out)
{
	unsigned page = 0;
	uint64_t c;

	if (level == LEVEL_1G)
		return find_gib(class, out);
	if (level == LEVEL_4K && bitset_first(&partial_chunks[class], &c)) {
		while (page_owners[c][page] != FRAME_FREE)
			page++;
	} else if (!bitset_first(&free_chunks[class], &c)) {
		return false;
	}
	*out = hpa_add(chunk_base(c), page * PAGE_SIZE);
	return true;
}

static bool is_for_td(enum frame_owner owner)
{
	return owner == FRAME_PAMT || owner == FRAME_TD_CONTROL || owner == FRAME_SEPT ||
	       owner == FRAME_TD_PRIVATE;
}

/* Gives what is free to `owner`; true if it needs a flush before the module gets it. */
static bool take(hpa_t base, uint64_t size, enum frame_owner owner)
{
	bool was_clean = set_pages(base, size, owner);

	return !was_clean && needs_flush && is_for_td(owner);
}

static void flush(hpa_t base, uint64_t size)
{
	hw_clflush_range(phys_ptr(base), size);
	hw_mfence();
}

/* Lets go of the lock. True when a chunk that is being flushed may be what the caller lacks. */
static bool unlock_and_wait(bool found) RELEASES(lock)
{
	bool is_worth_it = !found && flushing > 0;

	spin_unlock(&lock);
	if (is_worth_it)
		hw_pause();
	return is_worth_it;
}

enum status frame_alloc(enum page_level level, enum frame_owner owner, hpa_t *out)
{
	bool is_dirty = false;
	bool found;

	CHECK(owner != FRAME_FREE && owner < FRAME_OWNER_COUNT && level <= LEVEL_1G);
	do {
		spin_lock(&lock);
		found = (!is_for_td(owner) && find(level, CLASS_HOST, out)) ||
			find(level, CLASS_TDX, out);
		if (found)
			is_dirty = take(*out, level_size(level), owner);
	} while (unlock_and_wait(found));
	if (is_dirty)
		flush(*out, level_size(level));
	return found ? STATUS_OK : STATUS_NO_MEMORY;
}

/*
 * 0 if all pages of [at, at+size) are free, or all have an owner; else the end of the first
 * page, chunk or GiB for which this is not so.
 */
static uint64_t first_not(bool free, uint64_t at, uint64_t size)
{
	for (uint64_t end = at + size; at < end;) {
		uint64_t c = chunk_at(hpa(at));
		unsigned owner = page_owner(hpa(at));
		uint64_t step = SIZE_2M;

		if (c < CHUNKS_PER_GIB)
			step = SIZE_1G;
		else if (chunks[c].owner == MIXED && (chunks[c].free_pages > 0 || !free))
			step = PAGE_SIZE;
		at = align_down(at, step) + step;
		if (free ? owner != FRAME_FREE
			 : owner == FRAME_FREE || owner >= FRAME_OWNER_COUNT)
			return at;
	}
	return 0;
}

static bool find_range(uint64_t size, uint64_t align, hpa_t low, hpa_t high, hpa_t *out)
{
	uint64_t end = high.raw < ram_end ? high.raw : ram_end;
	uint64_t at = low.raw <= end ? align_up(low.raw, align) : end;

	while (at < end && end - at >= size) {
		uint64_t blocked = first_not(true, at, size);

		if (blocked == 0) {
			*out = hpa(at);
			return true;
		}
		at = align_up(blocked, align);
	}
	return false;
}

enum status frame_alloc_at(hpa_t at, enum page_level level, enum frame_owner owner)
{
	uint64_t size = level_size(level);
	bool is_dirty = false;
	bool is_taken;

	CHECK(is_for_td(owner) && level <= LEVEL_2M && at.raw % size == 0);
	spin_lock(&lock);
	is_taken =
		chunks[chunk_at(at)].class == CLASS_TDX && first_not(true, at.raw, size) == 0;
	if (is_taken)
		is_dirty = take(at, size, owner);
	spin_unlock(&lock);
	if (is_dirty)
		flush(at, size);
	return is_taken ? STATUS_OK : STATUS_NO_MEMORY;
}

enum status frame_find(enum page_level level, hpa_t *out)
{
	bool is_found;

	CHECK(level == LEVEL_2M || level == LEVEL_1G);
	spin_lock(&lock);
	is_found = find(level, CLASS_TDX, out);
	spin_unlock(&lock);
	return is_found ? STATUS_OK : STATUS_NO_MEMORY;
}

enum status frame_alloc_range(uint64_t size, uint64_t align, hpa_t low, hpa_t high,
			      enum frame_owner owner, hpa_t *out)
{
	bool found;

	if (size == 0 || size % PAGE_SIZE != 0 || align % PAGE_SIZE != 0 || align == 0 ||
	    (align & (align - 1)) != 0)
		return STATUS_BAD_ARG;
	CHECK(owner != FRAME_FREE && owner < FRAME_OWNER_COUNT);
	do {
		spin_lock(&lock);
		found = find_range(size, align, low, high, out);
		if (found)
			(void)take(*out, size, owner);
	} while (unlock_and_wait(found));
	return found ? STATUS_OK : STATUS_NO_MEMORY;
}

static void check_taken(hpa_t base, uint64_t size)
{
	CHECK(size > 0 && base.raw % PAGE_SIZE == 0 && size % PAGE_SIZE == 0);
	CHECK(base.raw + size > base.raw && first_not(false, base.raw, size) == 0);
}

static void free_pages(hpa_t base, uint64_t size, bool is_clean)
{
	spin_lock(&lock);
	check_taken(base, size);
	for (uint64_t at = align_down(base.raw, SIZE_2M); at < base.raw + size; at += SIZE_2M) {
		struct chunk *k = &chunks[chunk_at(hpa(at))];

		/* The pages join those that are free already. */
		k->is_clean = is_clean && (k->is_clean || k->free_pages == 0);
	}
	(void)set_pages(base, size, FRAME_FREE);
	spin_unlock(&lock);
}

void frame_free(hpa_t base, uint64_t size) { free_pages(base, size, false); }
void frame_free_clean(hpa_t base, uint64_t size) { free_pages(base, size, true); }

void frame_set_owner(hpa_t base, uint64_t size, enum frame_owner owner)
{
	CHECK(owner != FRAME_FREE && owner < FRAME_OWNER_COUNT);
	spin_lock(&lock);
	check_taken(base, size);
	(void)set_pages(base, size, owner);
	spin_unlock(&lock);
}

void frame_all_clean(void)
{
	spin_lock(&lock);
	for (uint64_t c = 0; c < chunk_count(); c++) {
		chunk_index(c, false);
		chunks[c].is_clean = true;
		chunk_index(c, true);
	}
	spin_unlock(&lock);
}

void frame_flush_never(void)
{
	spin_lock(&lock);
	needs_flush = false;
	spin_unlock(&lock);
}

bool frame_flush_ahead(void)
{
	bool found;
	uint64_t c;

	spin_lock(&lock);
	found = needs_flush && bitset_first(&dirty_chunks, &c);
	if (found) {
		chunk_index(c, false);
		chunks[c].owner = FLUSHING;
		flushing++;
	}
	spin_unlock(&lock);
	if (!found)
		return false;
	flush(chunk_base(c), SIZE_2M);
	spin_lock(&lock);
	chunks[c].owner = FRAME_FREE;
	chunks[c].is_clean = true;
	flushing--;
	chunk_index(c, true);
	spin_unlock(&lock);
	return true;
}

enum frame_owner frame_owner_of(hpa_t at)
{
	unsigned owner;

	spin_lock(&lock);
	owner = page_owner(at);
	spin_unlock(&lock);
	if (owner == FLUSHING)
		return FRAME_FREE;
	return owner == NOT_RAM ? FRAME_HOST : (enum frame_owner)owner;
}

void frame_set_tdx_usable(hpa_t base, uint64_t size)
{
	uint64_t end = align_down(base.raw + size, SIZE_2M);

	spin_lock(&lock);
	for (uint64_t at = align_up(base.raw, SIZE_2M); at < end; at += SIZE_2M) {
		uint64_t c = chunk_at(hpa(at));

		if (chunks[c].class == CLASS_TDX)
			continue;
		chunk_index(c, false);
		chunks[c].class = CLASS_TDX;
		chunk_index(c, true);
	}
	spin_unlock(&lock);
}

void frame_account(uint64_t bytes[FRAME_OWNER_COUNT])
{
	spin_lock(&lock);
	memcpy(bytes, account, FRAME_OWNER_COUNT * sizeof(*bytes));
	spin_unlock(&lock);
}

uint64_t frame_total(void)
{
	uint64_t bytes[FRAME_OWNER_COUNT];
	uint64_t sum = 0;

	frame_account(bytes);
	for (unsigned i = 0; i < FRAME_OWNER_COUNT; i++)
		sum += bytes[i];
	return sum;
}

uint64_t frame_free_tdx(enum page_level level)
{
	uint64_t n = 0;

	spin_lock(&lock);
	if (level == LEVEL_4K)
		n = free_tdx_pages + (uint64_t)flushing * PAGES_PER_CHUNK;
	else if (level == LEVEL_2M)
		n = free_chunks[CLASS_TDX].count + flushing;
	for (unsigned slot = 1; level == LEVEL_1G && slot <= last_slot; slot++)
		n += gib_is_free(slot, CLASS_TDX);
	spin_unlock(&lock);
	return n;
}

/* ---- start ---- */

static uint64_t range_end(const struct boot_range *r) { return r->base.raw + r->size; }

/* Numbers the GiBs that hold RAM. Ranges ascend, so slots do. */
static void number_gibs(const struct boot_info *bi)
{
	memset(slot_of_gib, 0, sizeof(slot_of_gib));
	last_slot = 0;
	for (uint32_t i = 0; i < bi->range_count; i++) {
		const struct boot_range *r = &bi->ranges[i];

		ram_end = range_end(r);
		CHECK(ram_end <= MAX_GIBS * SIZE_1G);
		for (uint64_t gib = r->base.raw / SIZE_1G; gib * SIZE_1G < ram_end; gib++) {
			if (slot_of_gib[gib] != 0)
				continue;
			slot_of_gib[gib] = (uint16_t)++last_slot;
			gib_of_slot[last_slot] = (uint16_t)gib;
		}
	}
	CHECK(last_slot < MAX_GIBS);
}

/* All tables in one block at *at, of *size bytes. */
static void create_tables(const struct boot_info *bi, hpa_t *at, uint64_t *size)
{
	uint64_t count = chunk_count();
	void *memory;

	*size = align_up((2 * CLASS_COUNT + 1) * bitset_bytes(count) +
				 count * (sizeof(*chunks) + sizeof(*page_owners)),
			 PAGE_SIZE);
	CHECK(boot_range_find(bi, *size, PAGE_SIZE, BOOT_LOW_MEMORY_END, UINT64_MAX, at) ==
	      STATUS_OK);
	memory = phys_ptr(*at);
	for (unsigned class = 0; class < CLASS_COUNT; class ++) {
		memory = bitset_init(&free_chunks[class], count, memory);
		memory = bitset_init(&partial_chunks[class], count, memory);
	}
	chunks = bitset_init(&dirty_chunks, count, memory);
	page_owners = (void *)(chunks + count);
	for (uint64_t c = 0; c < count; c++)
		chunks[c] = (struct chunk){.owner = NOT_RAM};
}

/* First every page with any RAM is the host's, then pages that are wholly usable are free. */
static void give_ranges(const struct boot_info *bi)
{
	for (uint32_t i = 0; i < bi->range_count; i++) {
		const struct boot_range *r = &bi->ranges[i];
		hpa_t low = hpa(align_down(r->base.raw, PAGE_SIZE));

		(void)set_pages(low, align_up(range_end(r), PAGE_SIZE) - low.raw, FRAME_HOST);
	}
	for (uint32_t i = 0; i < bi->range_count; i++) {
		const struct boot_range *r = &bi->ranges[i];
		uint64_t low =
			r->base.raw < BOOT_LOW_MEMORY_END ? BOOT_LOW_MEMORY_END : r->base.raw;
		uint64_t high = align_down(range_end(r), PAGE_SIZE);

		low = align_up(low, PAGE_SIZE);
		if (r->kind == BOOT_MEM_USABLE && low < high)
			(void)set_pages(hpa(low), high - low, FRAME_FREE);
	}
}

void frame_init(const struct boot_info *bi)
{
	uint64_t size;
	hpa_t at;

	number_gibs(bi);
	create_tables(bi, &at, &size);
	memset(account, 0, sizeof(account));
	free_tdx_pages = 0;
	needs_flush = true;
	give_ranges(bi);
	(void)set_pages(at, size, FRAME_HOST);
}
