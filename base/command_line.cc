#include "base/command_line.h"

#include <CLI/CLI.hpp>

namespace relais {

Command::Option& Command::Option::required() {
    option_->required();
    return *this;
}

Command::Option& Command::Option::excludes(const Option& other) {
    option_->excludes(other.option_);
    return *this;
}

Command::Option& Command::Option::value_optional() {
    option_->expected(0, 1);
    return *this;
}

Command::Option& Command::Option::separated_by(char separator) {
    option_->delimiter(separator);
    return *this;
}

Command::Option& Command::Option::one_value_each() {
    option_->expected(1)->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
    return *this;
}

Command::Option& Command::Option::in_range(int lowest, int highest) {
    option_->check(CLI::Range(lowest, highest));
    return *this;
}

Command::Option& Command::Option::above_zero() {
    option_->check(CLI::PositiveNumber);
    return *this;
}

bool Command::Option::given() const {
    return option_->count() > 0;
}

Command::Option Command::flag(const char* name, bool& value, const char* help) {
    return Option(app_->add_flag(name, value, help));
}

Command::Option Command::option(const char* name, std::string& value, const char* help) {
    return Option(app_->add_option(name, value, help));
}

Command::Option Command::option(const char* name, std::optional<std::string>& value, const char* help) {
    return Option(app_->add_option(name, value, help));
}

Command::Option Command::option(const char* name, std::vector<std::string>& values, const char* help) {
    return Option(app_->add_option(name, values, help));
}

Command::Option Command::option(const char* name, unsigned& value, const char* help) {
    return Option(app_->add_option(name, value, help));
}

Command::Option Command::option(const char* name, std::optional<unsigned>& value, const char* help) {
    return Option(app_->add_option(name, value, help));
}

Command::Option Command::option(const char* name, std::uint64_t& value, const char* help) {
    return Option(app_->add_option(name, value, help));
}

Command Command::subcommand(const char* name, const char* help) {
    return Command(app_->add_subcommand(name, help));
}

Command& Command::fallthrough() {
    app_->fallthrough();
    return *this;
}

bool Command::given() const {
    return app_->parsed();
}

CommandLine::CommandLine(const char* purpose, const char* program)
    : CommandLine(std::make_unique<CLI::App>(purpose, program)) {}

CommandLine::CommandLine(std::unique_ptr<CLI::App> app) : Command(app.get()), owned_(std::move(app)) {}

// Here, where the library's class is known.
CommandLine::~CommandLine() = default;

void CommandLine::takes_one(Subcommand kind) {
    app_->require_subcommand(kind == Subcommand::required ? 1 : 0, 1);
}

std::optional<int> CommandLine::parse(const Arguments& arguments) {
    try {
        app_->parse(std::vector<std::string>(arguments.rbegin(), arguments.rend()));
        return std::nullopt;
    } catch (const CLI::ParseError& error) {
        return static_cast<int>(app_->exit(error) == 0 ? Exit::success : Exit::permanent);
    }
}

}  // namespace relais
