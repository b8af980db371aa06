#include "setup/report.h"

#include <algorithm>
#include <cstdio>

#include "base/json.h"
#include "control/tool.h"

namespace relais::setup {
namespace {

using Level = Report::Level;

const char* mark(Level level) {
    switch (level) {
        case Level::good:
            return "ok     ";
        case Level::note:
            return "note   ";
        case Level::unseen:
            return "unseen ";
        case Level::look:
            return "look   ";
        default:
            return "WRONG  ";
    }
}

const char* name(Level level) {
    switch (level) {
        case Level::good:
            return "ok";
        case Level::note:
            return "note";
        case Level::unseen:
            return "unseen";
        case Level::look:
            return "look";
        default:
            return "wrong";
    }
}

}  // namespace

void Report::add(Level level, const std::string& text, const std::string& remedy) {
    const bool told = std::any_of(findings_.begin(), findings_.end(), [&](const Finding& each) {
        return each.level == level && each.text == text;
    });
    if (told) return;
    findings_.push_back({level, text, remedy});
    if (format_ == Format::json) return;
    std::puts((mark(level) + text + (remedy.empty() ? "" : "\n       -> " + remedy)).c_str());
}

void Report::unseen(const std::string& text) {
    add(Level::unseen, text, std::string(control::run_as_root));
}

void Report::trouble(const Error& error) {
    if (control::is_refusal(error.number()))
        unseen(error.what());
    else
        bad(error.what(), "this needs you");
}

int Report::code() const {
    int code = 0;
    for (const Finding& finding : findings_)
        code = std::max(code, finding.level == Level::bad ? 2 : finding.level >= Level::unseen ? 1 : 0);
    return code;
}

void Report::finish() const {
    if (format_ != Format::json) return;
    Json json{{"code", code()}, {"findings", Json::array()}};
    for (const Finding& finding : findings_)
        json["findings"].push_back({{"level", name(finding.level)},
                                    {"text", finding.text},
                                    {"remedy", text_or_null(finding.remedy)}});
    std::puts(json.lines().c_str());
}

}  // namespace relais::setup
