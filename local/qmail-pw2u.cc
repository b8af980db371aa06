// qmail-pw2u [-/ohHuUC] [-c char] <passwd >assign: makes users/assign from a passwd file, by the rules of
// qmail-getpw and of users/include, exclude, mailnames, subusers and append.
//
// Run by an administrator, by hand or before qmail-newu. Nothing is printed unless all of it can be. Exit
// codes: 0; 100 wrong usage; 111 alias, the user of a subuser, or with -h a home is missing, or something
// cannot be read.
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/io.h"
#include "control/tool.h"
#include "inject/options.h"
#include "local/pw2u.h"

namespace {

using namespace relais;
using local::Pw2uOptions;

constexpr std::size_t passwd_limit = std::size_t{1} << 30;

Pw2uOptions read_options(const Arguments& arguments) {
    Pw2uOptions result;
    inject::OptionReader options(arguments, "/ohHuUCc:");
    while (const auto option = options.next()) {
        switch (*option) {
            case '/':
                result.in_directories = true;
                break;
            case 'o':
                result.home_check = Pw2uOptions::HomeCheck::skip_missing;
                break;
            case 'h':
                result.home_check = Pw2uOptions::HomeCheck::stop_at_missing;
                break;
            case 'H':
                result.home_check = Pw2uOptions::HomeCheck::none;
                break;
            case 'u':
            case 'U':
                result.upper_case = *option == 'u';
                break;
            case 'c':
                result.dash = options.value().empty() ? '\0' : options.value()[0];
                break;
            case 'C':
                result.dash = '\0';
                break;
            default:
                throw_permanent("usage: qmail-pw2u [ -/ohHuUC ] [ -c char ]");
        }
    }
    return result;
}

std::optional<uid_t> owner_of(const std::string& directory) {
    struct stat info {};
    if (::stat(directory.c_str(), &info) == 0) return info.st_uid;
    if (errno == ENOENT || errno == ENOTDIR || errno == EACCES) return std::nullopt;
    throw_errno("stat", directory);
}

int qmail_pw2u(const Arguments& arguments) {
    const Pw2uOptions options = read_options(arguments);
    const auto home = control::Home::from_environment();
    const auto files = local::Pw2uFiles::read(home);
    const std::string passwd = read_to_end(STDIN_FILENO, passwd_limit, Deadline::never());
    write_all(STDOUT_FILENO, local::assign_of_passwd(passwd, files, options, home.path("alias"), owner_of),
              Deadline::never());
    return static_cast<int>(Exit::success);
}

}  // namespace

int main(int argc, char** argv) {
    return relais::control::run_tool("qmail-pw2u", argc, argv, qmail_pw2u);
}
