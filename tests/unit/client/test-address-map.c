/* SPDX-License-Identifier: MIT */
/* Tests drawings of address spaces, and their bounds. */
#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "client/vailctl/address-map/address-map.h"
#include "proto/macros.h"

TestSuite(address_map);

#define KIB UINT64_C(1024)
#define MIB (1024 * KIB)
#define GIB (1024 * MIB)
#define TIB (1024 * GIB)

#define RANGE(range_kind, start, length)                                             \
	{                                                                            \
		.size = sizeof(VailRange), .kind = (range_kind), .address = (start), \
		.size_in_bytes = (length),                                           \
	}
#define ROOT_ENTRY_ZERO(length) RANGE(VAIL_RANGE_ROOT_ENTRY_ZERO, 0, length)
#define DRIVER(start, length)   RANGE(VAIL_RANGE_DRIVER_RESERVATION, start, length)
#define PROCESS(start, length)  RANGE(VAIL_RANGE_USER_RESERVATION, start, length)
#define MAPPING(start, length, number)                                                     \
	{                                                                                  \
		.size = sizeof(VailRange), .kind = VAIL_RANGE_MAPPING, .address = (start), \
		.size_in_bytes = (length), .protection = VAIL_PROTECTION_READ_WRITE,       \
		.allocation = (number), .offset = 4 * KIB,                                 \
	}

static const uint8_t two_levels[] = { 5, 5 };
static const uint8_t four_levels[] = { 9, 9, 9, 9 };

static char *draw_styled(const uint8_t *bits, size_t levels, const VailRange *ranges, size_t count,
			 const AddressMapStyle *style)
{
	MapSpace space;
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	cr_assert(map_space_init(&space, bits, levels, ranges, count));
	cr_assert(address_map_print(&space, style, out));
	fclose(out);
	map_space_deinit(&space);
	return text;
}

static char *draw(const uint8_t *bits, size_t levels, const VailRange *ranges, size_t count,
		  size_t width)
{
	AddressMapStyle style = { .width = width, .has_legend = true };

	return draw_styled(bits, levels, ranges, count, &style);
}

static size_t count_text(const char *text, const char *part)
{
	size_t count = 0;

	while ((text = strstr(text, part))) {
		count++;
		text += strlen(part);
	}
	return count;
}

/* ---- Examples ---- */

#define LEGEND_40                                   \
	"M mapping  P reserved by the process\n"    \
	"D reserved by the driver  X invalid\n"     \
	". free\n"                                  \
	"m p d x: a cell only partly of that\n"     \
	"kind. A number marks the cell in which\n"  \
	"that range begins. root[1] is the table\n" \
	"behind entry 1 of the root.\n"             \
	"\n"
#define LEGEND_80                                                                           \
	"M mapping  P reserved by the process  D reserved by the driver  X invalid\n"       \
	". free\n"                                                                          \
	"m p d x: a cell only partly of that kind. A number marks the cell in which that\n" \
	"range begins. root[1] is the table behind entry 1 of the root.\n"                  \
	"\n"

/* The table at entry 4 shows a reservation with a mapping in it. The root shows the driver's. */
Test(address_map, two_levels)
{
	static const VailRange ranges[] = { ROOT_ENTRY_ZERO(128 * KIB),
					    DRIVER(128 * KIB, 256 * KIB),
					    PROCESS(512 * KIB, 64 * KIB),
					    MAPPING(528 * KIB, 16 * KIB, 7) };
	_cleanup_free_ char *text = draw(two_levels, 2, ranges, ARRAY_SIZE(ranges), 40);

	cr_assert_str_eq(text, "4 MiB of addresses, 2 levels of page\n"
			       "tables\n"
			       "\n" LEGEND_40 "root at 0x0  cell = 1 entry = 128 KiB\n"
			       "|XDD.m...........................|\n"
			       " 0   2\n"
			       "\n"
			       "root[4] at 0x80000    cell = 4 KiB\n"
			       "|PPPPMMMMPPPPPPPP................|\n"
			       " 2   3\n"
			       "\n"
			       "#  ADDRESS     SIZE  KIND\n"
			       "0  0x0      128 KiB  invalid\n"
			       "1  0x20000  256 KiB  driver\n"
			       "2  0x80000   64 KiB  process\n"
			       "3  0x84000   16 KiB  mapping\n"
			       "\n"
			       "4 ranges: 16 KiB mapped, 48 KiB reserved\n"
			       "by the process, 256 KiB reserved by the\n"
			       "driver, 128 KiB invalid, 3.5 MiB free\n");
}

