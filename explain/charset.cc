#include "explain/charset.h"

#include <iconv.h>

#include <algorithm>
#include <array>

#include "base/text.h"

namespace relais::explain {
namespace {

// Tables of one octet to a letter: of what iconv can do, a stranger gets no more than these to choose from.
constexpr std::array<std::string_view, 6> families = {"koi8-",     "windows-125", "cp125",
                                                      "iso-8859-", "cp866",       "ibm866"};
constexpr std::size_t longest_name = 16;

bool is_known(std::string_view charset) {
    return charset.size() <= longest_name &&
           charset.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-") == std::string_view::npos &&
           std::any_of(families.begin(), families.end(),
                       [&](std::string_view family) { return charset.starts_with(family); });
}

class Converter {
  public:
    explicit Converter(const std::string& charset) : handle_(::iconv_open("UTF-8", charset.c_str())) {}
    ~Converter() {
        if (*this) ::iconv_close(handle_);
    }
    Converter(const Converter&) = delete;
    Converter& operator=(const Converter&) = delete;
    explicit operator bool() const { return handle_ != iconv_t(-1); }

    std::string convert(std::string_view text) {
        std::string result;
        std::array<char, 4096> buffer;
        // iconv(3) does not write to its input.
        char* from = const_cast<char*>(text.data());
        std::size_t left = text.size();
        while (left > 0) {
            char* to = buffer.data();
            std::size_t room = buffer.size();
            const std::size_t done = ::iconv(handle_, &from, &left, &to, &room);
            const int error = errno;
            result.append(buffer.data(), buffer.size() - room);
            if (done != static_cast<std::size_t>(-1) || error == E2BIG) continue;
            result += '?';
            ++from;
            --left;
        }
        return result;
    }

  private:
    iconv_t handle_;
};

}  // namespace

std::string charset_of(std::string_view content_type) {
    for (const std::string_view part : split(content_type, ';')) {
        const std::string_view parameter = trim(part);
        constexpr std::string_view name = "charset=";
        if (!starts_ignoring_case(parameter, name)) continue;
        std::string_view value = trim(parameter.substr(name.size()));
        if (value.starts_with('"')) value.remove_prefix(1);
        return lower(value.substr(0, value.find_first_of("\" \t(")));
    }
    return "";
}

std::string to_utf8(std::string_view text, const std::string& charset) {
    if (!is_known(charset)) return std::string(text);
    Converter converter(charset);
    return converter ? converter.convert(text) : std::string(text);
}

}  // namespace relais::explain
