/* SPDX-License-Identifier: MIT */
/* Allocations that fail one by one, and blocks that nobody freed. Included by the test program itself, which
 * is linked with --wrap for the allocator (Makefile). */
#ifndef TESTS_FAULTY_HEAP_H
#define TESTS_FAULTY_HEAP_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

/* Under a sanitizer each run takes many times as long, and there it is about memory: every seventh will do.
 */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { STRIDE = 7 };
#else
enum { STRIDE = 1 };
#endif

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t n);
void *__real_reallocarray(void *p, size_t n, size_t size);
void __real_free(void *p);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t n);
void *__wrap_reallocarray(void *p, size_t n, size_t size);
void __wrap_free(void *p);

/* Blocks that are alive, by address: an open hash of what was handed out while `counting`. Either those of
 * the main thread or those of all others are counted: so it is the same ones in each run. */
enum { BLOCKS = 1 << 15 };
static struct {
	pthread_mutex_t lock;
	void *live[BLOCKS];
	long n_live, calls, fail_at;
	bool counting, failed, others;
} heap = {.lock = PTHREAD_MUTEX_INITIALIZER};
static _Thread_local bool is_main;

static bool counts(void)
{
	return heap.counting && is_main != heap.others;
}

static size_t block_at(const void *p)
{
	size_t i = ((uintptr_t)p >> 4) * 2654435761u % BLOCKS;
	while (heap.live[i] && heap.live[i] != p)
		i = (i + 1) % BLOCKS;
	return i;
}

static void *born(void *p)
{
	if (!p || !counts())
		return p;
	pthread_mutex_lock(&heap.lock);
	heap.live[block_at(p)] = p;
	heap.n_live++;
	pthread_mutex_unlock(&heap.lock);
	return p;
}

/* Takes it out and moves up those that had to step aside for it. */
static void taken_out(const void *p)
{
	size_t i = block_at(p);
	if (!heap.live[i])
		return;
	heap.live[i] = NULL;
	heap.n_live--;
	for (size_t k = (i + 1) % BLOCKS; heap.live[k]; k = (k + 1) % BLOCKS) {
		void *q = heap.live[k];
		heap.live[k] = NULL;
		heap.live[block_at(q)] = q;
	}
}

static void died(const void *p)
{
	if (!p)
		return;
	pthread_mutex_lock(&heap.lock);
	taken_out(p);
	pthread_mutex_unlock(&heap.lock);
}

static bool fails(void)
{
	if (!counts() || ++heap.calls != heap.fail_at)
		return false;
	heap.failed = true;
	return true;
}

void *__wrap_malloc(size_t n)
{
	return fails() ? NULL : born(__real_malloc(n));
}

void *__wrap_calloc(size_t n, size_t size)
{
	return fails() ? NULL : born(__real_calloc(n, size));
}

void *__wrap_realloc(void *p, size_t n)
{
	if (fails())
		return NULL;
	died(p);
	return born(__real_realloc(p, n));
}

void *__wrap_reallocarray(void *p, size_t n, size_t size)
{
	if (fails())
		return NULL;
	died(p);
	return born(__real_reallocarray(p, n, size));
}

void __wrap_free(void *p)
{
	died(p);
	__real_free(p);
}

/* Runs it once with each of its allocations failing, and once more with none. How many there were. */
static inline long each_allocation_of(void (*run)(void), void (*before)(void))
{
	long n = 0;
	for (bool more = true; more; n += STRIDE) {
		if (before)
			before();
		heap.calls = 0;
		heap.fail_at = n;
		heap.failed = false;
		heap.counting = true;
		run();
		heap.counting = false;
		more = n == 0 || heap.failed;
		if (heap.n_live)
			fail_msg("allocation %ld fails: %ld blocks are not freed", n, heap.n_live);
	}
	return n - 2;
}

#endif
