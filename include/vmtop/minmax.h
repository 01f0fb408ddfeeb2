/* SPDX-License-Identifier: MIT */
/* The smaller and the larger of two numbers, by how much one is above another (0: it is not), and a number
 * kept between two. Of mixed types they compare and give what the operators of C would; each argument is
 * evaluated once. */
#ifndef VMTOP_MINMAX_H
#define VMTOP_MINMAX_H

#define MINMAX_OF(T, name)                                                                                   \
	static inline T min_##name(T a, T b)                                                                 \
	{                                                                                                    \
		return a < b ? a : b;                                                                        \
	}                                                                                                    \
	static inline T max_##name(T a, T b)                                                                 \
	{                                                                                                    \
		return a > b ? a : b;                                                                        \
	}                                                                                                    \
	static inline T excess_##name(T a, T b)                                                              \
	{                                                                                                    \
		return a > b ? a - b : 0;                                                                    \
	}                                                                                                    \
	static inline T clamp_##name(T x, T least, T most)                                                   \
	{                                                                                                    \
		return x < least ? least : min_##name(x, most);                                              \
	}
MINMAX_OF(int, i)
MINMAX_OF(unsigned, u)
MINMAX_OF(long, l)
MINMAX_OF(unsigned long, ul)
MINMAX_OF(long long, ll)
MINMAX_OF(unsigned long long, ull)
MINMAX_OF(float, f)
MINMAX_OF(double, d)
#undef MINMAX_OF

/* clang-format off */
#define MINMAX_BY(sum, what)                                                                                 \
	_Generic((sum),                                                                                      \
		int: what##_i,                                                                               \
		unsigned: what##_u,                                                                          \
		long: what##_l,                                                                              \
		unsigned long: what##_ul,                                                                    \
		long long: what##_ll,                                                                        \
		unsigned long long: what##_ull,                                                              \
		float: what##_f,                                                                             \
		double: what##_d)
/* clang-format on */
#define min_of(a, b)          MINMAX_BY((a) + (b), min)(a, b)
#define max_of(a, b)          MINMAX_BY((a) + (b), max)(a, b)
#define excess(a, b)          MINMAX_BY((a) + (b), excess)(a, b)
#define clamp(x, least, most) MINMAX_BY((x) + (least) + (most), clamp)(x, least, most)

#endif