/* An entry has two cells here. */
Test(address_map, two_levels_wide)
{
	static const VailRange ranges[] = { ROOT_ENTRY_ZERO(128 * KIB),
					    DRIVER(128 * KIB, 256 * KIB),
					    PROCESS(512 * KIB, 64 * KIB),
					    MAPPING(528 * KIB, 16 * KIB, 7) };
	_cleanup_free_ char *text = draw(two_levels, 2, ranges, ARRAY_SIZE(ranges), 80);

	cr_assert_str_eq(
		text,
		"4 MiB of addresses, 2 levels of page tables\n"
		"\n" LEGEND_80
		"root at 0x0                              cell = 1/2 entry = 64 KiB\n"
		"|XXDDDD..m.......................................................|\n"
		" 0 1     2\n"
		"\n"
		"root[4] at 0x80000                        cell = 1/2 entry = 2 KiB\n"
		"|PPPPPPPPMMMMMMMMPPPPPPPPPPPPPPPP................................|\n"
		" 2       3\n"
		"\n"
		"#  ADDRESS     SIZE  KIND     ACCESS          ALLOCATION  OFFSET\n"
		"0  0x0      128 KiB  invalid  -                        -       -\n"
		"1  0x20000  256 KiB  driver   driver alone             -       -\n"
		"2  0x80000   64 KiB  process  -                        -       -\n"
		"3  0x84000   16 KiB  mapping  read and write           7  0x1000\n"
		"\n"
		"4 ranges: 16 KiB mapped, 48 KiB reserved by the process, 256 KiB reserved by the\n"
		"driver, 128 KiB invalid, 3.5 MiB free\n");
}

Test(address_map, four_levels)
{
	static const VailRange ranges[] = {
		ROOT_ENTRY_ZERO(512 * GIB),   DRIVER(512 * GIB, 2 * GIB),
		PROCESS(514 * GIB, 64 * MIB), MAPPING(514 * GIB + 8 * MIB, 128 * KIB, 1),
		DRIVER(20 * TIB, 1536 * GIB), MAPPING(250 * TIB, 4 * KIB, 2)
	};
	_cleanup_free_ char *text = draw(four_levels, 4, ranges, ARRAY_SIZE(ranges), 80);

	cr_assert_str_eq(
		text,
		"256 TiB of addresses, 4 levels of page tables\n"
		"\n" LEGEND_80
		"root at 0x0                               cell = 8 entries = 4 TiB\n"
		"|m....d........................................................m.|\n"
		" 0    4                                                        5\n"
		"\n"
		"root entries 0-63 at 0x0                  cell = 1 entry = 512 GiB\n"
		"|Xm......................................DDD.....................|\n"
		" 0                                       4\n"
		"\n"
		"root[1] entries 0-63 at 0x8000000000        cell = 1 entry = 1 GiB\n"
		"|DDm.............................................................|\n"
		" 1 2\n"
		"\n"
		"root[1][2] entries 0-63 at 0x8080000000     cell = 1 entry = 2 MiB\n"
		"|PPPPmPPPPPPPPPPPPPPPPPPPPPPPPPPP................................|\n"
		" 2   3\n"
		"\n"
		"root[1][2][4] at 0x8080800000            cell = 8 entries = 32 KiB\n"
		"|MMMMPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPP|\n"
		" 3\n"
		"\n"
		"root[500][0][0] entries 0-63 at 0xfa0000000000  cell = 1 entry = 4 KiB\n"
		"|M...............................................................|\n"
		" 5\n"
		"\n"
		"#  ADDRESS            SIZE  KIND     ACCESS          ALLOCATION  OFFSET\n"
		"0  0x0             512 GiB  invalid  -                        -       -\n"
		"1  0x8000000000      2 GiB  driver   driver alone             -       -\n"
		"2  0x8080000000     64 MiB  process  -                        -       -\n"
		"3  0x8080800000    128 KiB  mapping  read and write           1  0x1000\n"
		"4  0x140000000000  1.5 TiB  driver   driver alone             -       -\n"
		"5  0xfa0000000000    4 KiB  mapping  read and write           2  0x1000\n"
		"\n"
		"6 ranges: 132 KiB mapped, 63.8 MiB reserved by the process, 1.5 TiB reserved by\n"
		"the driver, 512 GiB invalid, 253.9 TiB free\n");
}

