// Batch norm and instance norm with an optional ReLU, in both directions: affine.rs.
//
// x [n, c, pixels]. A group is normalised together: a channel of the batch, or, with per_plane, one plane of one
// image. Blocks of the sums belong to groups, striding, and have whole warps. Elements are added in f32 four at a
// time, those sums in f64, in an order that depends on the block's size alone.
#include "../cuda/reduce.cuh"

// The planes of a group, and how its elements are read.
struct Group {
    int first, step, pixels, count;

    __device__ __forceinline__ Group(int group, int n, int c, int pixels, int per_plane)
        : first(group), step(c), pixels(pixels), count((per_plane ? 1 : n) * pixels) {}

    // Where element i of the group lies in the tensor.
    __device__ __forceinline__ int place(int i) const { return (first + i / pixels * step) * pixels + i % pixels; }
};

__device__ __forceinline__ int groups_of(int n, int c, int per_plane) { return per_plane ? n * c : c; }

// Calls one(place) for this thread's elements of a group, or four(place) for four of them that lie together.
template <class One, class Four>
__device__ __forceinline__ void over_group(const Group& g, bool vectors, One one, Four four) {
    if (vectors && g.pixels % 4 == 0) {
        for (int i = (int)threadIdx.x; i < g.count / 4; i += (int)blockDim.x) four(g.place(4 * i));
    } else {
        for (int i = (int)threadIdx.x; i < g.count; i += (int)blockDim.x) one(g.place(i));
    }
}

// mean [groups] and biased variance [groups], in two passes.
KERNEL(256) norm_statistics(
    const float* __restrict__ x, double* __restrict__ mean, double* __restrict__ var, int n, int c, int pixels,
    int per_plane) {
    __shared__ double scratch[SCRATCH];
    for (int group = (int)blockIdx.x; group < groups_of(n, c, per_plane); group += (int)gridDim.x) {
        const Group g(group, n, c, pixels, per_plane);
        double sum = 0.0;
        over_group(
            g, by_four(x), [&](int at) { sum += x[at]; },
            [&](int at) {
                const float4 v = load_four(x, at / 4);
                sum += (v.x + v.y) + (v.z + v.w);
            });
        const double average = block_sum(sum, scratch) / g.count;
        // Squares about the rounded mean in f32; what rounding it moved them by is taken off.
        const float about = (float)average;
        double squares = 0.0;
        over_group(
            g, by_four(x),
            [&](int at) {
                const float d = x[at] - about;
                squares += d * d;
            },
            [&](int at) {
                const float4 v = load_four(x, at / 4);
                const float d0 = v.x - about, d1 = v.y - about, d2 = v.z - about, d3 = v.w - about;
                squares += (d0 * d0 + d1 * d1) + (d2 * d2 + d3 * d3);
            });
        squares = block_sum(squares, scratch);
        if (threadIdx.x == 0) {
            mean[group] = average;
            var[group] = fmax(squares / g.count - (average - about) * (average - about), 0.0);
        }
    }
}

// Running mean and variance [c] move towards those of a batch, in place: r += momentum · (new − r), rounded once. The
// batch's variance counts `correction` times, which makes it unbiased.
KERNEL(256) norm_running(
    const double* __restrict__ mean, const double* __restrict__ var, float* __restrict__ running_mean,
    float* __restrict__ running_var, int c, double momentum, double correction) {
    for (int i = grid_start(); i < c; i += grid_step()) {
        const double old_mean = running_mean[i], old_var = running_var[i];
        running_mean[i] = (float)(old_mean + momentum * (mean[i] - old_mean));
        running_var[i] = (float)(old_var + momentum * (var[i] * correction - old_var));
    }
}

// Factor and shift of each group, y = a·x + b, and 1 / √(var + eps). weight and bias [c] may be null, for 1 and 0.
KERNEL(256) norm_factors(
    const double* __restrict__ mean, const double* __restrict__ var, const float* __restrict__ weight,
    const float* __restrict__ bias, float* __restrict__ a, float* __restrict__ b, double* __restrict__ inv_std,
    int groups, int c, double eps) {
    for (int group = grid_start(); group < groups; group += grid_step()) {
        const double inverse = 1.0 / sqrt(var[group] + eps);
        const double factor = (weight ? weight[group % c] : 1.0) * inverse;
        inv_std[group] = inverse;
        a[group] = (float)factor;
        b[group] = (float)((bias ? bias[group % c] : 0.0) - mean[group] * factor);
    }
}

// The same in both directions, so that the gradient opens where the output was positive.
__device__ __forceinline__ float norm_affine(float x, float a, float b) { return fmaf(x, a, b); }

__device__ __forceinline__ float norm_output(float x, float a, float b, int relu) {
    const float y = norm_affine(x, a, b);
    // Written so that NaN passes.
    return relu && y < 0.0f ? 0.0f : y;
}

