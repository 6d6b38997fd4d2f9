/* SPDX-License-Identifier: MIT */
#include "tests/hosted/cache.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "core/cpu.h"
#include "mm/frame.h"
#include "mm/phys.h"
#include "tdx/seamcall.h"
#include "tdx/tdx_abi.h"
#include "tests/fake/fake.h"
#include "tests/hosted/platform.h"
#include "tests/unit/test.h"

#define PAGES_PER_CHUNK 512U
#define MAX_REPORTS     8 /* the rest follows from them */
#define MAX_TDS         256
#define MAX_KEYIDS      (1U << PLATFORM_KEYID_BITS)
#define KEYID_SHIFT     (52 - PLATFORM_KEYID_BITS)

enum page_state {
	DIRTY,   /* KeyID 0, last written at `time`; a page that nobody touched was, by firmware
		  */
	HELD,    /* the host's, which may write at any time */
	FLUSHED, /* by CPU `who`, when it had fenced `time` times */
	CLEAN,   /* no line of it is dirty */
	OWNED,   /* the module's, dirty under the private KeyID */
	RETURNED, /* given back at `time` with lines dirty under KeyID `who` */
	WRITTEN,  /* given back, lines written back, not reset */
};

struct page {
	uint8_t state;
	uint16_t who;
	uint32_t time;
};

/* All pages of 2M alike, or each as all_pages[] says. */
struct chunk {
	atomic_flag lock;
	bool is_split;
	struct page all;
};

enum event {
	TAKEN_BY_MODULE,
	GIVEN_BACK, /* dirty under KeyID `who` */
	RECLAIMED,  /* after its KeyID was flushed */
	TAKEN_BY_HOST,
	FREED,       /* the host may have written to it, up to now */
	FREED_CLEAN, /* and must be */
	CLFLUSHED,
	KEYID_WRITTEN, /* KeyID `who` */
	RESET,
};

static uint8_t *base;
static uint64_t size;
static struct chunk *chunks;
static struct page *all_pages;
static atomic_uint_least64_t owned, flushed_bytes, wbinvds;
static bool needs_flush;

/* A clock that ticks with each event that writes back much; pages remember when they got dirty.
 */
static atomic_uint now;
static atomic_uint package_written[MAX_PACKAGES]; /* by WBINVD, which began at that time */
static atomic_uint keyid_freed[MAX_KEYIDS];       /* after CACHE.WB on every package */
static atomic_uint fences[MAX_CPUS];

static pthread_mutex_t td_lock = PTHREAD_MUTEX_INITIALIZER;
static struct {
	uint64_t tdr;
	uint16_t keyid;
} tds[MAX_TDS];
static uint16_t global_keyid;

/* ---- Violations ---- */

static bool is_expected;
static atomic_uint reported;
static char caught[160];

const char *cache_caught(void)
{
	static char last[sizeof(caught)];

	is_expected = true;
	memcpy(last, caught, sizeof(last));
	caught[0] = '\0';
	return last;
}

static void __attribute__((format(printf, 2, 3))) violation(uint64_t hpa, const char *fmt, ...)
{
	char text[128];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (is_expected)
		(void)snprintf(caught, sizeof(caught), "%s", text);
	else if (atomic_fetch_add(&reported, 1) < MAX_REPORTS)
		test_fail(__FILE__, __LINE__, "page %#llx: %s", (unsigned long long)hpa, text);
}

/* ---- One page ---- */

static bool is_written_back(uint32_t time)
{
	for (unsigned i = 0; i < package_count; i++)
		if (atomic_load(&package_written[i]) <= time)
			return false;
	return true;
}

/* What has happened to all pages meanwhile. */
static struct page settled(struct page p)
{
	if (p.state == DIRTY && is_written_back(p.time))
		p.state = CLEAN;
	if (p.state == FLUSHED && atomic_load(&fences[p.who]) > p.time)
		p.state = CLEAN;
	if (p.state == RETURNED &&
	    (is_written_back(p.time) || atomic_load(&keyid_freed[p.who]) > p.time))
		p.state = WRITTEN;
	return p;
}

