// What qmail-send says, of which strangers chose the names, in windows of every size.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "base/columns.h"
#include "base/text.h"
#include "setup/top_picture.h"

using namespace relais;
using namespace relais::setup;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size < 2) return 0;
    const std::string_view text(reinterpret_cast<const char*>(data) + 2, size - 2);
    const std::size_t half = text.find("\n\n");
    TopPicture picture;
    picture.destinations =
        destinations_of(text.substr(0, half), half == std::string_view::npos ? "" : text.substr(half));
    picture.waiting = number_of(text, "waiting");
    const TopScreen screen{static_cast<unsigned>(data[0]) + 1, static_cast<unsigned>(data[1]) + 1, false,
                           false};
    const std::string shown = draw(picture, screen);
    if (shown.find('\033') != std::string::npos) std::abort();
    for (const std::string_view line : split(shown, '\n'))
        if (fit(line, screen.columns).substr(0, line.size()) != line) std::abort();
    return 0;
}
