/* SPDX-License-Identifier: MIT */
#ifndef TESTS_PROOFS_PROOF_H
#define TESTS_PROOFS_PROOF_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Shared by all proofs. CBMC takes a call of nondet_TYPE() as every value of the type at once, and
 * follows all paths. It searches for an execution that violates an assertion, reads or writes
 * outside an object, overflows a signed number, or runs a loop more often than the bound. If it
 * finds none, none exists.
 */
bool nondet_bool(void);
int nondet_int(void);
uint8_t nondet_byte(void);
uint32_t nondet_uint32(void);
uint64_t nondet_uint64(void);
size_t nondet_size(void);

/* Restricts the rest of the proof to the executions in which the condition holds. */
#ifdef __CPROVER__
#define assume(condition) __CPROVER_assume(condition)
#else
void assume(bool condition); /* for other tools that read these files */
#endif

/* Defines a proof, which tests/proofs/list.sh names. */
#define PROOF(name)              \
	void prove_##name(void); \
	void prove_##name(void)

#endif
