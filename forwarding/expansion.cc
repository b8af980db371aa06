#include "forwarding/expansion.h"

#include <unordered_set>

#include "base/error.h"
#include "base/text.h"
#include "forwarding/table.h"
#include "mail/null_sender.h"

namespace relais::forwarding {
namespace {

class Expander {
  public:
    Expander(const Find& find, const ReadList& read_list) : find_(find), read_list_(read_list) {}

    Expansion run(const std::string& target, const std::string& commands, const std::string& sender) {
        result_.sender = sender;
        if (const auto owner = find_("?" + target); owner && !mail::is_null_sender(sender))
            result_.sender = *owner;
        seen_.insert("&" + target);
        push(commands);
        while (!waiting_.empty()) {
            const auto [command, from_list] = std::move(waiting_.back());
            waiting_.pop_back();
            obey(command, from_list);
        }
        return std::move(result_);
    }

  private:
    struct Waiting {
        std::string command;
        bool from_list;
    };

    // The last one is obeyed first.
    void push(std::string_view data, bool from_list = false) {
        std::vector<std::string_view> commands;
        try {
            commands = commands_of(data, "bad format");
        } catch (const Error& error) {
            throw Error(Reaction::temporary, error.what());
        }
        for (auto command = commands.rbegin(); command != commands.rend(); ++command)
            waiting_.push_back({std::string(*command), from_list});
    }

    void obey(const std::string& command, bool from_list) {
        switch (command.front()) {
            case '&':
                if (seen_.insert(command).second) forward(command.substr(1));
                return;
            // What a list may name is addresses; another file would be read as somebody else.
            case ':':
                if (from_list) break;
                [[fallthrough]];
            case '.':
            case '/':
                if (seen_.insert(command).second) push(read_list_(command), true);
                return;
            case '|':
            case '!':
                // Whoever writes a list may name recipients; programs run as somebody else.
                if (from_list) break;
                result_.programs.push_back(command);
                return;
            default:
                break;
        }
        throw Error(Reaction::temporary, "bad format: " + safe_for_log(command));
    }

    void forward(const std::string& address) {
        const std::string target = lower(address);
        const auto commands = find_(":" + target);
        if (!commands || find_("?" + target))
            result_.recipients.push_back(address.ends_with('@') ? address.substr(0, address.size() - 1)
                                                                : address);
        else if (target == address || seen_.insert("&" + target).second)
            push(*commands);
    }

    const Find& find_;
    const ReadList& read_list_;
    Expansion result_;
    std::vector<Waiting> waiting_;
    std::unordered_set<std::string> seen_;
};

}  // namespace

std::optional<Expansion> expand(const std::string& address, const std::string& sender, const Find& find,
                                const ReadList& read_list) {
    const std::string whole = lower(address);
    const std::size_t at = std::min(whole.rfind('@'), whole.size());
    for (const std::string& target : {whole, whole.substr(at), whole.substr(0, at) + "@"})
        if (const auto commands = find(":" + target))
            return Expander(find, read_list).run(target, *commands, sender);
    return std::nullopt;
}

}  // namespace relais::forwarding
