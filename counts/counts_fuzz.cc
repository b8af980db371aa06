// A client's octets, and a file that somebody has spoilt: qmail-countd stays within its bounds.
#include <cstdlib>

#include "counts/memory.h"

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
    using namespace relais;
    std::string input(reinterpret_cast<const char*>(data), size);
    counts::Memory memory({8, 8, 8, 8});
    memory.load(input);
    bool broken = false;
    counts::Memory::Time now = 1'800'000'000;
    while (auto question = counts::take_question(input, broken)) {
        now += 7;
        if (counts::encode(*question).size() > counts::question_head_size + counts::question_limit)
            std::abort();
        if (!question->counts.empty() &&
            memory.count(question->counts, now).number >= question->counts.size())
            std::abort();
        if (question->counts.size() == 1) memory.hold(question->counts.front(), now);
        if (!question->mark.key.empty()) memory.mark(question->mark, now);
        memory.list(question->beginning, now);
    }
    if (memory.size() > 32) std::abort();
    counts::Memory again({8, 8, 8, 8});
    again.load(memory.save() + memory.save_held());
    if (again.size() > memory.size()) std::abort();
    return 0;
}
