// Floats to bf16 and back, around convolutions in bf16: conv/gpu.rs. One-dimensional grids.
#include "bf16.cuh"

// y [count] = the nearest bf16 values of x.
KERNEL(256) to_bf16(const float* __restrict__ x, unsigned short* __restrict__ y, int count) {
    int done = 0;
    if (by_four(x) && by_four(y)) {
        done = count / 4 * 4;
        for (int i = grid_start(); i < count / 4; i += grid_step()) {
            const float4 v = load_four(x, i);
            reinterpret_cast<ushort4*>(y)[i] =
                make_ushort4(nearest_bf16(v.x), nearest_bf16(v.y), nearest_bf16(v.z), nearest_bf16(v.w));
        }
    }
    for (int i = done + grid_start(); i < count; i += grid_step()) y[i] = nearest_bf16(x[i]);
}

// y [count] = x.
KERNEL(256) from_bf16(const unsigned short* __restrict__ x, float* __restrict__ y, int count) {
    int done = 0;
    if (by_four(x) && by_four(y)) {
        done = count / 4 * 4;
        for (int i = grid_start(); i < count / 4; i += grid_step()) {
            const ushort4 v = reinterpret_cast<const ushort4*>(x)[i];
            store_four(y, i, make_float4(value_of(v.x), value_of(v.y), value_of(v.z), value_of(v.w)));
        }
    }
    for (int i = done + grid_start(); i < count; i += grid_step()) y[i] = value_of(x[i]);
}
