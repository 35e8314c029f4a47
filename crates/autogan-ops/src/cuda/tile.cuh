// A matrix product tile by tile, whose operands are read and whose results are written by the caller's rules: what
// convolutions, transposed convolutions and linear layers have in common without cuDNN or cuBLAS.
#pragma once

#include "kernel.cuh"

#define TILE 64
#define DEPTH 16
#define TILE_THREADS 256

// One depth of both operands; a column more than is used, so that rows start in different banks.
struct Tiles {
    float a[DEPTH][TILE + 1];
    float b[DEPTH][TILE + 1];
};

// Adds Σ_k a(row, k) · b(k, column), over k in first..last, into a block's tile and calls store(row, column, sum) for
// each element of it inside rows x columns. Tiles lie along blockIdx.x in columns, along blockIdx.y in rows; blocks
// have TILE_THREADS threads, each with 4x4 sums. DEEP_A says that neighbours along k lie together in a's memory,
// DEEP_B the same of b. Sums run in the order of k.
template <bool DEEP_A, bool DEEP_B, class A, class B, class Store>
__device__ __forceinline__ void tile_product(
    Tiles& tiles, int rows, int columns, int first, int last, A a, B b, Store store) {
    const int row0 = (int)blockIdx.y * TILE, column0 = (int)blockIdx.x * TILE;
    const int t = (int)threadIdx.x, tr = t / 16, tc = t % 16;
    float sums[4][4] = {};
    for (int k0 = first; k0 < last; k0 += DEPTH) {
        for (int i = t; i < DEPTH * TILE; i += TILE_THREADS) {
            const int ka = DEEP_A ? i % DEPTH : i / TILE, r = DEEP_A ? i / DEPTH : i % TILE;
            tiles.a[ka][r] = row0 + r < rows && k0 + ka < last ? a(row0 + r, k0 + ka) : 0.0f;
            const int kb = DEEP_B ? i % DEPTH : i / TILE, c = DEEP_B ? i / DEPTH : i % TILE;
            tiles.b[kb][c] = column0 + c < columns && k0 + kb < last ? b(k0 + kb, column0 + c) : 0.0f;
        }
        __syncthreads();
#pragma unroll
        for (int k = 0; k < DEPTH; ++k) {
            float u[4], v[4];
#pragma unroll
            for (int i = 0; i < 4; ++i) u[i] = tiles.a[k][tr + 16 * i], v[i] = tiles.b[k][tc + 16 * i];
#pragma unroll
            for (int i = 0; i < 4; ++i)
#pragma unroll
                for (int j = 0; j < 4; ++j) sums[i][j] = fmaf(u[i], v[j], sums[i][j]);
        }
        __syncthreads();
    }
#pragma unroll
    for (int i = 0; i < 4; ++i)
#pragma unroll
        for (int j = 0; j < 4; ++j) {
            const int row = row0 + tr + 16 * i, column = column0 + tc + 16 * j;
            if (row < rows && column < columns) store(row, column, sums[i][j]);
        }
}
