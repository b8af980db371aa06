#include "smtpd/results_filter.h"

#include <utility>

#include "authres/results.h"
#include "base/text.h"

namespace relais::smtpd {
namespace {

constexpr std::string_view field_name = "Authentication-Results";

bool begins_field(std::string_view line) {
    return line.size() > field_name.size() && starts_ignoring_case(line, field_name) &&
           line.find_first_not_of(" \t", field_name.size()) == line.find(':', field_name.size());
}

bool is_folded(std::string_view line) {
    return line.starts_with(' ') || line.starts_with('\t');
}

}  // namespace

ResultsFilter::ResultsFilter(bool active, std::string_view server)
    : in_header_(active), server_(lower(server)) {}

void ResultsFilter::feed(std::string& text) {
    if (!in_header_) return;
    std::string out;
    std::string_view rest = text;
    while (in_header_ && !rest.empty()) {
        const std::size_t end = rest.find('\n');
        const bool whole = end != std::string_view::npos;
        const std::string_view piece = rest.substr(0, whole ? end + 1 : rest.size());
        rest.remove_prefix(piece.size());
        if (line_goes_on_) {
            add_to_field(piece, out);
            line_goes_on_ = !whole;
            continue;
        }
        line_.append(piece);
        // A line without an end is judged by what there is; what follows shares its fate.
        if (!whole && line_.size() < field_limit) break;
        line_goes_on_ = !whole;
        take_line(std::exchange(line_, ""), out);
    }
    out.append(rest);
    text.swap(out);
}

// More of the field, or of a line that is none of ours to judge.
void ResultsFilter::add_to_field(std::string_view text, std::string& out) {
    if (field_.empty()) {
        out.append(text);
        return;
    }
    if (fate_ == Fate::open && field_.size() < field_limit) {
        field_.append(text);
        return;
    }
    if (fate_ == Fate::open) {
        fate_ = is_ours() ? Fate::dropped : Fate::passed;
        if (fate_ == Fate::passed) out.append(field_);
    }
    if (fate_ == Fate::passed) out.append(text);
}

void ResultsFilter::take_line(std::string_view line, std::string& out) {
    if (!field_.empty() && is_folded(line)) return add_to_field(line, out);
    end_field(out);
    if (begins_field(line)) {
        field_ = line;
        return;
    }
    if (line == "\n") in_header_ = false;
    out.append(line);
}

void ResultsFilter::end_field(std::string& out) {
    if (fate_ == Fate::open && !field_.empty() && !is_ours()) out.append(field_);
    field_.clear();
    fate_ = Fate::open;
}

// A name that the beginning of a long field does not show, or cuts, may be ours.
bool ResultsFilter::is_ours() const {
    const std::string body = field_.substr(field_.find(':') + 1);
    const auto server = authres::results_server(body);
    if (field_.size() >= field_limit && (!server || authres::results_server(body + "x") != server))
        return true;
    return server == server_;
}

std::string ResultsFilter::finish() {
    std::string out;
    if (!in_header_) return out;
    if (!line_.empty()) take_line(std::exchange(line_, ""), out);
    end_field(out);
    in_header_ = false;
    return out;
}

}  // namespace relais::smtpd
