// Whose request it is, and by which name the browser calls this server.
#include <utility>

#include "base/text.h"
#include "base/words.h"
#include "console/front.h"
#include "net/socket.h"

namespace relais::console {
namespace {

constexpr std::string_view forwarded_for = "x-forwarded-for";
constexpr std::string_view forwarded = "forwarded";

}  // namespace

bool is_own_origin(std::string_view origin, std::string_view host) {
    const std::string name = lower(origin);
    return name == "http://" + lower(host) || name == "https://" + lower(host);
}

std::string add_host(FrontSettings& settings, std::string_view line) {
    const auto words = words_of(line);
    if (words.empty()) return "";
    const std::string host = lower(words[0]);
    settings.hosts.insert(host);
    if (words.size() == 2 && words[1] == forwarded) settings.proxied.insert(host);
    return words.size() == 1 || settings.proxied.contains(host)
               ? ""
               : "what stands behind " + host + " is not known: \"" + std::string(forwarded) +
                     "\" may, where the proxy of that name sets X-Forwarded-For";
}

std::string client_of(const FrontSettings& settings, std::string_view peer, const http::Request& request) {
    if (!settings.proxied.contains(lower(request.field("host")))) return std::string(peer);
    // A browser may have sent such fields itself; what the proxy has added stands last.
    std::string_view said;
    for (const auto& [name, value] : request.fields)
        if (equal_ignoring_case(name, forwarded_for)) said = value;
    const std::size_t comma = said.rfind(',');
    const auto address =
        net::canonical_address(trim(comma == std::string_view::npos ? said : said.substr(comma + 1)));
    return address ? *address : std::string(peer);
}

}  // namespace relais::console
