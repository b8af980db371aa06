#include "base/process_title.h"

#include <errno.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <memory>
#include <string>

namespace relais {
namespace {

// One piece of memory from the first argument to the end of the last variable.
struct TitleArea {
    char* begin = nullptr;
    std::size_t size = 0;
};

// What the kernel has been told, ended by a NUL. Nothing that a child would have to construct.
constexpr std::size_t name_limit = 15;
constinit std::array<char, name_limit + 1> current_name{};

TitleArea& title_area() {
    static TitleArea area;
    return area;
}

// The strings lie one after the other; a loader that does otherwise leaves us a shorter area.
char* end_of_adjacent(char* end, char** strings) {
    for (; *strings != nullptr; ++strings)
        if (*strings == end) end += std::strlen(end) + 1;
    return end;
}

constinit bool addresses_shown = true;

}  // namespace

void remember_title_area(int argc, char** argv) {
    if (argc < 1 || argv[0] == nullptr || title_area().begin != nullptr) return;
    char* const end = end_of_adjacent(end_of_adjacent(argv[0], argv), environ);
    // Never freed, not even at exit: the environment and libc's own name of the program point here until the
    // end.
    static std::vector<std::string>& texts = *std::make_unique<std::vector<std::string>>().release();
    static std::vector<char*>& moved = *std::make_unique<std::vector<char*>>().release();
    for (char** variable = environ; *variable != nullptr; ++variable) texts.emplace_back(*variable);
    for (std::string& text : texts) moved.push_back(text.data());
    moved.push_back(nullptr);
    environ = moved.data();
    program_invocation_name = ::strdup(program_invocation_name);
    program_invocation_short_name = ::strdup(program_invocation_short_name);
    title_area() = {argv[0], static_cast<std::size_t>(end - argv[0])};
}

void set_process_name(std::string_view name) {
    std::array<char, name_limit + 1> wanted{};
    name.copy(wanted.data(), name_limit);
    if (wanted == current_name) return;
    current_name = wanted;
    ::prctl(PR_SET_NAME, current_name.data());
}

void set_process_title(std::string_view name, const std::vector<std::string_view>& arguments) {
    const TitleArea area = title_area();
    if (area.size == 0) return;
    std::string line(name);
    for (const std::string_view argument : arguments) line.append(" ").append(argument);
    std::replace_if(
        line.begin(), line.end(), [](char c) { return static_cast<unsigned char>(c) < 32 || c == 127; }, '?');
    // A single string: the kernel reads on beyond the arguments, into the old environment, until its NUL.
    line.resize(std::min(line.size(), area.size - 1));
    std::memcpy(area.begin, line.data(), line.size());
    std::memset(area.begin + line.size(), 0, area.size - line.size());
    set_process_name(name);
}

void show_addresses_in_titles(bool shown) {
    addresses_shown = shown;
}

void set_process_title_with_addresses(std::string_view name, const std::vector<std::string_view>& addresses) {
    set_process_title(name, addresses_shown ? addresses : std::vector<std::string_view>{"busy"});
}

}  // namespace relais
