#include "tcprules/text.h"

#include <algorithm>

#include "base/text.h"

namespace relais::tcprules {

RulesText::RulesText(const std::vector<File>& files) {
    RuleSet rules;
    std::vector<std::size_t> places;
    for (const File& file : files) {
        std::size_t number = 0;
        for (const std::string_view line : split(file.content, '\n')) {
            ++number;
            auto parsed = parse_rule(line);
            if (std::holds_alternative<Nothing>(parsed)) continue;
            const std::size_t colon = std::min(line.find(":allow"), line.find(":deny"));
            TextLine entry{file.name, number, std::string(trim(line)), std::string(line.substr(0, colon)),
                           Wrong{""}};
            if (auto* rule = std::get_if<Rule>(&parsed)) {
                rules.add(*rule);
                places.push_back(lines_.size());
                entry.parsed = std::move(*rule);
            } else {
                entry.parsed = std::get<Wrong>(parsed);
            }
            lines_.push_back(std::move(entry));
        }
    }
    rules.for_each_key([&](const std::string& key, std::size_t rule) {
        if (keys_.emplace(key, places[rule]).second) ++lines_[places[rule]].counting_keys;
    });
}

const TextLine* RulesText::line_of(const std::string& key) const {
    const auto found = keys_.find(key);
    return found != keys_.end() ? &lines_[found->second] : nullptr;
}

Decision RulesText::look_up(const Client& client) const {
    for (std::string& key : keys_of_client(client))
        if (const TextLine* line = line_of(key)) return decode_record(std::move(key), line->rule()->data);
    return {};
}

const TextLine* RulesText::first_wrong() const {
    const auto found = std::find_if(lines_.begin(), lines_.end(),
                                    [](const TextLine& line) { return line.rule() == nullptr; });
    return found != lines_.end() ? &*found : nullptr;
}

}  // namespace relais::tcprules
