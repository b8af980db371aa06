#include "smtpd/heap_plugs.h"

#include <malloc.h>

#include <cstdint>

namespace relais::smtpd {
namespace {

// Of holes: larger ones would come from mmap(2), smaller ones do not exist.
constexpr std::size_t largest = 98304;
constexpr std::size_t smallest = 24;
// glibc keeps up to seven freed chunks of each size up to 1032 octets aside (the "tcache"), where they do not count as holes.
// The acceptor frees few that are larger than this one.
constexpr std::size_t aside_largest = 264;
constexpr std::size_t never_aside = 1040;
constexpr std::size_t aside_step = 16;
constexpr int aside_count = 7;
// What children find at the end without asking the kernel.
constexpr int room_at_the_end = 262144;
// Far more than there ever are.
constexpr std::size_t most = 65536;
constexpr int at_once = 64;

std::uintptr_t address(const void* memory) {
    return reinterpret_cast<std::uintptr_t>(memory);
}

}  // namespace

// Each step leaves what the same step finds next time, so that the heap does not grow however often this is done.
void HeapPlugs::take() {
    give_back();
    // Another allocator than glibc's (a sanitizer's) says nothing of its heap.
    if (::mallinfo2().keepcost == 0) return;
    // A chunk that is freed joins its neighbours at once: no child collects what the acceptor left.
    ::mallopt(M_MXFAST, 0);
    ::mallopt(M_TOP_PAD, room_at_the_end);
    // Whole free pages go back to the kernel, for each one is copied by a fork and given up by the child's end.
    ::malloc_trim(room_at_the_end);
    plugs_.reserve(most);
    for (std::size_t size = smallest; size <= aside_largest; size += aside_step)
        for (int i = 0; i < aside_count; ++i) plug(size);
    plug_large();
    for (auto info = ::mallinfo2(); info.fordblks > info.keepcost && plugs_.size() < most - at_once;
         info = ::mallinfo2())
        for (int i = 0; i < at_once; ++i) plug(smallest);
}

// What lies above all others came from the end of the heap: there is no hole of that size any more, and it goes back.
void HeapPlugs::plug_large() {
    std::uintptr_t end = 0;
    for (std::size_t rest = ::mallinfo2().keepcost, now = rest; now == rest && plugs_.size() < most;
         now = ::mallinfo2().keepcost)
        end = plug(largest);
    plugs_.pop_back();
    for (std::size_t size = largest / 2; size >= never_aside; size /= 2) {
        while (plugs_.size() < most && plug(size) < end) {
        }
        plugs_.pop_back();
    }
}

std::uintptr_t HeapPlugs::plug(std::size_t size) {
    plugs_.emplace_back(std::malloc(size));
    return address(plugs_.back().get());
}

}  // namespace relais::smtpd
