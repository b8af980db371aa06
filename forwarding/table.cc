#include "forwarding/table.h"

#include "base/error.h"
#include "base/text.h"

namespace relais::forwarding {
namespace {

constexpr std::string_view blanks = " \t";

// Reads a table octet by octet. Blanks and line ends count only behind a backslash.
class TableReader {
  public:
    std::vector<Record> read(std::string_view text) {
        for (std::size_t i = 0; i < text.size(); ++i) {
            const char c = text[i];
            if (c == '\0') throw_permanent("NUL bytes are not permitted");
            if (c == '\\') {
                if (++i == text.size()) break;
                if (text[i] == '\0') throw_permanent("NUL bytes are not permitted");
                word_ += text[i];
                open_ = true;
            } else if (c == '#') {
                i = std::min(text.find('\n', i), text.size());
            } else if (c != ' ' && c != '\t' && c != '\n') {
                take(c);
            }
        }
        if (open_) throw_permanent("final instruction must end with semicolon");
        return std::move(records_);
    }

  private:
    void take(char c) {
        const bool ends = c == ',' || c == ';';
        if (c == ':' && in_commands_) throw_permanent("double colons are not permitted");
        if (ends && !in_commands_) throw_permanent("commas are not permitted before colons");
        open_ = c != ';';
        if (c == ':') {
            target_ = lower(word_);
            word_.clear();
            in_commands_ = true;
        } else if (ends) {
            add_command();
            if (c == ';') end_instruction();
        } else {
            word_ += c;
        }
    }

    void add_command() {
        std::string word = std::move(word_);
        word_.clear();
        if (word.empty()) return;
        switch (word.front()) {
            case '?':
                records_.push_back({"?" + target_, word.substr(1)});
                return;
            case '|':
            case '!':
            case '.':
            case '/':
                break;
            case '&':
            default:
                if (word.front() != '&') word.insert(0, 1, '&');
                if (word.size() > recipient_limit + 1)
                    throw_permanent("addresses over 800 bytes are not permitted");
        }
        data_.append(word).append(1, '\0');
    }

    void end_instruction() {
        if (!data_.empty()) records_.push_back({":" + target_, std::move(data_)});
        data_.clear();
        target_.clear();
        in_commands_ = false;
    }

    std::vector<Record> records_;
    std::string target_;
    std::string word_;
    std::string data_;
    bool in_commands_ = false;
    bool open_ = false;  // an instruction has begun
};

// The text so that TableReader reads it as one word.
std::string quoted(std::string_view text) {
    std::string result;
    for (const char c : text) {
        if (c == '\0') throw_permanent("bad database format");
        if (std::string_view(" \t\n,:;\\#").find(c) != std::string_view::npos) result += '\\';
        result += c;
    }
    return result;
}

[[noreturn]] void refuse_list(const char* why) {
    throw Error(Reaction::temporary, why);
}

}  // namespace

std::vector<Record> parse_table(std::string_view text) {
    return TableReader().read(text);
}

std::string print_record(const Record& record) {
    if (record.key.empty()) throw_permanent("bad database format");
    const std::string target = quoted(std::string_view(record.key).substr(1));
    if (record.key.front() == '?') return target + ": ?" + quoted(record.data) + ";\n";
    if (record.key.front() != ':') return {};
    std::string text = target + ":\n";
    for (const std::string_view command : commands_of(record.data, "bad database format"))
        text += ", " + quoted(command) + "\n";
    return text += ";\n";
}

std::string parse_list(std::string_view text) {
    std::string list;
    for (std::string_view line : split(text, '\n')) {
        if (line.find('\0') != std::string_view::npos) refuse_list("NUL in input");
        line = line.substr(0, line.find_last_not_of(blanks) + 1);
        if (line.empty() || line.front() == '#') continue;
        const bool file = line.front() == '.' || line.front() == '/';
        if (line.front() == '&') line.remove_prefix(1);
        if (!file && line.size() > recipient_limit) refuse_list("addresses must be under 800 bytes");
        list.append(file ? "" : "&").append(line).append(1, '\0');
    }
    return list;
}

std::string print_list(std::string_view list) {
    std::string text;
    for (const std::string_view command : commands_of(list, "bad mailing list format")) {
        if (command.find('\n') != std::string_view::npos) throw_permanent("bad mailing list format");
        text.append(command).append(1, '\n');
    }
    return text;
}

std::vector<std::string_view> commands_of(std::string_view data, const char* otherwise) {
    std::vector<std::string_view> commands;
    while (!data.empty()) {
        const std::size_t end = data.find('\0');
        if (end == std::string_view::npos || end == 0) throw_permanent(otherwise);
        commands.push_back(data.substr(0, end));
        data.remove_prefix(end + 1);
    }
    return commands;
}

}  // namespace relais::forwarding
