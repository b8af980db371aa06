// .qmail files, and the quoting of From_ lines however the message is cut.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "base/error.h"
#include "local/dot_qmail.h"
#include "local/mbox.h"

namespace {

std::string quoted(std::string_view text, std::size_t step) {
    relais::local::FromQuoter quoter;
    std::string out;
    for (std::size_t at = 0; at < text.size(); at += step) quoter.feed(text.substr(at, step), out);
    quoter.finish(out);
    return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace relais;
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    try {
        for (const auto& instruction : local::parse_dot_qmail(text)) {
            if (instruction.text.find('\n') != std::string_view::npos) std::abort();
            if (instruction.kind == local::Instruction::Kind::maildir && !instruction.text.ends_with('/'))
                std::abort();
        }
    } catch (const Error&) {
        if (text.find('\0') == std::string_view::npos) std::abort();
    }
    if (local::file_name_extension(text).find_first_of("./") != std::string::npos) std::abort();
    const std::string whole = quoted(text, std::max<std::size_t>(size, 1));
    if (whole != quoted(text, 1) || whole != quoted(text, 3)) std::abort();
    if (whole.starts_with("From ") || whole.find("\nFrom ") != std::string::npos) std::abort();
    return 0;
}
