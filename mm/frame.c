/* SPDX-License-Identifier: MIT */
/*
 * RAM is cut into chunks of 2 MiB. A chunk has one owner, or is mixed, and then a
 * nibble per 4K page says whose it is: 4 bytes a chunk that are always in use, and 256
 * that are written only when it becomes mixed. Chunks are numbered densely over the GiBs
 * that hold any RAM ("slots"), ascending with the address, so holes cost nothing.
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
#define NIBBLE_BYTES    (PAGES_PER_CHUNK / 2)
#define NO_SLOT         UINT32_MAX
#define LOW_MEMORY_END  UINT64_C(0x100000) /* the firmware's and the AP trampoline's */

/* Values of chunk.owner and of nibbles besides enum frame_owner. */
#define FLUSHING 13U /* free, but in no set while its lines are written back */
#define NOT_RAM  14U
#define MIXED    15U

STATIC_ASSERT(FRAME_OWNER_COUNT <= FLUSHING, "an owner fits a nibble");
STATIC_ASSERT(FRAME_FREE == 0, "free pages are found as zero nibbles");

/* Not usable for TDs, or usable: index of the sets. */
enum { CLASS_HOST, CLASS_TDX, CLASS_COUNT };

struct chunk {
	uint8_t owner; /* enum frame_owner, or one of the values above */
	uint8_t class : 1;
	bool is_clean : 1;
	uint16_t free_pages; /* of a mixed chunk */
};

struct slot {
	uint32_t gib;
	uint16_t free_chunks;
	uint16_t tdx_chunks; /* of class CLASS_TDX, free or not */
};

/* Everything below is protected by lock. */
static struct spinlock lock = SPINLOCK_INIT;
static struct chunk *chunks;
static uint8_t (*nibbles)[NIBBLE_BYTES];
static struct slot *slots;
static uint32_t *slot_of_gib;
static uint64_t gib_count;
static uint32_t slot_count;
static struct bitset free_chunks[CLASS_COUNT];
static struct bitset partial_chunks[CLASS_COUNT];
static struct bitset dirty_chunks; /* of free ones of CLASS_TDX */
static unsigned flushing;          /* chunks */
static bool needs_flush;
static uint64_t account[FRAME_OWNER_COUNT];
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

/* The chunk that holds `at`; false where there is no RAM within a GiB. */
static bool chunk_at(hpa_t at, uint64_t *c)
{
	uint64_t gib = at.raw / SIZE_1G;

	if (gib >= gib_count || slot_of_gib[gib] == NO_SLOT)
		return false;
	*c = slot_of_gib[gib] * (uint64_t)CHUNKS_PER_GIB + at.raw % SIZE_1G / SIZE_2M;
	return true;
}

static hpa_t chunk_base(uint64_t c)
{
	return hpa(slots[c / CHUNKS_PER_GIB].gib * SIZE_1G + c % CHUNKS_PER_GIB * SIZE_2M);
}

static unsigned nibble_get(uint64_t c, unsigned page)
{
	return (unsigned)nibbles[c][page / 2] >> 4 * (page % 2) & 15U;
}

static void nibble_set(uint64_t c, unsigned page, unsigned owner)
{
	unsigned shift = 4 * (page % 2);
	unsigned byte = nibbles[c][page / 2];

	nibbles[c][page / 2] = (uint8_t)((byte & ~(15U << shift)) | owner << shift);
}

static unsigned page_owner(hpa_t at)
{
	uint64_t c;

	if (!chunk_at(at, &c))
		return NOT_RAM;
	if (chunks[c].owner != MIXED)
		return chunks[c].owner;
	return nibble_get(c, (unsigned)(at.raw % SIZE_2M / PAGE_SIZE));
}

/* A page of a mixed chunk that is free. */
static unsigned first_free_page(uint64_t c)
{
	unsigned page = 0;

	while (nibble_get(c, page) != FRAME_FREE)
		page += page % 2 == 0 && nibbles[c][page / 2] == 0xff ? 2 : 1;
	return page;
}

/* ---- the sets ---- */

static bool is_dirty_for_td(const struct chunk *k)
{
	return k->owner == FRAME_FREE && k->class == CLASS_TDX && !k->is_clean;
}

