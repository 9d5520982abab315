/* SPDX-License-Identifier: MIT */
#ifndef TESTS_RANDOM_H
#define TESTS_RANDOM_H

#include "model.h"

/* The dice of the model test: one stream of numbers, the same for the same seed everywhere. */
typedef struct Dice {
	uint64_t state;
} Dice;

uint64_t dice_roll(Dice *dice, uint64_t sides); /* 0 to sides - 1 */
bool dice_chance(Dice *dice, unsigned int one_in);

/* Changes something in the made-up world, for both the daemon and the model. */
void world_stir(World *world, Model *model, Dice *dice);

/* A random request, and its text, which the caller frees. */
char *request_make(World *world, Model *model, Dice *dice, ModelRequest *ret);

#endif
