#include "base/program.h"

#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <exception>

#include "base/error.h"
#include "base/line_form.h"
#include "base/process_title.h"
#include "base/version.h"

namespace relais {
namespace {

std::string& name_of_program() {
    static std::string name;
    return name;
}

LineForm chosen_form = nullptr;

}  // namespace

int run_program(std::string_view name, int argc, char** argv,
                const std::function<int(const Arguments&)>& work) {
    name_of_program() = name;
    ::signal(SIGPIPE, SIG_IGN);
    Arguments arguments(argv + std::min(argc, 1), argv + argc);
    // No classic form of a program has that as its only argument.
    if (arguments == Arguments{"--version"}) {
        std::printf("%s (relais) %s\n", std::string(name).c_str(), std::string(version()).c_str());
        return std::fflush(stdout) == 0 ? 0 : static_cast<int>(Exit::temporary);
    }
    remember_title_area(argc, argv);
    try {
        return work(arguments);
    } catch (const Error& error) {
        log_line(std::string("fatal: ") + error.what());
        return static_cast<int>(error.reaction() == Reaction::permanent ? Exit::permanent : Exit::temporary);
    } catch (const std::exception& error) {
        log_line(std::string("fatal: ") + error.what());
        return static_cast<int>(Exit::temporary);
    }
}

void log_raw_line(std::string_view text) {
    std::string line(text);
    line += '\n';
    // A log that cannot be written has nobody to be told about it.
    [[maybe_unused]] const ssize_t written = ::write(STDERR_FILENO, line.data(), line.size());
}

const std::string& program_name() {
    return name_of_program();
}

void set_line_form(LineForm form) {
    chosen_form = form;
}

LineForm line_form() {
    return chosen_form;
}

void log_line(std::string_view text) {
    if (chosen_form != nullptr) return log_raw_line(chosen_form(program_name(), text));
    std::string line = program_name();
    if (!line.empty()) line += ": ";
    log_raw_line(line.append(text));
}

std::string environment(const char* name, std::string_view fallback) {
    const char* value = std::getenv(name);
    return value != nullptr ? std::string(value) : std::string(fallback);
}

}  // namespace relais
