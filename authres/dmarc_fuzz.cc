// DMARC records, and a From field (what follows the first NUL) whose domains all have that record.
#include <cstdint>
#include <cstdlib>

#include "authres/dmarc.h"

namespace {

using namespace relais;

class OnePolicy final : public authres::Dns {
  public:
    explicit OnePolicy(std::string_view record) : record_(record) {}
    std::vector<net::DnsAnswer> ask_all(std::span<const net::DnsQuestion> questions, Deadline) override {
        if ((asked_ += questions.size()) > 4 * (8 + 3) + 2 * 8) std::abort();
        net::DnsAnswer answer;
        answer.status = net::DnsStatus::found;
        answer.records.assign(1, {0, record_});
        return std::vector<net::DnsAnswer>(questions.size(), answer);
    }

  private:
    std::string record_;
    std::size_t asked_ = 0;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view input(reinterpret_cast<const char*>(data), size);
    const std::size_t end = std::min(input.find('\0'), input.size());
    const std::string_view record = input.substr(0, end);
    authres::MessageHeader header;
    header.fields.push_back(
        {"From", "From:" + std::string(input.substr(std::min(end + 1, input.size()))) + "\r\n"});
    authres::SpfOutcome spf;
    spf.result = authres::SpfResult::pass;
    spf.domain = "bounce.mail.example.org";
    authres::DkimReport dkim;
    dkim.signatures.emplace_back();
    dkim.signatures[0].domain = "news.example.org";
    dkim.signatures[0].result = authres::DkimResult::pass;
    OnePolicy dns(record);
    const auto outcome = authres::check_dmarc(dns, header, spf, dkim, Deadline::never());
    if (outcome.result == authres::DmarcResult::pass && !authres::parse_dmarc_record(record)) std::abort();
    if (authres::tree_walk(record).size() > 8) std::abort();
    return 0;
}
