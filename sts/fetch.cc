#include "sts/fetch.h"

#include <curl/curl.h>

#include <algorithm>
#include <memory>

#include "base/error.h"
#include "base/text.h"
#include "base/unix_socket.h"
#include "control/control_file.h"
#include "control/setting.h"
#include "net/resolver_protocol.h"
#include "net/socket.h"
#include "remote/addresses.h"
#include "sts/protocol.h"

namespace relais::sts {
namespace {

// Of what comes before the policy.
constexpr std::size_t head_limit = std::size_t{64} << 10;
constexpr std::size_t addresses_limit = 8;
constexpr char https[] = "443";

struct Freed {
    void operator()(CURL* curl) const { curl_easy_cleanup(curl); }
    void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};

struct Body {
    std::string text;
    std::size_t head = 0;
    bool too_long = false;
};

std::size_t take_head(char*, std::size_t, std::size_t count, void* to) noexcept {
    auto& body = *static_cast<Body*>(to);
    body.head += count;
    return body.head <= head_limit ? count : 0;
}

std::size_t take(char* data, std::size_t, std::size_t count, void* to) noexcept {
    auto& body = *static_cast<Body*>(to);
    body.too_long = body.text.size() + count > policy_limit;
    if (body.too_long) return 0;
    body.text.append(data, count);
    return count;
}

template <class Value>
void set(CURL* curl, CURLoption option, Value value) {
    if (const CURLcode code = curl_easy_setopt(curl, option, value); code != CURLE_OK)
        throw Error(Reaction::temporary, std::string("unable to use libcurl: ") + curl_easy_strerror(code));
}

// "mta-sts.example.org:443:192.0.2.1,[2001:db8::1]": nobody else is asked for its addresses.
std::string resolved(const std::string& host, const std::vector<std::string>& addresses) {
    std::string text = host + ":" + https + ":";
    for (const std::string& address : addresses) {
        if (&address != addresses.data()) text += ",";
        text += address.find(':') == std::string::npos ? address : "[" + address + "]";
    }
    return text;
}

std::string complaint(CURL* curl, const Body& body, CURLcode code) {
    if (body.head > head_limit)
        return "the server's head has more than " + std::to_string(head_limit) + " octets";
    if (body.too_long) return "the policy has more than " + std::to_string(policy_limit) + " octets";
    if (code != CURLE_OK) return curl_easy_strerror(code);
    long status = 0;
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    if (status != 200) return "the server answers " + std::to_string(status);
    const char* type = nullptr;
    curl_easy_getinfo(curl, CURLINFO_CONTENT_TYPE, &type);
    const std::string_view kind = type == nullptr ? "" : type;
    if (!equal_ignoring_case(trim(kind.substr(0, kind.find(';'))), "text/plain"))
        return "what the server has is no text/plain";
    return "";
}

// Those that may be connected to.
std::vector<std::string> addresses_of(net::Resolver& resolver, const std::string& domain, bool may_be_private,
                                      std::string& reason, Deadline deadline) {
    const std::string host = "mta-sts." + domain;
    const std::vector<net::DnsQuestion> questions = {{net::RecordType::aaaa, host},
                                                     {net::RecordType::a, host}};
    std::vector<std::string> found;
    bool failed = false, refused = false;
    for (const net::DnsAnswer& answer : resolver.ask_all(questions, deadline)) {
        failed = failed || answer.status == net::DnsStatus::failed || answer.status == net::DnsStatus::bogus;
        for (const net::DnsRecord& record : answer.records) {
            const auto address = net::canonical_address(record.text);
            if (!address || found.size() >= addresses_limit) continue;
            const remote::AddressKind kind = remote::kind_of(*address);
            if (kind == remote::AddressKind::global ||
                (may_be_private && kind != remote::AddressKind::unusable))
                found.push_back(*address);
            else
                refused = true;
        }
    }
    if (found.empty())
        reason = refused  ? host + " has private addresses alone"
                 : failed ? "DNS does not tell the addresses of " + host
                          : host + " has no address";
    return found;
}

std::optional<std::string> id_of(net::Resolver& resolver, const std::string& domain, Deadline deadline) {
    const net::DnsAnswer answer = resolver.ask(net::RecordType::txt, "_mta-sts." + domain, deadline);
    std::vector<std::string> texts;
    for (const net::DnsRecord& record : answer.records) texts.push_back(record.text);
    return policy_id(texts);
}

std::string authorities_file(const control::Home& home) {
    const std::string file = control::read<"mtastsca">(home);
    return file.starts_with('/') ? file : home.control_file(file);
}

Fetched look(net::Resolver& resolver, const control::Home& home, const Order& order) {
    const std::string& domain = order.domain;
    const Deadline deadline = Deadline::in(order.patience);
    Fetched fetched;
    const auto id = id_of(resolver, domain, deadline);
    if (!id) return {{}, "", "there is no record of a policy at _mta-sts." + domain};
    const bool may_be_private = control::DomainSet(control::read<"privatemx">(home)).contains(domain);
    const auto addresses = addresses_of(resolver, domain, may_be_private, fetched.reason, deadline);
    // libcurl takes 0 as no limit.
    const auto left = std::max(std::chrono::ceil<Seconds>(deadline.at() - Clock::now()), Seconds(1));
    if (!addresses.empty()) fetched = fetch_policy(domain, addresses, authorities_file(home), left);
    fetched.id = *id;
    return fetched;
}

}  // namespace

void prepare_fetching() {
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        throw Error(Reaction::temporary, "unable to start libcurl");
}

Fetched fetch_policy(const std::string& domain, const std::vector<std::string>& addresses,
                     const std::string& authorities, Seconds patience) {
    const std::string host = "mta-sts." + domain;
    const std::unique_ptr<CURL, Freed> owner(curl_easy_init());
    CURL* const curl = owner.get();
    if (curl == nullptr) throw_errno("prepare", "libcurl", ENOMEM);
    const std::unique_ptr<curl_slist, Freed> hosts(
        curl_slist_append(nullptr, resolved(host, addresses).c_str()));
    Body body;
    set(curl, CURLOPT_URL, ("https://" + host + "/.well-known/mta-sts.txt").c_str());
    set(curl, CURLOPT_PROTOCOLS_STR, "https");
    set(curl, CURLOPT_RESOLVE, hosts.get());
    set(curl, CURLOPT_PROXY, "");
    set(curl, CURLOPT_FOLLOWLOCATION, 0L);
    set(curl, CURLOPT_TIMEOUT, static_cast<long>(patience.count()));
    set(curl, CURLOPT_NOSIGNAL, 1L);
    set(curl, CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
    set(curl, CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
    set(curl, CURLOPT_CAINFO, authorities.c_str());
    set(curl, CURLOPT_CAPATH, static_cast<const char*>(nullptr));
    set(curl, CURLOPT_SSL_VERIFYPEER, 1L);
    set(curl, CURLOPT_SSL_VERIFYHOST, 2L);
    set(curl, CURLOPT_HEADERFUNCTION, &take_head);
    set(curl, CURLOPT_HEADERDATA, static_cast<void*>(&body));
    set(curl, CURLOPT_WRITEFUNCTION, &take);
    set(curl, CURLOPT_WRITEDATA, static_cast<void*>(&body));
    const CURLcode code = curl_easy_perform(curl);
    Fetched fetched;
    fetched.reason = complaint(curl, body, code);
    if (!fetched.reason.empty()) {
        fetched.reason = "no policy from https://" + host + ": " + fetched.reason;
        return fetched;
    }
    fetched.policy = parse_policy(body.text);
    if (!fetched.policy) fetched.reason = "what https://" + host + " has is no policy";
    return fetched;
}

std::string encode(const Order& order) {
    return static_cast<char>(std::clamp<Seconds::rep>(order.patience.count(), 1, 100)) + order.domain;
}

std::optional<Order> decode_order(std::string_view packet) {
    if (packet.size() < 2 || packet[0] < 1 || packet[0] > 100 || !is_domain(packet.substr(1)))
        return std::nullopt;
    return Order{std::string(packet.substr(1)), Seconds(packet[0])};
}

std::string encode_reply(const Fetched& fetched) {
    if (!fetched.policy) return "N" + fetched.reason.substr(0, reason_limit);
    return "P" + fetched.id + "\n" + text_of(*fetched.policy);
}

std::optional<Fetched> decode_reply(std::string_view data) {
    if (data.empty()) return std::nullopt;
    const char kind = data.front();
    data.remove_prefix(1);
    Fetched fetched;
    if (kind == 'N' && data.size() <= reason_limit) {
        fetched.reason = data;
        return fetched;
    }
    const std::size_t end = data.find('\n');
    if (kind != 'P' || end == std::string_view::npos || end > id_limit) return std::nullopt;
    fetched.id = data.substr(0, end);
    fetched.policy = parse_policy(data.substr(end + 1));
    if (!fetched.policy) return std::nullopt;
    return fetched;
}

void serve_fetches(int socket, const control::Home& home) {
    net::Resolver resolver(home);
    while (const auto packet = receive_packet(socket, request_limit)) {
        Fetched fetched;
        try {
            if (const auto order = decode_order(packet->data)) fetched = look(resolver, home, *order);
        } catch (const Error& error) {
            fetched = {{}, "", error.what()};
        }
        if (!send_packet(socket, encode_reply(fetched))) return;
    }
}

}  // namespace relais::sts
