#include "control/hide_arguments.h"

#include <algorithm>

#include "base/error.h"
#include "base/process_title.h"
#include "control/home.h"
#include "control/setting.h"

namespace relais::control {

void hide_arguments(std::string_view program) {
    try {
        if (read<"proctitle">(Home::from_environment())) set_process_title(program);
    } catch (const Error&) {
        // Whatever is wrong there is said by what the program reads for its work.
    }
}

bool name_an_address(const Arguments& arguments) {
    return std::any_of(arguments.begin(), arguments.end(),
                       [](const std::string& argument) { return argument.find('@') != std::string::npos; });
}

}  // namespace relais::control