Test(address_map, unicode)
{
	static const VailRange ranges[] = { ROOT_ENTRY_ZERO(512 * GIB), DRIVER(512 * GIB, 2 * GIB),
					    PROCESS(514 * GIB, 64 * MIB),
					    MAPPING(514 * GIB + 8 * MIB, 128 * KIB, 1) };
	AddressMapStyle style = { .width = 120, .has_unicode = true, .has_legend = true };
	_cleanup_free_ char *text = draw_styled(four_levels, 4, ranges, ARRAY_SIZE(ranges), &style);

	cr_assert_str_eq(text,
			 "256 TiB of addresses, 4 levels of page tables\n"
			 "\n"
			 "█ mapping  ▒ reserved by the process  ▓ reserved by the driver  ╳ "
			 "invalid  · free\n"
			 "m p d x: a cell only partly of that kind. A number marks the cell in "
			 "which that range begins. root[1] is the table\n"
			 "behind entry 1 of the root.\n"
			 "\n"
			 "root at 0x0                               cell = 8 entries = 4 TiB\n"
			 "│m·······························································│\n"
			 " 0\n"
			 "\n"
			 "root entries 0-63 at 0x0                  cell = 1 entry = 512 GiB\n"
			 "│╳m······························································│\n"
			 " 0\n"
			 "\n"
			 "root[1] entries 0-63 at 0x8000000000        cell = 1 entry = 1 GiB\n"
			 "│▓▓m·····························································│\n"
			 " 1 2\n"
			 "\n"
			 "root[1][2] entries 0-63 at 0x8080000000     cell = 1 entry = 2 MiB\n"
			 "│▒▒▒▒m▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒································│\n"
			 " 2   3\n"
			 "\n"
			 "root[1][2][4] at 0x8080800000            cell = 8 entries = 32 KiB\n"
			 "│████▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒│\n"
			 " 3\n"
			 "\n"
			 "#  ADDRESS          SIZE  KIND     ACCESS          ALLOCATION  OFFSET\n"
			 "0  0x0           512 GiB  invalid  -                        -       -\n"
			 "1  0x8000000000    2 GiB  driver   driver alone             -       -\n"
			 "2  0x8080000000   64 MiB  process  -                        -       -\n"
			 "3  0x8080800000  128 KiB  mapping  read and write           1  0x1000\n"
			 "\n"
			 "4 ranges: 128 KiB mapped, 63.8 MiB reserved by the process, 2 GiB "
			 "reserved by the driver, 512 GiB invalid, 255.4 TiB\n"
			 "free\n");
}

Test(address_map, equal_tables_are_counted)
{
	static const VailRange ranges[] = { MAPPING(TIB, 64 * KIB, 1),
					    MAPPING(TIB + 64 * MIB, 64 * KIB, 1),
					    MAPPING(TIB + 128 * MIB, 64 * KIB, 1),
					    MAPPING(TIB + 192 * MIB, 64 * KIB, 1) };
	_cleanup_free_ char *text = draw(four_levels, 4, ranges, ARRAY_SIZE(ranges), 80);

	cr_assert_str_eq(text,
			 "256 TiB of addresses, 4 levels of page tables\n"
			 "\n" LEGEND_80
			 "root at 0x0                               cell = 8 entries = 4 TiB\n"
			 "|m...............................................................|\n"
			 " 0\n"
			 "\n"
			 "root[2][0] at 0x10000000000              cell = 8 entries = 16 MiB\n"
			 "|m...m...m...m...................................................|\n"
			 " 0   1   2   3\n"
			 "\n"
			 "root[2][0][0] entries 0-63 at 0x10000000000  cell = 1 entry = 4 KiB\n"
			 "|MMMMMMMMMMMMMMMM................................................|\n"
			 " 0\n"
			 "\n"
			 "... 3 more look like the last of their level ...\n"
			 "\n"
			 "#  ADDRESS          SIZE  KIND     ACCESS          ALLOCATION  OFFSET\n"
			 "0  0x10000000000  64 KiB  mapping  read and write           1  0x1000\n"
			 "1  0x10004000000  64 KiB  mapping  read and write           1  0x1000\n"
			 "2  0x10008000000  64 KiB  mapping  read and write           1  0x1000\n"
			 "3  0x1000c000000  64 KiB  mapping  read and write           1  0x1000\n"
			 "\n"
			 "4 ranges: 256 KiB mapped, 255.9 TiB free\n");
}

