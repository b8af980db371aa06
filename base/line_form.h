// How log_line (base/program.h) writes: for base/event.h, which has the one other form.
#pragma once

#include <string>
#include <string_view>

namespace relais {

// What run_program was given.
const std::string& program_name();
// A line made of the program's name and the text; null: "NAME: TEXT". Children keep it.
using LineForm = std::string (*)(std::string_view program, std::string_view text);
void set_line_form(LineForm form);
LineForm line_form();

}  // namespace relais
