#include "base/tool.h"

#include <unistd.h>

#include <string>
#include <system_error>

#include "base/error.h"

namespace relais {
namespace {

// The library's own exceptions name what they are about as ours do.
Error as_error(const std::system_error& error) {
    return Error(Reaction::temporary, error.what(), error.code().value());
}

Error with_advice(const Error& error) {
    const std::string text = error.what();
    if (!is_refusal(error.number()) || text.find("as root") != std::string::npos) return error;
    return Error(error.reaction(), text + ": " + std::string(run_as_root), error.number());
}

}  // namespace

bool is_refusal(int error_number) {
    return error_number == EACCES || error_number == EPERM;
}

int run_tool(std::string_view name, int argc, char** argv, const std::function<int(const Arguments&)>& work) {
    // Before the work: some tools give up root themselves.
    const bool root = ::geteuid() == 0;
    return run_program(name, argc, argv, [&](const Arguments& arguments) {
        try {
            return work(arguments);
        } catch (const Error& error) {
            if (root) throw;
            throw with_advice(error);
        } catch (const std::system_error& error) {
            if (root) throw;
            throw with_advice(as_error(error));
        }
    });
}

}  // namespace relais
