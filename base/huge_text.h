// A program's code and constants on huge pages.
#pragma once

namespace relais {

// Copies what the program's file holds read-only (code, constants) into anonymous huge pages that take its place. A page of a file
// is mapped anew by each child that a fork makes, 64 KiB a fault, and unmapped at its end one by one; a huge page is one entry that
// the fork copies. For a process that forks for each client; the program must be linked with its segments 2 MiB apart
// (relais_program HUGE_TEXT). Costs the size of these segments in memory, once for all children. Where the kernel has no huge pages or
// refuses, all stays as it is. No thread may run beside.
void move_text_to_huge_pages() noexcept;

}  // namespace relais
