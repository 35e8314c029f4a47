// How the emulation finds kernels and calls them with arguments behind pointers, as cuLaunchKernel takes them. The
// test writes a table for each kernel file.
#pragma once

#include <utility>

#include "shim.h"

struct ConvSizes;
struct AdamTensor;
struct EmaTensor;

namespace emulated {

#define CODE(letter, ...)                      \
    template <>                                \
    struct Code<__VA_ARGS__> {                 \
        static constexpr char value = letter;  \
    }
CODE('f', const float*);
CODE('F', float*);
CODE('d', const double*);
CODE('D', double*);
CODE('h', const unsigned short*);
CODE('H', unsigned short*);
CODE('b', const unsigned char*);
CODE('B', unsigned char*);
CODE('i', int);
CODE('s', float);
CODE('r', double);
CODE('c', ConvSizes);
CODE('a', const AdamTensor*);
CODE('e', const EmaTensor*);
#undef CODE

template <class... A>
struct Caller {
    static constexpr char signature[] = {Code<A>::value..., '\0'};

    static void call(void (*function)(), void** arguments) { spread(function, arguments, std::index_sequence_for<A...>()); }

    template <size_t... I>
    static void spread(void (*function)(), void** arguments, std::index_sequence<I...>) {
        reinterpret_cast<void (*)(A...)>(function)(*static_cast<A*>(arguments[I])...);
    }
};

template <class... A>
Kernel kernel(const char* name, unsigned bound, void (*function)(A...)) {
    return {name, bound, Caller<A...>::signature, reinterpret_cast<void (*)()>(function), &Caller<A...>::call};
}

// Tables of kernels, the last one null; a table ends with a kernel without a name.
extern const Kernel* const tables[];

}  // namespace emulated