/* Without a legend and column names. */
Test(address_map, empty_space)
{
	static const VailRange ranges[] = { ROOT_ENTRY_ZERO(512 * GIB) };
	AddressMapStyle style = { .width = 80, .has_legend = false };
	_cleanup_free_ char *text = draw_styled(four_levels, 4, ranges, ARRAY_SIZE(ranges), &style);

	cr_assert_str_eq(text,
			 "root at 0x0                               cell = 8 entries = 4 TiB\n"
			 "|x...............................................................|\n"
			 " 0\n"
			 "\n"
			 "0  0x0  512 GiB  invalid  -  -  -\n"
			 "\n"
			 "1 range: 512 GiB invalid, 255.5 TiB free\n");
}

/* Colours only add escape sequences. */
Test(address_map, colours_only_add_escape_sequences)
{
	static const VailRange ranges[] = { ROOT_ENTRY_ZERO(512 * GIB),
					    MAPPING(512 * GIB, 128 * KIB, 1) };
	AddressMapStyle style = { .width = 80, .has_colours = true };
	_cleanup_free_ char *coloured = draw_styled(four_levels, 4, ranges, 2, &style);
	style.has_colours = false;
	_cleanup_free_ char *plain = draw_styled(four_levels, 4, ranges, 2, &style);
	char *to = coloured;

	cr_assert(strstr(coloured, "\033[32mM"));
	for (char *from = coloured; *from != '\0';) {
		if (*from == '\033')
			from += strcspn(from, "m") + 1;
		else
			*to++ = *from++;
	}
	*to = '\0';
	cr_assert_str_eq(coloured, plain);
}

/* ---- Bounds ---- */

static size_t count_lines(const char *text)
{
	return count_text(text, "\n");
}

#define MANY 50000

static void check_many(const VailRange *ranges, size_t lines)
{
	_cleanup_free_ char *text = draw(four_levels, 4, ranges, MANY, 80);

	cr_assert(count_lines(text) <= lines, "%zu lines", count_lines(text));
	cr_assert(strlen(text) < 32 * KIB);
	cr_assert(strstr(text, "... 49936 more ranges are not listed; use --json to list all ..."));
	cr_assert(strstr(text, "50000 ranges: "));
}

Test(address_map, many_ranges_stay_bounded)
{
	VailRange *ranges = calloc(MANY, sizeof(*ranges));

	cr_assert_not_null(ranges);
	for (size_t i = 0; i < MANY; i++)
		ranges[i] = (VailRange)MAPPING(512 * GIB + i * 64 * KIB, 64 * KIB, i);
	check_many(ranges, 120);
	/* One mapping in each of many leaf tables, at varying offsets, so that the root is full. */
	for (size_t i = 0; i < MANY; i++)
		ranges[i] =
			(VailRange)MAPPING(512 * GIB + i * 4 * GIB + i % 511 * 4 * KIB, 4 * KIB, i);
	check_many(ranges, 4 * ADDRESS_MAP_BARS_MAX + ADDRESS_MAP_ROWS_MAX + 20);
	free(ranges);
}

/* Returns a random number with a random number of bits, up to the given one. */
static uint64_t random_size(unsigned int bits)
{
	uint64_t number = ((uint64_t)random() << 31 | (uint64_t)random());

	return number >> (62 - (unsigned int)random() % (bits + 1));
}

static size_t random_levels(uint8_t bits[VAIL_PAGE_TABLE_LEVEL_MAX])
{
	size_t levels = 2 + (size_t)random() % 5;

	for (size_t i = 0; i < levels; i++)
		bits[i] = (uint8_t)(1 + random() % (levels > 2 ? 45 / (int)levels : 20));
	return levels;
}