static void check_not_modules(uint64_t hpa, const struct page *p, const char *act)
{
	if (p->state == OWNED)
		violation(hpa, "%s, but is the module's", act);
	if (p->state == RETURNED)
		violation(hpa, "%s with lines dirty under KeyID %u", act, p->who);
}

static void check_not_returned(uint64_t hpa, const struct page *p, const char *act)
{
	check_not_modules(hpa, p, act);
	if (p->state == WRITTEN)
		violation(hpa, "%s without a reset", act);
}

static void check_clean(uint64_t hpa, const struct page *p, const char *act)
{
	check_not_returned(hpa, p, act);
	if (!needs_flush)
		return;
	if (p->state == FLUSHED)
		violation(hpa, "%s before the fence", act);
	else if (p->state == DIRTY || p->state == HELD)
		violation(hpa, "%s with lines dirty under KeyID 0", act);
}

static struct page after(uint64_t hpa, struct page p, enum event event, uint16_t who)
{
	struct page dirty = {.state = DIRTY, .time = atomic_load(&now)};

	p = settled(p);
	switch (event) {
	case TAKEN_BY_MODULE:
		check_clean(hpa, &p, "goes to the module");
		return (struct page){.state = OWNED};
	case GIVEN_BACK:
		return (struct page){.state = RETURNED, .who = who, .time = dirty.time};
	case RECLAIMED:
		return (struct page){.state = WRITTEN};
	case TAKEN_BY_HOST:
		check_not_returned(hpa, &p, "is allocated");
		return (struct page){.state = HELD};
	case FREED:
		check_not_returned(hpa, &p, "is freed");
		return p.state == OWNED ? p : dirty;
	case FREED_CLEAN:
		check_clean(hpa, &p, "is freed as clean");
		return p;
	case CLFLUSHED:
		if (p.state == OWNED)
			violation(hpa, "is flushed, but is the module's");
		if (p.state == DIRTY)
			return (struct page){FLUSHED, (uint16_t)this_cpu(),
					     atomic_load(&fences[this_cpu()])};
		return p;
	case KEYID_WRITTEN:
		if (p.state == RETURNED && p.who == who)
			p.state = WRITTEN;
		return p;
	case RESET:
		check_not_modules(hpa, &p, "is reset");
		if (p.state != HELD && p.state != OWNED)
			p.state = CLEAN;
		return p;
	}
	abort();
}

/* ---- Ranges ---- */

static void count_owned(bool was, bool is, uint64_t pages)
{
	if (was != is)
		atomic_fetch_add(&owned, is ? pages : -pages);
}

static void change(struct page *p, uint64_t hpa, uint64_t pages, enum event event, uint16_t who)
{
	struct page next = after(hpa, *p, event, who);

	count_owned(p->state == OWNED, next.state == OWNED, pages);
	*p = next;
}

static void lock_chunk(struct chunk *c)
{
	while (atomic_flag_test_and_set_explicit(&c->lock, memory_order_acquire))
		continue;
}

static void unlock_chunk(struct chunk *c)
{
	atomic_flag_clear_explicit(&c->lock, memory_order_release);
}

static bool is_alike(const struct page *pages)
{
	for (unsigned i = 1; i < PAGES_PER_CHUNK; i++)
		if (memcmp(&pages[i], &pages[0], sizeof(pages[0])) != 0)
			return false;
	return true;
}

/* [at, end) lies in one chunk. */
static void change_in_chunk(uint64_t at, uint64_t end, enum event event, uint16_t who)
{
	struct chunk *c = &chunks[at / SIZE_2M];
	struct page *pages = &all_pages[at / SIZE_2M * PAGES_PER_CHUNK];

	lock_chunk(c);
	if (!c->is_split && end - at == SIZE_2M) {
		change(&c->all, at, PAGES_PER_CHUNK, event, who);
		unlock_chunk(c);
		return;
	}
	for (unsigned i = 0; !c->is_split && i < PAGES_PER_CHUNK; i++)
		pages[i] = c->all;
	for (uint64_t page = at; page < end; page += PAGE_SIZE)
		change(&pages[page % SIZE_2M / PAGE_SIZE], page, 1, event, who);
	c->is_split = end - at < SIZE_2M || !is_alike(pages);
	c->all = pages[0];
	unlock_chunk(c);
}

