#include "send/rules_watch.h"

#include <algorithm>

#include "base/error.h"
#include "base/text.h"
#include "control/setting.h"

namespace relais::send {
namespace {

using Lines = std::vector<std::string>;

bool is_domain(std::string_view text) {
    return text.find_first_of(" \t:@") == std::string_view::npos &&
           std::none_of(text.begin(), text.end(),
                        [](char c) { return static_cast<unsigned char>(c) < 32 || c == 127; });
}

bool is_virtual_domain(std::string_view line) {
    return line.find(':') != std::string_view::npos && line.find_first_of(" \t") == std::string_view::npos;
}

// An address in what a line of rcpthosts stands for: example.org, or all below .example.org.
std::string address_in(const std::string& accepted) {
    return "postmaster@" + std::string(accepted.starts_with('.') ? "x" : "") + accepted;
}

bool is_ours(const RewriteRules& rules, const std::string& accepted) {
    return rewrite(rules, address_in(accepted)).is_local();
}

}  // namespace

std::string trouble_of_rules(const RewriteRules& in_use, const RewriteRules& fresh, const RuleFiles& files,
                             const std::vector<std::string>& accepted) {
    for (const auto& [name, lines] :
         {std::pair("locals", &files.locals), std::pair("virtualdomains", &files.virtual_domains)})
        if (*lines && (*lines)->empty() &&
            (std::string_view(name) == "locals" ? in_use.has_locals() : in_use.has_virtual_domains()))
            return std::string("control/") + name + " is empty now";
    for (const std::string& line : files.locals.value_or(Lines()))
        if (!is_domain(line)) return "this is no domain in control/locals: " + line;
    for (const std::string& line : files.virtual_domains.value_or(Lines()))
        if (!is_virtual_domain(line)) return "this is no line of control/virtualdomains: " + line;
    for (const std::string& line : accepted)
        if (is_ours(in_use, line) && !is_ours(fresh, line))
            return line +
                   " is in control/rcpthosts, but no longer in control/locals or control/virtualdomains";
    return "";
}

RulesWatch::RulesWatch(const control::Home& home)
    : home_(home),
      locals_(home.control_file("locals")),
      virtual_domains_(home.control_file("virtualdomains")) {
    forget();
}

bool RulesWatch::changed() {
    const bool first = locals_.changed(), second = virtual_domains_.changed();
    return first || second;
}

void RulesWatch::forget() {
    static_cast<void>(changed());
    changed_at_.reset();
    trouble_.clear();
}

RulesWatch::News RulesWatch::look(const RewriteRules& in_use, Clock::time_point now, Seconds quiet) {
    if (changed()) changed_at_ = now;
    if (!changed_at_ || now - *changed_at_ < quiet) return {};
    changed_at_.reset();
    try {
        const RuleFiles files{control::read_if_there<"locals">(home_),
                              control::read_if_there<"virtualdomains">(home_)};
        RewriteRules fresh = RewriteRules::read(home_);
        // Between the two they may have changed once more.
        if (changed()) {
            changed_at_ = now;
            return {};
        }
        trouble_ = trouble_of_rules(in_use, fresh, files,
                                    control::read_if_there<"rcpthosts">(home_).value_or(Lines()));
        if (trouble_.empty()) return {std::move(fresh), ""};
    } catch (const Error& error) {
        trouble_ = error.what();
    }
    return {std::nullopt, "control/locals and control/virtualdomains were changed, and do not count: " +
                              trouble_ + "; mend them, or qmailctl reload if that is right"};
}

}  // namespace relais::send
