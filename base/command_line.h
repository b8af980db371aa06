// The command line of the tools that have options: flags, options, positional arguments and subcommands,
// bound to variables. One place knows the library behind it, whose headers cost each file that includes them
// many seconds.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/program.h"

namespace CLI {
class App;
class Option;
}  // namespace CLI

namespace relais {

// Names start with dashes; one without is the place of a positional argument. Everything that is bound must
// live until parse has returned. Handles are small, and good as long as their CommandLine.
class Command {
  public:
    class Option {
      public:
        Option& required();
        Option& excludes(const Option& other);
        // "--name", "--name=VALUE" and "--name VALUE" alike.
        Option& value_optional();
        // For a list: the values of one use are separated by this.
        Option& separated_by(char separator);
        // For a list: each use has one value; without this it takes what follows up to the next option.
        Option& one_value_each();
        // For a number.
        Option& in_range(int lowest, int highest);
        Option& above_zero();
        bool given() const;

      private:
        friend class Command;
        explicit Option(CLI::Option* option) : option_(option) {}
        CLI::Option* option_;
    };

    Option flag(const char* name, bool& value, const char* help = "");
    Option option(const char* name, std::string& value, const char* help = "");
    Option option(const char* name, std::optional<std::string>& value, const char* help = "");
    Option option(const char* name, std::vector<std::string>& values, const char* help = "");
    Option option(const char* name, unsigned& value, const char* help = "");
    Option option(const char* name, std::optional<unsigned>& value, const char* help = "");
    Option option(const char* name, std::uint64_t& value, const char* help = "");

    Command subcommand(const char* name, const char* help);
    // What this subcommand does not know is taken for the program's.
    Command& fallthrough();
    bool given() const;

  protected:
    explicit Command(CLI::App* app) : app_(app) {}
    CLI::App* app_;
};

class CommandLine : public Command {
  public:
    CommandLine(const char* purpose, const char* program);
    ~CommandLine();
    CommandLine(const CommandLine&) = delete;
    CommandLine& operator=(const CommandLine&) = delete;

    enum class Subcommand { optional, required };
    void takes_one(Subcommand kind);

    // Binds the arguments. The exit code if the program ends here: 0 after --help, whose text is on standard
    // output then, 100 after a mistake, which is named on standard error.
    [[nodiscard]] std::optional<int> parse(const Arguments& arguments);

  private:
    explicit CommandLine(std::unique_ptr<CLI::App> app);
    std::unique_ptr<CLI::App> owned_;
};

}  // namespace relais