/* Fills in ascending random ranges of all kinds, some with mappings inside reservations. */
static size_t random_ranges(VailRange *ranges, size_t most, uint64_t pages, unsigned int bits)
{
	static const VailRangeKind kinds[] = { VAIL_RANGE_DRIVER_RESERVATION,
					       VAIL_RANGE_USER_RESERVATION, VAIL_RANGE_MAPPING,
					       VAIL_RANGE_UNKNOWN };
	uint64_t page = 0;
	size_t count = 0;

	while (count < most) {
		VailRangeKind kind = kinds[random() % 4];
		uint64_t size = 1 + random_size(bits - 12) / 2;

		page += random() % 3 ? random_size(bits - 12) / 4 : 0;
		if (page + size > pages)
			break;
		ranges[count++] = (VailRange)RANGE(kind, page * 4096, size * 4096);
		if (kind != VAIL_RANGE_MAPPING && size > 2 && count < most) {
			ranges[count] = (VailRange)MAPPING((page + size / 3) * 4096,
							   (size / 3) * 4096, count);
			count++;
		}
		page += size;
	}
	return count;
}

/* Returns the number of columns of a line, without colours. */
static size_t line_width(const char *line, size_t length)
{
	size_t width = 0;

	for (size_t i = 0; i < length; i++) {
		if (line[i] == '\033')
			i += strcspn(line + i, "m");
		else
			width += (line[i] & 0xc0) != 0x80;
	}
	return width;
}

static void check_drawing(const char *text, const VailRange *ranges, size_t count, size_t width)
{
	size_t listed = count < ADDRESS_MAP_ROWS_MAX ? count : ADDRESS_MAP_ROWS_MAX;
	char row[64], size[ADDRESS_SIZE_TEXT];

	for (const char *line = text; *line != '\0'; line += strcspn(line, "\n") + 1)
		cr_assert(line_width(line, strcspn(line, "\n")) <= width, "width %zu:\n%s", width,
			  line);
	for (size_t i = 0; i < listed; i++) {
		snprintf(row, sizeof(row), "0x%" PRIx64 " ", ranges[i].address);
		cr_assert(strstr(text, row), "%s is not listed:\n%s", row, text);
		address_size_text(ranges[i].size_in_bytes, size);
		cr_assert(strstr(text, size), "%s is not printed:\n%s", size, text);
	}
	cr_assert(count_text(text, "\n|") <= ADDRESS_MAP_BARS_MAX);
}

/* The root's bar shows the cell in which a range begins as used. */
static void check_root(const char *text, const VailRange *ranges, size_t count, unsigned int bits)
{
	const char *bar = strchr(strstr(text, "root"), '|') + 1;
	size_t cells = strcspn(bar, "|");

	for (size_t i = 0; i < count; i++) {
		uint64_t cell = ranges[i].address / ((UINT64_C(1) << bits) / cells);

		cr_assert_neq(bar[cell], '.', "range %zu:\n%s", i, text);
	}
	cr_assert_eq(strspn(bar, ".") == cells, count == 0, "%s", text);
}

Test(address_map, random_spaces_keep_to_the_width)
{
	static const size_t widths[] = { 40, 41, 65, 66, 80, 120, 131, 300 };
	static VailRange ranges[300];
	uint8_t bits[VAIL_PAGE_TABLE_LEVEL_MAX];

	srandom(20260101);
	for (int i = 0; i < 600; i++) {
		size_t levels = random_levels(bits);
		unsigned int address_bits = 12;

		for (size_t level = 0; level < levels; level++)
			address_bits += bits[level];
		cr_assert(address_levels_valid(bits, levels));
		size_t count = random_ranges(ranges, 1 + (size_t)random() % ARRAY_SIZE(ranges),
					     UINT64_C(1) << (address_bits - 12), address_bits);
		AddressMapStyle style = { .width = widths[i % (int)ARRAY_SIZE(widths)],
					  .has_legend = random() % 2,
					  .has_colours = random() % 2,
					  .has_unicode = random() % 2 };
		_cleanup_free_ char *text = draw_styled(bits, levels, ranges, count, &style);
		check_drawing(text, ranges, count, style.width);
		if (!style.has_colours && !style.has_unicode && !style.has_legend)
			check_root(text, ranges, count, address_bits);
	}
}

/* If the path to a table is too long, its level and address are shown instead. */
Test(address_map, long_path_is_abbreviated)
{
	static const uint8_t bits[] = { 8, 7, 7, 7, 7, 9 };
	static const VailRange ranges[] = { MAPPING((UINT64_C(1) << 57) - 64 * KIB, 4 * KIB, 1) };
	_cleanup_free_ char *text = draw(bits, 6, ranges, 1, 40);
	_cleanup_free_ char *wide = draw(bits, 6, ranges, 1, 80);

	check_drawing(text, ranges, 1, 40);
	cr_assert(strstr(text, "\nlevel 0 at 0x1fffffffffe0000\n"), "%s", text);
	cr_assert(strstr(wide, "\nroot[511][127][127][127][127] entries 192-255 at "), "%s", wide);
}

