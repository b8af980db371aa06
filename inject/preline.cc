// preline, in a .qmail file, runs a program with the message on its standard input, preceded by the From_,
// Return-Path and Delivered-To lines that mail readers and filters of old look for.
//
// Trust: run by qmail-local as the recipient, with no privilege of its own; runs that user's program. Inputs:
// the message on descriptor 0; UFLINE, RPLINE and DTLINE, each a whole line.
//
// Exit codes: those of the program; 100 wrong usage; 111 the program crashed or the message could not be
// read.
#include <cstdlib>

#include "base/error.h"
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

int preline(const Arguments& arguments) {
    inject::OptionReader options(arguments, "frdFRD");
    const std::string lines = chosen_lines(options);
    const Arguments command = options.rest();
    if (command.empty()) throw_permanent(usage);
    return inject::run_with_input(command, lines);
}

}  // namespace

int main(int argc, char** argv) {
    return relais::run_program("preline", argc, argv, preline);
}
