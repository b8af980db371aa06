// DKIM: a key record up to the first NUL, then a message. How the message is cut into pieces changes nothing;
// no field of it costs more than its signatures' questions.
#include <cstdint>
#include <cstdlib>

#include "authres/dkim.h"
#include "authres/tag_list.h"

namespace {

using namespace relais;

class OneKey final : public authres::Dns {
  public:
    explicit OneKey(std::string_view record) : record_(record) {}
    std::vector<net::DnsAnswer> ask_all(std::span<const net::DnsQuestion> questions, Deadline) override {
        if (questions.size() > authres::dkim_signature_limit) std::abort();
        net::DnsAnswer answer;
        answer.status = net::DnsStatus::found;
        answer.records.assign(1, {0, record_});
        return std::vector<net::DnsAnswer>(questions.size(), answer);
    }

  private:
    std::string record_;
};

class Verification final : public authres::MessageSink {
  public:
    void header(const authres::MessageHeader& header) override { verifier.header(header, hashes); }
    void body(std::string_view data) override { hashes.add(data); }
    authres::DkimVerifier verifier;
    authres::BodyHashes hashes;
};

std::string verify(std::string_view record, std::string_view message, std::size_t piece) {
    Verification verification;
    authres::MessageReader reader(verification, 4096);
    for (; !message.empty(); message.remove_prefix(std::min(piece, message.size())))
        reader.add(message.substr(0, piece));
    reader.finish();
    verification.hashes.finish();
    OneKey dns(record);
    std::string text;
    for (const auto& verdict :
         verification.verifier.finish(dns, verification.hashes, 1, Deadline::never()).signatures)
        text += std::string(authres::to_text(verdict.result)) + verdict.reason + verdict.domain + "\n";
    return text;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view input(reinterpret_cast<const char*>(data), size);
    const std::size_t end = std::min(input.find('\0'), input.size());
    const std::string_view record = input.substr(0, end);
    const std::string_view message = input.substr(std::min(end + 1, input.size()));
    if (verify(record, message, SIZE_MAX) != verify(record, message, 3)) std::abort();
    if (const auto tags = authres::TagList::parse(record))
        for (const auto& [name, value] : tags->tags())
            if (tags->find(name) != value) std::abort();
    authres::without_signature(record);
    return 0;
}
