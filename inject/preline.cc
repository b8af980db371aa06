// preline, in a .qmail file, runs a program with the message on its standard input, preceded by the From_,
// Return-Path and Delivered-To lines that mail readers and filters of old look for.
//
// Trust: run by qmail-local as the recipient, with no privilege of its own; runs that user's program. Inputs:
// the message on descriptor 0; UFLINE, RPLINE and DTLINE, each a whole line.
//
// Exit codes: those of the program; 100 wrong usage; 111 the program crashed or the message could not be
// read.
#include <unistd.h>

#include <cstdlib>

#include "base/error.h"
#include "base/fd.h"
#include "base/io.h"
#include "inject/child.h"
#include "inject/options.h"

namespace {

using namespace relais;

constexpr const char* usage = "usage: preline cmd [ arg ... ]";

// A variable that qmail-local always sets: without it this is no delivery.
std::string line(const char* name) {
    const char* value = std::getenv(name);
    if (value == nullptr) throw_permanent(usage);
    return value;
}

std::string chosen_lines(inject::OptionReader& options) {
    bool from = true;
    bool return_path = true;
    bool delivered_to = true;
    while (const auto option = options.next()) {
        switch (*option) {
            case 'f':
                from = false;
                break;
            case 'r':
                return_path = false;
                break;
            case 'd':
                delivered_to = false;
                break;
            case 'F':
                from = true;
                break;
            case 'R':
                return_path = true;
                break;
            case 'D':
                delivered_to = true;
                break;
            default:
                throw_permanent(usage);
        }
    }
    const std::string lines[] = {line("UFLINE"), line("RPLINE"), line("DTLINE")};
    return (from ? lines[0] : "") + (return_path ? lines[1] : "") + (delivered_to ? lines[2] : "");
}

// A program need not read all of its input: that it closed it is no failure.
void feed(int pipe, std::string_view lines) {
    std::vector<char> buffer(io_buffer_size);
    try {
        write_all(pipe, lines, Deadline::never());
        while (const std::size_t count = read_some(STDIN_FILENO, buffer, Deadline::never()))
            write_all(pipe, {buffer.data(), count}, Deadline::never());
    } catch (const Error& error) {
        if (error.number() != EPIPE) throw;
    }
}

int preline(const Arguments& arguments) {
    inject::OptionReader options(arguments, "frdFRD");
    const std::string lines = chosen_lines(options);
    const Arguments command = options.rest();
    if (command.empty()) throw_permanent(usage);
    Pipe pipe = make_pipe();
    const pid_t program = inject::start_program(command, pipe.read.get());
    pipe.read.reset();
    feed(pipe.write.get(), lines);
    pipe.write.reset();
    return inject::wait_for_program(program);
}

}  // namespace

int main(int argc, char** argv) {
    return relais::run_program("preline", argc, argv, preline);
}
