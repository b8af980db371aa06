#include "opensmtp/vpopmail.h"

#include "base/text.h"
#include "opensmtp/address.h"

namespace relais::opensmtp {
namespace {

constexpr std::string_view allow = ":allow";
// Nobody logs in beyond the year 5138.
constexpr std::uint64_t wall_limit = 99'999'999'999;

// Takes the number at the end of the line off it.
std::optional<std::int64_t> take_time(std::string_view& line) {
    const std::size_t last = line.find_last_not_of("0123456789");
    if (last == std::string_view::npos) return std::nullopt;
    const auto time = parse_number(line.substr(last + 1));
    line = line.substr(0, last + 1);
    if (!time || *time > wall_limit || (line.back() != ' ' && line.back() != '\t')) return std::nullopt;
    return static_cast<std::int64_t>(*time);
}

// True if one of the variables is RELAYCLIENT, whatever its value.
bool sets_relayclient(std::string_view variables) {
    for (const std::string_view part : split(variables, ','))
        if (trim(part).starts_with("RELAYCLIENT=")) return true;
    return false;
}

}  // namespace

std::optional<VpopmailLine> parse_vpopmail_line(std::string_view line) {
    line = trim(line);
    if (line.empty() || line.front() == '#' || line.size() > 1024) return std::nullopt;
    const auto time = take_time(line);
    const std::size_t colon = line.find(allow);
    if (!time || colon == std::string_view::npos) return std::nullopt;
    auto address = canonical_client(trim(line.substr(0, colon)));
    if (!address || !sets_relayclient(line.substr(colon + allow.size()))) return std::nullopt;
    return VpopmailLine{std::move(*address), *time};
}

std::string vpopmail_line(std::string_view address, std::int64_t wall, bool norbl) {
    return std::string(address) + ":allow,RELAYCLIENT=\"\"" + (norbl ? ",RBLSMTPD=\"\"" : "") + "\t" +
           std::to_string(wall) + "\n";
}

std::optional<VpopmailLine> find_vpopmail_line(std::string_view content, std::string_view address) {
    std::optional<VpopmailLine> newest;
    for (std::size_t at = content.find(address); at != std::string_view::npos;
         at = content.find(address, at + address.size())) {
        if (at > 0 && content[at - 1] != '\n') continue;
        const auto line = parse_vpopmail_line(content.substr(at, content.find('\n', at) - at));
        if (line && line->address == address && (!newest || newest->wall < line->wall)) newest = line;
    }
    return newest;
}

}  // namespace relais::opensmtp