static void change_range(uint64_t at, uint64_t bytes, enum event event, uint16_t who)
{
	uint64_t end = align_up(at + bytes, PAGE_SIZE);

	at = align_down(at, PAGE_SIZE);
	if (chunks == NULL || (uint8_t *)phys_ptr(hpa(0)) != base || at >= size)
		return;
	if (end > size)
		end = size;
	while (at < end) {
		uint64_t next = align_down(at, SIZE_2M) + SIZE_2M;

		if (next > end)
			next = end;
		change_in_chunk(at, next, event, who);
		at = next;
	}
}

bool cache_is_owned(uint64_t hpa)
{
	struct chunk *c = &chunks[hpa / SIZE_2M];
	bool is_owned;

	if (hpa >= size)
		return false;
	lock_chunk(c);
	is_owned = (c->is_split ? all_pages[hpa / PAGE_SIZE] : c->all).state == OWNED;
	unlock_chunk(c);
	return is_owned;
}

uint64_t cache_owned_pages(void) { return atomic_load(&owned); }

/* ---- What the host does ---- */

static void cache_op(enum fake_cache_op op, const void *p, size_t bytes)
{
	uint64_t at = (uint64_t)((const uint8_t *)p - base);

	switch (op) {
	case FAKE_CLFLUSH:
		atomic_fetch_add(&flushed_bytes, bytes);
		change_range(at, bytes, CLFLUSHED, 0);
		break;
	case FAKE_MFENCE:
		atomic_fetch_add(&fences[this_cpu()], 1);
		break;
	case FAKE_RESET_LINES:
		change_range(at, bytes, RESET, 0);
		break;
	case FAKE_WBINVD:
		atomic_fetch_add(&wbinvds, 1);
		atomic_store(&package_written[cpus[this_cpu()].package],
			     atomic_fetch_add(&now, 1) + 1);
		break;
	}
}

static bool is_for_host(enum frame_owner owner)
{
	return owner == FRAME_HOST || owner == FRAME_SHARED;
}

/* The linker puts these between frame.c and everybody else. */
#define WRAPPED(result, name, ...)                                                             \
	result __real_##name(__VA_ARGS__);                                                     \
	result __wrap_##name(__VA_ARGS__);                                                     \
	result __wrap_##name(__VA_ARGS__)

WRAPPED(enum status, frame_alloc, enum page_level level, enum frame_owner owner, hpa_t *out)
{
	enum status s = __real_frame_alloc(level, owner, out);

	if (s == STATUS_OK && is_for_host(owner))
		change_range(out->raw, level_size(level), TAKEN_BY_HOST, 0);
	return s;
}

WRAPPED(enum status, frame_alloc_range, uint64_t bytes, uint64_t align, hpa_t low, hpa_t high,
	enum frame_owner owner, hpa_t *out)
{
	enum status s = __real_frame_alloc_range(bytes, align, low, high, owner, out);

	if (s == STATUS_OK && is_for_host(owner))
		change_range(out->raw, bytes, TAKEN_BY_HOST, 0);
	return s;
}

WRAPPED(void, frame_free, hpa_t at, uint64_t bytes)
{
	change_range(at.raw, bytes, FREED, 0);
	__real_frame_free(at, bytes);
}

WRAPPED(void, frame_free_clean, hpa_t at, uint64_t bytes)
{
	change_range(at.raw, bytes, FREED_CLEAN, 0);
	__real_frame_free_clean(at, bytes);
}

WRAPPED(void, frame_set_owner, hpa_t at, uint64_t bytes, enum frame_owner owner)
{
	if (is_for_host(owner))
		change_range(at.raw, bytes, TAKEN_BY_HOST, 0);
	__real_frame_set_owner(at, bytes, owner);
}

void cache_host_writes(uint64_t hpa) { change_range(hpa, PAGE_SIZE, FREED, 0); }

/* ---- What the module does ---- */

