#include "net/lookup.h"

#include <arpa/inet.h>
#include <unbound.h>

#include <algorithm>

#include "base/error.h"
#include "base/hexadecimal.h"
#include "net/dns_name.h"

namespace relais::net {
namespace {

void check(int result, std::string_view verb, std::string_view object) {
    if (result != 0)
        throw Error(Reaction::temporary, "unable to " + std::string(verb) + " " + std::string(object) + ": " +
                                             ub_strerror(result));
}

std::optional<std::string> address_text(int family, std::string_view rdata) {
    char text[INET6_ADDRSTRLEN];
    if (rdata.size() != (family == AF_INET ? 4U : 16U)) return std::nullopt;
    return std::string(::inet_ntop(family, rdata.data(), text, sizeof text));
}

std::optional<std::string> name_text(std::string_view rdata) {
    auto name = parse_wire_name(rdata);
    if (!name || name->size != rdata.size()) return std::nullopt;
    return std::move(name->text);
}

std::optional<std::string> joined_strings(std::string_view rdata) {
    std::string text;
    while (!rdata.empty()) {
        const auto length = static_cast<unsigned char>(rdata[0]);
        if (length >= rdata.size()) return std::nullopt;
        text.append(rdata.substr(1, length));
        rdata.remove_prefix(1U + length);
    }
    return text;
}

// A record that is none counts: who has published it wants more than the clear (RFC 7672, 2.2).
std::string tlsa_text(std::string_view rdata) {
    if (rdata.size() < 3) return "";
    std::string text;
    for (std::size_t i = 0; i < 3; ++i) text += std::to_string(static_cast<unsigned char>(rdata[i])) + ' ';
    return text + hexadecimal(rdata.substr(3));
}

std::optional<DnsRecord> parse_record(RecordType type, std::string_view rdata) {
    DnsRecord record;
    std::optional<std::string> text;
    switch (type) {
        case RecordType::a:
            text = address_text(AF_INET, rdata);
            break;
        case RecordType::aaaa:
            text = address_text(AF_INET6, rdata);
            break;
        case RecordType::cname:
        case RecordType::ptr:
            text = name_text(rdata);
            break;
        case RecordType::txt:
            text = joined_strings(rdata);
            break;
        case RecordType::tlsa:
            text = tlsa_text(rdata);
            break;
        case RecordType::mx:
            if (rdata.size() < 3) return std::nullopt;
            record.preference = static_cast<std::uint16_t>(static_cast<unsigned char>(rdata[0]) << 8 |
                                                           static_cast<unsigned char>(rdata[1]));
            text = name_text(rdata.substr(2));
            break;
    }
    if (!text) return std::nullopt;
    record.text = std::move(*text);
    return record;
}

}  // namespace

DnsAnswer to_answer(RecordType type, const ub_result& result) {
    constexpr int nxdomain = 3;
    DnsAnswer answer;
    answer.secure = result.secure != 0;
    answer.ttl = static_cast<std::uint32_t>(std::max(result.ttl, 0));
    if (result.canonname != nullptr) answer.canonical_name = result.canonname;
    if (answer.canonical_name.ends_with('.')) answer.canonical_name.pop_back();
    if (result.bogus != 0) {
        answer.status = DnsStatus::bogus;
    } else if (result.nxdomain != 0) {
        answer.status = DnsStatus::no_such_name;
    } else if (result.rcode != 0 && result.rcode != nxdomain) {
        answer.status = DnsStatus::failed;
    } else {
        for (std::size_t i = 0; result.havedata != 0 && result.data[i] != nullptr; ++i) {
            const std::string_view rdata(result.data[i],
                                         static_cast<std::size_t>(std::max(result.len[i], 0)));
            if (auto record = parse_record(type, rdata)) answer.records.push_back(std::move(*record));
        }
        answer.status = answer.records.empty() ? DnsStatus::no_such_record : DnsStatus::found;
    }
    return answer;
}

Lookup::Lookup(EventLoop& loop, const LookupSettings& settings) : loop_(loop), context_(ub_ctx_create()) {
    if (context_ == nullptr) throw_errno("create", "a DNS context", ENOMEM);
    try {
        set_sizes();
        set_servers(settings);
        if (!settings.anchor_file.empty())
            check(ub_ctx_add_ta_file(context_, settings.anchor_file.c_str()), "read", settings.anchor_file);
        check(ub_ctx_async(context_, 1), "start", "the DNS thread");
        open_private_zones();
        fd_ = ub_fd(context_);
        loop_.add(fd_, EPOLLIN, [this](std::uint32_t) { ub_process(context_); });
    } catch (...) {
        ub_ctx_delete(context_);
        throw;
    }
}

Lookup::~Lookup() {
    loop_.remove(fd_);
    ub_ctx_delete(context_);
}

void Lookup::set_option(const char* name, const char* value) {
    check(ub_ctx_set_option(context_, name, value), "set the DNS option", name);
}

void Lookup::set_sizes() {
    // The library's own sizes are for a program that asks a few questions.
    set_option("outgoing-range:", "512");
    set_option("num-queries-per-thread:", "1024");
    set_option("outgoing-num-tcp:", "32");
    set_option("msg-cache-size:", "16m");
    set_option("rrset-cache-size:", "32m");
    // Mail is patient, but wants to notice soon that a server or a zone is back.
    set_option("infra-host-ttl:", "60");
    set_option("infra-keep-probing:", "yes");
    set_option("cache-max-negative-ttl:", "300");
    set_option("cache-max-ttl:", "86400");
    // Servers on this machine, zones of a private network.
    set_option("do-not-query-localhost:", "no");
    set_option("unblock-lan-zones:", "yes");
    set_option("insecure-lan-zones:", "yes");
}

void Lookup::set_servers(const LookupSettings& settings) {
    for (const std::string& server : settings.servers)
        check(ub_ctx_set_fwd(context_, server.c_str()), "use the DNS server", server);
    // Without a resolv.conf the library starts at the root servers.
    if (settings.servers.empty()) ub_ctx_resolvconf(context_, settings.resolv_conf.c_str());
}

// The library would answer these by itself; they may exist in a private network. It reads its configuration
// now: wrong settings show here, and none can be changed afterwards.
void Lookup::open_private_zones() {
    for (const char* zone : {"test.", "home.arpa."})
        check(ub_ctx_zone_remove(context_, zone), "open the zone", zone);
}

int Lookup::start(const DnsQuestion& question, Done done) {
    auto pending = std::make_unique<Pending>(Pending{this, 0, question, std::move(done)});
    constexpr int internet = 1;
    check(ub_resolve_async(context_, question.name.c_str(), static_cast<int>(question.type), internet,
                           pending.get(), &Lookup::finished, &pending->id),
          "ask DNS for", question.name);
    const int id = pending->id;
    pending_[id] = std::move(pending);
    return id;
}

void Lookup::cancel(int id) {
    if (pending_.erase(id) != 0) ub_cancel(context_, id);
}

void Lookup::finished(void* argument, int error, ub_result* result) {
    const std::unique_ptr<ub_result, decltype(&ub_resolve_free)> owned(result, &ub_resolve_free);
    Pending& asked = *static_cast<Pending*>(argument);
    const auto node = asked.owner->pending_.extract(asked.id);
    if (node.empty()) return;
    asked.done(error == 0 && result != nullptr ? to_answer(asked.question.type, *result) : DnsAnswer{});
}

}  // namespace relais::net