/* Enters chunk `c` into the sets that it belongs to, or takes it out before it changes. */
static void chunk_index(uint64_t c, bool is_in)
{
	void (*change)(struct bitset * s, uint64_t member) = is_in ? bitset_add : bitset_remove;
	struct slot *s = &slots[c / CHUNKS_PER_GIB];
	const struct chunk *k = &chunks[c];
	int one = is_in ? 1 : -1;

	if (k->class == CLASS_TDX)
		s->tdx_chunks = (uint16_t)(s->tdx_chunks + one);
	if (k->owner == FRAME_FREE) {
		change(&free_chunks[k->class], c);
		s->free_chunks = (uint16_t)(s->free_chunks + one);
	} else if (k->owner == MIXED && k->free_pages > 0) {
		change(&partial_chunks[k->class], c);
	}
	if (is_dirty_for_td(k))
		change(&dirty_chunks, c);
}

static bool gib_is_free(const struct slot *s, unsigned class)
{
	return s->free_chunks == CHUNKS_PER_GIB &&
	       s->tdx_chunks == (class == CLASS_TDX ? CHUNKS_PER_GIB : 0);
}

/* ---- changes of owner, the only place that keeps the account ---- */

static void count_pages(const struct chunk *k, unsigned from, unsigned to, uint64_t pages)
{
	if (from < FRAME_OWNER_COUNT)
		account[from] -= pages * PAGE_SIZE;
	if (to < FRAME_OWNER_COUNT)
		account[to] += pages * PAGE_SIZE;
	if (k->class == CLASS_TDX && from == FRAME_FREE)
		free_tdx_pages -= pages;
	if (k->class == CLASS_TDX && to == FRAME_FREE)
		free_tdx_pages += pages;
}

static void chunk_make_mixed(uint64_t c)
{
	struct chunk *k = &chunks[c];
	unsigned owner = k->owner;

	memset(nibbles[c], (int)(owner * 0x11), NIBBLE_BYTES);
	k->free_pages = owner == FRAME_FREE ? PAGES_PER_CHUNK : 0;
	k->owner = MIXED;
}

static void chunk_try_uniform(uint64_t c)
{
	struct chunk *k = &chunks[c];
	unsigned first = nibble_get(c, 0);

	for (unsigned i = 0; i < NIBBLE_BYTES; i++) {
		if (nibbles[c][i] != first * 0x11)
			return;
	}
	k->owner = (uint8_t)first;
}

/* Pages [first, first+count) of chunk `c` get a new owner. */
static void chunk_set_pages(uint64_t c, unsigned first, unsigned count, unsigned owner)
{
	struct chunk *k = &chunks[c];

	chunk_index(c, false);
	if (k->owner != MIXED && count == PAGES_PER_CHUNK) {
		count_pages(k, k->owner, owner, count);
		k->owner = (uint8_t)owner;
		chunk_index(c, true);
		return;
	}
	if (k->owner != MIXED)
		chunk_make_mixed(c);
	for (unsigned p = first; p < first + count; p++) {
		unsigned old = nibble_get(c, p);

		count_pages(k, old, owner, 1);
		k->free_pages =
			(uint16_t)(k->free_pages + (owner == FRAME_FREE) - (old == FRAME_FREE));
		nibble_set(c, p, owner);
	}
	chunk_try_uniform(c);
	chunk_index(c, true);
}

/* All of [base, base+size) lies in GiBs that have a slot. */
static void set_pages(hpa_t base, uint64_t size, unsigned owner)
{
	while (size > 0) {
		uint64_t offset = base.raw % SIZE_2M;
		uint64_t n = SIZE_2M - offset < size ? SIZE_2M - offset : size;
		uint64_t c;

		CHECK(chunk_at(base, &c));
		chunk_set_pages(c, (unsigned)(offset / PAGE_SIZE), (unsigned)(n / PAGE_SIZE),
				owner);
		base = hpa_add(base, n);
		size -= n;
	}
}

/* ---- allocation ---- */

static bool find_gib(unsigned class, hpa_t *out)
{
	for (uint32_t i = 0; i < slot_count; i++) {
		if (!gib_is_free(&slots[i], class))
			continue;
		*out = hpa(slots[i].gib * SIZE_1G);
		return true;
	}
	return false;
}