static uint16_t keyid_of(uint64_t tdr)
{
	uint16_t keyid = 0;

	(void)pthread_mutex_lock(&td_lock);
	for (unsigned i = 0; i < MAX_TDS; i++)
		if (tds[i].keyid != 0 && tds[i].tdr == tdr)
			keyid = tds[i].keyid;
	(void)pthread_mutex_unlock(&td_lock);
	return keyid;
}

/* KeyID 0: the TD is gone. */
static void set_keyid(uint64_t tdr, uint16_t keyid)
{
	unsigned i = 0;

	(void)pthread_mutex_lock(&td_lock);
	while (i < MAX_TDS && (tds[i].keyid == 0 || tds[i].tdr != tdr))
		i++;
	for (unsigned j = 0; i == MAX_TDS && j < MAX_TDS; j++)
		if (tds[j].keyid == 0)
			i = j;
	if (i == MAX_TDS)
		abort();
	tds[i].tdr = tdr;
	tds[i].keyid = keyid;
	(void)pthread_mutex_unlock(&td_lock);
}

void cache_owner_changed(uint64_t rax, const struct seamcall_regs *in, uint64_t at,
			 uint64_t bytes, bool module_owns)
{
	unsigned leaf = (unsigned)(rax & 0xffff);

	if (module_owns)
		change_range(at, bytes, TAKEN_BY_MODULE, 0);
	else if (leaf != TDH_PHYMEM_PAGE_RECLAIM)
		change_range(at, bytes, GIVEN_BACK, keyid_of(in->rdx));
	else if (keyid_of(at) != 0)
		change_range(at, bytes, GIVEN_BACK, global_keyid);
	else
		change_range(at, bytes, RECLAIMED, 0);
}

void cache_seamcall(uint64_t rax, const struct seamcall_regs *in)
{
	const uint64_t address = (UINT64_C(1) << KEYID_SHIFT) - 1;

	switch (rax & 0xffff) {
	case TDH_SYS_CONFIG:
		global_keyid = (uint16_t)in->r8;
		break;
	case TDH_MNG_CREATE:
		set_keyid(in->rcx, (uint16_t)in->rdx);
		break;
	case TDH_MNG_KEY_FREEID:
		atomic_store(&keyid_freed[keyid_of(in->rcx)], atomic_fetch_add(&now, 1) + 1);
		break;
	case TDH_PHYMEM_PAGE_RECLAIM:
		if (keyid_of(in->rcx) != 0)
			set_keyid(in->rcx, 0);
		break;
	case TDH_PHYMEM_PAGE_WBINVD:
		change_range(in->rcx & address, PAGE_SIZE, KEYID_WRITTEN,
			     (uint16_t)(in->rcx >> KEYID_SHIFT));
		break;
	default:
		break;
	}
}

/* ---- Start ---- */

/* Costs nothing until it is touched. */
static void *map_sparse(uint64_t bytes)
{
	void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (p == MAP_FAILED)
		abort();
	return p;
}

void cache_start(void *arena, uint64_t bytes)
{
	uint64_t chunk_count = align_up(bytes, SIZE_2M) / SIZE_2M;

	if (chunks != NULL) {
		uint64_t before = align_up(size, SIZE_2M) / SIZE_2M;

		(void)munmap(chunks, before * sizeof(*chunks));
		(void)munmap(all_pages, before * PAGES_PER_CHUNK * sizeof(*all_pages));
	}
	base = arena;
	size = bytes;
	chunks = map_sparse(chunk_count * sizeof(*chunks));
	all_pages = map_sparse(chunk_count * PAGES_PER_CHUNK * sizeof(*all_pages));
	owned = flushed_bytes = wbinvds = 0;
	needs_flush = true;
	global_keyid = 0;
	now = 1;
	memset(package_written, 0, sizeof(package_written));
	memset(keyid_freed, 0, sizeof(keyid_freed));
	memset(fences, 0, sizeof(fences));
	memset(tds, 0, sizeof(tds));
	(void)fake_set_cache_hook(cache_op);
}

void cache_flush_not_needed(void) { needs_flush = false; }
uint64_t cache_flushed_bytes(void) { return atomic_load(&flushed_bytes); }
uint64_t cache_wbinvds(void) { return atomic_load(&wbinvds); }
