#include "smtpd/heap_plugs.h"

#include <malloc.h>

#include <cstdint>

namespace relais::smtpd {
namespace {

// Of holes: larger ones would come from mmap(2), smaller ones do not exist.
constexpr std::size_t largest = 98304;
constexpr std::size_t fine = 1024;
constexpr std::size_t step = 16;
constexpr std::size_t smallest = 24;
// Far more than there ever are.
constexpr std::size_t most = 65536;
constexpr std::size_t most_of_largest = 256;

std::uintptr_t address(const void* memory) {
    return reinterpret_cast<std::uintptr_t>(memory);
}

}  // namespace

void HeapPlugs::take() {
    plugs_.clear();
    // Another allocator than glibc's (a sanitizer's) says nothing of its heap.
    if (::mallinfo2().keepcost == 0) return;
    plugs_.reserve(most);
    const auto plug = [this](std::size_t size) {
        plugs_.emplace_back(std::malloc(size));
        return address(plugs_.back().get());
    };
    // What lies above all others came from the end of the heap: there is no hole of that size any more.
    std::uintptr_t end = 0;
    for (std::size_t rest = ::mallinfo2().keepcost, now = rest;
         now == rest && plugs_.size() < most_of_largest; now = ::mallinfo2().keepcost)
        end = plug(largest);
    for (std::size_t size = largest / 2; size >= smallest; size = size > fine ? size / 2 : size - step)
        while (plugs_.size() < most) {
            const std::uintptr_t place = plug(size);
            if (place <= end) continue;
            end = place;
            break;
        }
}

}  // namespace relais::smtpd
