#include "explain/rules_of_client.h"

#include <sys/stat.h>

#include <algorithm>
#include <filesystem>

#include "base/error.h"
#include "base/file.h"
#include "base/text.h"
#include "explain/plain.h"

namespace relais::explain {
namespace {

constexpr std::size_t text_limit = std::size_t{64} << 20;

bool newer(const std::string& a, const std::string& b) {
    struct stat first {};
    struct stat second {};
    if (::stat(a.c_str(), &first) != 0 || ::stat(b.c_str(), &second) != 0) return false;
    return first.st_mtim.tv_sec != second.st_mtim.tv_sec ? first.st_mtim.tv_sec > second.st_mtim.tv_sec
                                                         : first.st_mtim.tv_nsec > second.st_mtim.tv_nsec;
}

bool same(const tcprules::Decision& a, const tcprules::Decision& b) {
    return a.allow == b.allow && a.rule == b.rule && a.variables == b.variables;
}

std::string place_of(const tcprules::TextLine& line) {
    return line.file + " line " + std::to_string(line.number) + " \"" + plain(line.text) + "\"";
}

}  // namespace

RulesOfServer RulesOfServer::read(const Listener& listener) {
    RulesOfServer rules;
    rules.path = listener.rules;
    if (rules.path.empty()) return rules;
    try {
        rules.cdb = std::make_unique<tcprules::RulesFile>(rules.path);
    } catch (const Error& error) {
        rules.trouble = error.what();
    }
    std::vector<tcprules::RulesText::File> files;
    for (const std::string& path : sources_of(rules.path)) {
        try {
            auto content = read_file(path, text_limit);
            if (!content) continue;
            files.push_back({std::filesystem::path(path).filename(), std::move(*content)});
            rules.sources.push_back(path);
            rules.older = rules.older || newer(path, rules.path);
        } catch (const Error& error) {
            rules.source_trouble = error.what();
        }
    }
    if (!files.empty() && rules.source_trouble.empty()) rules.text.emplace(files);
    return rules;
}

std::string RuleMatch::text() const {
    if (!key) return "no rule matches";
    if (line != nullptr) return place_of(*line);
    return "the key \"" + plain(*key) + "\" of the cdb";
}

std::optional<std::string> RuleMatch::variable(std::string_view name) const {
    std::optional<std::string> value;
    for (const auto& [variable, text] : variables)
        if (variable == name) value = text;
    return value;
}

RuleMatch match(const RulesOfServer& rules, const tcprules::Client& client) {
    RuleMatch result;
    if (!rules.cdb) return result;
    const tcprules::Decision decision = rules.cdb->look_up(client);
    result.allow = decision.allow;
    result.key = decision.rule;
    result.variables = decision.variables;
    result.merged = result.variable("OPENSMTP");
    if (!rules.text) return result;
    const tcprules::Decision written = rules.text->look_up(client);
    if (written.rule) result.text_line = rules.text->line_of(*written.rule);
    if (same(decision, written))
        result.line = result.text_line;
    else
        result.text_differs = true;
    return result;
}

std::string variables_text(const std::vector<std::pair<std::string, std::string>>& variables) {
    if (variables.empty()) return "nothing";
    std::string text;
    for (const auto& [name, value] : variables)
        text += (text.empty() ? "" : " ") + plain(name) + "=\"" + plain(value) + "\"";
    return text;
}

}  // namespace relais::explain