/* ---- Spaces ---- */

Test(address_map, totals_add_up_to_the_size)
{
	static VailRange ranges[300];
	MapSpace space;

	srandom(20260102);
	for (int i = 0; i < 200; i++) {
		size_t count = random_ranges(ranges, ARRAY_SIZE(ranges), UINT64_C(1) << 36, 48);
		uint64_t sum = 0, end = 0;

		cr_assert(map_space_init(&space, four_levels, 4, ranges, count));
		for (int kind = 0; kind < ADDRESS_KIND_MAX; kind++)
			sum += space.totals[kind];
		cr_assert_eq(sum, space.size);
		for (size_t j = 0; j < space.segment_count; j++) {
			cr_assert(space.segments[j].start >= end);
			cr_assert(space.segments[j].end > space.segments[j].start);
			end = space.segments[j].end;
		}
		cr_assert(end <= space.size);
		map_space_deinit(&space);
	}
}

Test(address_map, mappings_at_both_ends_of_a_reservation)
{
	const VailRange ranges[] = { PROCESS(64 * KIB, 64 * KIB), MAPPING(64 * KIB, 4 * KIB, 1),
				     MAPPING(120 * KIB, 8 * KIB, 2), DRIVER(128 * KIB, 128 * KIB) };
	static const size_t order[] = { 1, 0, 2, 3 };
	MapSpace space;

	cr_assert(map_space_init(&space, two_levels, 2, ranges, ARRAY_SIZE(ranges)));
	cr_assert_eq(space.segment_count, ARRAY_SIZE(order));
	for (size_t i = 0; i < ARRAY_SIZE(order); i++)
		cr_assert_eq(space.segments[i].range, order[i]);
	cr_assert_eq(space.totals[ADDRESS_PROCESS], 52 * KIB);
	cr_assert_eq(space.totals[ADDRESS_MAPPED], 12 * KIB);
	cr_assert_eq(space.totals[ADDRESS_DRIVER], 128 * KIB);
	map_space_deinit(&space);
}

Test(address_map, ranges_past_the_end_are_clipped)
{
	const VailRange ranges[] = { PROCESS(4 * MIB - 4096, 8192), MAPPING(8 * MIB, 4096, 1),
				     MAPPING(UINT64_MAX - 4095, 4096, 2), DRIVER(4096, 0) };
	MapSpace space;

	cr_assert(map_space_init(&space, two_levels, 2, ranges, ARRAY_SIZE(ranges)));
	cr_assert_eq(space.size, 4 * MIB);
	cr_assert_eq(space.segment_count, 1);
	cr_assert_eq(space.totals[ADDRESS_PROCESS], 4096);
	map_space_deinit(&space);
}

Test(address_map, levels)
{
	static const uint8_t zero[] = { 9, 0 }, wide[] = { 25, 9 }, many[] = { 24, 22 },
			     most[] = { 24, 21 };

	cr_assert(address_levels_valid(two_levels, 2));
	cr_assert(address_levels_valid(most, 2));
	cr_assert_not(address_levels_valid(two_levels, 0));
	cr_assert_not(address_levels_valid(zero, 2));
	cr_assert_not(address_levels_valid(wide, 2));
	cr_assert_not(address_levels_valid(many, 2), "58 bits");
}

Test(address_map, human_readable_sizes)
{
	static const struct {
		uint64_t size;
		const char *text;
	} cases[] = {
		{ 0, "0 B" },
		{ 1023, "1023 B" },
		{ 4096, "4 KiB" },
		{ 68 * KIB, "68 KiB" },
		{ 1536 * KIB, "1.5 MiB" },
		{ MIB + 4 * KIB, "1.0 MiB" },
		{ MIB - 1, "1023.9 KiB" },
		{ 255 * TIB + 1023 * GIB, "255.9 TiB" },
		{ UINT64_C(1) << 57, "128 PiB" },
		{ UINT64_MAX, "15.9 EiB" },
	};
	char text[ADDRESS_SIZE_TEXT];

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		cr_assert_str_eq(address_size_text(cases[i].size, text), cases[i].text);
}