static bool find_chunk(unsigned class, hpa_t *out)
{
	uint64_t c;

	if (!bitset_first(&free_chunks[class], &c))
		return false;
	*out = chunk_base(c);
	return true;
}

static bool find(enum page_level level, unsigned class, hpa_t *out)
{
	return level == LEVEL_1G ? find_gib(class, out) : find_chunk(class, out);
}

static bool take_page(unsigned class, enum frame_owner owner, hpa_t *out)
{
	unsigned page = 0;
	uint64_t c;

	if (bitset_first(&partial_chunks[class], &c))
		page = first_free_page(c);
	else if (!bitset_first(&free_chunks[class], &c))
		return false;
	*out = hpa_add(chunk_base(c), page * PAGE_SIZE);
	chunk_set_pages(c, page, 1, owner);
	return true;
}

static bool take(enum page_level level, unsigned class, enum frame_owner owner, hpa_t *out)
{
	if (level == LEVEL_4K)
		return take_page(class, owner, out);
	if (level > LEVEL_1G || !find(level, class, out))
		return false;
	set_pages(*out, level_size(level), owner);
	return true;
}

static bool is_for_td(enum frame_owner owner)
{
	return owner == FRAME_PAMT || owner == FRAME_TD_CONTROL || owner == FRAME_SEPT ||
	       owner == FRAME_TD_PRIVATE;
}

/* Does what was just taken need a flush before the module gets it? */
static bool must_flush(hpa_t base, uint64_t size, enum frame_owner owner)
{
	if (!is_for_td(owner) || !needs_flush)
		return false;
	for (uint64_t at = 0; at < size; at += SIZE_2M) {
		uint64_t c;

		CHECK(chunk_at(hpa_add(base, at), &c));
		if (!chunks[c].is_clean)
			return true;
	}
	return false;
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

	CHECK(owner != FRAME_FREE && owner < FRAME_OWNER_COUNT);
	do {
		spin_lock(&lock);
		found = !is_for_td(owner) && take(level, CLASS_HOST, owner, out);
		if (!found)
			found = take(level, CLASS_TDX, owner, out);
		if (found)
			is_dirty = must_flush(*out, level_size(level), owner);
	} while (unlock_and_wait(found));
	if (is_dirty)
		flush(*out, level_size(level));
	return found ? STATUS_OK : STATUS_NO_MEMORY;
}

/*
 * If all of [at, at+size) is free, true; else *blocked becomes the end of the first page,
 * chunk or GiB found in the way.
 */
static bool range_is_free(uint64_t at, uint64_t size, uint64_t *blocked)
{
	uint64_t end = at + size;

	while (at < end) {
		uint64_t c;
		bool is_known = chunk_at(hpa(at), &c);
		uint64_t step = PAGE_SIZE;

		if (!is_known)
			step = SIZE_1G;
		else if (chunks[c].owner != MIXED)
			step = SIZE_2M;
		if (!is_known || page_owner(hpa(at)) != FRAME_FREE) {
			*blocked = align_down(at, step) + step;
			return false;
		}
		at = align_down(at, step) + step;
	}
	return true;
}

static bool find_range(uint64_t size, uint64_t align, hpa_t low, hpa_t high, hpa_t *out)
{
	uint64_t end = high.raw < gib_count * SIZE_1G ? high.raw : gib_count * SIZE_1G;
	uint64_t at = low.raw <= end ? align_up(low.raw, align) : end;
	uint64_t blocked;

	for (; at < end && end - at >= size; at = align_up(blocked, align)) {
		if (range_is_free(at, size, &blocked)) {
			*out = hpa(at);
			return true;
		}
	}
	return false;
}

enum status frame_alloc_at(hpa_t at, enum page_level level, enum frame_owner owner)
{
	uint64_t size = level_size(level);
	uint64_t blocked;
	uint64_t c;
	bool is_dirty = false;
	bool is_taken;

	CHECK(is_for_td(owner) && level <= LEVEL_2M && at.raw % size == 0);
	spin_lock(&lock);
	is_taken = chunk_at(at, &c) && chunks[c].class == CLASS_TDX &&
		   range_is_free(at.raw, size, &blocked);
	if (is_taken) {
		is_dirty = must_flush(at, size, owner);
		set_pages(at, size, owner);
	}
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
			set_pages(*out, size, owner);
	} while (unlock_and_wait(found));
	return found ? STATUS_OK : STATUS_NO_MEMORY;
}

