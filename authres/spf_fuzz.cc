// SPF: a record that every name has, so that it includes and redirects to itself, is evaluated with a bounded
// number of questions.
#include <cstdint>
#include <cstdlib>

#include "authres/spf.h"

namespace {

using namespace relais;

class OneRecord final : public authres::Dns {
  public:
    explicit OneRecord(std::string_view text) : text_(text) {}
    std::vector<net::DnsAnswer> ask_all(std::span<const net::DnsQuestion> questions, Deadline) override {
        std::vector<net::DnsAnswer> answers;
        for (const auto& question : questions) {
            if (++asked_ > 200 || !authres::is_domain_name(question.name)) std::abort();
            answers.push_back(answer(question.type));
        }
        return answers;
    }

  private:
    net::DnsAnswer answer(net::RecordType type) const {
        net::DnsAnswer answer;
        answer.status = net::DnsStatus::found;
        switch (type) {
            case net::RecordType::txt:
                answer.records.assign(1, {0, text_});
                break;
            case net::RecordType::a:
                answer.records.assign(1, {0, "198.51.100.1"});
                break;
            case net::RecordType::aaaa:
                answer.records.assign(1, {0, "2001:db8::2"});
                break;
            default:
                answer.records.assign(10, {0, "host.example"});
        }
        return answer;
    }

    std::string text_;
    int asked_ = 0;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view input(reinterpret_cast<const char*>(data), size);
    for (const char* ip : {"192.0.2.1", "2001:db8::1"}) {
        OneRecord dns(input);
        const auto outcome =
            authres::check_spf(dns, {ip, "helo.example", "a.b-c@d.example"}, Deadline::never());
        if (outcome.lookups > 10 || outcome.explanation.size() > 2048) std::abort();
    }
    return 0;
}
