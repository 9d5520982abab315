/* SPDX-License-Identifier: MIT */
#ifndef TESTS_MODEL_RANDOM_H
#define TESTS_MODEL_RANDOM_H

#include "tests/model/model.h"

/* A pseudo-random generator. Equal seeds give equal sequences on every machine. */
typedef struct Dice {
	uint64_t state;
} Dice;

uint64_t dice_roll(Dice *dice, uint64_t sides);    /* returns 0 to sides - 1 */
bool dice_chance(Dice *dice, unsigned int one_in); /* true with probability 1 / one_in */

/*
 * Changes processes, callers, users and settings of the fake host at random. Exits are reported to
 * the daemon and to the model.
 */
void random_host_change(FakeHost *fake_host, Model *model, Dice *dice);

/*
 * Makes a random request. Returns its text without the closing brace, so that the caller can append
 * members such as "more". The caller frees the text.
 */
char *random_request(FakeHost *fake_host, Model *model, Dice *dice, ModelRequest *ret);

#endif