// y = a·x + b, then ReLU if asked for. blockIdx.y strides over the planes, blockIdx.x over their pixels.
KERNEL(256) norm_forward(
    const float* __restrict__ x, const float* __restrict__ a, const float* __restrict__ b, float* __restrict__ y,
    int planes, int c, int pixels, int per_plane, int relu) {
    const bool vectors = by_four(x) && by_four(y) && pixels % 4 == 0;
    for (int plane = (int)blockIdx.y; plane < planes; plane += (int)gridDim.y) {
        const int group = per_plane ? plane : plane % c;
        const float f = a[group], s = b[group];
        if (vectors) {
            for (int i = grid_start(); i < pixels / 4; i += grid_step()) {
                const int at = plane * (pixels / 4) + i;
                const float4 v = load_four(x, at);
                store_four(
                    y, at, make_float4(norm_output(v.x, f, s, relu), norm_output(v.y, f, s, relu),
                                       norm_output(v.z, f, s, relu), norm_output(v.w, f, s, relu)));
            }
        } else {
            for (int i = grid_start(); i < pixels; i += grid_step())
                y[plane * pixels + i] = norm_output(x[plane * pixels + i], f, s, relu);
        }
    }
}

// sum [groups] = Σ d and dot [groups] = Σ d · x̂, d being dy where the ReLU was open: for batch norm the gradients of
// bias and weight.
KERNEL(256) norm_gradient_sums(
    const float* __restrict__ x, const float* __restrict__ dy, const float* __restrict__ a,
    const float* __restrict__ b, const double* __restrict__ mean, const double* __restrict__ inv_std,
    double* __restrict__ sum, double* __restrict__ dot, int n, int c, int pixels, int per_plane, int relu) {
    __shared__ double scratch[SCRATCH];
    for (int group = (int)blockIdx.x; group < groups_of(n, c, per_plane); group += (int)gridDim.x) {
        const Group g(group, n, c, pixels, per_plane);
        const float f = a[group], s = b[group], about = (float)mean[group];
        double sums = 0.0, dots = 0.0;
        auto open = [=](float v, float d) { return !relu || norm_affine(v, f, s) > 0.0f ? d : 0.0f; };
        over_group(
            g, by_four(x) && by_four(dy),
            [&](int at) {
                const float d = open(x[at], dy[at]);
                sums += d;
                dots += d * (x[at] - about);
            },
            [&](int at) {
                const float4 v = load_four(x, at / 4), e = load_four(dy, at / 4);
                const float d0 = open(v.x, e.x), d1 = open(v.y, e.y), d2 = open(v.z, e.z), d3 = open(v.w, e.w);
                sums += (d0 + d1) + (d2 + d3);
                dots += (d0 * (v.x - about) + d1 * (v.y - about)) + (d2 * (v.z - about) + d3 * (v.w - about));
            });
        sums = block_sum(sums, scratch);
        dots = block_sum(dots, scratch);
        if (threadIdx.x == 0) {
            sum[group] = sums;
            dot[group] = (dots - sums * (mean[group] - about)) * inv_std[group];
        }
    }
}

// What the statistics add to the gradient of the input, dx = a·d + slope·x + shift, by group; count is the number of
// elements of a group. dweight and dbias [c] may be null.
KERNEL(256) norm_gradient_factors(
    const double* __restrict__ sum, const double* __restrict__ dot, const double* __restrict__ mean,
    const double* __restrict__ inv_std, const float* __restrict__ weight, float* __restrict__ slope,
    float* __restrict__ shift, float* __restrict__ dweight, float* __restrict__ dbias, int groups, int c, int count) {
    for (int group = grid_start(); group < groups; group += grid_step()) {
        const double scale = (weight ? weight[group % c] : 1.0) * inv_std[group];
        const double steep = -scale * inv_std[group] * dot[group] / count;
        slope[group] = (float)steep;
        shift[group] = (float)(-scale * sum[group] / count - steep * mean[group]);
        if (dweight) dweight[group] = (float)dot[group];
        if (dbias) dbias[group] = (float)sum[group];
    }
}

// dx = a·d + slope·x + shift; slope and shift are null where the statistics are constants. dx may be dy. The grid is
// that of norm_forward.
KERNEL(256) norm_input_gradient(
    const float* __restrict__ x, const float* dy, float* dx, const float* __restrict__ a,
    const float* __restrict__ b, const float* __restrict__ slope, const float* __restrict__ shift, int planes, int c,
    int pixels, int per_plane, int relu) {
    const bool vectors = by_four(x) && by_four(dy) && by_four(dx) && pixels % 4 == 0;
    for (int plane = (int)blockIdx.y; plane < planes; plane += (int)gridDim.y) {
        const int group = per_plane ? plane : plane % c;
        const float f = a[group], s = b[group];
        const float steep = slope ? slope[group] : 0.0f, moved = shift ? shift[group] : 0.0f;
        auto through = [=](float v, float d) {
            const float open = !relu || norm_affine(v, f, s) > 0.0f ? d : 0.0f;
            return open * f + (v * steep + moved);
        };
        if (vectors) {
            for (int i = grid_start(); i < pixels / 4; i += grid_step()) {
                const int at = plane * (pixels / 4) + i;
                const float4 v = load_four(x, at), d = load_four(dy, at);
                store_four(
                    dx, at, make_float4(through(v.x, d.x), through(v.y, d.y), through(v.z, d.z), through(v.w, d.w)));
            }
        } else {
            for (int i = grid_start(); i < pixels; i += grid_step()) {
                const int at = plane * pixels + i;
                dx[at] = through(x[at], dy[at]);
            }
        }
    }
}