static void check_pages(hpa_t base, uint64_t size)
{
	CHECK(size > 0 && base.raw % PAGE_SIZE == 0 && size % PAGE_SIZE == 0);
	for (uint64_t at = 0; at < size;) {
		unsigned owner = page_owner(hpa_add(base, at));
		uint64_t c;

		CHECK(owner < FRAME_OWNER_COUNT && owner != FRAME_FREE);
		CHECK(chunk_at(hpa_add(base, at), &c));
		if (chunks[c].owner == MIXED)
			at += PAGE_SIZE;
		else
			at += SIZE_2M - (base.raw + at) % SIZE_2M;
	}
}

static uint64_t chunk_free_pages(uint64_t c)
{
	if (chunks[c].owner == FRAME_FREE)
		return PAGES_PER_CHUNK;
	return chunks[c].owner == MIXED ? chunks[c].free_pages : 0;
}

/* Before pages that are clean, or not, join the free ones of their chunks. */
static void note_lines(hpa_t base, uint64_t size, bool is_clean)
{
	for (uint64_t at = align_down(base.raw, SIZE_2M); at < base.raw + size; at += SIZE_2M) {
		uint64_t c;

		CHECK(chunk_at(hpa(at), &c));
		if (!is_clean)
			chunks[c].is_clean = false;
		else if (chunk_free_pages(c) == 0)
			chunks[c].is_clean = true;
	}
}

static void free_pages(hpa_t base, uint64_t size, bool is_clean)
{
	spin_lock(&lock);
	check_pages(base, size);
	note_lines(base, size, is_clean);
	set_pages(base, size, FRAME_FREE);
	spin_unlock(&lock);
}

void frame_free(hpa_t base, uint64_t size) { free_pages(base, size, false); }
void frame_free_clean(hpa_t base, uint64_t size) { free_pages(base, size, true); }

void frame_set_owner(hpa_t base, uint64_t size, enum frame_owner owner)
{
	CHECK(owner != FRAME_FREE && owner < FRAME_OWNER_COUNT);
	spin_lock(&lock);
	check_pages(base, size);
	set_pages(base, size, owner);
	spin_unlock(&lock);
}

void frame_all_clean(void)
{
	uint64_t c;

	spin_lock(&lock);
	while (bitset_first(&dirty_chunks, &c))
		bitset_remove(&dirty_chunks, c);
	for (c = 0; c < (uint64_t)slot_count * CHUNKS_PER_GIB; c++)
		chunks[c].is_clean = true;
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
		uint64_t c;

		if (!chunk_at(hpa(at), &c) || chunks[c].class == CLASS_TDX)
			continue;
		chunk_index(c, false);
		chunks[c].class = CLASS_TDX;
		chunk_index(c, true);
		free_tdx_pages += chunk_free_pages(c);
	}
	spin_unlock(&lock);
}

void frame_account(uint64_t bytes[FRAME_OWNER_COUNT])
{
	spin_lock(&lock);
	memcpy(bytes, account, sizeof(account));
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
		n = free_tdx_pages;
	else if (level == LEVEL_2M)
		n = free_chunks[CLASS_TDX].count + flushing;
	for (uint32_t i = 0; level == LEVEL_1G && i < slot_count; i++)
		n += gib_is_free(&slots[i], CLASS_TDX);
	spin_unlock(&lock);
	return n;
}

/* ---- start ---- */

static uint64_t range_end(const struct boot_range *r) { return r->base.raw + r->size; }

/* Numbers the GiBs that a range touches. Ranges ascend, so slots do. */
static void number_gibs(const struct boot_info *bi)
{
	memset(slot_of_gib, 0xff, gib_count * sizeof(*slot_of_gib));
	for (uint32_t i = 0; i < bi->range_count; i++) {
		const struct boot_range *r = &bi->ranges[i];
		uint64_t last = (range_end(r) - 1) / SIZE_1G;

		if (r->kind == BOOT_MEM_RESERVED)
			continue;
		for (uint64_t g = r->base.raw / SIZE_1G; g <= last; g++) {
			if (slot_of_gib[g] != NO_SLOT)
				continue;
			slot_of_gib[g] = slot_count;
			slots[slot_count++] = (struct slot){.gib = (uint32_t)g};
		}
	}
}

