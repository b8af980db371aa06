// TLSA records, as anybody may publish them: a line each, as qmail-resolver hands them on. What counts as
// usable must be something that OpenSSL takes.
#include <cstdint>
#include <cstdlib>

#include "base/text.h"
#include "remote/dane.h"
#include "tls/context.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace relais;
    static const tls::ClientContext context;
    net::DnsAnswer answer;
    answer.status = net::DnsStatus::found;
    answer.secure = true;
    for (const auto line : split({reinterpret_cast<const char*>(data), size}, '\n'))
        answer.records.push_back({0, std::string(line)});
    const auto found = remote::find_dane([&](net::RecordType, const std::string&) { return answer; },
                                         {"mx.example.org", "", 25, true});
    if (found.records.size() + found.ignored != answer.records.size()) std::abort();
    if ((found.state == remote::Dane::State::usable) != !found.records.empty()) std::abort();
    const tls::SslPtr ssl(SSL_new(context.native()));
    if (!ssl || SSL_dane_enable(ssl.get(), "mx.example.org") != 1) std::abort();
    for (const tls::Tlsa& record : found.records) {
        if (tls::parse_tlsa(tls::text_of(record)) != record) std::abort();
        if (SSL_dane_tlsa_add(ssl.get(), record.usage, record.selector, record.matching,
                              reinterpret_cast<const unsigned char*>(record.data.data()),
                              record.data.size()) != 1)
            std::abort();
    }
    if (!remote::with_dane({}, found).required()) std::abort();
    return 0;
}
