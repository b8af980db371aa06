#include "base/classic_errno.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <string_view>
#include <utility>

#include "base/error.h"

namespace relais {
namespace {

using Word = std::pair<int, std::string_view>;
constexpr std::array<Word, 17> classic_words = {{
    {ENOENT, "file does not exist"},
    {EACCES, "access denied"},
    {EPERM, "permission denied"},
    {ENOSPC, "out of disk space"},
    {EDQUOT, "disk quota exceeded"},
    {EROFS, "read-only file system"},
    {EISDIR, "is a directory"},
    {ENOTDIR, "not a directory"},
    {EEXIST, "file already exists"},
    {ELOOP, "symbolic link loop"},
    {ENAMETOOLONG, "file name too long"},
    {ENOEXEC, "exec format error"},
    {ETXTBSY, "text busy"},
    {ENOMEM, "out of memory"},
    {EAGAIN, "temporary failure"},
    {EIO, "input/output error"},
    {ETIMEDOUT, "timed out"},
}};

}  // namespace

std::string classic_errno_text(int error_number) {
    const auto* found = std::find_if(classic_words.begin(), classic_words.end(),
                                     [&](const auto& each) { return each.first == error_number; });
    const std::string text = errno_text(error_number);
    if (found == classic_words.end()) return text;
    const std::string word(found->second);
    const bool same = std::equal(word.begin(), word.end(), text.begin(), text.end(), [](char a, char b) {
        return a == (b >= 'A' && b <= 'Z' ? static_cast<char>(b - 'A' + 'a') : b);
    });
    return same ? word : word + " (" + text + ")";
}

}  // namespace relais