/* GiBs that hold RAM, and the end of the last. */
static uint64_t count_gibs(const struct boot_info *bi)
{
	uint64_t next = 0;
	uint64_t count = 0;

	for (uint32_t i = 0; i < bi->range_count; i++) {
		const struct boot_range *r = &bi->ranges[i];
		uint64_t first = r->base.raw / SIZE_1G;

		if (r->kind == BOOT_MEM_RESERVED || r->size == 0)
			continue;
		if (first < next)
			first = next;
		next = (range_end(r) - 1) / SIZE_1G + 1;
		count += next - first;
	}
	gib_count = next;
	return count;
}

/* The next piece of a block of memory, whose size *at becomes; NULL while only it counts. */
static void *piece(char *memory, size_t *at, uint64_t size)
{
	void *p = memory == NULL ? NULL : memory + *at;

	*at += size;
	return p;
}

static void set_piece(struct bitset *s, uint64_t members, char *memory, size_t *at)
{
	void *p = piece(memory, at, bitset_bytes(members));

	if (p != NULL)
		bitset_init(s, members, p);
}

/* All tables in one block, in the order of their alignment. */
static size_t layout(uint64_t slot_total, char *memory)
{
	uint64_t chunk_total = slot_total * CHUNKS_PER_GIB;
	size_t at = 0;

	for (unsigned class = 0; class < CLASS_COUNT; class ++) {
		set_piece(&free_chunks[class], chunk_total, memory, &at);
		set_piece(&partial_chunks[class], chunk_total, memory, &at);
	}
	set_piece(&dirty_chunks, chunk_total, memory, &at);
	slots = piece(memory, &at, slot_total * sizeof(*slots));
	chunks = piece(memory, &at, chunk_total * sizeof(*chunks));
	slot_of_gib = piece(memory, &at, gib_count * sizeof(*slot_of_gib));
	nibbles = piece(memory, &at, chunk_total * NIBBLE_BYTES);
	return (size_t)align_up(at, PAGE_SIZE);
}

/* Gives all pages that the range touches, or only those inside it, to `owner`. */
static void give_range(const struct boot_range *r, unsigned owner, bool is_inward)
{
	uint64_t low = is_inward ? align_up(r->base.raw, PAGE_SIZE)
				 : align_down(r->base.raw, PAGE_SIZE);
	uint64_t high = is_inward ? align_down(range_end(r), PAGE_SIZE)
				  : align_up(range_end(r), PAGE_SIZE);

	if (low < high)
		set_pages(hpa(low), high - low, owner);
}

/* First every page with any RAM is the host's, then pages that are wholly usable are free. */
static void give_ranges(const struct boot_info *bi)
{
	for (uint32_t i = 0; i < bi->range_count; i++) {
		if (bi->ranges[i].kind != BOOT_MEM_RESERVED && bi->ranges[i].size > 0)
			give_range(&bi->ranges[i], FRAME_HOST, false);
	}
	for (uint32_t i = 0; i < bi->range_count; i++) {
		struct boot_range r = bi->ranges[i];

		if (r.kind != BOOT_MEM_USABLE || range_end(&r) <= LOW_MEMORY_END)
			continue;
		if (r.base.raw < LOW_MEMORY_END) {
			r.size = range_end(&r) - LOW_MEMORY_END;
			r.base = hpa(LOW_MEMORY_END);
		}
		give_range(&r, FRAME_FREE, true);
	}
}

void frame_init(const struct boot_info *bi)
{
	uint64_t slot_total = count_gibs(bi);
	size_t size = layout(slot_total, NULL);
	hpa_t at;

	CHECK(boot_range_find(bi, size, PAGE_SIZE, UINT64_MAX, &at) == STATUS_OK);
	(void)layout(slot_total, phys_ptr(at));
	memset(account, 0, sizeof(account));
	free_tdx_pages = 0;
	slot_count = 0;
	needs_flush = true;
	number_gibs(bi);
	for (uint64_t c = 0; c < slot_total * CHUNKS_PER_GIB; c++)
		chunks[c] = (struct chunk){.owner = NOT_RAM};
	give_ranges(bi);
	set_pages(at, size, FRAME_HOST);
}
