#include "smtpd/heap_plugs.h"

#include <malloc.h>

#include <algorithm>
#include <cstdint>

namespace relais::smtpd {
namespace {

// Of holes: larger ones would come from mmap(2), smaller ones do not exist.
constexpr std::size_t largest = 98304;
constexpr std::size_t fine = 1032;
constexpr std::size_t step = 16;
constexpr std::size_t smallest = 24;
constexpr int room_at_the_end = 262144;
// Far more than there ever are.
constexpr std::size_t most = 65536;
constexpr std::size_t most_of_largest = 256;

std::uintptr_t address(const void* memory) {
    return reinterpret_cast<std::uintptr_t>(memory);
}

std::size_t next_smaller(std::size_t size) {
    if (size > fine) return std::max(size / 2, fine);
    return size - step;
}

}  // namespace

void HeapPlugs::take() {
    plugs_.clear();
    // Another allocator than glibc's (a sanitizer's) says nothing of its heap.
    if (::mallinfo2().keepcost == 0) return;
    // A chunk that is freed joins its neighbours at once: no child collects what the acceptor left.
    ::mallopt(M_MXFAST, 0);
    // No child asks the kernel for its first octets.
    ::mallopt(M_TOP_PAD, room_at_the_end);
    // Whole free pages go back to the kernel, for each one is copied by a fork and given up by the child's end.
    ::malloc_trim(room_at_the_end);
    plugs_.reserve(most);
    const auto plug = [this](std::size_t size) {
        plugs_.emplace_back(std::malloc(size));
        return address(plugs_.back().get());
    };
    // What lies above all others came from the end of the heap: there is no hole of that size any more, and it goes back.
    std::uintptr_t end = 0;
    for (std::size_t rest = ::mallinfo2().keepcost, now = rest;
         now == rest && plugs_.size() < most_of_largest; now = ::mallinfo2().keepcost)
        end = plug(largest);
    plugs_.pop_back();
    for (std::size_t size = largest / 2; size >= smallest; size = next_smaller(size)) {
        while (plugs_.size() < most && plug(size) < end) {
        }
        // glibc would keep a small one for the next request of its size, in front of the others.
        if (size > fine) plugs_.pop_back();
    }
}

}  // namespace relais::smtpd
