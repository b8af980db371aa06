#include "control/tool.h"

#include <unistd.h>

#include <cstdlib>
#include <string>
#include <system_error>

#include "base/error.h"
#include "control/enter.h"
#include "control/hide_arguments.h"
#include "control/home.h"

namespace relais::control {
namespace {

// The library's own exceptions name what they are about as ours do.
Error as_error(const std::system_error& error) {
    return Error(Reaction::temporary, error.what(), error.code().value());
}

// Whoever has set QMAILHOME wrong, or not at all, is not to mend a file that was never there.
std::string advice(const Error& error, bool root) {
    const std::string text = error.what();
    const Home home = Home::from_environment();
    if (!root && is_refusal(error.number()))
        return text.find("as root") != std::string::npos ? "" : ": " + std::string(run_as_root);
    const bool about_it = text.find(home.directory() + "/") != std::string::npos;
    if (!about_it || ::access(home.path("control").c_str(), F_OK) == 0 || errno != ENOENT) return "";
    return ": there is no instance in " + home.directory() + " (is QMAILHOME wrong?)";
}

[[noreturn]] void throw_with_advice(const Error& error, bool root) {
    throw Error(error.reaction(), error.what() + advice(error, root), error.number());
}

}  // namespace

bool is_refusal(int error_number) {
    return error_number == EACCES || error_number == EPERM;
}

int run_tool(std::string_view name, int argc, char** argv, const std::function<int(const Arguments&)>& work,
             Instance instance) {
    // Before the work: some tools give up root themselves.
    const bool root = ::geteuid() == 0;
    return run_program(name, argc, argv, [&](const Arguments& arguments) -> int {
        try {
            if (root && instance == Instance::in_environment)
                ::setenv("QMAILHOME", enter(Home::from_environment()).directory().c_str(), 1);
            if (name_an_address(arguments)) hide_arguments(name);
            return work(arguments);
        } catch (const Error& error) {
            throw_with_advice(error, root);
        } catch (const std::system_error& error) {
            throw_with_advice(as_error(error), root);
        }
    });
}

}  // namespace relais::control
