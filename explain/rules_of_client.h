// What the rules of a server say about a client: the cdb that decides, and the text that it was made of.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "explain/listener.h"
#include "tcprules/text.h"

namespace relais::explain {

struct RulesOfServer {
    std::string path;     // of the cdb; "" for a server without rules
    std::string trouble;  // why it cannot be read
    std::unique_ptr<tcprules::RulesFile> cdb;
    std::vector<std::string> sources;         // the texts that could be read
    std::string source_trouble;               // why one could not
    std::optional<tcprules::RulesText> text;  // with the files' base names
    bool older = false;                       // a text was changed after the cdb was made

    static RulesOfServer read(const Listener& listener);
};

// One rule that matched, with its place in the text.
struct RuleMatch {
    bool allow = true;
    std::optional<std::string> key;  // nothing: no rule
    std::vector<std::pair<std::string, std::string>> variables;
    const tcprules::TextLine* line = nullptr;  // that says the same
    const tcprules::TextLine* text_line =
        nullptr;                        // that would decide if the text were compiled; may be line
    bool text_differs = false;          // ... and would decide otherwise
    std::optional<std::string> merged;  // OPENSMTP: a login merged into the cdb, its time

    // "tcp.smtp line 3 \"127.:allow,...\"", or the key in the cdb, or that there is none.
    std::string text() const;
    std::optional<std::string> variable(std::string_view name) const;
};
RuleMatch match(const RulesOfServer& rules, const tcprules::Client& client);

// "RELAYCLIENT=\"\" DATABYTES=\"1000\"", or "nothing".
std::string variables_text(const std::vector<std::pair<std::string, std::string>>& variables);

}  // namespace relais::explain
