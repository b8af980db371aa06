#include "family/block_lookup.h"

#include "base/error.h"
#include "base/text.h"
#include "inject/options.h"
#include "net/reverse_name.h"

namespace relais::family {
namespace {

// For all lists together: the client waits meanwhile.
constexpr Seconds patience{30};
constexpr std::size_t text_limit = 200;

bool is_trouble(const net::DnsAnswer& answer) {
    return answer.status == net::DnsStatus::failed || answer.status == net::DnsStatus::bogus;
}

}  // namespace

BlockOptions BlockOptions::read(const Arguments& arguments) {
    constexpr const char* usage =
        "usage: rblsmtpd [ -bBcC ] [ -t seconds ] [ -r zone ] [ -a zone ] program [ arg ... ]";
    BlockOptions result;
    inject::OptionReader options(arguments, "bBcCt:r:a:");
    while (const auto option = options.next()) {
        switch (*option) {
            case 'b':
            case 'B':
                result.final = *option == 'b';
                break;
            case 'c':
            case 'C':
                result.fail_closed = *option == 'c';
                break;
            case 't': {
                const auto seconds = parse_number(options.value());
                if (!seconds || *seconds > 86400) throw_permanent(usage);
                result.timeout = std::chrono::seconds(*seconds);
                break;
            }
            case 'r':
            case 'a':
                result.sources.push_back({*option == 'r', options.value()});
                break;
            default:
                throw_permanent(usage);
        }
    }
    result.command = options.rest();
    if (result.command.empty()) throw_permanent(usage);
    return result;
}

std::optional<std::string> look_up_client(const BlockOptions& options, const std::string& address,
                                          net::Resolver& resolver) {
    using net::RecordType;
    if (net::reverse_name(address).empty()) return std::nullopt;
    std::vector<std::vector<net::DnsQuestion>> questions;
    for (const BlockOptions::Source& source : options.sources)
        questions.push_back(
            {{source.blocks ? RecordType::txt : RecordType::a, net::reversed_address(address, source.zone)}});
    const auto answers = resolver.ask_apart(questions, Deadline::in(patience));
    for (std::size_t i = 0; i < answers.size(); ++i) {
        const net::DnsAnswer& answer = answers[i].front();
        const bool blocks = options.sources[i].blocks;
        if (is_trouble(answer) && blocks && options.fail_closed) return "temporary RBL lookup error";
        if (answer.status != net::DnsStatus::found) continue;
        if (!blocks) return std::nullopt;
        std::string text;
        for (const net::DnsRecord& record : answer.records) text += record.text;
        return (options.final ? "-" : "") + text;
    }
    return std::nullopt;
}

std::string block_reply(std::string_view text) {
    const bool final = text.starts_with("-");
    std::string reply(final ? "553 " : "451 ");
    for (const char c : text.substr(final ? 1 : 0).substr(0, text_limit))
        reply += static_cast<unsigned char>(c) < 32 || static_cast<unsigned char>(c) > 126 ? '?' : c;
    return reply;
}

}  // namespace relais::family
