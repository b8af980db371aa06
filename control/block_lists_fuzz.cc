// A line of control/dnsbllist, and what a stranger's zone may answer.
#include <cstdlib>

#include "base/text.h"
#include "control/block_lists.h"

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
    using namespace relais;
    const std::string_view input(reinterpret_cast<const char*>(data), size);
    std::vector<std::string> lines;
    for (const std::string_view line : split(input, '\n')) lines.emplace_back(line);
    const control::BlockLists lists(lines);
    if (lists.lists().size() > control::BlockLists::most) std::abort();
    for (const control::BlockList& list : lists.lists())
        for (const std::string& answer : lines)
            if (const auto score = list.score(answer);
                score && std::abs(*score) > control::BlockLists::heaviest)
                std::abort();
    return 0;
}
