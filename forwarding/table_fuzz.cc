// Tables and mailing lists: what is read and printed is read again as the same.
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "base/error.h"
#include "forwarding/expansion.h"
#include "forwarding/table.h"

using namespace relais;
using namespace relais::forwarding;

namespace {

void must(bool condition) {
    if (!condition) std::abort();
}

std::string printed(const std::vector<Record>& records) {
    std::string text;
    for (const Record& record : records) text += print_record(record);
    return text;
}

void table(std::string_view text) {
    std::vector<Record> records;
    try {
        records = parse_table(text);
    } catch (const Error&) {
        return;
    }
    const std::string first = printed(records);
    must(printed(parse_table(first)) == first);
    const auto find = [&](const std::string& key) -> std::optional<std::string> {
        for (const Record& record : records)
            if (record.key == key) return record.data;
        return std::nullopt;
    };
    for (const Record& record : records)
        if (record.key.front() == ':')
            must(expand(record.key.substr(1), "s@t", find, [](const std::string&) {
                     return std::string();
                 }).has_value());
}

void list(std::string_view text) {
    try {
        const std::string read = parse_list(text);
        must(parse_list(print_list(read)).size() <= read.size());
        print_list(text);
    } catch (const Error&) {
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    table(text);
    list(text);
    return 0;
}
