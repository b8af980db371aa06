// A process that forks many children which live long.
#pragma once

namespace relais {

// Copies this process's private memory (but the stack) to new pages that take its place. The children born before keep the old
// ones: from then on they and those that follow share nothing. Whatever the kernel does with a page (reclaim, compaction, the
// watch over memory called DAMON) it asks everybody who shares it, and a fork waits meanwhile: with ten thousand children for
// milliseconds. Costs the time of the copy and this memory once more. Where something is refused all stays as it is. No thread
// may run beside.
void part_from_children() noexcept;

}  // namespace relais
