// A client that has said all that it will say, and a queue in memory.
#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "base/fd.h"
#include "base/io.h"
#include "smtpd/message_sink.h"

namespace relais::qmtp {

inline Fd file_with(std::string_view content) {
    Fd fd(::memfd_create("input", MFD_CLOEXEC));
    if (!fd || ::write(fd.get(), content.data(), content.size()) != static_cast<ssize_t>(content.size()))
        std::abort();
    ::lseek(fd.get(), 0, SEEK_SET);
    return fd;
}

struct KeptMessage {
    std::string text;
    std::string sender;
    std::vector<std::string> recipients;
};

class KeepingSink : public smtpd::MessageSink {
  public:
    KeepingSink(std::vector<KeptMessage>& kept, queue::SubmitAnswer answer)
        : kept_(kept), answer_(std::move(answer)) {}
    void write(std::string_view text) override { message_.text += text; }
    queue::SubmitAnswer finish(const std::string& sender,
                               const std::vector<std::string>& recipients) override {
        message_.sender = sender;
        message_.recipients = recipients;
        if (answer_.code == queue::SubmitCode::accepted) kept_.push_back(message_);
        return answer_;
    }
    std::uint64_t qp() const override { return 7; }

  private:
    std::vector<KeptMessage>& kept_;
    queue::SubmitAnswer answer_;
    KeptMessage message_;
};

}  // namespace relais::qmtp
